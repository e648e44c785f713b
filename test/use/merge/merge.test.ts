/** Merged folders give their adapter's logits through their own head; what no checkpoint has a place for is refused. tools/merge-check.mjs asks PyTorch. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { writeSafetensors } from '../../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../../src/formats/weightsfolder.ts';
import { trainJob } from '../../../src/training/job.ts';
import { loadClassifier } from '../../../src/use/classifier.ts';
import { mergeAdapter } from '../../../src/use/merge/merge.ts';
import { exportPeft } from '../../../src/use/merge/peft.ts';
import { leastNorm } from '../../../src/use/merge/solve.ts';
import { does, modelCopy, refuses } from '../../cli/command.ts';
import { close, numbers } from '../../support/close.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { modelFolder, openValues } from '../../support/golden.ts';
import { LABELS, logitsOf, movedAdapter } from '../../support/mergecase.ts';
import { pictureFolder } from '../../support/pictures.ts';
import { foldedFolder, published, publishedFolder } from '../../support/publishedcase.ts';

/** Model, picture size where it is not the model's own, methods. */
const CASES: readonly [string, number | undefined, readonly string[]][] = [
  [
    'vit-hf',
    undefined,
    ['bias', 'lora', 'probe', 'full', 'bias+lora:rank=3,alpha=6,all=1', 'lora:rank=2,alpha=3,targets=dense/value', 'bias+last:blocks=1'],
  ],
  ['vit-hf', 48, ['bias', 'full']],
  // No biases of q, k, v; positions resampled.
  ['vit-hf-rect', 24, ['bias', 'lora', 'bias+last:blocks=1']],
  ['vit-hf-f16', undefined, ['bias', 'full']],
  ['vit-hf-bf16', undefined, ['lora:rank=2,alpha=8,all=1']],
  ['deit-hf', undefined, ['bias', 'full']],
  ['vit-timm', undefined, ['bias', 'full', 'lora:rank=4,alpha=4,all=1']],
  ['vit-timm-gap', undefined, ['bias']],
  ['deit-timm', 48, ['bias']],
  // Layer scales.
  ['deit3-timm', undefined, ['bias', 'full', 'lora:rank=4,alpha=4,all=1']],
  ['mobilenetv2-hf', undefined, ['bias', 'full', 'lora:rank=2,alpha=2,all=1', 'probe']],
  ['mobilenetv2-timm', 48, ['bias']],
  // Batch norms that stand alone.
  ['densenet-timm', 48, ['full']],
  // Branches that were merged.
  ['repvgg-timm', 64, ['bias', 'full']],
  // Branches that are scaled, and taken from each other.
  ['fastvit-timm', undefined, ['bias', 'full']],
  // A layer scale behind a batch norm.
  ['efficientformer-timm', undefined, ['bias', 'full']],
  // Squeeze-and-excite: convolutions with biases of their own beside folded ones.
  ['mobilenetv3-timm', 48, ['bias', 'full']],
  ['resnet-hf', 40, ['bias', 'full']],
  ['resnet50-timm', 48, ['bias', 'full', 'lora:rank=2,alpha=2,all=1']],
  // One channel and four.
  ['vit-hf-grey', undefined, ['bias', 'full']],
  ['vit-timm-rgba', 48, ['bias']],
  ['resnet-hf-rgba', undefined, ['bias']],
  // Patch merging has no bias: it moves into the norm.
  ['swin-hf', undefined, ['bias', 'full', 'bias+lora:rank=2,alpha=2,all=1']],
  ['swin-hf-pad', 36, ['bias']],
  ['swin-timm', undefined, ['bias', 'lora']],
  // Factors and biases by distance that were computed from others stay.
  ['swinv2-timm', undefined, ['lora']],
  // A classifier of another class, without the decoder.
  ['vitmae-hf', undefined, ['bias', 'full']],
  ['convnext-hf', undefined, ['bias', 'full']],
  ['convnext-timm', 64, ['bias', 'full', 'lora:rank=2,alpha=2,all=1']],
  ['convnext-timm-conv', 64, ['bias', 'full', 'lora:rank=2,alpha=2,all=1']],
];

const configOf = (folder: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));

