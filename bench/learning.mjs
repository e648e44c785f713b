// Does learning the biases do what learning everything does?   npm run learning [-- --quick] [--own] [--processes 1]
//
// The built-in task, with the settings of npm run demo: the real MobileNetV2 learns ten drawn things from forty drawings of each, by three
// methods: the classifier alone (probe), every bias (bias), everything (full). Three seeds, four deals of the drawings for each into those
// to learn from, to choose by (the epoch and the learning rate) and to judge by. One grid of rates for every method; a method's rate is the
// one with the most right validation drawings over all deals of all seeds. Nothing is chosen by test drawings. The same rates then serve
// two other sets of ten classes (--own leaves these out); the product's default rates serve the same task for four times as long, and the
// network with all its blocks, which the demo leaves the last of out. How many it takes was settled on development classes, which judge
// nothing else: that table is made here too.
//
// --networks: other networks than the demo's, on more tasks, an experiment of its own: bench/networks.mjs.
// Writes docs/results/learning.md (--quick: build/learning/quick.md). Runs are kept in build/learning, so a second call goes on.
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { DEPTH, DRAWINGS, EPOCHS, inDepth, SIDE } from '../tools/builtin.mjs';
import { convert } from '../tools/models/movenet.mjs';
import { writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { DEVELOPMENT, EVALUATION } from '../tools/pictures/sets.mjs';
import { openStore } from './learning-store.mjs';
import { writePage } from './notes.mjs';
import { climb, FINE_RATES as RATES, validation } from './rates.mjs';
import { accuracies, percent, pictureRows, points, range, withIntervals } from './statistics.mjs';

if (process.argv.includes('--networks')) {
  await import('./networks.mjs');
  process.exit();
}

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    own: { type: 'boolean', default: false },
    processes: { type: 'string', default: '1' },
  },
});
const { quick } = values;
const processes = Number(values.processes);

/** Methods, and where in the grid each begins to climb. */
const METHODS = { probe: 2e-2, bias: 2e-2, full: 3e-4 };
const NAMES = Object.keys(METHODS);
const SEEDS = quick ? [1] : [1, 2, 3];
const DEALS = quick ? [0] : [0, 1, 2, 3];
const recipe = { epochs: quick ? 2 : EPOCHS };
/** How many times as long, too, on some deals of the first seed. */
const LONGER = quick ? [] : [1, 4];
const LONGER_DEALS = 2;
/** Depths that the demo's was chosen from; null: all blocks and the last convolution. */
const DEPTHS = quick ? [] : [9, 11, 12, 13, 14, 15, null];
/** The seed that deals the drawings. */
const dealt = (seed, d) => seed + 100 * d;

const began = Date.now();
const folder = 'build/learning';
const model = `${folder}/mobilenetv2`;
mkdirSync(folder, { recursive: true });
convert(model, SIDE);
const picturesOf = (set, seed, d) => `${folder}/builtin-${set}-${dealt(seed, d)}`;
const trials = EVALUATION.slice(0, quick || values.own ? 1 : 3).flatMap((classes, set) =>
  SEEDS.flatMap((seed) =>
    DEALS.slice(0, set === 0 ? DEALS.length : 1).map((d) => {
      writeQuickdraw(picturesOf(set, seed, d), { classes, ...DRAWINGS, seed: dealt(seed, d) });
      return { set, seed, deal: d };
    }),
  ),
);

const done = openStore(`${folder}/runs`, processes);
const all = [];
/** @param {string} name @param {number | undefined} rate @param {any} trial @param {{ depth?: number, [option: string]: any }} [options] */
const run = async (name, rate, trial, { depth = DEPTH, ...more } = {}) => {
  const pictures = picturesOf(trial.set, trial.seed, trial.deal);
  const job = { method: inDepth(name, depth), rate, seed: trial.seed, ...recipe, cacheFolder: `${pictures}-cache`, ...more };
  const answer = { ...trial, ...(await done({ model, pictures, job })) };
  all.push(answer);
  return answer;
};
const runs = async (method, rate, list, more = {}) => {
  const answers = await Promise.all(list.map((trial) => run(method, rate, trial, more)));
  if (list.length > 0)
    process.stderr.write(
      `${method} ${rate} ${JSON.stringify(more)}, ${list.length} runs: validation ${percent(validation(answers).accuracy)}\n`,
    );
  return answers;
};

