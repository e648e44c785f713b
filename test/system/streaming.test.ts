/** Runs over streamed weights: the adapter, the answers and the resumed run of resident ones; and files that do not stay as they were. */
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError, type InputError, Interrupted } from '../../src/base/error.ts';
import { planForBudget } from '../../src/compile.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { enrolJob } from '../../src/training/enrol.ts';
import { type JobHooks, type TrainJob, trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { loadEmbedder } from '../../src/use/embedder.ts';
import { packInference } from '../../src/use/packinfer.ts';
import { newFolder, refused } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { nodeTest } from '../support/runtime.ts';

const MODEL = 'test/golden/vit-hf';
const DATA = pictureFolder({ train: 4, val: 2 });
const CACHE = newFolder();

const job = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  ...{ model: MODEL, data: DATA, out, cacheFolder: CACHE, epochs: 3, batchSize: 6, microBatch: 2, rate: 0.05, weights: 'int8' },
  ...more,
});
const adapter = (out: string): string =>
  ['adapter_model.safetensors', 'adapter_config.json'].map((name) => readFileSync(join(out, name)).toString('base64')).join();
const stored = (out: string): string => join(out, 'run', 'weights.s2aw');

/** The sentence of a run that fails. */
async function failing(run: TrainJob, hooks: JobHooks = {}): Promise<string> {
  try {
    await trainJob(run, hooks);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was refused');
}

const resident = newFolder();
let reference = '';

test('the run over resident weights', async () => {
  await trainJob(job(resident));
  reference = adapter(resident);
  assert.not.ok(existsSync(stored(resident)));
});

for (const threads of [1, 2])
  test(`streamed, ${threads} threads: the same adapter, and no file is left`, async () => {
    const out = newFolder();
    let wasThere = false;
    const { plan, memory } = await trainJob(job(out, { weights: 'int8,stream', threads }), {
      onStep: () => {
        wasThere = existsSync(stored(out));
      },
    });
    assert.is(adapter(out), reference);
    assert.ok(wasThere);
    assert.not.ok(existsSync(stored(out)));
    assert.ok(plan.stored!.bytesReadPerStep > plan.stored!.fileBytes);
    assert.is(memory.linearBytes, memory.plannedBytes);
  });

test('interrupted between two passes and resumed: the same adapter', async () => {
  const out = newFolder();
  let asked = 0;
  try {
    await trainJob(job(out, { weights: 'int8,stream' }), { stopping: () => ++asked === 5 });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Interrupted);
  }
  assert.ok(existsSync(stored(out)));
  await trainJob(job(out, { weights: 'int8,stream', resume: true }));
  assert.is(adapter(out), reference);
});

/** Flips a byte in the middle of a file. */
function damage(path: string): void {
  const at = statSync(path).size >> 1;
  const byte = readFileSync(path)[at]!;
  const fd = openSync(path, 'r+');
  writeSync(fd, Uint8Array.of(byte ^ 1), 0, 1, at);
  closeSync(fd);
}

const DAMAGES = [
  ['was changed while in use', damage],
  ['ends early', (path: string) => truncateSync(path, statSync(path).size >> 1)],
] as const;

for (const [sentence, harm] of DAMAGES)
  for (const [when, threads] of [
    ['onStep', 2],
    ['onEpoch', 1],
  ] as const)
    test(`a file that ${sentence} (${when}, ${threads} threads): one sentence, the run is saved and goes on`, async () => {
      const out = newFolder();
      let calls = 0;
      const said = await failing(job(out, { weights: 'int8,stream', threads }), {
        [when]: () => {
          if (++calls === 2) harm(stored(out));
        },
      });
      assert.ok(said.startsWith(stored(out)), said);
      assert.ok(said.includes(sentence) && said.includes('the run is saved'), said);
      let resumedAt: number | undefined;
      await trainJob(job(out, { weights: 'int8,stream', resume: true }), {
        onStart: (run) => {
          resumedAt = run.resumedAt;
        },
      });
      assert.ok(resumedAt! >= 2, `${resumedAt}`);
      assert.is(adapter(out), reference);
    });