for (const [name, size, methods] of CASES)
  for (const method of methods)
    test(`${name}${size ? ` at ${size}` : ''}, ${method}`, () => {
      const model = modelFolder(name);
      const [adapter, out] = [newFolder(), join(newFolder(), 'merged')];
      movedAdapter(model, method, adapter, { imageSize: size });
      const result = mergeAdapter({ model, adapter, out });
      assert.equal(result.classes, LABELS);
      const want = logitsOf(model, adapter).logits;
      close(logitsOf(out, undefined).logits, want, 2e-5, 'logits');
      assert.equal(loadClassifier(undefined, { model: out }).labels, LABELS);
    });

for (const name of ['resnet-torchvision', 'mobilenetv2-torchvision', 'efficientnet-torchvision'])
  test(`${name}: what torchvision's configuration says stays`, () => {
    const model = modelFolder(name);
    const [adapter, out] = [newFolder(), join(newFolder(), 'merged')];
    movedAdapter(model, 'probe', adapter);
    mergeAdapter({ model, adapter, out });
    close(logitsOf(out, undefined).logits, logitsOf(model, adapter).logits, 2e-5, 'logits');
    assert.equal(configOf(out), { ...configOf(model), num_classes: LABELS.length, label_names: LABELS });
  });

test('a backbone alone becomes a classifier: names get their prefix, the pooler goes', () => {
  const model = modelCopy('vit-hf', (config) => {
    config.architectures = ['ViTModel'];
    delete config.id2label;
    delete config.label2id;
  });
  const file = openWeightsFile(model);
  const bare = [...file.tensors.values()]
    .filter((t) => !t.name.startsWith('classifier'))
    .map((t) => {
      const data = new Uint8Array(t.bytes);
      file.read(t, data);
      return { name: t.name.replace(/^vit\./, ''), dtype: t.dtype, shape: t.shape, data };
    });
  file.close();
  bare.push({ name: 'pooler.dense.bias', dtype: 'F32', shape: [2], data: new Uint8Array(8) });
  writeSafetensors(join(model, 'model.safetensors'), bare);
  const [adapter, out] = [newFolder(), newFolder()];
  movedAdapter(model, 'bias', adapter);
  mergeAdapter({ model, adapter, out });
  close(logitsOf(out, undefined).logits, logitsOf(model, adapter).logits, 2e-5, 'logits');
  const merged = openWeightsFile(out);
  const names = [...merged.tensors.keys()];
  merged.close();
  assert.ok(names.includes('vit.layernorm.weight') && names.includes('classifier.weight'));
  assert.ok(!names.some((n) => n.includes('pooler')));
  const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
  assert.equal(config.architectures, ['ViTForImageClassification']);
  assert.equal(config.label2id.dog, 3);
  assert.equal(config.id2label[3], 'dog');
  assert.is(config.num_labels, 5);
});

test('every bare backbone becomes a classifier, whatever its family', () => {
  for (const [name, one] of Object.entries(published)) {
    if (one.head === undefined) continue;
    const model = publishedFolder(one);
    const [adapter, out] = [newFolder(), newFolder()];
    movedAdapter(model, 'bias', adapter, { imageSize: 32 });
    mergeAdapter({ model, adapter, out });
    close(logitsOf(out, undefined).logits, logitsOf(model, adapter).logits, 2e-5, name);
    const type = String(one.config.model_type);
    const merged = openWeightsFile(out);
    assert.ok(
      [...merged.tensors.keys()].every((tensor) => tensor.startsWith(`${type}.`) || tensor.startsWith(one.head!)),
      name,
    );
    merged.close();
    assert.match(String(configOf(out).architectures), /^[A-Z]\w+ForImageClassification$/);
  }
});

