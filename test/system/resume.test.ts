/** A run that is cut anywhere and resumed ends in the adapter of the run that was not, byte for byte. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, Interrupted } from '../../src/base/error.ts';
import { type JobHooks, type TrainJob, trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { exitCode, nodeTest } from '../support/runtime.ts';

const MODEL = 'test/golden/vit-timm-gap';
const DATA = pictureFolder({ train: 5, val: 4, noise: 120 });
const CACHE = newFolder();
/** 15 pictures in batches of 6, 6 and 3, micro-batches of 2: the last of an epoch is half empty. Then 12 to judge by, between which it may stop. */
const MICRO_BATCHES = 3 * (8 + 5);

const job = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  ...{ model: MODEL, data: DATA, out, cacheFolder: CACHE, epochs: 3, batchSize: 6, microBatch: 2, rate: 0.1, seed: 2 },
  augment: { shift: 4, flip: true },
  ...more,
});

/** Says yes after so many micro-batches. */
const stopAfter = (count: number): JobHooks => {
  let asked = 0;
  return { stopping: () => ++asked === count };
};

async function interrupted(run: TrainJob, count: number): Promise<void> {
  try {
    await trainJob(run, stopAfter(count));
  } catch (error) {
    if (error instanceof Interrupted) return;
    throw error;
  }
  assert.unreachable(`not interrupted after ${count} micro-batches`);
}

