/** Features kept from the first epoch on: the bytes that they save computing, whatever happens to the file. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digest } from '../../src/base/digest.ts';
import { Interrupted } from '../../src/base/error.ts';
import { cutOf, cutsOf } from '../../src/budget/featurecut.ts';
import { compile } from '../../src/compile.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import type { Compiled } from '../../src/pipeline/compiled.ts';
import { type JobHooks, type TrainJob, trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { nodeTest } from '../support/runtime.ts';

const DATA = pictureFolder({ train: 5, val: 3, noise: 120 });
const CACHE = newFolder();
const golden = (name: string): string => `test/golden/${name}`;
/** Fifteen pictures in passes of two: the last pass of an epoch is half empty. */
const job = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  ...{ model: golden('vit-timm-gap'), data: DATA, out, cacheFolder: CACHE, epochs: 3, batchSize: 4, microBatch: 2, rate: 0.05, seed: 2 },
  method: 'probe',
  ...more,
});
const adapter = (out: string): string => digest(readFileSync(join(out, 'adapter_model.safetensors')));
const file = (out: string): string => join(out, 'run', 'features.s2af');

/** Runs a job; what it said of its features, and every warning. */
async function run(out: string, more: Partial<TrainJob> = {}, hooks: JobHooks = {}): Promise<{ bytes: number; warnings: string[] }> {
  let bytes = 0;
  const warnings: string[] = [];
  await trainJob(job(out, more), {
    ...hooks,
    onFeatures(f) {
      bytes = f.bytes;
    },
    warn: (text) => void warnings.push(text),
  });
  return { bytes, warnings };
}

async function interrupted(out: string, after: number, more: Partial<TrainJob> = {}): Promise<void> {
  let asked = 0;
  await run(out, more, { stopping: () => ++asked === after }).then(
    () => assert.unreachable('not interrupted'),
    (error) => assert.instance(error, Interrupted),
  );
}

/** Its configuration has drop-path, which changes what the frozen blocks make. */
const WINDOWS: Partial<TrainJob> = { model: golden('swin-hf'), dropPath: 0, dropout: 0 };
const RUNS: [string, Partial<TrainJob>][] = [
  ['probe', {}],
  ['probe of a convolutional network', { model: golden('mobilenetv2-hf'), dropout: 0 }],
  ['probe of windows', WINDOWS],
  ['probe, dropout before the head', { model: golden('mobilenetv2-hf'), dropout: 0.3 }],
  ['the last block', { ...WINDOWS, method: 'bias+last:blocks=1' }],
  ['the last block, prompt and side branch, kept as codes', { ...WINDOWS, method: 'bias+prompt:rank=2+side:ratio=4+last:blocks=1' }],
  ['low-rank products of the last block', { ...WINDOWS, method: 'lora:rank=2,all=1+last:blocks=1' }],
  [
    'the last blocks of a convolutional network, in one pass',
    { model: golden('mobilenetv2-hf'), method: 'bias+last:blocks=2', microBatch: 4 },
  ],
  ['coded weights', { weights: 'int8' }],
];
for (const [name, more] of RUNS)
  test(`${name}: the same adapter with features kept and computed, by any number of threads`, async () => {
    const [kept, computed, shared] = [newFolder(), newFolder(), newFolder()];
    const { bytes, warnings } = await run(kept, more);
    assert.ok(bytes > 0, 'kept');
    assert.not.ok(warnings.some((text) => text.includes('features')));
    assert.is((await run(computed, { ...more, featureCache: 0 })).bytes, 0);
    await run(shared, { ...more, threads: 2 });
    assert.is(adapter(kept), adapter(computed));
    assert.is(adapter(shared), adapter(computed));
    assert.not.ok(readdirSync(join(kept, 'run')).includes('features.s2af'), 'gone when the run is over');
  });

