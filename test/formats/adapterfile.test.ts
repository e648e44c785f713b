import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digest } from '../../src/base/digest.ts';
import { type AdapterInfo, checkBase, readAdapter, writeAdapter } from '../../src/formats/adapterfile.ts';
import { openSafetensors, type TensorData, writeSafetensors } from '../../src/formats/safetensors.ts';
import { newFolder, refused } from '../support/folder.ts';

const info: AdapterInfo = {
  method: 'bias',
  base: { type: 'vit', digest: digest('weights'), imageSize: [32, 48] },
  precision: 'f32' as const,
  head: ['classifier.weight', 'classifier.bias'],
  labels: ['cat', 'dög'],
  preprocessing: { image_mean: [0.5, 0.5, 0.5], do_resize: true },
  createdBy: 's2a 0.1.0',
};

const f32 = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer);
const tensors: TensorData[] = [
  { name: 'classifier.weight', dtype: 'F32', shape: [2, 3], data: f32(1, 2, 3, 4, 5, 6) },
  { name: 'classifier.bias', dtype: 'F32', shape: [2], data: f32(7, 8) },
  { name: 'module.0.bias', dtype: 'F32', shape: [3], data: f32(9, 10, 11) },
];

const weightsOf = (folder: string) => join(folder, 'adapter_model.safetensors');
const configOf = (folder: string) => join(folder, 'adapter_config.json');
const bytesOf = (folder: string) => readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));

test('one from before there was a choice of precision learnt over f32; an unknown one is refused', () => {
  const folder = newFolder();
  const rewritten = (change: (fields: Record<string, unknown>) => void): string => {
    writeAdapter(folder, info, tensors);
    const file = openSafetensors(weightsOf(folder));
    const fields = JSON.parse(file.metadata.get('s2a')!) as Record<string, unknown>;
    file.close();
    change(fields);
    writeSafetensors(weightsOf(folder), tensors, { format: 'pt', s2a: JSON.stringify(fields) });
    return weightsOf(folder);
  };
  const old = readAdapter(rewritten((fields) => delete fields.precision));
  assert.is(old.precision, 'f32');
  old.weights.close();
  refused(() => readAdapter(rewritten((fields) => (fields.precision = 'int2'))), 'precision', 'int2', 'int8');
});

