// docs/results/networks.md: what the defaults come to on networks as they are published, beside the best of the grid, and what of the
// targets is met.
import { accuracies, bootstrapGroups, percent, pictureRows, points, range } from '../statistics.mjs';
import { GRID, METHODS } from './choose.mjs';
import { NETWORKS } from './models.mjs';
import { KEPT, SEEDS } from './plan.mjs';
import { TASKS } from './tasks.mjs';

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const ROUNDS = 1000;

const rateText = (rate) => (rate < 1e-3 ? rate.toExponential() : String(rate));

/** Where an accuracy counts as chance: one answer for nearly all pictures. */
const CHANCE = 1.5;

/**
 * A pair's contestants: every method at the defaults and at its best rate, and what was kept whole, as far as all seeds are there. `at(method,
 * which)` is the place of one in `rows`.
 */
function contest({ measured }) {
  const lists = [];
  const places = new Map();
  const add = (method, which, answers) => {
    if (!answers) return;
    places.set(`${method} ${which}`, lists.length);
    lists.push(answers.map((answer, i) => ({ set: `seed ${SEEDS[i]}`, right: answer.right })));
  };
  for (const { cell, defaults, best, exact } of measured) {
    add(cell.method, 'defaults', defaults);
    add(cell.method, 'best', best?.answers);
    add(cell.method, 'exact', exact);
  }
  if (lists.length === 0) return undefined;
  const rows = pictureRows(lists);
  // A class is the first part of a picture's name.
  const classes = new Set(Object.keys(lists[0][0].right).map((name) => name.split('/')[0])).size;
  return { rows, classes, at: (method, which) => places.get(`${method} ${which}`) };
}

/** Figures of all pairs at once: each `{ value, interval }` by name, every one from the same resamples. */
function judge(groups, figures) {
  const names = figures.map(([name]) => name);
  const all = (lists) => {
    const shares = lists.map(accuracies);
    return figures.map(([, figure]) => figure(shares));
  };
  const rows = groups.map((group) => group.rows);
  const intervals = bootstrapGroups(rows, all, ROUNDS);
  return Object.fromEntries(all(rows).map((value, i) => [names[i], { value, interval: intervals[i] }]));
}

/** Pairs of places to compare in every group that has both: `[{ group, a, b }]`. */
const both = (groups, [method1, which1], [method2, which2]) =>
  groups.flatMap((group, g) => {
    const [a, b] = [group.at(method1, which1), group.at(method2, which2)];
    return a === undefined || b === undefined ? [] : [{ group: g, method: method1, a, b }];
  });

const difference = (list) => (shares) => mean(list.map(({ group, a, b }) => shares[group][a] - shares[group][b]));
const ratio = (list) => (shares) => mean(list.map(({ group, a, b }) => shares[group][a] / shares[group][b]));

function table(section, contestants) {
  const figures = section.measured.flatMap(({ cell: { method } }) => {
    const [d, b] = ['defaults', 'best'].map((which) => contestants.at(method, which));
    return [
      ...(d === undefined ? [] : [[`${method} defaults`, ([s]) => s[d]]]),
      ...(b === undefined ? [] : [[`${method} best`, ([s]) => s[b]]]),
      ...(d === undefined || b === undefined ? [] : [[`${method} loss`, ([s]) => s[d] - s[b]]]),
    ];
  });
  const found = judge([contestants], figures);
  const share = (name) => (found[name] ? `**${percent(found[name].value)}** (${range(found[name].interval)})` : 'not run');
  const lines = section.measured.map(({ cell: { method }, defaults, best }) => {
    const loss = found[`${method} loss`];
    const tried = GRID.filter((rate) => best?.tried.has(rate)).map(
      (rate) => `${rateText(rate)}: ${percent(best.tried.get(rate).accuracy)}`,
    );
    const runs = [...(defaults ?? []), ...(best?.answers ?? [])];
    return `| ${[
      method === 'lora' ? NETWORKS[section.network].lora : method,
      share(`${method} defaults`),
      best ? rateText(best.rate) : '',
      share(`${method} best`),
      loss ? `${points(loss.value)} (${range(loss.interval, points)})` : '',
      tried.join(', '),
      runs.length > 0 ? mean(runs.map((r) => r.trainedSeconds)).toFixed(0) : '',
    ].join(' | ')} |`;
  });
  const [s2a, exact] = ['best', 'exact'].map((which) => contestants.at(KEPT, which));
  if (exact === undefined) return lines.join('\n');
  const [whole, loss] = Object.values(
    judge(
      [contestants],
      [
        ['exact', ([s]) => s[exact]],
        ['loss', ([s]) => s[s2a] - s[exact]],
      ],
    ),
  );
  return `${lines.join('\n')}

${KEPT} at its best rate with everything kept in f32 (\`exact\`): ${percent(whole.value)}; s2a − exact: ${points(loss.value)} points (${range(loss.interval, points)}).`;
}

