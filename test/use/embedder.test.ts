/** Features are what the classifier reads: the checkpoint's own rows make the network's answers of them. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { loadEmbedder, similarity } from '../../src/use/embedder.ts';
import { pictureFolder, VIT } from '../cli/command.ts';
import { newFolder, refused } from '../support/folder.ts';

const picture = (seed: number): Uint8Array => Uint8Array.from({ length: 50 * 20 * 3 }, (_, i) => (i * (37 + 12 * seed)) % 251);

function tensor(path: string, name: string): Float32Array {
  const file = openWeightsFile(path);
  const record = file.tensor(name);
  const values = new Float32Array(record.bytes / 4);
  file.read(record, new Uint8Array(values.buffer));
  file.close();
  return values;
}

/** Softmax of W·f + b, by class. */
function answers(features: Float32Array, weight: Float32Array, bias: Float32Array): number[] {
  const logits = Array.from(bias, (b, c) => features.reduce((sum, f, i) => sum + f * weight[c * features.length + i]!, b));
  const powers = logits.map((x) => Math.exp(x - Math.max(...logits)));
  return powers.map((p) => p / powers.reduce((a, b) => a + b));
}

function holds(features: Float32Array, path: string, said: { index: number; probability: number }[]): void {
  const want = answers(features, tensor(path, 'classifier.weight'), tensor(path, 'classifier.bias'));
  for (const { index, probability } of said) assert.ok(Math.abs(want[index]! - probability) < 1e-5, `${want[index]} ${probability}`);
}

test('of the model alone, whose own head says the rest', async () => {
  const embedder = loadEmbedder(undefined, { model: VIT });
  const classifier = loadClassifier(undefined, { model: VIT });
  for (const seed of [1, 2])
    holds(embedder.embed(picture(seed), 50, 20), join(VIT, 'model.safetensors'), classifier.predict(picture(seed), 50, 20));
  await embedder.close();
});

test('with an adapter, as it changed them; with threads, the same bits', async () => {
  const out = newFolder();
  await trainJob({ model: VIT, data: pictureFolder(), out, epochs: 2, batchSize: 4 });
  const [bare, one, three] = [undefined, out, out].map((adapter, i) => loadEmbedder(adapter, { model: VIT, threads: i === 2 ? 3 : 1 }));
  const features = one!.embed(picture(1), 50, 20);
  holds(features, join(out, 'adapter_model.safetensors'), loadClassifier(out, { model: VIT }).predict(picture(1), 50, 20));
  assert.not.equal(features, bare!.embed(picture(1), 50, 20));
  assert.equal(three!.embed(picture(1), 50, 20), features);
  // A copy: the next picture does not change it.
  const before = features.slice();
  one!.embed(picture(2), 50, 20);
  assert.equal(features, before);
  await three!.close();
});

test('a network without a head of its own has features too', () => {
  const embedder = loadEmbedder(undefined, { model: 'models/sketch-vit' });
  assert.is(embedder.embed(picture(1), 50, 20).length, embedder.features);
});

test('likeness is a cosine', () => {
  assert.is(similarity(Float32Array.of(1, 2, 2), Float32Array.of(2, 4, 4)), 1);
  assert.is(similarity(Float32Array.of(3, 4), Float32Array.of(4, -3)), 0);
  assert.ok(Math.abs(similarity(Float32Array.of(1, 0), Float32Array.of(-1, 1)) + Math.SQRT1_2) < 1e-12);
  refused(() => similarity(Float32Array.of(1), Float32Array.of(1, 2)), 'of two networks');
  refused(() => similarity(Float32Array.of(0, 0), Float32Array.of(1, 2)), 'all zero');
});

test.run();
