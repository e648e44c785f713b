// How well do five pictures a class do without training?   npm run bench:enrol [-- --draws 8 --each 5]
//
// Our vision transformer, which has seen none of these drawings, is shown five of each of the demo's ten classes; 50 others of each judge. Of several draws
// of the five, the mean of what is right: `enrol` (ridge regression), means of classes by cosine, the three nearest neighbours by cosine, which
// TensorFlow.js's KNN classifier votes among, both of the features that `s2a embed` writes. Then, of the first draw, `train --method probe`; and of
// four draws, nine classes enrolled and the tenth joining them, beside all ten at once.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { TEN, writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { s2a } from './command.mjs';

const { values } = parseArgs({ options: { draws: { type: 'string', default: '8' }, each: { type: 'string', default: '5' } } });
const MODEL = 'models/sketch-vit';
const ROOT = 'build/enrol';
const NEIGHBOURS = 3;
const percent = (/** @type {number} */ x) => `${(100 * x).toFixed(1)} %`;
const mean = (/** @type {number[]} */ list) => list.reduce((sum, v) => sum + v, 0) / list.length;
const judged = (/** @type {string} */ adapter, /** @type {string} */ data) =>
  JSON.parse(s2a('eval', MODEL, adapter, data, '--split', 'test', '--json')).accuracy;

/** Rows of length 1, each with its label. */
function featuresOf(/** @type {string} */ folder, /** @type {string} */ out) {
  s2a('embed', MODEL, folder, '--out', `${out}.npy`);
  const bytes = readFileSync(`${out}.npy`);
  const begin = 10 + bytes.readUInt16LE(8);
  const labels = readFileSync(`${out}.csv`, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((row) => row.slice(row.lastIndexOf(',') + 1));
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset + begin, bytes.byteOffset + bytes.length));
  const width = all.length / labels.length;
  return labels.map((label, i) => {
    const row = all.subarray(i * width, (i + 1) * width);
    const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0));
    return { label, row: row.map((v) => v / length) };
  });
}
const product = (/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

/** The share of `asked` whose label `answer` finds. */
const right = (asked, answer) => mean(asked.map(({ row, label }) => (answer(row) === label ? 1 : 0)));

function byMeans(known) {
  const means = TEN.map((label) => {
    const rows = known.filter((one) => one.label === label);
    return { label, row: Float32Array.from(rows[0].row, (_, k) => mean(rows.map(({ row }) => row[k]))) };
  });
  // Cosine: the product over the mean's length, since the asked one's is the same for all.
  const score = (row, { row: m }) => product(row, m) / Math.sqrt(product(m, m));
  return (row) => means.toSorted((a, b) => score(row, b) - score(row, a))[0].label;
}

/** Among the nearest the class with most votes; between equals the one whose vote is nearest. */
const byNeighbours = (known) => (row) => {
  const near = known
    .map((one) => ({ label: one.label, score: product(row, one.row) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, NEIGHBOURS);
  const votes = (label) => near.filter((one) => one.label === label).length;
  return near.toSorted((a, b) => votes(b.label) - votes(a.label))[0].label;
};

/** @type {Record<'ridge' | 'means' | 'neighbours', number[]>} */
const found = { ridge: [], means: [], neighbours: [] };
/** @type {Record<'once' | 'joined', number[]>} */
const joining = { once: [], joined: [] };
for (let seed = 1; seed <= Number(values.draws); seed++) {
  const at = (/** @type {string} */ name) => join(ROOT, String(seed), name);
  rmSync(join(ROOT, String(seed)), { recursive: true, force: true });
  // Drawings from the fiftieth on judge, whatever the draw.
  writeQuickdraw(at('all'), { classes: TEN, train: Number(values.each), val: 50 - Number(values.each), seed });
  s2a('enrol', MODEL, at('all/train'), '--out', at('ten'));
  found.ridge.push(judged(at('ten'), at('all')));
  const [known, asked] = ['train', 'test'].map((part) => featuresOf(at(`all/${part}`), at(part)));
  found.means.push(right(asked, byMeans(known)));
  found.neighbours.push(right(asked, byNeighbours(known)));
  if (seed === 1) {
    s2a('train', MODEL, at('all/train'), '--out', at('probe'), '--method', 'probe', '--hold-out', '0');
    process.stdout.write(
      `first draw: enrol ${percent(found.ridge[0])}, train --method probe, 20 epochs ${percent(judged(at('probe'), at('all')))}\n`,
    );
  }
  if (seed > 4) continue;
  for (const [name, classes] of /** @type {const} */ ([
    ['nine', TEN.slice(0, 9)],
    ['one', TEN.slice(9)],
  ]))
    writeQuickdraw(at(name), { classes, train: Number(values.each), val: 50 - Number(values.each), seed });
  s2a('enrol', MODEL, at('nine/train'), '--out', at('nine-known'));
  s2a('enrol', MODEL, at('one/train'), '--from', at('nine-known'), '--out', at('joined'));
  joining.once.push(found.ridge[seed - 1]);
  joining.joined.push(judged(at('joined'), at('all')));
}
const draws = `${values.draws} draws of ${values.each} of each of ten classes, 500 others judged`;
process.stdout.write(`${draws}\n`);
process.stdout.write(`  enrol, ridge regression      ${percent(mean(found.ridge))}\n`);
process.stdout.write(`  means of classes, by cosine  ${percent(mean(found.means))}\n`);
process.stdout.write(`  three nearest neighbours     ${percent(mean(found.neighbours))}\n`);
process.stdout.write(
  `a class that joins nine, ${joining.once.length} draws: ${percent(mean(joining.joined))}, all ten at once ${percent(mean(joining.once))}\n`,
);