/** Of the demo's classes, seed by seed. */
const deals = trials.filter(({ set }) => set === 0);
const grid = [];
/** By method, the answers of every deal at the rate that validation chose, and at the product's default. */
const own = [];
const byDefault = [];
for (const name of NAMES) {
  const answers = new Map();
  const found = await climb(RATES, METHODS[name], async (rate) => {
    answers.set(rate, await runs(name, rate, deals));
    return validation(answers.get(rate));
  });
  grid.push(found);
  own.push(answers.get(found.best));
  byDefault.push(await runs(name, undefined, deals));
}
const exact = await run('bias', grid[1].best, deals[0], { keep: 'exact' });
const identical = own[1][0].adapter === exact.adapter;
/** By times as long: the answers of bias and of full. */
const longer = [];
for (const times of LONGER) {
  const lists = [];
  for (const m of [1, 2]) lists.push(await runs(NAMES[m], undefined, deals.slice(0, LONGER_DEALS), { epochs: times * EPOCHS }));
  longer.push({ times, lists });
}
/** By method, the answers of every deal with all blocks, at the product's default rates. */
const whole = [];
for (const name of quick ? [] : NAMES) whole.push(await runs(name, undefined, deals, { depth: null }));
/** By depth, every method at the product's default rate on the development classes. */
const development = DEVELOPMENT.map((classes, i) => {
  const trial = { set: `development-${i}`, seed: 1, deal: 0 };
  if (DEPTHS.length > 0) writeQuickdraw(picturesOf(trial.set, 1, 0), { classes, ...DRAWINGS, seed: dealt(1, 0) });
  return trial;
});
const byDepth = [];
for (const depth of DEPTHS) {
  const lists = [];
  for (const name of NAMES) lists.push(await runs(name, undefined, development, { depth }));
  byDepth.push(lists);
}
const others = [];
for (const [m, { best }] of grid.entries())
  others.push(
    await runs(
      NAMES[m],
      best,
      trials.filter(({ set }) => set > 0),
    ),
  );

const figures = (a) => [...a, a[1] / a[2], a[1] - a[0]];
const judge = (lists) => {
  const rows = pictureRows(lists);
  return { predictions: rows.reduce((sum, { count }) => sum + count, 0), values: withIntervals(rows, figures) };
};
const task = judge(own);
const [probe, bias, full, ratio, gain] = task.values;
const defaults = judge(byDefault).values;
const accuracyOf = (answers) => accuracies(pictureRows([answers]))[0];
const perSeed = (m) => SEEDS.map((seed) => percent(accuracyOf(own[m].filter((r) => r.seed === seed)))).join(', ');
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const spent = [...new Map(all.map((r) => [r.adapter + r.cpuSeconds, r.cpuSeconds])).values()].reduce((a, b) => a + b, 0);
const n = DRAWINGS;

const forLonger = () => {
  const lines = longer.map(({ times, lists }) => {
    const rows = pictureRows(lists);
    const [b, f, r] = withIntervals(rows, (a) => [...a, a[0] / a[1]]);
    return `| ${times * EPOCHS} | ${percent(b.value)} | ${percent(f.value)} | ${percent(r.value)} (${range(r.interval)}) |`;
  });
  const count = pictureRows(longer[0].lists).reduce((sum, row) => sum + row.count, 0);
  return `## For longer

The first ${LONGER_DEALS} deals of the first seed, at the product's default rates, which are measured; ${count} test predictions behind each figure.

| epochs | bias | full | bias / full |
|---|---|---|---|
${lines.join('\n')}

`;
};

const withAllBlocks = () => {
  const { values: v } = judge(whole);
  return `## With all blocks

The same deals and the product's default rates, the network with all its blocks and its last convolution: probe ${percent(v[0].value)} (${range(v[0].interval)}), bias
${percent(v[1].value)} (${range(v[1].interval)}), full ${percent(v[2].value)} (${range(v[2].interval)}), in ${whole.map(([r]) => mebibytes(r.linearBytes)).join(', ')}.

`;
};

