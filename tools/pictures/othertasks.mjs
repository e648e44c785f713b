// Pictures for the tasks other than classification, made of Quick, Draw! drawings (quickdraw.mjs says from where and under which licence):
//
//     node tools/pictures/othertasks.mjs <root> --task multilabel|regress [--train 200] [--val 60] [--test 100] [--seed 1]
//
// multilabel: 56 x 56, four places, each empty or with a drawing of one of six classes; labels.csv has `file,labels,split`, names with | between.
// regress: one drawing of an arrow-like class, turned by -60 to 60 degrees and 12 to 28 pixels high; labels.csv has `file,value_angle,value_size,split`.
// Parts use drawings of their own. The same arguments always give the same files.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { encode } from 'fast-png';
import { readClass } from './quickdraw.mjs';

const SIDE = 28;
const LABELS = ['apple', 'bicycle', 'cat', 'fish', 'house', 'star'];

/** Whole numbers below n, from a seed. */
function random(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state % n;
  };
}

/** Which of a class's 100 drawings a part may use. */
const SHARE = { train: [0, 60], val: [60, 75], test: [75, 100] };

function scene(pick, part) {
  const side = 2 * SIDE;
  const data = new Uint8Array(side * side).fill(255);
  const there = new Set();
  for (let place = 0; place < 4; place++) {
    if (pick(10) < 5) continue;
    const label = LABELS[pick(LABELS.length)];
    const [from, to] = SHARE[part];
    const drawing = readDrawings(label)[from + pick(to - from)];
    there.add(label);
    for (let y = 0; y < SIDE; y++)
      data.set(drawing.subarray(y * SIDE, (y + 1) * SIDE), ((place >> 1) * SIDE + y) * side + (place & 1) * SIDE);
  }
  return { side, data, row: [...there].sort().join('|') };
}

function turned(pick, part) {
  const side = 40;
  const [from, to] = SHARE[part];
  const drawing = readDrawings('house')[from + pick(to - from)];
  const [angle, size] = [pick(1201) / 10 - 60, 12 + pick(161) / 10];
  const [sin, cos] = [Math.sin((angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)];
  const data = new Uint8Array(side * side).fill(255);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const [dx, dy] = [((x - side / 2 + 0.5) * SIDE) / size, ((y - side / 2 + 0.5) * SIDE) / size];
      const [u, v] = [Math.floor(cos * dx + sin * dy + SIDE / 2), Math.floor(-sin * dx + cos * dy + SIDE / 2)];
      if (u >= 0 && v >= 0 && u < SIDE && v < SIDE) data[y * side + x] = drawing[v * SIDE + u];
    }
  return { side, data, row: `${angle.toFixed(1)},${size.toFixed(1)}` };
}

const known = new Map();
function readDrawings(name) {
  if (!known.has(name)) known.set(name, readClass(name));
  return known.get(name);
}

/** Writes the folder; returns how many pictures each part holds. */
export function writeTask(root, { task = 'multilabel', train = 200, val = 60, test = 100, seed = 1 } = {}) {
  const make = { multilabel: scene, regress: turned }[task];
  if (make === undefined) throw new Error(`--task: unknown value ${task}, expected multilabel or regress`);
  const count = { train, val, test };
  const lines = [task === 'multilabel' ? 'file,labels,split' : 'file,value_angle,value_size,split'];
  mkdirSync(root, { recursive: true });
  const pick = random(seed);
  for (const [part, n] of Object.entries(count))
    for (let i = 0; i < n; i++) {
      const { side, data, row } = make(pick, part);
      const file = `${part}-${String(i).padStart(3, '0')}.png`;
      writeFileSync(join(root, file), encode({ width: side, height: side, data, channels: 1, depth: 8 }));
      lines.push(`${file},${row},${part}`);
    }
  writeFileSync(join(root, 'labels.csv'), `${lines.join('\n')}\n`);
  return count;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const text = /** @type {const} */ ({ type: 'string' });
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { task: { type: 'string' }, train: text, val: text, test: text, seed: text },
  });
  const numbers = Object.fromEntries(
    ['train', 'val', 'test', 'seed'].flatMap((key) => (values[key] === undefined ? [] : [[key, Number(values[key])]])),
  );
  const [root] = positionals;
  if (root === undefined) throw new Error('no folder named');
  console.log(writeTask(root, { ...(values.task ? { task: values.task } : {}), ...numbers }));
}
