/** The library for applications: predictions, a change of adapter that is whole or not at all, and memory that stays. */
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError, EngineError } from '../../src/base/error.ts';
import { type StartThread, startThread } from '../../src/engine/threads.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { type TrainJob, trainJob } from '../../src/training/job.ts';
import { type Classifier, loadClassifier } from '../../src/use/classifier.ts';
import { pictureFolder, VIT } from '../cli/command.ts';
import { newFolder, refused } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const work = newFolder();
const photos = pictureFolder();
const learn = (name: string, options: Partial<TrainJob> = {}) =>
  trainJob({ model: VIT, data: photos, out: join(work, name), batchSize: 4, epochs: 2, budget: '2MiB', ...options });

const picture = Uint8Array.from({ length: 50 * 20 * 3 }, (_, i) => (i * 37) % 251);
const answer = (classifier: Classifier) => classifier.predict(picture, 50, 20);

test.before(async () => {
  await learn('a');
  await learn('b', { seed: 5, epochs: 4 });
  await learn('probe', { method: 'probe' });
});

test('predictions: every class, probabilities that sum to 1, the most probable first', () => {
  const classifier = loadClassifier(join(work, 'a'), { model: VIT, budget: '1MiB' });
  const list = answer(classifier);
  assert.equal(list.map((p) => p.label).sort(), [...classifier.labels]);
  assert.ok(Math.abs(list.reduce((sum, p) => sum + p.probability, 0) - 1) < 1e-9);
  assert.ok(list.every((p, i) => i === 0 || p.probability <= list[i - 1]!.probability));
  assert.ok(classifier.linearBytes <= 1 << 20);
  assert.equal(answer(classifier), list);
});

test('a thread that dies is told of at the next prediction, at once', async () => {
  const workers: Worker[] = [];
  const start: StartThread = (orders) => {
    workers.push(startThread(orders));
    return workers.at(-1)!;
  };
  const alone = answer(loadClassifier(join(work, 'a'), { model: VIT }));
  const options = { model: VIT, threads: 3, start };
  const classifier = loadClassifier(join(work, 'a'), options);
  assert.equal(answer(classifier), alone);
  assert.is(workers.length, 2);
  await workers[0]!.terminate();
  const began = performance.now();
  assert.throws(
    () => answer(classifier),
    (e: unknown) => e instanceof EngineError && /^threads: thread 1 of 3 ended: exit code \d+; run it again/.test(e.message),
  );
  assert.ok(performance.now() - began < 1000);
  await classifier.close();
});

test('a budget in bytes or as text; too small names the smallest', () => {
  const open = (budget: string | number) => loadClassifier(join(work, 'a'), { model: VIT, budget });
  let smallest = 0;
  try {
    open(65536);
  } catch (error) {
    assert.instance(error, BudgetError);
    smallest = (error as BudgetError).smallestBytes;
  }
  assert.is(open(smallest).linearBytes, smallest);
  assert.is(open(`${smallest / 1024}KiB`).linearBytes, smallest);
  refused(() => open('much'), 'budget', 'much', '48MiB');
});

test('a changed adapter is the other one exactly; one that is refused changes nothing', () => {
  const classifier = loadClassifier(join(work, 'a'), { model: VIT });
  const a = answer(classifier);
  classifier.changeAdapter(join(work, 'b'));
  const b = answer(classifier);
  assert.equal(b, answer(loadClassifier(join(work, 'b'), { model: VIT })));
  assert.not.equal(b, a);
  const broken = join(newFolder(), 'broken');
  cpSync(join(work, 'a'), broken, { recursive: true });
  const file = join(broken, 'adapter_model.safetensors');
  const bytes = readFileSync(file);
  bytes.writeUInt32LE(0x7fc00000, bytes.length - 4);
  writeFileSync(file, bytes);
  refused(() => classifier.changeAdapter(broken), 'NaN');
  assert.equal(answer(classifier), b);
  refused(() => classifier.changeAdapter(join(work, 'probe')), 'another method', 'probe', 'bias');
  refused(() => classifier.changeAdapter(join(work, 'nothing')), 'nothing');
  assert.equal(answer(classifier), b);
  classifier.changeAdapter(join(work, 'a'));
  assert.equal(answer(classifier), a);
});