test('folded batch norms, which are ours alone, come back as norms that change nothing: x · 1 / √1 + bias', () => {
  for (const [method, eps] of [
    ['bias', 0.001],
    ['full', 0.001],
    ['lora:rank=2,alpha=2,all=1', 1e-5],
    ['probe', 0.003],
  ] as const) {
    const model = foldedFolder((config) => Object.assign(config, { layer_norm_eps: eps }));
    const [adapter, out] = [newFolder(), newFolder()];
    movedAdapter(model, method, adapter);
    mergeAdapter({ model, adapter, out });
    close(logitsOf(out, undefined).logits, logitsOf(model, adapter).logits, 2e-5, method);
    assert.not.ok('batch_norm' in configOf(out));
    // What transformers' class has, name by name: its own backbone's, with the prefix.
    const [made, backbone] = [openValues(join(out, 'model.safetensors')), published['mobilenetv2-bare']!];
    const floats = made.names.filter((name) => !name.endsWith('num_batches_tracked'));
    assert.equal(
      floats.filter((name) => !name.startsWith('classifier')).sort(),
      Object.keys(backbone.tensors)
        .map((n) => `mobilenet_v2.${n}`)
        .sort(),
    );
    for (const [name, shape] of Object.entries(backbone.tensors)) {
      assert.equal(made.shape(`mobilenet_v2.${name}`), shape);
      const values = () => made.get(`mobilenet_v2.${name}`);
      if (name.endsWith('normalization.weight')) assert.ok(values().every((x) => x === 1));
      if (name.endsWith('running_mean')) assert.ok(values().every((x) => x === 0));
      // In f32, as PyTorch adds: the deviation is 1 to the last bit.
      if (name.endsWith('running_var')) assert.ok(values().every((x) => Math.fround(x + Math.fround(eps)) === 1));
    }
  }
  const model = foldedFolder();
  const adapter = newFolder();
  movedAdapter(model, 'bias', adapter);
  refused(() => exportPeft({ model, adapter, out: newFolder() }), 'folded', 'merge');
});

test('nothing is left in the configuration that would make another library compute something else', () => {
  const merged = (model: string): Record<string, unknown> => {
    const [adapter, out] = [newFolder(), newFolder()];
    movedAdapter(model, 'probe', adapter);
    mergeAdapter({ model, adapter, out });
    close(logitsOf(out, undefined).logits, logitsOf(model, adapter).logits, 2e-5, 'logits');
    return configOf(out);
  };
  // Several labels at once, or a number: transformers would answer with sigmoids, or train on a square.
  for (const problem_type of ['multi_label_classification', 'regression'])
    assert.is(merged(modelCopy('vit-hf', (config) => Object.assign(config, { problem_type }))).problem_type, 'single_label_classification');
  assert.not.ok('problem_type' in merged('test/golden/vit-hf'));
  // A silent file without biases of q, k, v: the library's default has them.
  const silent = publishedFolder(published['vit-no-bias']!, (config) => {
    delete config.qkv_bias;
  });
  assert.is(merged(silent).qkv_bias, false);
  assert.equal(merged(publishedFolder(published['deit-teacher']!)).architectures, ['DeiTForImageClassificationWithTeacher']);
  // transformers' wrapper around timm believes label_names unless id2label is there; timm leaves out as many rows as label_offset says.
  const wrapped = publishedFolder(published['vit-timm-wide']!, (config) => {
    const cfg = config.pretrained_cfg as Record<string, unknown>;
    Object.assign(cfg, { label_offset: 1, label_names: ['a', 'b', 'c'] });
    Object.assign(config, { model_type: 'timm_wrapper', id2label: { 0: 'x', 1: 'y', 2: 'z' }, problem_type: 'regression' });
  });
  const config = merged(wrapped);
  assert.equal([config.label_names, config.num_classes, config.id2label], [LABELS, 5, undefined]);
  assert.is(config.problem_type, 'single_label_classification');
  const { label_offset, label_names } = config.pretrained_cfg as Record<string, unknown>;
  assert.equal([label_offset, label_names], [undefined, undefined]);
});

test('train, merge, predict, eval on the command line', async () => {
  const model = 'test/golden/vit-timm-gap';
  const data = pictureFolder({ train: 5, val: 3 });
  const [adapter, merged] = [newFolder(), join(newFolder(), 'merged')];
  await trainJob({ model, data, out: adapter, epochs: 2, batchSize: 4, rate: 1e-2 });
  const { stdout } = does('merge', model, adapter, '--out', merged);
  assert.match(stdout, /3 classes/);
  const picture = join(data, 'val', 'class-1', '0.png');
  const of = (...args: string[]) => {
    const { classes } = JSON.parse(does('predict', ...args, picture, '--top', '3', '--json').stdout);
    return classes as { label: string; probability: number }[];
  };
  const [want, got] = [of(model, adapter), of(merged)];
  assert.equal(
    got.map((c) => c.label),
    want.map((c) => c.label),
  );
  close(
    got.map((c) => c.probability),
    want.map((c) => c.probability),
    1e-5,
    'probabilities',
  );
  assert.is(does('eval', model, adapter, data).stdout.split('\n')[0], does('eval', merged, data).stdout.split('\n')[0]);
  refuses(2, ['merge', model, adapter, '--out', merged], '--out', 'holds a model');
  refuses(2, ['merge', model, adapter], '--out', 'missing');
});

