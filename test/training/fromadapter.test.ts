/** Going on from an adapter: labels by name, new rows, every other tensor taken over, the old folder as it was. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, Interrupted } from '../../src/base/error.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { joinLabels } from '../../src/training/fromadapter.ts';
import { type JobHooks, type JobResult, type TrainJob, trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { contents } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const MODEL = 'test/golden/vit-timm-gap';
const CACHE = newFolder();
const FOUR = pictureFolder({ classes: 4, train: 5, val: 3 });
/** Two of the classes, under names that sort behind and between the others' as well. */
const TWO = pictureFolder({ classes: 4, train: 5, val: 3 });
for (const part of ['train', 'val']) for (const c of [0, 2]) rmSync(join(TWO, part, `class-${c}`), { recursive: true });

const METHODS = ['bias', 'probe', 'full', 'lora', 'bias+prompt:rank=2+side:ratio=4'];

const job = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  ...{ model: MODEL, data: TWO, out, cacheFolder: CACHE, epochs: 2, batchSize: 4, rate: 1e-2 },
  ...more,
});
const went = async (method: string): Promise<string> => {
  const out = newFolder();
  await trainJob(job(out, { method }));
  return out;
};

async function fails(run: TrainJob, ...words: string[]): Promise<void> {
  try {
    await trainJob(run);
  } catch (error) {
    assert.instance(error, InputError, (error as Error).stack);
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

/** Every tensor of an adapter, by name. */
function tensorsOf(path: string): Map<string, Float32Array> {
  const { weights } = readAdapter(path);
  const all = [...weights.tensors.values()].map((t) => {
    const bytes = new Uint8Array(t.bytes);
    weights.read(t, bytes);
    return [t.name, new Float32Array(bytes.buffer)] as const;
  });
  weights.close();
  return new Map(all);
}

test('labels keep their places, new ones follow', () => {
  assert.equal(joinLabels(['b', 'd'], ['a', 'b', 'c', 'd']), ['b', 'd', 'a', 'c']);
  assert.equal(joinLabels([], ['a', 'b']), ['a', 'b']);
});

for (const method of METHODS)
  test(`${method}: a rate of nothing leaves every tensor, and new rows at zero`, async () => {
    const before = await went(method);
    const was = contents(before);
    const out = newFolder();
    const result = await trainJob(job(out, { from: before, data: FOUR, rate: 0, epochs: 1, head: 'zero' }));
    assert.equal(result.classes, ['class-1', 'class-3', 'class-0', 'class-2']);
    assert.equal(contents(before), was, 'the old folder is untouched');
    const [old, now] = [tensorsOf(before), tensorsOf(out)];
    const { head, weights } = readAdapter(out);
    weights.close();
    assert.equal([...now.keys()].sort(), [...old.keys()].sort());
    let moved = 0;
    for (const [name, values] of now) {
      const had = old.get(name)!;
      assert.equal([...values.subarray(0, had.length)], [...had], name);
      assert.is(values.length, head.includes(name) ? 2 * had.length : had.length, name);
      assert.ok(values.subarray(had.length).every((x) => x === 0));
      moved += had.some((x) => x !== 0) ? 1 : 0;
    }
    assert.ok(moved >= head.length, 'what was taken over was learnt');
    const grey = new Uint8Array(32 * 32 * 3).fill(99);
    const [two, four] = [before, out].map((path) => loadClassifier(path, { model: MODEL }).predictPrepared(grey));
    const odds = (list: typeof two): number => {
      const of = (label: string): number => list!.find((p) => p.label === label)!.probability;
      return of('class-1') / of('class-3');
    };
    assert.ok(Math.abs(odds(two) / odds(four) - 1) < 1e-5, 'the known classes stand to each other as they did');
  });

test('it learns the new classes, and stops and goes on to the same bytes', async () => {
  const before = await went('bias');
  const more = { from: before, data: FOUR, epochs: 6, rate: 2e-2, saveEvery: 3 };
  const whole = newFolder();
  const result: JobResult = await trainJob(job(whole, more));
  assert.ok(result.accuracy! > 0.7, `accuracy ${result.accuracy}`);
  const out = newFolder();
  let asked = 0;
  const stop: JobHooks = { stopping: () => ++asked === 9 };
  try {
    await trainJob(job(out, more), stop);
    assert.unreachable('not interrupted');
  } catch (error) {
    assert.instance(error, Interrupted);
  }
  await fails(job(out, { ...more, from: await went('bias+lora'), resume: true }), 'another');
  await trainJob(job(out, { ...more, resume: true }));
  const bytes = (path: string): string => readFileSync(join(path, 'adapter_model.safetensors')).toString('base64');
  assert.ok(bytes(out) === bytes(whole));
});

test('a class without pictures is said', async () => {
  const before = newFolder();
  await trainJob(job(before, { data: FOUR }));
  const told: string[] = [];
  const result = await trainJob(job(newFolder(), { from: before, rate: 0, epochs: 1 }), { warn: (s) => told.push(s) });
  assert.is(result.classes.length, 4);
  assert.ok(told[0]!.includes('class-0, class-2'));
});

test('what is refused', async () => {
  const before = await went('bias');
  await fails(job(newFolder(), { from: before, data: FOUR, method: 'probe' }), 'another method', 'got probe', 'expected bias');
  await fails(job(newFolder(), { from: before, model: 'test/golden/vit-timm' }), 'other');
  await fails(job(newFolder(), { from: before, imageSize: 64 }), 'another image size');
  await fails(job(before, { from: before, data: FOUR }), '--out', '--from');
  await fails(job(newFolder(), { from: join(before, 'nothing') }), 'nothing');
  // Another number of classes without --from, into the same folder.
  const was = contents(before);
  await fails(job(before, { data: FOUR }), 'other classes', '--from');
  assert.equal(contents(before), was);
  const broken = newFolder();
  cpSync(before, broken, { recursive: true });
  writeFileSync(join(broken, 'adapter_model.safetensors'), 'rubbish');
  await trainJob(job(broken, { data: FOUR, epochs: 1 }));
});

test.run();
