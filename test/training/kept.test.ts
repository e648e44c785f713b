/** The optimizer's state between rounds: moments and how often they were updated go on, of the same program alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const DATA = pictureFolder({ classes: 2, train: 4, val: 2 });
const CACHE = newFolder();
/** 8 pictures in batches of 4, an epoch: two steps. */
const STEPS = 2;
const round = (out: string) =>
  trainJob(
    { model: 'test/golden/vit-timm-gap', data: DATA, out, cacheFolder: CACHE, epochs: 1, batchSize: 4, rate: 1e-3, overwrite: true },
    {},
    { splitSeed: 0, keepsOptimizer: true },
  );
const fileOf = (out: string) => join(out, 'run', 'optimizer.bin');
/** beta1^t and beta2^t, behind the two digests. */
const powersOf = (out: string): number[] => {
  const file = readFileSync(fileOf(out));
  return [file.readDoubleLE(128), file.readDoubleLE(136)];
};
const close = (got: number[], updates: number): void => {
  const want = [Math.fround(0.9) ** updates, Math.fround(0.999) ** updates];
  for (const [i, value] of got.entries()) assert.ok(Math.abs(value - want[i]!) < 1e-14, `${got}, expected ${want}`);
};

test('moments and their count go on from round to round', async () => {
  const out = newFolder();
  await round(out);
  close(powersOf(out), STEPS);
  const moments = readFileSync(fileOf(out)).subarray(144);
  await round(out);
  close(powersOf(out), 2 * STEPS);
  assert.not.equal(readFileSync(fileOf(out)).subarray(144), moments);
});

test('a damaged state is a fresh one', async () => {
  const out = newFolder();
  await round(out);
  const file = readFileSync(fileOf(out));
  file[150]! ^= 1;
  writeFileSync(fileOf(out), file);
  await round(out);
  close(powersOf(out), STEPS);
});

test.run();
