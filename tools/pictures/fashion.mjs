// Fashion-MNIST (28 x 28, grey, ten kinds of clothes) as PNG files in folders. The data set is Debian's package dataset-fashion-mnist
// (MIT): install it, or unpack it anywhere with dpkg-deb -x.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { encode } from 'fast-png';

export const FASHION = '/usr/share/datasets/fashion-mnist';

/** Labels 0 … 9. */
export const CLOTHES = ['T-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'];

const SIDE = 28;

/** A gzipped IDX file: its payload; the shape past the first axis must be `shape`. */
export function readIdx(path, ...shape) {
  if (!existsSync(path)) throw new Error(`${path}: not there; it is in Debian's package dataset-fashion-mnist`);
  const bytes = gunzipSync(readFileSync(path));
  const axes = 1 + shape.length;
  const dims = Array.from({ length: axes }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const payload = bytes.subarray(4 + 4 * axes);
  if (bytes.readUInt32BE(0) !== 0x800 + axes || String(dims.slice(1)) !== String(shape) || payload.length !== dims.reduce((a, b) => a * b))
    throw new Error(`${path}: not an IDX file of bytes, ${['n', ...shape].join('x')}`);
  return payload;
}

/** The first `train` training pictures of each kind into root/train/<kind>, the next `val` into root/val/<kind>; a file's number is its picture's. */
export function writeFashion(root, { folder = FASHION, train, val }) {
  const labels = readIdx(join(folder, 'train-labels-idx1-ubyte.gz'));
  const pixels = readIdx(join(folder, 'train-images-idx3-ubyte.gz'), SIDE, SIDE);
  const seen = CLOTHES.map(() => 0);
  const count = { train: 0, val: 0 };
  for (const [n, label] of labels.entries()) {
    const part = seen[label] < train ? 'train' : 'val';
    if (seen[label]++ >= train + val) continue;
    const into = join(root, part, CLOTHES[label]);
    if (seen[label] === 1 || seen[label] === train + 1) mkdirSync(into, { recursive: true });
    const data = pixels.subarray(n * SIDE * SIDE, (n + 1) * SIDE * SIDE);
    writeFileSync(join(into, `${String(n).padStart(5, '0')}.png`), encode({ width: SIDE, height: SIDE, data, channels: 1, depth: 8 }));
    count[part]++;
  }
  return count;
}
