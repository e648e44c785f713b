// The page of npm run experiments: a table and a plot for every model and task, and what they say.
import { basename } from 'node:path';
import { plot } from './experiments-plot.mjs';
import { accuracies, percent, pictureRows, points, range, withIntervals } from './statistics.mjs';

const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
const kilobytes = (bytes) => (bytes / 1e3).toFixed(1);
const count = (n) => n.toLocaleString('en');
const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;

/**
 * Everything a section's rows are set beside: accuracy under each policy and ratio to full, with intervals.
 *
 * @returns {{ predictions: number, at(list: any): { accuracy: any, ofFull: any }, s2a?: any, all?: any }}
 */
function figures({ rows }) {
  const contestants = rows.flatMap((row) => [{ row, list: row.s2a }, ...(row.same || !row.exact ? [] : [{ row, list: row.exact }])]);
  const table = pictureRows(contestants.map(({ list }) => list));
  const full = contestants.findIndex(({ row }) => row.method === 'full');
  const of = (method) => contestants.findIndex(({ row }) => row.method === method);
  const n = contestants.length;
  const pairs = rows
    .filter(({ same, exact }) => !same && exact)
    .map((row) => [contestants.findIndex((c) => c.list === row.s2a), contestants.findIndex((c) => c.list === row.exact)]);
  /** @type {[string, (accuracies: number[]) => number][]} */
  const differences = [];
  if (pairs.length > 0) differences.push(['s2a', (a) => mean(pairs.map(([s, e]) => a[s] - a[e]))]);
  if (of('bias+prompt+side') >= 0 && of('bias') >= 0) differences.push(['all', (a) => a[of('bias+prompt+side')] - a[of('bias')]]);
  const values = withIntervals(
    table,
    (a) => [...a, ...a.map((v) => (full < 0 ? Number.NaN : v / a[full])), ...differences.map(([, f]) => f(a))],
    2000,
  );
  const predictions = table.reduce((sum, row) => sum + row.count, 0);
  return {
    predictions,
    at: (list) => {
      const i = contestants.findIndex((c) => c.list === list);
      return { accuracy: values[i], ofFull: values[n + i] };
    },
    ...Object.fromEntries(differences.map(([name], i) => [name, values[2 * n + i]])),
  };
}

const line = (row, keep, list, { accuracy, ofFull }) => {
  const [run] = list;
  return `| ${[
    row.method,
    keep,
    row.rate,
    `${count(run.trainable.count)} (${run.trainable.percent.toFixed(2)} %)`,
    `**${percent(accuracy.value)}**`,
    range(accuracy.interval),
    Number.isFinite(ofFull.value) ? `${percent(ofFull.value)} (${range(ofFull.interval)})` : '',
    mebibytes(run.linearBytes),
    mebibytes(run.linearBytes - run.frozenBytes),
    kilobytes(run.keptBytesPerImage),
    mean(list.map((r) => r.trainedSeconds)).toFixed(1),
  ].join(' | ')} |`;
};

function sectionText(section, rates, image) {
  const { model, task, recipe, rows, missing, methods } = section;
  if (rows.length === 0) return `## ${model}: ${task}\n\nNot run.\n`;
  const f = figures(section);
  const lines = rows.flatMap((row) => [
    line(row, row.same && row.exact ? 's2a = exact' : 's2a', row.s2a, f.at(row.s2a)),
    ...(row.same || !row.exact ? [] : [line(row, 'exact', row.exact, f.at(row.exact))]),
  ]);
  const three = rows.find(({ method }) => method === 'bias+prompt+side');
  const reach = three && f.at(three.s2a).ofFull;
  const says = [
    ...(reach && Number.isFinite(reach.value)
      ? [
          reach.value >= 0.987
            ? `bias+prompt+side reaches ${percent(reach.value)} of full fine-tuning's accuracy (${range(reach.interval)}); wanted: 98.7 %.`
            : `bias+prompt+side reaches ${percent(reach.value)} of full fine-tuning's accuracy (${range(reach.interval)}): it **misses** the wanted 98.7 % by ${points(0.987 - reach.value)} points.`,
        ]
      : []),
    ...(f.all ? [`bias+prompt+side − bias: ${points(f.all.value)} points (${range(f.all.interval, points)}).`] : []),
    ...(f.s2a
      ? [`s2a − exact, mean over the methods where they differ: ${points(f.s2a.value)} points (${range(f.s2a.interval, points)}).`]
      : []),
    ...(rows.some(({ same, exact }) => same && exact)
      ? [
          'Where it says "s2a = exact", both gave the same adapter to the byte in the first seed, since one exact bit is all that is coded; exact was not run again.',
        ]
      : []),
    ...(missing > 0 ? [`Not run, or not to the end: ${missing} of ${2 * methods} pairs of method and policy.`] : []),
  ];
  return `## ${model}: ${task}

![accuracy against linear memory](${basename(image)})

${f.predictions} test predictions behind each figure. Settings: ${JSON.stringify(recipe)}.

| method | keep | rate | parameters that learn | test accuracy | interval | of full (same task, s2a) | linear memory, MiB | less frozen weights | kept, kB a picture | s to train |
|---|---|---|---|---|---|---|---|---|---|---|
${lines.join('\n')}

${says.map((s) => `- ${s}`).join('\n')}

Validation accuracy by rate:

| method | ${rates.join(' | ')} |
|---|${rates.map(() => '---|').join('')}
${rows.map(({ method, rate, tried }) => `| ${method} | ${rates.map((r) => (tried.has(r) ? (r === rate ? `**${percent(tried.get(r).accuracy)}**` : percent(tried.get(r).accuracy)) : '')).join(' | ')} |`).join('\n')}
`;
}

/** `{ markdown, plots: { path: svg } }` */
export function page(sections, { seeds, drawings, rates, processor, out, flags }) {
  const plots = {};
  const texts = sections.map((section, i) => {
    const image = `${out}-${i + 1}.svg`;
    if (section.rows.length > 0) {
      const dots = section.rows.flatMap((row) =>
        [['s2a', row.s2a], ...(row.same || !row.exact ? [] : [['exact', row.exact]])].map(([keep, list]) => ({
          method: row.method,
          keep,
          parameters: list[0].trainable.count,
          bytes: list[0].linearBytes,
          accuracy: accuracies(pictureRows([list]))[0],
        })),
      );
      plots[image] = plot(`${section.model}: ${section.task}`, dots);
    }
    return sectionText(section, rates, image);
  });
  const markdown = `# Every method, side by side

\`npm run experiments${flags}\` wrote this page; ${processor}.

${drawings.train} pictures of each class to learn from, ${drawings.val} drawings or 20 digits to choose by (the epoch, and the rate with the first seed), the other drawings or
170 digits to judge by; ${seeds.length} seed${seeds.length > 1 ? 's, each of which deals the pictures anew (the drawings twice)' : ''}.
One grid of rates for every method; each climbs it from near its default until both neighbours of its best are worse. Test pictures choose
nothing. Intervals: 95 %, paired bootstrap over pictures. Dots in the plots: area by the number of parameters that learn, hollow where
everything is kept in f32 (\`exact\`). Seconds are processor time of one thread on a machine that did other things too.

${texts.join('\n')}`;
  return { markdown, plots };
}