test('a budget that does not hold the weights: a file, and the plan says so', async () => {
  const out = newFolder();
  let wasThere = false;
  const needs = planForBudget({ model: openModelFolder(MODEL).model, classes: 2, batchSize: 6, microBatch: 2 });
  const { plan, memory } = await trainJob(job(out, { weights: 'f32', microBatch: 1, budget: '448KiB' }), {
    onStep: () => {
      wasThere ||= existsSync(stored(out));
    },
  });
  assert.ok(wasThere);
  assert.ok(plan.stored!.residentNeedsBytes! > 448 * 1024 && plan.stored!.residentNeedsBytes! <= needs.plan.linearBytes);
  assert.ok(memory.linearBytes <= 448 * 1024);
  assert.not.ok(existsSync(stored(out)));
});

test('a file that is something else is left alone', async () => {
  const out = newFolder();
  const mine = join(newFolder(), 'diary.txt');
  writeFileSync(mine, 'Dear diary');
  const said = await failing(job(out, { weights: 'int8,stream', stored: mine }));
  assert.ok(said.includes('is no file of stored weights'), said);
  assert.is(readFileSync(mine, 'utf8'), 'Dear diary');
});

test('predictions over streamed weights are those over resident ones, and the file is written once', () => {
  const path = join(newFolder(), 'weights.s2aw');
  const pixels = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 37) % 256);
  const whole = loadClassifier(resident, { model: MODEL });
  const expected = whole.predict(pixels, 40, 30);
  let written = 0;
  for (let time = 0; time < 2; time++) {
    const classifier = loadClassifier(resident, { model: MODEL, weights: 'stream', stored: path });
    assert.equal(classifier.predict(pixels, 40, 30), expected);
    assert.ok(classifier.linearBytes <= whole.linearBytes);
    void classifier.close();
    if (time === 0) written = statSync(path).mtimeMs;
    else assert.is(statSync(path).mtimeMs, written);
  }
  refused(() => loadClassifier(resident, { model: MODEL, weights: 'stream' }), '--stored', 'is missing');
  refused(() => loadClassifier(resident, { model: MODEL, stored: path }), '--stored', 'only where weights are streamed');
});

// Deno's module of files cannot be replaced.
nodeTest('a disk that fills up while the file is written: one sentence, no half file; an old one that was right stays', async () => {
  const fs = createRequire(import.meta.url)('node:fs') as typeof import('node:fs');
  const { writeSync: write, statfsSync: room } = fs;
  const kept = join(newFolder(), 'weights.s2aw');
  void loadClassifier(resident, { model: MODEL, weights: 'stream', stored: kept }).close();
  const held = readFileSync(kept);
  const full = (): never => {
    throw Object.assign(new Error('full'), { code: 'ENOSPC' });
  };
  /** What is said where the n-th write to that file is one too many. */
  const fillAt = async (n: number, path: string, action: () => Promise<unknown> | unknown): Promise<string> => {
    let left = n;
    const limited = (fd: number, data: Uint8Array, offset?: number, length?: number, position?: number): number =>
      existsSync(path) && fstatSync(fd).ino === statSync(path).ino && left-- <= 0 ? full() : write(fd, data, offset, length, position);
    Object.assign(fs, { writeSync: limited });
    syncBuiltinESMExports();
    try {
      await action();
    } catch (error) {
      assert.is((error as InputError).code, 'S2A_DISK');
      return (error as Error).message;
    } finally {
      Object.assign(fs, { writeSync: write });
      syncBuiltinESMExports();
    }
    throw new Error('nothing was refused');
  };
  for (const n of [0, 1, 2]) {
    const [out, path] = [newFolder(), join(newFolder(), 'weights.s2aw')];
    const said = await fillAt(n, path, () => trainJob(job(out, { weights: 'f32,stream', stored: path })));
    assert.ok(said.startsWith(path) && said.includes('no space left on the device'), said);
    assert.not.ok(existsSync(path), 'half a file is left');
    const other = join(newFolder(), 'weights.s2aw');
    await fillAt(n, other, () => loadClassifier(resident, { model: MODEL, weights: 'f32,stream', stored: other }));
    assert.not.ok(existsSync(other), 'half a file is left');
  }
  // What is right is not written, so a full disk is no matter.
  Object.assign(fs, { writeSync: full, statfsSync: () => ({ bavail: 0, bsize: 4096 }) });
  syncBuiltinESMExports();
  try {
    void loadClassifier(resident, { model: MODEL, weights: 'stream', stored: kept }).close();
    const path = join(newFolder(), 'weights.s2aw');
    refused(() => loadClassifier(resident, { model: MODEL, weights: 'stream', stored: path }), path, 'too little space', '0.0 MiB free');
    assert.not.ok(existsSync(path));
  } finally {
    Object.assign(fs, { writeSync: write, statfsSync: room });
    syncBuiltinESMExports();
  }
  assert.equal(readFileSync(kept), held);
});

