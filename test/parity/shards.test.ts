/** A model in shards is the model in one file: the same logits, one digest whatever the order of the index, the same checks. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type TensorData, writeSafetensors } from '../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { openModelFolder, openWeights } from '../../src/import/modelfolder.ts';
import { trainJob } from '../../src/training/job.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { modelCopy } from '../cli/command.ts';
import { newFolder, refused } from '../support/folder.ts';
import { logitsOf, movedAdapter } from '../support/mergecase.ts';
import { pictureFolder } from '../support/pictures.ts';

/** The golden model as three shards and an index, without its single file. */
function sharded(): { folder: string; map: Record<string, string>; index(map: Record<string, string>): void } {
  const folder = modelCopy('vit-hf');
  const file = openWeightsFile(join(folder, 'model.safetensors'));
  const shards: TensorData[][] = [[], [], []];
  const map: Record<string, string> = {};
  const name = (i: number): string => `model-0000${i + 1}-of-00003.safetensors`;
  for (const [i, t] of [...file.tensors.values()].entries()) {
    const data = new Uint8Array(t.bytes);
    file.read(t, data);
    shards[i % 3]!.push({ name: t.name, dtype: t.dtype, shape: t.shape, data });
    map[t.name] = name(i % 3);
  }
  file.close();
  rmSync(join(folder, 'model.safetensors'));
  for (const [i, shard] of shards.entries()) writeSafetensors(join(folder, name(i)), shard, { format: 'pt' });
  const index = (weights: Record<string, string>): void =>
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: weights }));
  index(map);
  return { folder, map, index };
}

test('the same logits as in one file, trained, judged and merged', async () => {
  const { folder, map, index } = sharded();
  for (const weights of ['f32', 'int8', 'int4'] as const)
    assert.equal(logitsOf(folder, undefined, 2, weights).logits, logitsOf('test/golden/vit-hf', undefined, 2, weights).logits, weights);
  const out = newFolder();
  const { accuracy } = await trainJob({ model: folder, data: pictureFolder({ train: 4, val: 3 }), out, epochs: 1, batchSize: 4 });
  assert.ok(accuracy! >= 0);
  // Written by another program, the index has another order: it is the same model.
  index(Object.fromEntries(Object.entries(map).reverse()));
  const merged = newFolder();
  mergeAdapter({ model: folder, adapter: out, out: merged });
  assert.equal(Object.keys(openWeightsFile(merged).files).length, 1);
});

test('a changed byte in any shard is another base', () => {
  const { folder } = sharded();
  const adapter = newFolder();
  movedAdapter(folder, 'bias', adapter);
  for (const i of [1, 2, 3]) {
    const path = join(folder, `model-0000${i}-of-00003.safetensors`);
    const was = readFileSync(path);
    const other = Uint8Array.from(was);
    other[other.length - 4]! ^= 1;
    writeFileSync(path, other);
    refused(() => mergeAdapter({ model: folder, adapter, out: newFolder() }), 'other base weights');
    writeFileSync(path, was);
  }
  mergeAdapter({ model: folder, adapter, out: newFolder() });
});

test('a shard that is gone, cut off, or holds a tensor of another shard too', () => {
  const { folder, map, index } = sharded();
  const first = 'model-00001-of-00003.safetensors';
  const was = readFileSync(join(folder, first));
  writeFileSync(join(folder, first), was.subarray(0, was.length - 8));
  refused(() => openWeights(openModelFolder(folder)), first, 'outside the file');
  rmSync(join(folder, first));
  refused(() => openWeights(openModelFolder(folder)), first, 'no such file');
  writeFileSync(join(folder, first), was);
  const [name] = Object.entries(map).find(([, shard]) => shard === first)!;
  const second = openWeightsFile(join(folder, 'model-00002-of-00003.safetensors'));
  const tensors: TensorData[] = [...second.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    second.read(t, data);
    return { name: t.name, dtype: t.dtype, shape: t.shape, data };
  });
  second.close();
  writeSafetensors(join(folder, 'model-00002-of-00003.safetensors'), [
    ...tensors,
    { name, dtype: 'F32', shape: [1], data: new Uint8Array(4) },
  ]);
  refused(() => openWeights(openModelFolder(folder)), name, 'not so in the index');
  index({ ...map, [name]: '/etc/passwd' });
  refused(() => openWeights(openModelFolder(folder)), 'bad shard name');
});

test.run();