test('an adapter comes back whole, from its folder and from the weights file alone', () => {
  const folder = join(newFolder(), 'new', 'adapter');
  writeAdapter(folder, info, tensors);
  assert.equal(readdirSync(folder).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
  for (const path of [folder, weightsOf(folder)]) {
    const { weights, path: _, ...read } = readAdapter(path);
    assert.equal(read, info);
    assert.equal([...weights.tensors.keys()].sort(), tensors.map(({ name }) => name).sort());
    const bytes = new Uint8Array(12);
    weights.read(weights.tensor('module.0.bias'), bytes);
    assert.equal(bytes, f32(9, 10, 11));
    weights.close();
  }
  const config = JSON.parse(readFileSync(configOf(folder), 'utf8'));
  assert.is(config.peft_type, 'S2A');
  assert.equal(config.s2a.labels, info.labels);
  rmSync(configOf(folder));
  readAdapter(folder).weights.close();
});

test('the bytes depend on the contents alone', () => {
  const [a, b] = [newFolder(), newFolder()];
  writeAdapter(a, info, tensors);
  const { head, labels, ...rest } = info;
  const preprocessing = { do_resize: true, image_mean: [0.5, 0.5, 0.5] };
  writeAdapter(b, { labels, head, ...rest, preprocessing, extra: Date.now() } as AdapterInfo, tensors.toReversed());
  assert.equal(bytesOf(a), bytesOf(b));
  for (const bytes of bytesOf(a)) assert.not.ok(bytes.includes(a) || bytes.includes(String(new Date().getFullYear())));
});

test('a failed write leaves the earlier adapter as it was', () => {
  const folder = newFolder();
  writeAdapter(folder, info, tensors);
  const before = bytesOf(folder);
  const failing: TensorData = {
    ...tensors[2]!,
    data: () => {
      throw new Error('power');
    },
  };
  assert.throws(() => writeAdapter(folder, { ...info, labels: ['x', 'y'] }, [tensors[0]!, tensors[1]!, failing]), /power/);
  refused(() => writeAdapter(folder, info, tensors.slice(1)), 'classifier.weight', 'missing');
  refused(() => writeAdapter(folder, { ...info, labels: ['a', 'b', 'c'] }, tensors), 'classifier.weight', 'got [2, 3]', '3 classes');
  assert.equal(bytesOf(folder), before);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  refused(() => writeAdapter(file, info, tensors), file);
});

test('power lost between the two renames: the weights file counts', () => {
  const [folder, later] = [newFolder(), newFolder()];
  writeAdapter(folder, info, tensors);
  writeAdapter(later, { ...info, labels: ['x', 'y'] }, tensors);
  writeFileSync(weightsOf(folder), readFileSync(weightsOf(later)));
  assert.equal(readAdapter(folder).labels, ['x', 'y']);
});

test('an edited config is refused, since the edit would have no effect', () => {
  const folder = newFolder();
  writeAdapter(folder, info, tensors);
  const config = readFileSync(configOf(folder), 'utf8');
  writeFileSync(configOf(folder), config.replace('"cat"', '"cow"'));
  refused(() => readAdapter(folder), 'adapter_config.json', 'labels differs', 'delete it');
  writeFileSync(configOf(folder), '{}');
  refused(() => readAdapter(folder), 'adapter_config.json', 'differs');
  writeFileSync(configOf(folder), config.slice(0, 40));
  refused(() => readAdapter(folder), 'adapter_config.json', 'JSON');
  writeFileSync(configOf(folder), JSON.stringify(JSON.parse(config)));
  readAdapter(folder).weights.close();
});

test('another base is refused', () => {
  const folder = newFolder();
  writeAdapter(folder, info, tensors);
  const adapter = readAdapter(folder);
  checkBase(adapter, info.base);
  refused(() => checkBase(adapter, { ...info.base, type: 'mobilenet_v2' }), folder, 'architecture, got mobilenet_v2, expected vit');
  refused(() => checkBase(adapter, { ...info.base, digest: digest('other') }), folder, 'base weights', digest('weights'));
  refused(() => checkBase(adapter, { ...info.base, imageSize: [32, 32] }), folder, 'image size, got 32×32, expected 32×48');
  adapter.weights.close();
});

test('hostile metadata: one sentence each', () => {
  const folder = newFolder();
  writeAdapter(folder, info, tensors);
  rmSync(configOf(folder));
  const opened = openSafetensors(weightsOf(folder));
  const good = JSON.parse(opened.metadata.get('s2a')!);
  opened.close();
  const metadata = (s2a: Record<string, string>) => writeSafetensors(weightsOf(folder), tensors, s2a);
  const cases: [Record<string, unknown>, ...string[]][] = [
    [{ version: 2 }, 'format version, got 2, expected 1'],
    [{ version: '1' }, 'format version'],
    [{ method: '' }, 'method'],
    [{ method: undefined }, 'method, got nothing'],
    [{ createdBy: 7 }, 'createdBy'],
    [{ head: [] }, 'head'],
    [{ head: ['classifier.weight', 'gone'] }, 'tensor gone', 'missing'],
    [{ head: 'classifier.weight' }, 'head'],
    [{ head: ['module.0.bias'] }, 'tensor module.0.bias', 'got [3]', '2 classes'],
    [{ labels: ['cat'] }, 'classifier.weight', '1 classes'],
    [{ labels: ['cat', 'cat'] }, 'labels', 'different'],
    [{ labels: ['cat', 3] }, 'labels'],
    [{ labels: { length: 2 } }, 'labels'],
    [{ preprocessing: null }, 'preprocessing'],
    [{ base: null }, 'base'],
    [{ base: { ...info.base, type: null } }, 'base.type'],
    [{ base: { ...info.base, digest: 'A'.repeat(64) } }, 'base.digest'],
    [{ base: { ...info.base, imageSize: [0, 3] } }, 'base.imageSize'],
    [{ base: { ...info.base, imageSize: [1e300, 3] } }, 'base.imageSize'],
  ];
  for (const [change, ...words] of cases) {
    metadata({ s2a: JSON.stringify({ ...good, ...change }) });
    refused(() => readAdapter(folder), 'adapter_model.safetensors', ...words);
  }
  for (const broken of ['', '[]', 'x', '{"version":']) {
    metadata({ s2a: broken });
    refused(() => readAdapter(folder), 'adapter_model.safetensors', 'metadata', 'JSON');
  }
  metadata({});
  refused(() => readAdapter(folder), 'no s2a entry');
  writeFileSync(weightsOf(folder), readFileSync(weightsOf(folder)).subarray(0, 300));
  refused(() => readAdapter(folder), 'adapter_model.safetensors');
  refused(() => readAdapter(join(folder, 'none')), 'none', 'no such file');
  mkdirSync(join(folder, 'empty'));
  refused(() => readAdapter(join(folder, 'empty')), 'adapter_model.safetensors', 'no such file');
});

test.run();
