/** The weights of a model folder, by the names of their files. */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/formats/safetensors.ts';
import { baseDigest } from '../../src/formats/weightsfile.ts';
import { hasWeights, openWeightsFile, tensorShapes } from '../../src/formats/weightsfolder.ts';
import { newFolder, refused } from '../support/folder.ts';
import { writeTorch } from '../support/torchwrite.ts';

const folder = newFolder();

test('shards are seen as one file, and must agree with their index', () => {
  const shards = join(folder, 'shards');
  mkdirSync(shards);
  const tensor = (name: string, value: number): TensorData => ({ name, dtype: 'U8', shape: [1], data: new Uint8Array([value]) });
  writeSafetensors(join(shards, 'model-1.safetensors'), [tensor('a', 1)]);
  writeSafetensors(join(shards, 'model-2.safetensors'), [tensor('b', 2), tensor('c', 3)]);
  const index = (map: Record<string, unknown>) =>
    writeFileSync(join(shards, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));

  index({ a: 'model-1.safetensors', b: 'model-2.safetensors', c: 'model-2.safetensors' });
  const opened = openWeightsFile(shards);
  const byte = new Uint8Array(1);
  const values = [...opened.tensors.values()].map((t) => {
    opened.read(t, byte);
    return [t.name, t.file, byte[0]];
  });
  assert.equal(values, [
    ['a', 0, 1],
    ['b', 1, 2],
    ['c', 1, 3],
  ]);
  opened.close();

  index({ a: 'model-1.safetensors', b: 'model-2.safetensors' });
  refused(() => openWeightsFile(shards), 'model-2.safetensors', 'tensor c', 'index');
  index({ a: 'model-1.safetensors', b: 'model-1.safetensors' });
  refused(() => openWeightsFile(shards), 'model-1.safetensors', 'tensor b', 'missing');
  index({ a: '../model-1.safetensors' });
  refused(() => openWeightsFile(shards), 'bad shard name', '../model-1.safetensors');
  index({ a: 3 });
  refused(() => openWeightsFile(shards), 'bad shard name');
  index({ a: 'model-3.safetensors' });
  refused(() => openWeightsFile(shards), 'model-3.safetensors', 'no such file');
  writeFileSync(join(shards, 'model.safetensors.index.json'), '{}');
  refused(() => openWeightsFile(shards), 'index.json', 'weight_map');
});

test('a folder without weights, and one with several files of them', () => {
  const some = join(folder, 'some');
  mkdirSync(some);
  refused(() => openWeightsFile(some), some, 'no weights', 'model.safetensors');
  // What trainers leave is not taken for weights.
  for (const name of ['training_args.bin', 'optimizer.pt', 'rng_state_0.pth']) writeFileSync(join(some, name), '');
  refused(() => openWeightsFile(some), some, 'no weights');
  assert.not.ok(hasWeights(some));
  copyFileSync('test/golden/torch/net.safetensors', join(some, 'net.safetensors'));
  const [plain, torch] = [openWeightsFile(join(some, 'net.safetensors')), 'test/golden/torch/checkpoint.pth'];
  copyFileSync(torch, join(some, 'net.pth'));
  const opened = openWeightsFile(some);
  assert.equal(opened.tensors, plain.tensors);
  assert.is(baseDigest(opened), baseDigest(plain));
  opened.close();
  plain.close();
  writeFileSync(join(some, 'other.PT'), '');
  refused(() => openWeightsFile(some), some, 'several files of weights', 'net.pth, other.PT', '--arch');
  refused(() => openWeightsFile(join(folder, 'nowhere')), 'nowhere', 'no such file');
});

test('pytorch_model.bin, in one piece and in shards', () => {
  const whole = join(folder, 'whole');
  const parts = join(folder, 'parts');
  for (const made of [whole, parts]) mkdirSync(made);
  const tensors: TensorData[] = ['a', 'b', 'c'].map((name, i) => ({ name, dtype: 'F32', shape: [2], data: new Uint8Array(8).fill(i) }));
  const torch = (path: string, of: TensorData[]): void => {
    writeSafetensors(join(folder, 'x.safetensors'), of);
    const file = openSafetensors(join(folder, 'x.safetensors'));
    writeTorch(path, file);
    file.close();
  };
  torch(join(whole, 'pytorch_model.bin'), tensors);
  for (const [i, of] of [tensors.slice(0, 2), tensors.slice(2)].entries())
    torch(join(parts, `pytorch_model-0000${i + 1}-of-00002.bin`), of);
  const shapes = [...tensorShapes(whole)!];
  assert.equal([...tensorShapes(parts)!], shapes);
  const index = (map: Record<string, string>): void =>
    writeFileSync(join(parts, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }));
  const [one, two] = ['pytorch_model-00001-of-00002.bin', 'pytorch_model-00002-of-00002.bin'];
  index({ a: one, b: one, c: two });
  assert.equal([...tensorShapes(parts)!], shapes);
  index({ a: one, b: two, c: two });
  refused(() => openWeightsFile(parts), one, 'tensor b', 'index');
  index({ a: '../x.bin' });
  refused(() => openWeightsFile(parts), 'bad shard name', 'a .bin file');
  rmSync(join(parts, 'pytorch_model.bin.index.json'));
  rmSync(join(parts, two));
  refused(() => openWeightsFile(parts), two, 'a shard of the weights is missing');
  // safetensors come first.
  writeSafetensors(join(parts, 'model.safetensors'), tensors);
  assert.is(tensorShapes(parts)!.size, 3);
});

test.run();