test('what is refused', () => {
  const model = 'test/golden/vit-hf';
  for (const [method, why] of [
    ['prompt', 'a prompt'],
    ['bias+side:ratio=6', 'a side'],
    ['bias+prompt+side:ratio=6', 'a prompt'],
    ['bias+depth:blocks=2', 'a network that ends early'],
  ] as const) {
    const adapter = newFolder();
    movedAdapter(model, method, adapter);
    const out = newFolder();
    refused(() => mergeAdapter({ model, adapter, out }), why, 'cannot be merged');
  }
  const adapter = newFolder();
  movedAdapter(model, 'bias', adapter);
  refused(() => mergeAdapter({ model: 'test/golden/vit-hf-f16', adapter, out: newFolder() }), 'other base weights');
  refused(() => mergeAdapter({ model, adapter, out: model }), '--out', 'the folder of the model');
  const squeezed = newFolder();
  const squeezeNet = modelFolder('squeezenet-torchvision');
  movedAdapter(squeezeNet, 'bias', squeezed);
  refused(() => mergeAdapter({ model: squeezeNet, adapter: squeezed, out: newFolder() }), 'a ReLU stands behind the classifier');
  const nameless = modelCopy('vit-hf', (config) => {
    delete config.id2label;
    delete config.label2id;
  });
  refused(() => loadClassifier(undefined, { model: nameless }), 'names no classes');
});

test("a bias that Swin's singular merging cannot take is refused", () => {
  const model = newFolder();
  cpSync('test/golden/swin-hf', model, { recursive: true });
  const file = openWeightsFile(model);
  const tensors = [...file.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    file.read(t, data);
    // Two rows alike: only biases that are alike there can be moved.
    if (t.name.endsWith('layers.0.downsample.reduction.weight')) data.copyWithin(0, t.bytes / t.shape[0]!, (2 * t.bytes) / t.shape[0]!);
    return { name: t.name, dtype: t.dtype, shape: t.shape, data };
  });
  file.close();
  rmSync(join(model, 'model.safetensors'));
  writeSafetensors(join(model, 'model.safetensors'), tensors);
  const adapter = newFolder();
  movedAdapter(model, 'bias', adapter);
  refused(() => mergeAdapter({ model, adapter, out: newFolder() }), 'downsample.reduction.bias', 'singular');
});

test('least norm: W·x = b, and no smaller x', () => {
  const [n, k] = [7, 16];
  const w = numbers(n * k, 3, 1);
  const b = numbers(n, 4, 1);
  const x = leastNorm(w, b)!;
  const product = b.map((_, i) => x.reduce((s, v, c) => s + v * w[i * k + c]!, 0));
  close(product, b, 1e-6, 'W·x');
  // x lies in the span of W's rows: it is orthogonal to whatever W sends to zero, so a step along a row's complement only lengthens it.
  const y = numbers(k, 9, 1);
  const inside = leastNorm(
    w,
    b.map((_, i) => y.reduce((s, v, c) => s + v * w[i * k + c]!, 0)),
  )!;
  const outside = y.map((v, c) => v - inside[c]!);
  assert.ok(Math.abs(x.reduce((s, v, c) => s + v * outside[c]!, 0)) < 1e-5);
  assert.is(leastNorm(new Float32Array(n * k), b), undefined);
});

test('a file that is cut off is refused before anything is written', () => {
  const model = modelCopy('vit-hf');
  const adapter = newFolder();
  movedAdapter(model, 'bias', adapter);
  const path = join(model, 'model.safetensors');
  writeFileSync(path, readFileSync(path).subarray(0, 1000));
  refused(() => mergeAdapter({ model, adapter, out: newFolder() }), 'model.safetensors');
});

test.run();