function sectionText(section) {
  const network = NETWORKS[section.network];
  const title = `### ${network.title}: ${TASKS[section.task].title} (${section.network}/${section.task})`;
  const contestants = contest(section);
  if (!contestants) return `${title}\n\nNot run.\n`;
  const [some] = section.measured.flatMap(({ defaults, best }) => defaults ?? best?.answers ?? []);
  const predictions = contestants.rows.reduce((sum, { count }) => sum + count, 0);
  const left = section.measured
    .filter(({ missing }) => missing.length > 0)
    .map(({ cell, missing }) => `${cell.method} (${missing.join('; ')})`);
  return `${title}

${network.side}×${network.side} pixels, ${some.epochs.length} epochs; ${predictions} test predictions behind each figure.

| method | defaults: test accuracy | best rate | best of the grid: test accuracy | defaults − best, points | validation by rate | s to train |
|---|---|---|---|---|---|---|
${table(section, contestants)}
${left.length > 0 ? `\nNot whole: ${left.join(', ')}.\n` : ''}`;
}

const verdict = (isMet) => (isMet ? 'met' : '**missed**');

/** What is asked of the groups: a name, and how it follows from every group's accuracies. */
function questions(groups, cells, pairs, byMethod) {
  return [
    ['defaults − best', difference(cells)],
    ...byMethod.map(([method, list]) => [`defaults − best, ${method}`, difference(list)]),
    ...Object.entries(pairs)
      .filter(([, list]) => list.length > 0)
      .map(([key, list]) => [key, key.includes('/') ? ratio(list) : difference(list)]),
    ...['bias / full', 'bias+prompt+side / full']
      .map((key) => [key, both(groups, [key.split(' ')[0], 'defaults'], ['full', 'defaults'])])
      .filter(([, list]) => list.length > 0)
      .map(([key, list]) => [`${key}, defaults`, ratio(list)]),
  ];
}

/** The targets, each as what it is, what was wanted, what was found, and whether that is enough. */
function targets({ found, show, cells, worst, name, gap, atChance }) {
  return [
    ['defaults − best of the grid, mean', '≥ −2 points', show('defaults − best', points), found['defaults − best'].value >= -0.02],
    ['defaults − best, the worst cell', '≥ −5 points', `${points(gap(worst))} (${name(worst)})`, gap(worst) >= -0.05],
    ['cells whose defaults end at chance', 'none', `${atChance.length} of ${cells.length}`, atChance.length === 0],
    ...['bias / full', 'bias+prompt+side / full'].map((key) => [
      `${key}, both at their best`,
      '≥ 98.7 %',
      show(key, percent),
      found[key]?.value >= 0.987,
    ]),
    [
      'bias+prompt+side − bias, both at their best',
      '≥ 0',
      show('bias+prompt+side − bias', points),
      found['bias+prompt+side − bias']?.value >= 0,
    ],
    ['s2a − exact, bias+prompt+side', 'within 0.5', show('s2a − exact', points), Math.abs(found['s2a − exact']?.value) <= 0.005],
  ];
}

