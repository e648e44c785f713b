/** Runs on arrays, from files to predictions: every way that pictures go. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import type { ArrayPreparation } from '../../src/input/example.ts';
import { type TrainJob, trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { readArray } from '../../src/use/library.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { asks, does, refuses } from '../cli/command.ts';
import { drawn, stackFolder, writeArray } from '../support/arrays.ts';
import { newFolder, refused } from '../support/folder.ts';
import { adapterDigest, pack } from '../wasi/board.ts';

const GREY = 'test/golden/vit-hf-grey';
const FLOATS = stackFolder('<f4', { train: 24, val: 12 });
const BYTES = stackFolder('|u1', { train: 24, val: 12 });
const JOB = { model: GREY, epochs: 3, batchSize: 6, microBatch: 2, rate: 0.02, seed: 3 };
const learn = (data: string, more: Partial<TrainJob> = {}) => trainJob({ ...JOB, data, out: newFolder(), ...more });
const adapter = newFolder();

function tensorsOf(folder: string): string {
  const file = readAdapter(folder);
  const bytes = [...file.weights.tensors.values()].map((tensor) => {
    const data = new Uint8Array(tensor.bytes);
    file.weights.read(tensor, data);
    return Buffer.from(data).toString('base64');
  });
  file.weights.close();
  return bytes.join();
}

test('floats and bytes of the same numbers learn the same, normalised by what is learnt from', async () => {
  const said: string[] = [];
  const floats = await trainJob({ ...JOB, data: FLOATS, out: adapter }, { warn: (sentence) => said.push(sentence) });
  const bytes = await learn(BYTES);
  assert.is(tensorsOf(bytes.adapter), tensorsOf(adapter));
  assert.equal(bytes.epochs, floats.epochs);
  const { preprocessing } = JSON.parse(readFileSync(join(adapter, 'adapter_config.json'), 'utf8')).s2a;
  const { values } = drawn({ count: 24 });
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  const { mean: m, std: s, ...rest } = preprocessing as ArrayPreparation;
  assert.ok(Math.abs(m[0]! / mean - 1) < 1e-6 && Math.abs(s[0]! / std - 1) < 1e-6);
  assert.equal(rest, { input: 'array', height: 32, width: 32, channels: 1, element: 'f32', from: 'measured', scale: 1 });
  assert.match(said.join('\n'), /arrays are normalised by what 24 arrays to learn from have: mean \d+\.\d+, deviation \d+/);
});

test('the plan has the larger port of floats, and training takes what was planned', async () => {
  const [floats, bytes] = [await learn(FLOATS, { epochs: 1 }), await learn(BYTES, { epochs: 1 })];
  assert.is(floats.plan.parts.batch - bytes.plan.parts.batch, 2 * 32 * 32 * 3);
  assert.is(floats.memory.linearBytes, floats.memory.plannedBytes);
  const planned = asks<{ parts: { batch: number } }>(
    ...['plan', GREY, '--pixels', 'f32', '--classes', '3', '--batch-size', '6', '--micro-batch', '2'],
  );
  assert.is(planned.parts.batch, floats.plan.parts.batch);
});

test('given numbers are kept as they are', async () => {
  const { adapter: out } = await learn(FLOATS, { normalize: { mean: 100, std: [50] }, epochs: 1 });
  const { preprocessing } = readAdapter(out);
  assert.equal([preprocessing.from, preprocessing.mean, preprocessing.std], ['given', [100], [50]]);
  const own = await learn(BYTES, { normalize: 'model', epochs: 1 });
  assert.equal(readAdapter(own.adapter).preprocessing.mean, [0.45]);
});

test('eval, predict and the library say the same', async () => {
  const judged = asks<{ accuracy: number; count: number }>('eval', GREY, adapter, FLOATS);
  assert.is(judged.count, 12);
  assert.ok(judged.accuracy > 0.4);
  assert.match(does('eval', GREY, adapter, FLOATS).stdout, /of 12 arrays \(val\)/);
  // Bytes are floats too.
  assert.is(asks<{ accuracy: number }>('eval', GREY, adapter, BYTES).accuracy, judged.accuracy);
  const file = `${join(FLOATS, 'val', 'x.npy')}[4]`;
  const line = asks<{ classes: { label: string; probability: number }[] }>('predict', GREY, adapter, file);
  const classifier = loadClassifier(adapter, { model: GREY });
  const bytes = await readArray(file, classifier.preprocess as ArrayPreparation);
  const [first] = classifier.predictPrepared(bytes);
  assert.equal(line.classes, [{ label: first!.label, probability: first!.probability }]);
  assert.equal(classifier.predictPrepared(new Float32Array(bytes.buffer)), classifier.predictPrepared(bytes));
  refused(() => classifier.predict(new Uint8Array(32 * 32), 32, 32), 'takes arrays, not pictures');
});

test('a run that is stopped goes on to the same bytes', async () => {
  const out = newFolder();
  let steps = 0;
  const job = { ...JOB, data: FLOATS, out };
  try {
    await trainJob(job, { stopping: () => ++steps > 5 });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Interrupted);
  }
  await trainJob({ ...job, resume: true });
  assert.is(adapterDigest(out), adapterDigest(adapter));
});

test('an adapter goes on with its own normalisation', async () => {
  const other = stackFolder('|u1', { train: 12, val: 6, seed: 9 });
  const { adapter: out } = await learn(other, { from: adapter, epochs: 1 });
  assert.equal(readAdapter(out).preprocessing, readAdapter(adapter).preprocessing);
  refuses(
    2,
    ['train', GREY, other, '--from', adapter, '--out', newFolder(), '--normalize', '0/1'],
    '--normalize',
    'says how its arrays are normalised',
  );
});

test('merged, the folder reads arrays by itself', () => {
  const out = join(newFolder(), 'merged');
  mergeAdapter({ model: GREY, adapter, out });
  assert.ok(existsSync(join(out, 's2a_input.json')));
  const [own, before] = [out, GREY].map((model, i) => asks<{ accuracy: number }>(...['eval', model, ...(i ? [adapter] : []), FLOATS]));
  assert.is(own!.accuracy, before!.accuracy);
});

for (const [name, data] of [
  ['float32', FLOATS],
  ['uint8', BYTES],
] as const)
  test(`without JavaScript the adapter of ${name} is the same, byte for byte`, async () => {
    const job = { ...JOB, data };
    const { adapter: out } = await learn(data);
    const board = await pack(job);
    const there = newFolder();
    const ran = board.train(there);
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(there), adapterDigest(out));
  });

for (const task of ['multilabel', 'regress'] as const)
  test(`${task}: targets as an array teach what a table of the same teaches, on a board too`, async () => {
    const targets = (i: number): number[] => (task === 'regress' ? [i / 3, 40 - i] : [i % 2, Number(i % 3 === 0)]);
    const names = task === 'regress' ? ['value_0', 'value_1'] : ['0', '1'];
    const [rows, table] = [newFolder(), newFolder()];
    for (const [part, count] of [
      ['train', 12],
      ['val', 6],
    ] as const) {
      const { values } = drawn({ count });
      const all = Array.from({ length: count }, (_, i) => targets(i));
      writeArray(join(rows, part, 'x.npy'), '<f4', [count, 32, 32], values);
      writeArray(join(rows, part, 'y.npy'), '<f4', [count, 2], all.flat());
      const file = (i: number): string => `${String(i).padStart(2, '0')}.npy`;
      for (let i = 0; i < count; i++) writeArray(join(table, part, file(i)), '<f4', [32, 32], values.slice(i * 1024, (i + 1) * 1024));
      writeFileSync(join(table, part, 'labels.csv'), `file,${names}\n${all.map((row, i) => `${file(i)},${row}\n`).join('')}`);
    }
    const [a, b] = [newFolder(), newFolder()];
    const job = { ...JOB, data: rows, task };
    await trainJob({ ...job, out: a });
    await trainJob({ ...job, data: table, out: b });
    assert.is(adapterDigest(a), adapterDigest(b));
    const judged = [rows, table].map((data) => asks<{ loss: number }>('eval', GREY, a, data));
    assert.equal(judged[0], judged[1]);
    const there = newFolder();
    const ran = (await pack(job)).train(there);
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(there), adapterDigest(a));
  });

test('flips and shifts come only where they are asked for', async () => {
  const plain = tensorsOf(adapter);
  assert.is(tensorsOf((await learn(FLOATS, { augment: { shift: 0, flip: false } })).adapter), plain);
  assert.is.not(tensorsOf((await learn(FLOATS, { augment: { shift: 4, flip: true } })).adapter), plain);
});

test('what cannot be: one sentence each', () => {
  const trains = (data: string, ...more: string[]): string[] => ['train', GREY, data, '--out', newFolder(), '--epochs', '1', ...more];
  const bad = (name: string, edit: (root: string) => void): string => {
    const root = newFolder();
    cpSync(FLOATS, root, { recursive: true });
    edit(root);
    return name === '' ? root : join(root, name);
  };
  refuses(2, ['train', 'test/golden/vit-hf', FLOATS, '--out', newFolder()], 'other channels than the network reads, got 1', 'expected 3');
  const first = bad('', (root) => {
    writeArray(join(root, 'train', 'x.npy'), '<f4', [24, 3, 32, 32], drawn({ count: 24, channels: 3 }).values);
    writeArray(join(root, 'val', 'x.npy'), '<f4', [12, 3, 32, 32], drawn({ count: 12, channels: 3 }).values);
  });
  refuses(2, ['train', 'test/golden/resnet-hf', first, '--out', newFolder()], 'do channels come first?', 'np.moveaxis');
  refuses(2, trains(FLOATS, '--image-size', '48'), 'arrays are not resized', 'got 48x48', 'expected 32x32');
  refuses(2, trains(FLOATS, '--normalize', '0,0/1,1'), '--normalize', 'got 2, expected 1 or 1');
  refuses(2, trains(FLOATS, '--normalize', 'model'), 'these arrays are no bytes');
  const nan = bad('', (root) => {
    const { values } = drawn({ count: 24 });
    values[24 * 1024 - 5] = Number.NaN;
    writeArray(join(root, 'train', 'x.npy'), '<f4', [24, 32, 32, 1], values);
  });
  refuses(2, trains(nan), 'x.npy[23]: holds a number that is NaN or infinite, got NaN as element 1019', 'np.nan_to_num(np.load(p))');
  const doubles = bad('', (root) => {
    const head = readFileSync('test/golden/arrays/f8.npy').subarray(0, 128);
    const text = Buffer.from(head.toString('latin1').replace('(5, 3, 4, 2), }', '(24, 32, 32), }'), 'latin1');
    const values = Float64Array.from({ length: 24 * 1024 }, (_, i) => i + 0.1);
    writeFileSync(join(root, 'train', 'x.npy'), Buffer.concat([text, new Uint8Array(values.buffer)]));
  });
  refuses(2, trains(doubles), 'x.npy[', 'holds numbers that float32 does not', '.astype("float32")');
  // An adapter of arrays does not read pictures, nor one of bytes floats.
  refuses(2, ['eval', GREY, adapter, 'test/golden'], 'test/golden');
  does('predict', GREY, adapter, `${join(BYTES, 'val', 'x.npy')}[0]`);
});

test.run();