async function fails(action: Promise<unknown>, ...words: string[]): Promise<void> {
  try {
    await action;
  } catch (error) {
    assert.instance(error, InputError);
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

const adapter = (out: string): string => readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');

const whole = newFolder();
let reference = '';

test('the run that is not interrupted', async () => {
  const result = await trainJob(job(whole));
  reference = adapter(whole);
  assert.is(result.epochs.length, 3);
  assert.is(result.bestEpoch, 2, 'the best epoch is neither the first nor the last');
  const again = newFolder();
  await trainJob(job(again));
  assert.is(adapter(again), reference);
});

test('interrupted after every single micro-batch', async () => {
  for (let count = 1; count <= MICRO_BATCHES; count++) {
    const out = newFolder();
    await interrupted(job(out), count);
    await trainJob(job(out, { resume: true }));
    assert.ok(adapter(out) === reference, `interrupted after ${count}`);
  }
});

test('interrupted again and again, with checkpoints between', async () => {
  const out = newFolder();
  const run = job(out, { resume: true, saveEvery: 2 });
  for (let time = 0; time < 5; time++) await interrupted(run, 7);
  await trainJob(run);
  assert.ok(adapter(out) === reference);
});

test('a finished run that is resumed returns at once, with the same adapter', async () => {
  const before = newFolder();
  cpSync(whole, before, { recursive: true });
  let steps = 0;
  const result = await trainJob(job(before, { resume: true }), { onStep: () => steps++ });
  assert.is(steps, 0);
  assert.is(result.bestEpoch, 2);
  assert.ok(adapter(before) === reference);
});

test('resume where nothing exists starts afresh', async () => {
  const out = newFolder();
  let resumedAt: number | undefined = -1;
  await trainJob(job(out, { resume: true }), { onStart: (info) => (resumedAt = info.resumedAt) });
  assert.is(resumedAt, undefined);
  assert.ok(adapter(out) === reference);
});

test('another setting, other pictures, other weights: refused by name, and nothing changes', async () => {
  const out = newFolder();
  await interrupted(job(out), 13);
  const more = { resume: true };
  await fails(trainJob(job(out, { ...more, rate: 0.02 })), 'another learning rate', 'got 0.02', 'expected 0.1');
  await fails(trainJob(job(out, { ...more, seed: 6 })), 'another seed', 'got 6', 'expected 2');
  await fails(trainJob(job(out, { ...more, epochs: 4 })), 'another number of epochs', 'got 4', 'expected 3');
  await fails(trainJob(job(out, { ...more, microBatch: 3 })), 'another micro batch', 'got 3', 'expected 2');
  await fails(trainJob(job(out, { ...more, method: 'probe' })), 'another method', 'got probe', 'expected bias');
  await fails(trainJob(job(out, { ...more, augment: { shift: 3, flip: true } })), 'another program');
  await fails(trainJob(job(out, { ...more, data: pictureFolder({ train: 5, val: 4, noise: 20 }) })), 'other pictures');
  await fails(trainJob(job(out, { ...more, model: changedModel() })), 'another weights');
  // The run's own list and prepared copies count, not the name that a class has now; it is said.
  const said: string[] = [];
  await trainJob(job(out, { ...more, data: renamedClass() }), { warn: (sentence) => said.push(sentence) });
  assert.ok(said.some((sentence) => /gone since the run began: train\/class-2/.test(sentence)));
  assert.ok(said.some((sentence) => /new since the run began, not used: train\/class-9/.test(sentence)));
  assert.ok(adapter(out) === reference);
});

/** The same pictures, one class under another name. */
function renamedClass(): string {
  const folder = newFolder();
  cpSync(DATA, folder, { recursive: true });
  for (const part of ['train', 'val']) renameSync(join(folder, part, 'class-2'), join(folder, part, 'class-9'));
  return folder;
}

/** The same model with one bit of one weight turned. */
function changedModel(): string {
  const folder = newFolder();
  cpSync(MODEL, folder, { recursive: true });
  const path = join(folder, 'model.safetensors');
  const bytes = readFileSync(path);
  bytes[bytes.length - 4]! ^= 1;
  writeFileSync(path, bytes);
  return folder;
}

test('a damaged checkpoint is said and the one before it taken; when all are damaged the run is refused', async () => {
  const out = newFolder();
  await interrupted(job(out, { saveEvery: 1 }), 12);
  const checkpoints = () => readdirSync(join(out, 'run')).filter((name) => name.endsWith('.s2ac'));
  assert.is(checkpoints().length, 2);
  const damage = (name: string) => truncateSync(join(out, 'run', name), 1000);
  damage(checkpoints().sort().at(-1)!);
  const said: string[] = [];
  await trainJob(job(out, { resume: true }), { warn: (sentence) => said.push(sentence) });
  assert.is(said.length, 1);
  assert.match(said[0]!, /damaged.*going on from step/);
  assert.ok(adapter(out) === reference);

  for (const name of checkpoints()) damage(name);
  const before = adapter(out);
  await fails(trainJob(job(out, { resume: true })), 'damaged checkpoint');
  assert.is(adapter(out), before);
});

test('best parameters that were changed in the meantime are refused', async () => {
  const out = newFolder();
  await trainJob(job(out));
  const best = join(out, 'run', 'best');
  for (const name of readdirSync(best)) if (name !== 'checkpoint-3.s2ac') truncateSync(join(best, name), 1000);
  await fails(trainJob(job(out, { resume: true })), 'does not hold the best epoch', 'got 1', 'expected 2');
  assert.ok(adapter(out) === reference);
});

nodeTest('a disk that is full at any write: one sentence, nothing half-written, and with room again the same adapter', async () => {
  const fs = createRequire(import.meta.url)('node:fs') as typeof import('node:fs');
  const real = fs.writeSync;
  for (let nth = 1; ; nth += 4) {
    const out = newFolder();
    let writes = 0;
    const full = (...args: Parameters<typeof real>): number => {
      if (++writes >= nth) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      return real(...args);
    };
    const run = job(out, { saveEvery: 3 });
    Object.assign(fs, { writeSync: full });
    syncBuiltinESMExports();
    let sentence = '';
    try {
      // What goes beside an adapter that is there does not end the run.
      sentence = (await trainJob(run)).failures.join('\n');
    } catch (error) {
      sentence = (error as Error).message;
    } finally {
      Object.assign(fs, { writeSync: real });
      syncBuiltinESMExports();
    }
    if (sentence === '' && writes < nth) return void assert.ok(nth > 10, `${nth} writes`);
    assert.match(
      sentence,
      /(lock-1|checkpoint-\d+\.s2ac|pictures\.json|\.known\.tmp|known\.safetensors|adapter_\w+\.\w+): cannot be written: no space left on the device/,
    );
    const left = readdirSync(out, { recursive: true }).filter((name) => String(name).endsWith('.tmp'));
    assert.equal(left, []);
    await trainJob({ ...run, resume: true });
    assert.ok(adapter(out) === reference, `full at write ${nth}`);
  }
});

/** `s2a train --resume` as a process of its own; `signal` comes so many milliseconds after the pictures are ready. */
function command(
  out: string,
  signal?: NodeJS.Signals,
  after = 0,
  threads: number | 'auto' = 'auto',
): Promise<{ code: number | null; said: string }> {
  const { epochs, batchSize, microBatch, rate, seed } = job(out);
  const flags = { out, cache: CACHE, epochs, 'batch-size': batchSize, 'micro-batch': microBatch, lr: rate, seed, augment: 'crop,flip' };
  const words = Object.entries({ ...flags, threads, 'save-every': 1 }).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, ['dist/s2a.js', 'train', MODEL, DATA, ...words, '--resume'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (piece: Buffer) => {
    const ready = said.includes('pictures:');
    said += piece;
    if (signal && !ready && said.includes('pictures:')) setTimeout(() => child.kill(signal), after);
  });
  return new Promise((resolve) => child.on('close', (code, by) => resolve({ code: exitCode(code, by), said })));
}

test('kill -9 at any moment, again and again, then to the end', async () => {
  const out = newFolder();
  let killed = 0;
  for (const after of [0, 10, 25, 40]) if ((await command(out, 'SIGKILL', after)).code === null) killed++;
  assert.ok(killed > 0, 'not one of the processes was killed in time');
  const { code, said } = await command(out);
  assert.is(code, 0, said);
  assert.ok(adapter(out) === reference);
  // The log has every step once, in order, whatever was logged twice on the way.
  const log = readFileSync(join(out, 'run', 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  const entries = log.map((line) => JSON.parse(line) as { step?: number; epoch: number });
  assert.equal(
    entries.flatMap(({ step }) => step ?? []),
    Array.from({ length: 9 }, (_, i) => i + 1),
  );
  assert.equal(
    entries.filter(({ step }) => step === undefined).map(({ epoch }) => epoch),
    [1, 2, 3],
  );
});

test('interrupted on three threads, on one, and ended on two: the same bytes', async () => {
  const out = newFolder();
  await interrupted(job(out, { threads: 3 }), 7);
  await interrupted(job(out, { threads: 1, resume: true }), 11);
  const { threads } = await trainJob(job(out, { threads: 2, resume: true }));
  assert.is(threads, 2);
  assert.ok(adapter(out) === reference);
});

test('Ctrl-C while three threads train: exit code 130, and the run goes on with one', async () => {
  const out = newFolder();
  const { code, said } = await command(out, 'SIGINT', 0, 3);
  assert.is(code, 130, said);
  assert.match(said, /interrupted.*--resume/);
  assert.not.ok(existsSync(join(out, 'adapter_model.safetensors')));
  const next = await command(out, undefined, 0, 1);
  assert.match(next.said, /going on from step/);
  assert.is(next.code, 0, next.said);
  assert.ok(adapter(out) === reference);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  test(`${signal}: exit code 130, the run is saved and goes on`, async () => {
    const out = newFolder();
    const { code, said } = await command(out, signal, 0);
    assert.is(code, 130, said);
    assert.match(said, /interrupted.*--resume/);
    assert.not.ok(existsSync(join(out, 'adapter_model.safetensors')));
    const next = await command(out);
    assert.match(next.said, /going on from step/);
    assert.is(next.code, 0, next.said);
    assert.ok(adapter(out) === reference);
  });

test.run();