test('predicting within a budget that does not hold the weights: refused, or from a file where one is named', () => {
  const path = join(newFolder(), 'weights.s2aw');
  const budget = '64KiB';
  let least = 0;
  try {
    loadClassifier(resident, { model: MODEL, budget, weights: 'f32' });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BudgetError);
    least = Number(/from a file, (\d+)KiB is enough$/.exec((error as Error).message)![1]);
  }
  const pixels = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 37) % 256);
  const small = loadClassifier(resident, { model: MODEL, weights: 'f32', budget: `${least}KiB`, stored: path });
  assert.ok(small.linearBytes <= least * 1024 && existsSync(path));
  assert.equal(small.predict(pixels, 40, 30), loadClassifier(resident, { model: MODEL, weights: 'f32' }).predict(pixels, 40, 30));
  // Where the budget holds them the file is not made.
  const other = join(newFolder(), 'weights.s2aw');
  void loadClassifier(resident, { model: MODEL, budget: '16MiB', stored: other }).close();
  assert.not.ok(existsSync(other));
});

test('features over streamed weights are those over resident ones', () => {
  const pixels = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 37) % 256);
  for (const adapter of [undefined, resident]) {
    const path = join(newFolder(), 'weights.s2aw');
    const expected = loadEmbedder(adapter, { model: MODEL, weights: 'int8' }).embed(pixels, 40, 30);
    const embedder = loadEmbedder(adapter, { model: MODEL, weights: 'int8,stream', stored: path });
    assert.equal(embedder.embed(pixels, 40, 30), expected);
    assert.ok(existsSync(path));
    void embedder.close();
    refused(() => loadEmbedder(adapter, { model: MODEL, weights: 'int8,stream' }), '--stored', 'is missing');
  }
});

test('enrolled over streamed weights: the same adapter, and no file is left', async () => {
  const outs = [newFolder(), newFolder()];
  for (const [i, weights] of (['int8', 'int8,stream'] as const).entries())
    await enrolJob({ model: MODEL, data: DATA, out: outs[i]!, weights });
  assert.is(adapter(outs[1]!), adapter(outs[0]!));
  assert.not.ok(existsSync(join(outs[1]!, 'weights.s2aw')));
});

test('packed for predicting over streamed weights: the board has the file', () => {
  const out = newFolder();
  const { memory } = packInference({ model: MODEL, adapter: resident, out, weights: 'f32,stream' });
  assert.ok(memory.planBytes < packInference({ model: MODEL, adapter: resident, out: newFolder(), weights: 'f32' }).memory.planBytes);
  assert.equal(readdirSync(out).sort(), ['program.s2a', 's2a.wasm']);
});

test.run();
