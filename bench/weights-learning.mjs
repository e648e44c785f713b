// What do frozen weights in 8 and 4 bits cost in accuracy?   npm run learning:weights [-- --quick] [--processes 2] [--epochs 6]
//
// The real MobileNetV2 learns its biases on ten drawn things at a time, over weights in f32, int8 and int4, and judges drawings it never
// saw; the network that learnt over f32 judges them over int8 and int4 as well. Everything but the precision is the same for all: rate,
// seed, drawings, order, number of epochs, the choice of the best one. Nothing is chosen by test drawings.
//
// Writes docs/results/weights.md (--quick: build/learning/weights-quick.md). Runs are kept in build/learning, so a second call goes on.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { convert } from '../tools/models/movenet.mjs';
import { allClasses, order, TEN, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { openStore } from './learning-store.mjs';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, processes: { type: 'string' }, epochs: { type: 'string', default: '6' } },
});
const { quick } = values;
const processes = Number(values.processes ?? Math.min(4, availableParallelism()));
const epochs = quick ? 1 : Number(values.epochs);

const PRECISIONS = ['f32', 'int8', 'int4'];
const SIDE = 96;
/** Drawings of each class to learn from and to choose the epoch by; the others judge. */
const PER_CLASS = 20;
const VAL = 5;
const JUDGED = 100 - PER_CLASS - VAL;
const RECIPE = { method: 'bias', rate: 2e-2, epochs, smoothing: 0.1, augment: { shift: SIDE / 8, flip: true } };
/** The demo's ten, and more tens of the rest; each set has a seed of its own. */
const rest = allClasses().filter((c) => !TEN.includes(c));
const drawn = order(rest.length, 777).map((i) => rest[i]);
const sets = quick ? [TEN] : [TEN, ...[0, 1, 2, 3, 4, 5].map((i) => drawn.slice(10 * i, 10 * i + 10).sort())];

const began = Date.now();
const folder = 'build/learning';
const model = `${folder}/mobilenetv2`;
mkdirSync(folder, { recursive: true });
convert(model, SIDE);
const done = openStore(`${folder}/weights-runs`, processes, new URL('weights-run.mjs', import.meta.url));
const cells = await Promise.all(
  sets.map(async (classes, i) => {
    const seed = i + 1;
    const pictures = `${folder}/weights-${i}`;
    writeQuickdraw(pictures, { classes, train: PER_CLASS, val: VAL, seed });
    const runs = await Promise.all(
      PRECISIONS.map((weights) =>
        done({ model, pictures, job: { ...RECIPE, seed, weights }, over: weights === 'f32' ? PRECISIONS : [weights] }),
      ),
    );
    process.stderr.write(`set ${i + 1}: done\n`);
    return runs;
  }),
);

/** One row a drawing: what is right; what learnt over each precision says; what learnt over f32 says over each. */
const rows = cells.flatMap(([f32, int8, int4]) =>
  Object.keys(f32.named).map((name) => ({
    truth: name.slice(0, name.lastIndexOf('/')),
    learnt: [f32.named[name][0], int8.named[name][0], int4.named[name][0]],
    moved: f32.named[name],
  })),
);
const share = (list, test) => list.filter(test).length / list.length;
/** Accuracies learnt over each, their differences from f32, agreements of the f32 network over int8 and int4. */
const figures = (list) => {
  const accuracy = PRECISIONS.map((_, p) => share(list, (r) => r.learnt[p] === r.truth));
  const moved = PRECISIONS.map((_, p) => share(list, (r) => r.moved[p] === r.truth));
  const agreement = PRECISIONS.map((_, p) => share(list, (r) => r.moved[p] === r.moved[0]));
  return [...accuracy, accuracy[1] - accuracy[0], accuracy[2] - accuracy[0], agreement[1], agreement[2], ...moved];
};

/** 95 % intervals by the percentile bootstrap over drawings, every figure of a resample from the same ones. */
function intervals(rounds = 1000) {
  let state = 0x2545f491;
  const draw = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return rows[Math.floor((state / 2 ** 32) * rows.length)];
  };
  const seen = Array.from({ length: rounds }, () => figures(rows.map(draw)));
  return point.map((_, i) => {
    const sorted = seen.map((f) => f[i]).sort((a, b) => a - b);
    return [sorted[Math.floor(0.025 * rounds)], sorted[Math.ceil(0.975 * rounds) - 1]];
  });
}
const point = figures(rows);
const within = intervals();

const percent = (x) => `${(100 * x).toFixed(1)} %`;
const points = (x) => `${x < 0 ? '−' : '+'}${Math.abs(100 * x).toFixed(1)}`;
const range = (i, text) => `${text(within[i][0])} to ${text(within[i][1])}`;
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const cpuSeconds = cells.flat().reduce((sum, r) => sum + r.cpuSeconds, 0);
const verdicts = [
  ['int8: agreement of the f32-trained network at least 99 %', point[5] >= 0.99],
  ['int8: accuracy after learning within 0.5 point of f32, or above', point[3] >= -0.005],
  ['int4: accuracy after learning within 1.5 points of f32, or above', point[4] >= -0.015],
];

const markdown = `# Frozen weights in 8 and 4 bits

\`npm run learning:weights${quick ? ' -- --quick' : ` -- --epochs ${epochs}`}\` wrote this page. ${cpuSeconds.toFixed(0)} s of processor time in ${processes} processes, ${cpus()[0].model}.

MobileNetV2 1.0 (MoveNet's, ${SIDE}×${SIDE}), every bias learns; ${sets.length} set${sets.length > 1 ? 's' : ''} of ten QuickDraw classes, each with a seed of its own; ${PER_CLASS} drawings of each
class to learn from, ${VAL} to choose the epoch by, the other ${JUDGED} to judge by: ${rows.length} test predictions behind each figure. Every run has the same
settings but for the precision: ${JSON.stringify(RECIPE)} and the product's defaults. Intervals: 95 %, paired bootstrap over drawings.

| frozen weights | test accuracy, learnt over them | interval | against f32, points | interval | frozen | linear memory |
|---|---|---|---|---|---|---|
${PRECISIONS.map((name, p) => {
  const difference = p === 0 ? '| – | – |' : `| **${points(point[2 + p])}** | ${range(2 + p, points)} |`;
  return `| ${name} | **${percent(point[p])}** | ${range(p, percent)} ${difference} ${mebibytes(cells[0][p].frozenBytes)} | ${mebibytes(cells[0][p].linearBytes)} |`;
}).join('\n')}

The networks that learnt over f32, judged over other weights without learning again (\`s2a predict --weights …\`):

| judged over | same answer as over f32 | interval | test accuracy |
|---|---|---|---|
${[1, 2].map((p) => `| ${PRECISIONS[p]} | **${percent(point[4 + p])}** | ${range(4 + p, percent)} | ${percent(point[7 + p])} |`).join('\n')}

${verdicts.map(([text, met]) => `- ${text}: ${met ? 'met' : '**not met**'}`).join('\n')}

The sets of classes:
${sets.map((classes, i) => `${i + 1}. ${classes.join(', ')}`).join('\n')}
`;
const path = quick ? `${folder}/weights-quick.md` : 'docs/results/weights.md';
writeFileSync(path, markdown);
process.stdout.write(`\n${markdown}\n${path}; ${Math.round((Date.now() - began) / 1000)} s\n`);
