// Does learning the biases do what learning everything does?   npm run learning [-- --quick] [--processes 2]
//
// The real MobileNetV2 learns ten drawn things at a time from PER_CLASS drawings of each, by three methods: the classifier alone
// (probe), every bias (bias), everything (full). Three sets of ten classes, three seeds: each seed also deals the drawings anew into
// those to learn from, to choose by (the epoch and the learning rate) and to judge by. One grid of rates for every method; a
// method's rate is the one with the most right validation drawings of the first set, first seed. Nothing is chosen by test drawings.
// Everything else about the run is the product's own default, or one of RECIPE, the same for every method.
//
// Writes docs/results/learning.md (--quick: build/learning/quick.md). Runs are kept in build/learning, so a second call goes on.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { convert } from '../tools/models/movenet.mjs';
import { allClasses, order, TEN, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { openStore } from './learning-store.mjs';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, processes: { type: 'string' } } });
const { quick } = values;
const processes = Number(values.processes ?? Math.min(4, availableParallelism()));

const METHODS = ['probe', 'bias', 'full'];
const RATES = quick ? [3e-4, 2e-2] : [1e-4, 2e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 4e-2];
const SEEDS = quick ? [1] : [1, 2, 3];
const SIDE = 96;
/** Drawings of each class; the others judge. */
const PER_CLASS = 20;
const VAL = 10;
const RECIPE = { epochs: quick ? 2 : 20, smoothing: 0.1, augment: { shift: SIDE / 8, flip: true } };

/** The demo's ten, and twice ten drawn from the rest. RECIPE was settled on the last forty of that order, which are not used here. */
function classSets() {
  const rest = allClasses().filter((c) => !TEN.includes(c));
  const drawn = order(rest.length, 777).map((i) => rest[i]);
  return quick ? [TEN] : [TEN, drawn.slice(0, 10).sort(), drawn.slice(10, 20).sort()];
}

const began = Date.now();
const folder = 'build/learning';
const model = `${folder}/mobilenetv2`;
const sets = classSets();
mkdirSync(folder, { recursive: true });
convert(model, SIDE);
const picturesOf = (set, seed) => `${folder}/pictures-${set}-${seed}`;
for (const [set, classes] of sets.entries())
  for (const seed of SEEDS) writeQuickdraw(picturesOf(set, seed), { classes, train: PER_CLASS, val: VAL, seed });

const done = openStore(`${folder}/runs`, processes);
const run = (method, rate, set, seed, more = {}) =>
  done({ model, pictures: picturesOf(set, seed), job: { method, rate, seed, ...RECIPE, ...more } });
/** Answers of one method and rate for every set and the seeds asked for, each with its set. */
const runs = async (method, rate, seeds, count = sets.length) => {
  const list = await Promise.all(
    sets.slice(0, count).flatMap((_, set) => seeds.map(async (seed) => ({ set, seed, ...(await run(method, rate, set, seed)) }))),
  );
  const sum = (key) => list.reduce((total, { val }) => total + val[key], 0);
  const valAccuracy = sum('correct') / sum('count');
  process.stderr.write(`${method} ${rate}, seeds ${seeds}: validation ${percent(valAccuracy)}\n`);
  return { method, rate, list, valAccuracy, valLoss: sum('loss') / sum('count') };
};

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const range = ([low, high], text = percent) => `${text(low)} to ${text(high)}`;

// The grid, by validation drawings of the first set and the first seed; then every set and seed at the rate that won.
const grid = await Promise.all(METHODS.map((method) => Promise.all(RATES.map((rate) => runs(method, rate, SEEDS.slice(0, 1), 1)))));
const best = grid.map((row) => row.reduce((a, b) => (better(b, a) ? b : a)));
const final = await Promise.all(best.map(({ method, rate }) => runs(method, rate, SEEDS)));
const [s2a, exact] = await Promise.all([run('bias', best[1].rate, 0, 1), run('bias', best[1].rate, 0, 1, { keep: 'exact' })]);

function better(a, b) {
  return a.valAccuracy > b.valAccuracy || (a.valAccuracy === b.valAccuracy && a.valLoss < b.valLoss);
}

/**
 * For every drawing that was ever judged: how often, and how often each method was right. A drawing can be judged under several seeds,
 * and all methods judge the same ones, so drawings are what the bootstrap draws.
 */
function drawings() {
  const table = new Map();
  for (const [m, { list }] of final.entries())
    for (const { set, right } of list)
      for (const [name, hit] of Object.entries(right)) {
        const row = table.get(`${set}/${name}`) ?? { count: 0, hits: METHODS.map(() => 0) };
        if (m === 0) row.count++;
        row.hits[m] += hit;
        table.set(`${set}/${name}`, row);
      }
  return [...table.values()];
}

