// What do frozen weights in 8 and 4 bits cost in accuracy?   npm run learning:weights [-- --quick] [--processes 2] [--only vit,mobilenetv2]
//
// Two pretrained models learn their biases on ten drawn things at a time that they have not seen, over weights in f32, int8 and int4, and
// judge drawings that they never saw; the network that learnt over f32 judges them over int8 and int4 as well. Everything but the precision
// is the same for all: rate, seed, drawings, order, number of epochs, the choice of the best one. Nothing is chosen by test drawings.
//
// Writes docs/results/weights.md (--quick: build/learning/weights-quick.md). Runs are kept in build/learning, so a second call goes on.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { convert } from '../tools/models/movenet.mjs';
import { allClasses, order, TEN, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { openStore } from './learning-store.mjs';
import { bootstrap } from './statistics.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    processes: { type: 'string' },
    only: { type: 'string', default: 'vit,mobilenetv2' },
  },
});
const { quick } = values;
const processes = Number(values.processes ?? Math.min(4, availableParallelism()));

const PRECISIONS = ['f32', 'int8', 'int4'];
/** Drawings of each class to learn from and to choose the epoch by; the others judge. */
const PER_CLASS = 20;
const VAL = 5;
const JUDGED = 100 - PER_CLASS - VAL;
const folder = 'build/learning';

/** The demo's ten, and more tens of the rest. Neither model has seen the first three. */
const rest = allClasses().filter((c) => !TEN.includes(c));
const drawn = order(rest.length, 777).map((i) => rest[i]);
const SETS = [TEN, ...[0, 1, 2, 3, 4, 5].map((i) => drawn.slice(10 * i, 10 * i + 10).sort())];
const recipe = (epochs, side, more) => ({
  epochs: quick ? 1 : epochs,
  smoothing: 0.1,
  augment: { shift: Math.floor(side / 8), flip: true },
  ...more,
});

/** What each learns, and from which drawings: set and seed, which deals the drawings of each class anew. */
const MODELS = {
  vit: {
    title: 'sketch-vit: a vision transformer of four blocks, 28×28',
    folder: 'models/sketch-vit',
    job: recipe(12, 28, { method: 'bias' }),
    cells: [0, 1, 2].flatMap((set) => [1, 2, 3].map((seed) => ({ set, seed, pictures: `${folder}/weights-${set}-${seed}` }))),
  },
  mobilenetv2: {
    title: "MobileNetV2 1.0 (MoveNet's), 96×96",
    folder: `${folder}/mobilenetv2`,
    side: 96,
    // Calm enough that runs differ by what they learn over: at 2e-2 over six epochs parts in a million moved the result by four points.
    job: { method: 'bias', rate: 5e-3, ...recipe(12, 96) },
    cells: SETS.map((_, set) => ({ set, seed: set + 1, pictures: `${folder}/weights-${set}` })),
  },
};

const began = Date.now();
mkdirSync(folder, { recursive: true });
const done = openStore(`${folder}/weights-runs`, processes, new URL('weights-run.mjs', import.meta.url));

async function results({ folder: model, side, job, cells }) {
  if (side) convert(model, side);
  return Promise.all(
    (quick ? cells.slice(0, 1) : cells).map(async ({ set, seed, pictures }) => {
      writeQuickdraw(pictures, { classes: SETS[set], train: PER_CLASS, val: VAL, seed });
      const runs = await Promise.all(
        PRECISIONS.map((weights) =>
          done({ model, pictures, job: { ...job, seed, weights }, over: weights === 'f32' ? PRECISIONS : [weights] }),
        ),
      );
      process.stderr.write(`${model}, set ${set + 1}, seed ${seed}: done\n`);
      return runs;
    }),
  );
}

/** One row a judged drawing: what is right; what learnt over each precision says; what learnt over f32 says over each. */
const rowsOf = (cells) =>
  cells.flatMap(([f32, int8, int4]) =>
    Object.keys(f32.named).map((name) => ({
      truth: name.slice(0, name.lastIndexOf('/')),
      learnt: [f32.named[name][0], int8.named[name][0], int4.named[name][0]],
      moved: f32.named[name],
    })),
  );