test('an adapter is used over the weights that it learnt over, unless told otherwise', async () => {
  await learn('eight', { weights: 'int8' });
  const path = join(work, 'eight');
  const file = readAdapter(path);
  assert.is(file.precision, 'int8');
  file.weights.close();
  const eight = loadClassifier(path, { model: VIT });
  const asked = loadClassifier(path, { model: VIT, weights: 'int8' });
  const f32 = loadClassifier(path, { model: VIT, weights: 'f32' });
  assert.equal(answer(eight), answer(asked));
  assert.not.equal(answer(eight), answer(f32));
  assert.ok(eight.linearBytes <= f32.linearBytes);
  // Another adapter of another precision: refused, but where one was named.
  refused(() => eight.changeAdapter(join(work, 'a')), 'precision', 'f32', 'int8');
  assert.equal(answer(eight), answer(asked));
  const a = answer(loadClassifier(join(work, 'a'), { model: VIT }));
  f32.changeAdapter(join(work, 'a'));
  assert.equal(answer(f32), a);
  // Going on keeps the precision.
  await learn('on', { from: path });
  const on = readAdapter(join(work, 'on'));
  assert.is(on.precision, 'int8');
  on.weights.close();
});

test('a model that takes no pictures of the adapter’s size is not its base, whatever else it would say of that size', () => {
  for (const [model, what] of [
    ['models/sketch-vit', 'the adapter belongs to another image size, got 28×28, expected 32×32'],
    ['test/golden/swin-timm', 'the adapter belongs to another architecture'],
  ] as const)
    refused(() => loadClassifier(join(work, 'a'), { model }), what, 'give the model folder that the adapter was trained on');
});

test('wrong pictures are refused', () => {
  const classifier = loadClassifier(join(work, 'a'), { model: VIT });
  refused(() => classifier.predict(picture, 50, 21), 'wrong number of bytes', '3000', '3150');
  refused(() => classifier.predict(picture, 0, 20), 'wrong number of bytes');
  refused(() => classifier.predictPrepared(picture), '3072');
});

// Its garbage collector is called by hand, as Node lets one.
nodeTest('10,000 predictions: linear memory, heap and process stay', () => {
  const program = `
    import { loadClassifier } from ${JSON.stringify(resolve('dist/index.js'))};
    const classifier = loadClassifier(${JSON.stringify(join(work, 'a'))}, { model: ${JSON.stringify(VIT)} });
    const pixels = new Uint8Array(32 * 32 * 3).fill(99);
    const rgb = new Uint8Array(20 * 20 * 3).fill(99);
    const measure = () => { gc(); const { heapUsed, rss } = process.memoryUsage(); return { heapUsed, rss }; };
    const run = (n) => { for (let i = 0; i < n; i++) i % 10 ? classifier.predictPrepared(pixels) : classifier.predict(rgb, 20, 20); };
    run(1000);
    const before = measure();
    run(10000);
    console.log(JSON.stringify({ before, after: measure() }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', program], { encoding: 'utf8' });
  assert.is(stderr, '');
  const { before, after } = JSON.parse(stdout) as Record<'before' | 'after', { heapUsed: number; rss: number }>;
  assert.ok(after.heapUsed - before.heapUsed < 1 << 20, `heap grew by ${after.heapUsed - before.heapUsed}`);
  assert.ok(after.rss - before.rss < 16 << 20, `process grew by ${after.rss - before.rss}`);
});

test('examples/personalise.mjs runs', () => {
  const args = ['examples/personalise.mjs', VIT, photos, newFolder()];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  assert.match(stdout, /^second: blue\/0\.png is \w+, /m);
  assert.match(stdout, /^refused, and still working: /m);
});

test.run();
