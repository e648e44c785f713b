/** The optimizer's state between rounds: moments and how often they were updated go on, of the same program alone. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/training/job.ts';
import type { JobHooks, TrainJob } from '../../src/training/jobtypes.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const DATA = pictureFolder({ classes: 2, train: 4, val: 2 });
const CACHE = newFolder();
/** 8 pictures in batches of 4, an epoch: two steps. */
const STEPS = 2;
const round = (out: string, more: Partial<TrainJob> = {}, hooks: JobHooks = {}, keptBy = 'a run') =>
  trainJob(
    {
      model: 'test/golden/vit-timm-gap',
      data: DATA,
      out,
      cacheFolder: CACHE,
      epochs: 1,
      batchSize: 4,
      rate: 1e-3,
      overwrite: true,
      ...more,
    },
    hooks,
    { splitSeed: 0, keptBy },
  );
const fileOf = (out: string) => join(out, 'run', 'optimizer.bin');
/** Behind the two digests, the powers and the rates’ ranges. */
const MOMENTS = 192;
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
  const moments = readFileSync(fileOf(out)).subarray(MOMENTS);
  await round(out);
  close(powersOf(out), 2 * STEPS);
  assert.not.equal(readFileSync(fileOf(out)).subarray(MOMENTS), moments);
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

test('another run of a fleet begins anew', async () => {
  const out = newFolder();
  await round(out);
  await round(out, {}, {}, 'another run');
  close(powersOf(out), STEPS);
});

test('a round that was stopped in its middle goes on from its checkpoint, and ends as one that was not', async () => {
  const job: Partial<TrainJob> = { epochs: 2, rate: '0.4x' };
  const whole = newFolder();
  await round(whole, job);
  await round(whole, job);
  const out = newFolder();
  await round(out, job);
  let epochs = 0;
  const stopped = round(out, job, { onEpoch: () => void epochs++, stopping: () => epochs > 0 });
  await stopped.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /interrupted/),
  );
  assert.not.equal(readFileSync(fileOf(out)), readFileSync(fileOf(whole)));
  await round(out, { ...job, resume: true, overwrite: false });
  const adapterOf = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'));
  assert.equal(adapterOf(out), adapterOf(whole));
  assert.equal(readFileSync(fileOf(out)), readFileSync(fileOf(whole)));
  // One that ended, and whose answer was lost, ends so again.
  await round(out, { ...job, resume: true, overwrite: false });
  assert.equal(adapterOf(out), adapterOf(whole));
  assert.equal(readFileSync(fileOf(out)), readFileSync(fileOf(whole)));
});

test('rates that go on are told of as they were measured', async () => {
  const out = newFolder();
  const ranges: unknown[] = [];
  for (const seed of [1, 2]) await round(out, { rate: '1x', seed }, { onStart: ({ rates }) => void ranges.push(rates) });
  assert.ok(Object.keys(ranges[0] as object).length > 0);
  assert.equal(ranges[1], ranges[0]);
});

test.run();
