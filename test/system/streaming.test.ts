/** Runs over streamed weights: the adapter, the answers and the resumed run of resident ones; and files that do not stay as they were. */
import { closeSync, existsSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { type JobHooks, type TrainJob, trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { newFolder, refused } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

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

test.run();