/** Accuracies of the three methods over rows. */
function accuracies(rows) {
  let count = 0;
  const hits = METHODS.map(() => 0);
  for (const row of rows) {
    count += row.count;
    for (const m of hits.keys()) hits[m] += row.hits[m];
  }
  return hits.map((h) => h / count);
}

/** 95 % intervals of every figure by the percentile bootstrap, paired: a resample holds the same drawings for every method. */
function intervals(rows, figures, rounds = 4000) {
  let state = 0x2545f491;
  const draw = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return rows[Math.floor((state / 2 ** 32) * rows.length)];
  };
  const seen = Array.from({ length: rounds }, () => figures(accuracies(rows.map(draw))));
  return figures(accuracies(rows)).map((_, i) => {
    const sorted = seen.map((f) => f[i]).sort((a, b) => a - b);
    return [sorted[Math.floor(0.025 * rounds)], sorted[Math.ceil(0.975 * rounds) - 1]];
  });
}

const rows = drawings();
const predictions = rows.reduce((sum, { count }) => sum + count, 0);
const figures = (a) => [...a, a[1] / a[2], a[1] - a[0]];
const values95 = intervals(rows, figures);
const point = figures(accuracies(rows));
const perSeed = (m) =>
  SEEDS.map((seed) => {
    const hits = final[m].list.filter((r) => r.seed === seed).flatMap((r) => Object.values(r.right));
    return percent(hits.reduce((a, b) => a + b, 0) / hits.length);
  }).join(', ');
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const identical = s2a.adapter === exact.adapter;
const cpu = [...grid.flat(), ...final].flatMap((r) => r.list).concat(exact);
const cpuSeconds = [...new Set(cpu.map((r) => r.cpuSeconds))].reduce((a, b) => a + b, 0);

const markdown = `# Learning: biases against everything

\`npm run learning${quick ? ' -- --quick' : ''}\` wrote this page. ${cpuSeconds.toFixed(0)} s of processor time in ${processes} processes, ${cpus()[0].model}.

MobileNetV2 1.0 (MoveNet's, ${SIDE}×${SIDE}), ${sets.length} set${sets.length > 1 ? 's' : ''} of ten QuickDraw classes, ${SEEDS.length} seed${SEEDS.length > 1 ? 's' : ''}, ${PER_CLASS} drawings of each class to learn
from, ${VAL} to choose by, the other ${100 - PER_CLASS - VAL} to judge by: ${predictions} test predictions behind each figure. Method, rate and seed apart, every run
has the same settings: ${JSON.stringify(RECIPE)} and the product's defaults. Intervals: 95 %, paired bootstrap over drawings.

| method | rate | test accuracy | interval | each seed | linear memory | kept, a picture |
|---|---|---|---|---|---|---|
${METHODS.map((method, m) => `| ${method} | ${best[m].rate} | **${percent(point[m])}** | ${range(values95[m])} | ${perSeed(m)} | ${mebibytes(final[m].list[0].linearBytes)} | ${mebibytes(final[m].list[0].keptBytesPerImage)} |`).join('\n')}

- bias / full: **${percent(point[3])}** (${range(values95[3])})
- bias − probe: **${(100 * point[4]).toFixed(1)} points** (${range(values95[4], (v) => (100 * v).toFixed(1))})
- Adapters kept as codes (\`s2a\`) and as f32 (\`exact\`), same run: ${identical ? 'identical to the byte' : '**different**'}.

Validation accuracy by rate (first set, first seed, ${10 * VAL} drawings; equal ones are told apart by their loss); the best of a row was used:

| method | ${RATES.join(' | ')} |
|---|${RATES.map(() => '---|').join('')}
${grid.map((row, m) => `| ${METHODS[m]} | ${row.map((r) => (r === best[m] ? `**${percent(r.valAccuracy)}**` : percent(r.valAccuracy))).join(' | ')} |`).join('\n')}

RECIPE was settled before this run on other classes (one seed, sixteen configurations): without augmentation and label smoothing, over as
many epochs, biases overfit more than everything does (52 % against 60 % on one of those sets); with them they did not.

The classes:
${sets.map((classes, i) => `${i + 1}. ${classes.join(', ')}`).join('\n')}
`;
const path = quick ? `${folder}/quick.md` : 'docs/results/learning.md';
if (!quick) mkdirSync('docs/results', { recursive: true });
writeFileSync(path, markdown);
process.stdout.write(`\n${markdown}\n${path}; ${Math.round((Date.now() - began) / 1000)} s\n`);
if (!identical) process.exitCode = 1;
