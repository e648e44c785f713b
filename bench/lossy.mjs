// What do products in 7 bits cost in learning?   node bench/lossy.mjs [--cells 9]
//
// sketch-vit learns its biases over int8 weights on ten drawn things at a time that it has not seen, with products in 14 bits (plain) and in 7 (lossy). All else is the
// same: rate, seed, drawings, order, epochs. Judged by drawings that neither saw. After npm run build.
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { allClasses, order, TEN, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { bootstrap } from './statistics.mjs';

const { values } = parseArgs({ options: { cells: { type: 'string', default: '9' } } });
const rest = allClasses().filter((c) => !TEN.includes(c));
const drawn = order(rest.length, 777).map((i) => rest[i]);
const SETS = [TEN, drawn.slice(0, 10).sort(), drawn.slice(10, 20).sort()];
const job = { method: 'bias', weights: 'int8', epochs: 12, smoothing: 0.1, augment: { shift: 3, flip: true } };

/** By drawing: whether each answers it rightly. */
const rows = [];
for (let i = 0; i < Number(values.cells); i++) {
  const [set, seed] = [i % 3, 1 + Math.floor(i / 3)];
  const pictures = `build/learning/lossy-${set}-${seed}`;
  writeQuickdraw(pictures, { classes: SETS[set], train: 20, val: 5, seed });
  const [plain, lossy] = ['plain', 'lossy'].map((arithmetic) => {
    const run = { model: 'models/sketch-vit', pictures, out: `${pictures}-out`, job: { ...job, seed, arithmetic }, over: ['int8'] };
    return JSON.parse(execFileSync(process.execPath, ['bench/weights-run.mjs', JSON.stringify(run)], { encoding: 'utf8' })).named;
  });
  const cell = Object.keys(plain).map((name) => {
    const truth = name.slice(0, name.lastIndexOf('/'));
    return [plain[name][0] === truth, lossy[name][0] === truth];
  });
  const share = (which) => ((100 * cell.filter((row) => row[which]).length) / cell.length).toFixed(1);
  console.log(`set ${set + 1}, seed ${seed}: plain ${share(0)} %, lossy ${share(1)} %`);
  rows.push(...cell);
}
const figures = (list) => [0, 1].map((which) => list.filter((row) => row[which]).length / list.length);
const difference = (list) => {
  const [plain, lossy] = figures(list);
  return [100 * (lossy - plain)];
};
const [plain, lossy] = figures(rows).map((v) => (100 * v).toFixed(1));
const [[low, high]] = bootstrap(rows, difference, 1000);
console.log(
  `${rows.length} drawings: plain ${plain} %, lossy ${lossy} %, lossy - plain ${difference(rows)[0].toFixed(2)} points (95 %: ${low.toFixed(2)} to ${high.toFixed(2)})`,
);