const forDepth = () => {
  const counts = pictureRows([byDepth[0][0]]).reduce((sum, row) => sum + row.count, 0);
  const lines = byDepth.map((lists, i) => {
    const shares = lists.map((answers) => percent(accuracyOf(answers)));
    const each = lists[1].map((answer) => percent(accuracyOf([answer]))).join(', ');
    return `| ${DEPTHS[i] ?? 'all'} | ${shares.join(' | ')} | ${each} | ${mebibytes(lists[1][0].linearBytes)} |`;
  });
  return `## Which depth

Settled by biases on forty other classes, four times ten, which judge nothing else; each method at the product's default rate, one deal, ${counts} drawings
judged by each.

| blocks | probe | bias | full | bias, each set | bias, linear memory |
|---|---|---|---|---|---|
${lines.join('\n')}

`;
};

const elsewhere = () => {
  const { predictions, values: v } = judge(others);
  const sets = EVALUATION.slice(1).map((classes, i) => `${i + 1}. ${classes.join(', ')}`);
  return `## Other classes

The same rates and recipe on two other sets of ten classes, one deal for each seed, ${predictions} test predictions behind each figure: probe
${percent(v[0].value)} (${range(v[0].interval)}), bias ${percent(v[1].value)} (${range(v[1].interval)}), full ${percent(v[2].value)} (${range(v[2].interval)}); bias / full
**${percent(v[3].value)}** (${range(v[3].interval)}), bias − probe **${points(v[4].value)} points** (${range(v[4].interval, points)}).

${sets.join('\n')}
`;
};

const markdown = `# Learning: biases against everything

\`npm run learning${quick ? ' -- --quick' : ''}\` wrote this page. ${spent.toFixed(0)} s of processor time, ${cpus()[0].model}.

The built-in task, with the settings of \`npm run demo\`: the first ${DEPTH} blocks of MobileNetV2 1.0 (MoveNet's, ${SIDE}×${SIDE}), ten QuickDraw classes
(${EVALUATION[0].join(', ')}), ${n.train} drawings of each to learn from, ${n.val} to choose by, the other
${100 - n.train - n.val} to judge by; ${SEEDS.length} seed${SEEDS.length > 1 ? `s, ${DEALS.length} deals of the drawings each` : ''}: ${task.predictions} test predictions behind each figure. Method, rate and seed apart, every run has
the same settings: ${recipe.epochs} epochs and the product's defaults. Intervals: 95 %, paired bootstrap over drawings.

| method | rate | test accuracy | interval | each seed | linear memory | kept, a picture |
|---|---|---|---|---|---|---|
${NAMES.map((method, m) => `| ${method} | ${grid[m].best} | **${percent(task.values[m].value)}** | ${range(task.values[m].interval)} | ${perSeed(m)} | ${mebibytes(own[m][0].linearBytes)} | ${mebibytes(own[m][0].keptBytesPerImage)} |`).join('\n')}

- bias / full: **${percent(ratio.value)}** (${range(ratio.interval)}); wanted: 98 %
- bias − probe: **${points(gain.value)} points** (${range(gain.interval, points)})
- At the product's default rates, which are measured before the first step, the three name ${defaults
  .slice(0, 3)
  .map(({ value }) => percent(value))
  .join(', ')}; bias / full ${percent(defaults[3].value)} (${range(defaults[3].interval)})
- Adapters kept as codes (\`s2a\`) and as f32 (\`exact\`), same run: ${identical ? 'identical to the byte' : '**different**'}.

Validation accuracy by rate (${deals.length > 1 ? `all ${deals.length} deals` : 'one deal'}, ${deals.length * 10 * n.val} drawings; equal ones are told apart by their loss). Each method climbs the grid from its
first guess until both neighbours of its best are worse, so the best lies inside what was tried, or at an end of the grid:

| method | ${RATES.join(' | ')} |
|---|${RATES.map(() => '---|').join('')}
${grid.map(({ best, tried }, m) => `| ${NAMES[m]} | ${RATES.map((rate) => (tried.has(rate) ? (rate === best ? `**${percent(tried.get(rate).accuracy)}**` : percent(tried.get(rate).accuracy)) : '')).join(' | ')} |`).join('\n')}

${quick ? '' : forLonger() + withAllBlocks() + forDepth()}${quick || values.own ? '' : elsewhere()}`;
const path = quick ? `${folder}/quick.md` : 'docs/results/learning.md';
if (!quick) mkdirSync('docs/results', { recursive: true });
writePage(path, markdown);
process.stdout.write(`\n${markdown}\n${path}; ${Math.round((Date.now() - began) / 1000)} s\n`);
if (!identical || probe.value >= bias.value || full.value === 0) process.exitCode = 1;
