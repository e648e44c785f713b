/** What S2A adds to a network works on graphs too: modules, the last blocks, early ends, codes, weights in fewer bits; and a whole run. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../../assembly/abi/program.ts';
import { Interrupted } from '../../../src/base/error.ts';
import { readJson } from '../../../src/base/files.ts';
import { compile } from '../../../src/compile.ts';
import { readParameter } from '../../../src/engine/engine.ts';
import { parseModel } from '../../../src/import/index.ts';
import { openModelFolder, preprocessOf, processorNote } from '../../../src/import/modelfolder.ts';
import { openOnnxModel } from '../../../src/import/onnx/index.ts';
import { summaryOf } from '../../../src/import/onnx/summary.ts';
import { trainJob } from '../../../src/training/job.ts';
import { loadClassifier } from '../../../src/use/classifier.ts';
import { newFolder } from '../../support/folder.ts';
import { cases, engineOf, fileOf, networkOf, valuesOf } from '../../support/onnx.ts';
import { pictureFolder } from '../../support/pictures.ts';

const ON_MAPS = ['mobilenetv2-torchvision', 'swin-timm', 'convnext-timm', 'regnet-hf'];
const ON_TOKENS = ['vit-timm', 'vit-hf'];

for (const name of [...ON_MAPS, ...ON_TOKENS])
  for (const method of ['bias+prompt:rank=2+side:ratio=1', 'lora:all=1,rank=2', 'bias+last:blocks=1', 'full'])
    test(`${name}: ${method} starts as the network that was brought, and learns`, () => {
      const values = valuesOf(name);
      const { engine } = engineOf(name, values, { method });
      engine.run('eval');
      const got = [...engine.floats(Io.Logits)];
      const want = values.get('logits.new');
      assert.ok(got.every((x, i) => Math.abs(x - want[i]!) < 1e-4 * (1 + Math.abs(want[i]!))));
      engine.run('train');
      const moved = engine.program.parameters.filter((record) => readParameter(engine, record, record.gradient).some((g) => g !== 0));
      assert.ok(moved.length > 2, `${moved.length} of ${engine.program.parameters.length} have a gradient`);
    });

test('blocks are those of the modules: as many as the network has', () => {
  const counts = Object.fromEntries(cases.map((name) => [name, networkOf(name).blocks.length]));
  for (const [name, count] of [
    ['mobilenetv2-torchvision', 5],
    ['mobilenetv2-torchvision-dynamo', 5],
    ['resnet18-timm', 4],
    ['vit-timm', 2],
    ['vit-timm-dynamo', 2],
    ['vit-hf', 2],
    ['swin-timm', 3],
    ['swin-hf', 3],
    ['convnext-timm', 4],
  ] as const)
    assert.is(counts[name], count, name);
});

for (const name of [...ON_MAPS, ...ON_TOKENS])
  test(`${name}: ends early where it is told to, and not beyond its blocks`, () => {
    const { model, weights } = openOnnxModel(fileOf(name));
    weights.close();
    const compiled = (blocks: number) => compile({ model, classes: 3, microBatch: 1, method: `bias+depth:blocks=${blocks}` });
    assert.ok(compiled(1).program.weights.length < compile({ model, classes: 3, microBatch: 1, method: 'bias' }).program.weights.length);
    assert.throws(() => compiled(99), /--depth/);
  });

for (const name of ['vit-timm', 'mobilenetv2-torchvision', 'swin-timm'])
  test(`${name}: weights of eight bits answer nearly the same`, () => {
    const values = valuesOf(name);
    const { engine } = engineOf(name, values, { head: 'file', purpose: 'infer', weights: 'int8' });
    engine.run('eval');
    const [got, want] = [engine.floats(Io.Logits), values.get('logits')];
    const apart = Math.sqrt(want.reduce((sum, x, i) => sum + (x - got[i]!) ** 2, 0) / want.reduce((sum, x) => sum + x * x, 0));
    assert.ok(apart > 0 && apart < 0.05, String(apart));
  });

test('a graph keeps for backward what the same network keeps that is built by its configuration', () => {
  const { model, weights } = openOnnxModel(fileOf('vit-timm'));
  weights.close();
  const values = readJson('test/golden/vit-timm/config.json') as Record<string, Record<string, unknown>>;
  Object.assign(values.model_args!, { embed_dim: 24 });
  Object.assign(values, { num_features: 24 });
  const native = parseModel({ where: 'config.json', values });
  for (const method of ['bias', 'full', 'bias+prompt+side:ratio=1']) {
    const [ours, theirs] = [model, native].map((m) => compile({ model: m, classes: 5, microBatch: 4, method }));
    assert.equal(ours!.plan.parts, theirs!.plan.parts, method);
    assert.is(ours!.autogradBytes, theirs!.autogradBytes);
  }
});

test('what was recognised is said', () => {
  assert.is(summaryOf(networkOf('vit-timm')), '1 convolution, 1 tokens and positions, 5 layer norm, 12 linear layer, 2 attention, 2 GELU');
  assert.match(summaryOf(networkOf('densenet-torchvision')), /as they stand: .*5 concatenation/);
});

test('a run on an ONNX file, cut and resumed, ends in the adapter of the run that was not, and the adapter classifies', async () => {
  const model = fileOf('efficientnet-timm');
  const data = pictureFolder({ train: 5, val: 4, noise: 120 });
  const job = (out: string) => ({ model, data, out, epochs: 2, batchSize: 6, microBatch: 3, rate: 0.05, seed: 2 });
  const warnings: string[] = [];
  const [whole, cut] = [newFolder(), newFolder()];
  await trainJob(job(whole), { warn: (text) => warnings.push(text) });
  assert.ok(warnings.some((text) => /does not say how its pictures are prepared/.test(text)));
  let asked = 0;
  try {
    await trainJob(job(cut), { stopping: () => ++asked === 4 });
    assert.unreachable('not interrupted');
  } catch (error) {
    assert.instance(error, Interrupted);
  }
  await trainJob({ ...job(cut), resume: true });
  const adapter = (folder: string): string => readFileSync(join(folder, 'adapter_model.safetensors')).toString('base64');
  assert.is(adapter(cut), adapter(whole));
  const classifier = await loadClassifier(whole, { model });
  assert.is(classifier.labels.length, 3);
  await classifier.close?.();
});

test('a folder with onnx/model.onnx is that file, and what lies beside says classes and preparation', () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'onnx'));
  copyFileSync(fileOf('vit-timm'), join(folder, 'onnx', 'model.onnx'));
  const bare = openModelFolder(folder);
  assert.is(bare.model.labels?.[5], 'LABEL_5');
  assert.match(processorNote(bare) ?? '', /write .*preprocessor_config\.json/);
  const id2label = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [i, `kind ${i}`]));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: 'vit', id2label }));
  const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] };
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify({ image_processor_type: 'ViTImageProcessor', size: 32, ...half }));
  const known = openModelFolder(folder);
  assert.is(known.model.labels?.[5], 'kind 5');
  assert.is(processorNote(known), undefined);
  assert.equal(preprocessOf(known).mean, [0.5, 0.5, 0.5]);
});

test.run();