test('nothing is kept of what changes: augmented pictures, biases from the first block on, one epoch', async () => {
  for (const more of [{ augment: { shift: 2, flip: false } }, { augment: { shift: 0, flip: true } }, { method: 'bias' }, { epochs: 1 }])
    assert.equal(await run(newFolder(), more), { bytes: 0, warnings: [] });
});

test('a limit is kept, and said where it is passed', async () => {
  const { bytes } = await run(newFolder());
  assert.is((await run(newFolder(), { featureCache: bytes })).bytes, bytes);
  const { warnings } = await run(newFolder(), { featureCache: bytes - 1 });
  assert.ok(warnings[0]?.includes('--feature-cache'), warnings[0]);
});

const whole = newFolder();
test('a run that is cut anywhere goes on with its features, damaged and strange ones computed anew', async () => {
  await run(whole);
  for (const after of [3, 8, 17, 30]) {
    const out = newFolder();
    await interrupted(out, after);
    assert.ok(statSync(file(out)).size > 0);
    assert.equal((await run(out, { resume: true })).warnings, []);
    assert.is(adapter(out), adapter(whole), `after ${after}`);
  }
  const damages: [string, (bytes: Buffer) => Buffer, RegExp | undefined][] = [
    ['a picture', (b) => b.fill(0x55, b.length - 60, b.length - 20), /features of a picture are damaged/],
    ['the size', (b) => b.subarray(0, b.length - 5), /is damaged/],
    ['the head', (b) => b.fill(0, 0, 8), /is damaged/],
    ['nothing at all', () => Buffer.alloc(0), /is damaged/],
    ['another run', (b) => b.fill(0xaa, 8, 40), undefined],
  ];
  for (const [what, damage, said] of damages) {
    const out = newFolder();
    await interrupted(out, 17);
    writeFileSync(file(out), damage(readFileSync(file(out))));
    const { warnings } = await run(out, { resume: true });
    assert.is(adapter(out), adapter(whole), what);
    assert.is(warnings.length, said ? 1 : 0, `${what}: ${warnings.join(' | ')}`);
    if (said) assert.match(warnings[0]!, said);
  }
});

// Deno's module of files cannot be replaced.
nodeTest('a disk that fills up ends the cache, not the run', async () => {
  const fs = createRequire(import.meta.url)('node:fs');
  const real = fs.writeSync;
  let left = 20;
  fs.writeSync = (fd: number, ...rest: unknown[]) => {
    // Records of the cache are the only writes at a place within a file that is not new.
    if (String((rest[0] as Uint8Array).length) === String(RECORD) && left-- <= 0)
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    return real(fd, ...rest);
  };
  syncBuiltinESMExports();
  try {
    const out = newFolder();
    const { warnings } = await run(out);
    assert.is(warnings.length, 1);
    assert.match(warnings[0]!, /no space left on the device; features are computed anew/);
    assert.is(adapter(out), adapter(whole));
    assert.not.ok(readdirSync(join(out, 'run')).includes('features.s2af'));
  } finally {
    fs.writeSync = real;
    syncBuiltinESMExports();
  }
});

const compiled = (model: string, method: string): Compiled =>
  compile({ model: openModelFolder(golden(model)).model, classes: 3, microBatch: 2, method });
const RECORD = cutOf(compiled('vit-timm-gap', 'probe'), 'train')!.bytes;

test('the line is as late as it can be: what the head reads, what the first block that learns reads', () => {
  const probe = cutsOf(compiled('mobilenetv2-hf', 'probe'))!;
  assert.is(probe.train.values.length, 1);
  assert.is(probe.train.bytes, probe.eval.bytes);
  const { graph } = compiled('vit-timm-gap', 'bias+last:blocks=1');
  const rows = graph.values.find((v) => v.name === 'embeddings')!.bytes / 2;
  assert.is(cutOf(compiled('vit-timm-gap', 'bias+last:blocks=1'), 'train')!.bytes, rows);
  assert.is(cutOf(compiled('vit-timm-gap', 'bias'), 'train'), undefined);
});

test.run();