const share = (list, test) => list.filter(test).length / list.length;
/** Accuracies learnt over each, their differences from f32, agreements of the f32 network over int8 and int4, its accuracies. */
function figures(list) {
  const accuracy = PRECISIONS.map((_, p) => share(list, (r) => r.learnt[p] === r.truth));
  const moved = PRECISIONS.map((_, p) => share(list, (r) => r.moved[p] === r.truth));
  const agreement = PRECISIONS.map((_, p) => share(list, (r) => r.moved[p] === r.moved[0]));
  return [...accuracy, accuracy[1] - accuracy[0], accuracy[2] - accuracy[0], agreement[1], agreement[2], ...moved];
}

const percent = (x) => `${(100 * x).toFixed(1)} %`;
const points = (x) => `${x < 0 ? '−' : '+'}${Math.abs(100 * x).toFixed(1)}`;
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`;

/** The part of the page about one model. */
function section({ title, job, cells: wanted }, cells) {
  const rows = rowsOf(cells);
  const point = figures(rows);
  const within = bootstrap(rows, figures, 1000);
  const range = (i, text) => `${text(within[i][0])} to ${text(within[i][1])}`;
  const each = (p) => cells.map((runs) => percent(share(rowsOf([runs]), (r) => r.learnt[p] === r.truth))).join(', ');
  const verdicts = [
    ['int8 gives the answer of f32 on at least 99 %, without learning again', point[5] >= 0.99],
    ['int8, learnt over: accuracy within 0.5 point of f32, or above', point[3] >= -0.005],
    ['int4, learnt over: accuracy within 1.5 points of f32, or above', point[4] >= -0.015],
  ];
  return `## ${title}

${rows.length} test predictions behind each figure: ${wanted.map(({ set, seed }) => `set ${set + 1} seed ${seed}`).join(', ')}. Settings: ${JSON.stringify(job)} and the product's defaults.
${cells
  .flat()
  .reduce((sum, r) => sum + r.cpuSeconds, 0)
  .toFixed(0)} s of processor time.

| frozen weights | test accuracy, learnt over them | interval | against f32, points | interval | frozen | linear memory |
|---|---|---|---|---|---|---|
${PRECISIONS.map((name, p) => {
  const difference = p === 0 ? '| – | – |' : `| **${points(point[2 + p])}** | ${range(2 + p, points)} |`;
  return `| ${name} | **${percent(point[p])}** | ${range(p, percent)} ${difference} ${mebibytes(cells[0][p].frozenBytes)} | ${mebibytes(cells[0][p].linearBytes)} |`;
}).join('\n')}

Run by run: ${PRECISIONS.map((name, p) => `${name} ${each(p)}`).join('; ')}.

The networks that learnt over f32, judged over other weights without learning again (\`s2a predict --weights …\`); over f32 ${percent(point[7])} are right:

| judged over | same answer as over f32 | interval | right |
|---|---|---|---|
${[1, 2].map((p) => `| ${PRECISIONS[p]} | **${percent(point[4 + p])}** | ${range(4 + p, percent)} | ${percent(point[7 + p])} |`).join('\n')}

${verdicts.map(([text, met]) => `- ${text}: ${met ? 'met' : '**not met**'}`).join('\n')}
`;
}

const sections = [];
for (const name of values.only.split(',')) {
  if (!Object.hasOwn(MODELS, name)) throw new RangeError(`--only: ${name}, expected ${Object.keys(MODELS).join(', ')}`);
  const model = MODELS[name];
  if (model.side === undefined && !existsSync(model.folder)) process.stderr.write(`${model.folder} is not there: left out\n`);
  else sections.push(section(model, await results(model)));
}

const markdown = `# Frozen weights in 8 and 4 bits

\`npm run learning:weights${quick ? ' -- --quick' : ''}\` wrote this page; ${cpus()[0].model}, ${processes} processes. Every bias learns; ten QuickDraw classes at a time, ${PER_CLASS} drawings of each to
learn from, ${VAL} to choose the epoch by, the other ${JUDGED} to judge by. The runs of a row differ in the precision alone. Intervals: 95 %, paired
bootstrap over drawings; they do not hold how much a run depends on its seed.

${sections.join('\n')}
The sets of classes:
${SETS.map((classes, i) => `${i + 1}. ${classes.join(', ')}`).join('\n')}
`;
const path = quick ? `${folder}/weights-quick.md` : 'docs/results/weights.md';
if (!quick) mkdirSync('docs/results', { recursive: true });
writeFileSync(path, markdown);
process.stdout.write(`\n${markdown}\n${path}; ${Math.round((Date.now() - began) / 1000)} s\n`);