/** The targets, and what was found. */
function summary(sections) {
  const kept = sections.filter(contest);
  const groups = kept.map(contest);
  const cells = METHODS.flatMap((method) => both(groups, [method, 'defaults'], [method, 'best']));
  if (cells.length === 0) return 'Nothing to compare yet.\n';
  const name = ({ group, method }) => `${kept[group].network}/${kept[group].task}/${method}`;
  const shares = groups.map(({ rows }) => accuracies(rows));
  const pairs = {
    'bias / full': both(groups, ['bias', 'best'], ['full', 'best']),
    'bias+prompt+side / full': both(groups, [KEPT, 'best'], ['full', 'best']),
    'bias+prompt+side − bias': both(groups, [KEPT, 'best'], ['bias', 'best']),
    's2a − exact': both(groups, [KEPT, 'best'], [KEPT, 'exact']),
  };
  const byMethod = METHODS.map((method) => [method, cells.filter((cell) => cell.method === method)]).filter(([, list]) => list.length > 0);
  const found = judge(groups, questions(groups, cells, pairs, byMethod));
  const show = (key, text) => (found[key] ? `${text(found[key].value)} (${range(found[key].interval, text)})` : 'not run');
  const gap = ({ group, a, b }) => shares[group][a] - shares[group][b];
  const worst = cells.toSorted((x, y) => gap(x) - gap(y))[0];
  const below = cells.filter((cell) => gap(cell) < -0.05);
  const atChance = cells.filter(({ group, a }) => shares[group][a] < CHANCE / groups[group].classes);
  const under = (key) => pairs[key].filter(({ group, a, b }) => shares[group][a] / shares[group][b] < 0.95);
  const list = (some, text) => (some.length === 0 ? 'none' : some.map((cell) => `${name(cell)} ${text(cell)}`).join('; '));
  const inRatio = ({ group, a, b }) => percent(shares[group][a] / shares[group][b]);
  const lines = targets({ found, show, cells, worst, name, gap, atChance });
  const means = (which) =>
    byMethod.map(([method]) => {
      // Of the same pairs in every row: those where both were run.
      const isWhole = (group) => ['defaults', 'best'].every((one) => group.at(method, one) !== undefined);
      const some = groups.flatMap((group, g) => (isWhole(group) ? [shares[g][group.at(method, which)]] : []));
      return some.length > 0 ? percent(mean(some)) : '';
    });
  return `| | wanted | found | |
|---|---|---|---|
${lines.map(([what, wanted, got, isMet]) => `| ${what} | ${wanted} | ${got} | ${got === 'not run' ? '' : verdict(isMet)} |`).join('\n')}

Mean test accuracy over the pairs, and what the defaults lose:

| | ${byMethod.map(([method]) => method).join(' | ')} |
|---|${byMethod.map(() => '---|').join('')}
| defaults | ${means('defaults').join(' | ')} |
| best of the grid | ${means('best').join(' | ')} |
| defaults − best, points | ${byMethod.map(([method]) => show(`defaults − best, ${method}`, points)).join(' | ')} |

- At the defaults, bias / full is ${show('bias / full, defaults', percent)}, bias+prompt+side / full ${show('bias+prompt+side / full, defaults', percent)}.
- Defaults more than 5 points below the best: ${list(below, (cell) => points(gap(cell)))}.
- Defaults at chance: ${list(atChance, ({ group, a }) => percent(shares[group][a]))}.
- Below 95 % of full fine-tuning, bias: ${list(under('bias / full'), inRatio)}; bias+prompt+side: ${list(under('bias+prompt+side / full'), inRatio)}.
`;
}

/** Processor time of every run that the page shows, each once. */
function spent(sections) {
  const seen = new Map();
  for (const { measured } of sections)
    for (const cell of measured) for (const answer of cell.runs) seen.set(answer.file, answer.cpuSeconds);
  return { runs: seen.size, hours: [...seen.values()].reduce((a, b) => a + b, 0) / 3600 };
}

export function page(sections, { processor }) {
  const { runs, hours } = spent(sections);
  const cells = sections.flatMap(({ measured }) => measured);
  const missing = cells.filter((cell) => cell.missing.length > 0).length;
  const used = [...new Set(sections.map(({ network }) => network))];
  return `# Networks that people bring

\`npm run learning -- --networks\` wrote this page; ${processor}; ${runs} runs of one thread, ${hours.toFixed(1)} core-hours.${missing > 0 ? ` **Not whole: ${missing} of ${cells.length} cells.**` : ''}

${used.length} networks as they are published, ${sections.length} pairs of network and task. Every method learns at the product's defaults (no \`--lr\`) and at the best of one grid
of rates, ${GRID.map(rateText).join(', ')}: the grid is climbed on the first seed, by validation pictures, until both neighbours of its best are worse; defaults and best are
run with ${SEEDS.length} seeds, each of which deals the pictures anew. Batches of 8, AdamW, no augmentation, all else the product's default. Test pictures choose nothing.
Intervals: 95 %, paired bootstrap over pictures; the seeds' own spread is in none of them.
Nothing here was settled on these pictures: each task has a development variant of other pictures.

${summary(sections)}
## The networks

${used.map((name) => `- **${NETWORKS[name].title}** (${name}): ${NETWORKS[name].about}.`).join('\n')}

## Pair by pair

${sections.map(sectionText).join('\n')}`;
}
