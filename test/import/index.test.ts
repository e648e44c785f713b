/** Configurations: published sizes have their published number of parameters; other graphs are refused by name. */

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { numel } from '../../src/graph/graph.ts';
import { type Model, parseModel } from '../../src/import/index.ts';
import { openModelFolder } from '../../src/import/modelfolder.ts';
import { headNames } from '../../src/training/adapter.ts';
import { newFolder, refused } from '../support/folder.ts';
import { builtCases, goldenValues, modelFolder } from '../support/golden.ts';
import { goldenEngine, headPart } from '../support/goldenengine.ts';

const parse = (values: Record<string, unknown>, image?: [number, number]): Model => parseModel({ where: 'config.json', values }, image);
const timm = (architecture: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  architecture,
  num_classes: 1000,
  pretrained_cfg: { input_size: [3, 224, 224] },
  ...more,
});

/** Elements of every tensor that the model takes from its checkpoint, statistics of batch norms left out. */
function parameters(values: Record<string, unknown>): number {
  const { graph } = compile({ model: parse(values, [64, 64]), classes: 1000, microBatch: 1, head: 'file', purpose: 'infer' });
  const tensors = new Map(graph.values.flatMap(({ source }) => (source ? [[source.tensor, numel(source.shape)] as const] : [])));
  return [...tensors].reduce((n, [name, size]) => n + (/running_(mean|var)$/.test(name) ? 0 : size), 0);
}

test('ResNet: parameters of the published sizes', () => {
  assert.is(parameters(timm('resnet18')), 11689512);
  assert.is(parameters(timm('resnet26')), 15995176);
  assert.is(parameters(timm('resnet34.a1_in1k')), 21797672);
  assert.is(parameters(timm('resnet50.a1_in1k')), 25557032);
  assert.is(parameters(timm('resnet101')), 44549160);
  assert.is(parameters(timm('resnet152')), 60192808);
  assert.is(parameters(timm('resnet200')), 64673832);
  assert.is(parameters(timm('wide_resnet50_2')), 68883240);
  assert.is(parameters(timm('resnet50_gn.a1h_in1k')), 25557032);
  assert.is(parameters({ model_type: 'resnet' }), 25557032);
  const basic = { model_type: 'resnet', layer_type: 'basic', hidden_sizes: [64, 128, 256, 512] };
  assert.is(parameters({ ...basic, depths: [2, 2, 2, 2] }), 11689512);
  assert.is(parameters(basic), 21797672);
});

test('ConvNeXt: parameters of the published sizes', () => {
  assert.is(parameters(timm('convnext_atto.d2_in1k')), 3695520);
  assert.is(parameters(timm('convnext_nano')), 15593560);
  assert.is(parameters(timm('convnext_tiny')), 28589128);
  assert.is(parameters(timm('convnext_small')), 50223688);
  assert.is(parameters({ model_type: 'convnext' }), 28589128);
});

test('MobileNetV3: parameters of the published sizes', () => {
  const sizes = {
    mobilenetv3_large_075: 3993528,
    'mobilenetv3_large_100.ra_in1k': 5483032,
    mobilenetv3_large_150d: 14622320,
    mobilenetv3_small_050: 1593224,
    mobilenetv3_small_075: 2041872,
    mobilenetv3_small_100: 2542856,
    tf_mobilenetv3_large_075: 3993528,
    tf_mobilenetv3_large_100: 5483032,
    tf_mobilenetv3_large_minimal_100: 3924288,
    tf_mobilenetv3_small_100: 2542856,
    tf_mobilenetv3_small_minimal_100: 2044736,
  };
  for (const [name, count] of Object.entries(sizes)) assert.is(parameters(timm(name)), count, name);
});

test("timm's models as transformers' wrapper saves them", () => {
  const wrapped = parse({ ...timm('mobilenetv3_small_100'), model_type: 'timm_wrapper', model_args: null });
  assert.equal(wrapped, parse(timm('mobilenetv3_small_100')));
  refused(() => parse({ ...timm('resnetblur50'), model_type: 'timm_wrapper' }), 'unsupported model, got resnetblur50');
  const [folder, plain] = [newFolder(), openWeightsFile(modelFolder('resnet18-timm'))];
  const tensors = [...plain.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    plain.read(t, data);
    return { name: `timm_model.${t.name}`, dtype: t.dtype, shape: t.shape, data };
  });
  writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
  const file = openWeightsFile(folder);
  assert.equal([...file.tensors.keys()].sort(), [...plain.tensors.keys()].sort());
  const [a, b] = [plain, file].map((f) => {
    const bytes = new Uint8Array(f.tensor('fc.bias').bytes);
    f.read(f.tensor('fc.bias'), bytes);
    f.close();
    return bytes;
  });
  assert.equal(a, b);
});

test('other graphs are refused by name', () => {
  const others = [
    ...['resnet14d', 'ecaresnet26t', 'resnetblur50'],
    ...['resnetrs50', 'resnetv2_50d_evos', 'test_resnet', 'resnet50_clip'],
    ...['mobilenetv3_rw', 'fbnetv3_b', 'mobilenetv5_base'],
    ...['convnext_atto_ols', 'convnext_tiny_hnf', 'convnext_zepto_rms', 'convnext_small_mlp', 'test_convnext'],
  ];
  for (const name of others)
    refused(() => parse(timm(name)), 'config.json: unsupported model', `got ${name};`, 'the nearest that is read is');
  refused(() => parse({ model_type: 'levit' }), 'unsupported model, got levit');
});

test('settings that make another graph are refused', () => {
  const args = (model_args: unknown, name = 'resnet50') => timm(name, { model_args });
  refused(() => parse(args({ output_stride: 16 })), 'output_stride, got 16');
  refused(() => parse(args({ cardinality: 32 }, 'resnet18')), 'cardinality, got 32');
  refused(() => parse(args({ stem_type: 'deep' })), 'stem_type', 'deep');
  refused(() => parse(args({ in_chans: 'grey' })), '"in_chans"', 'a whole number from 1 to 1024');
  refused(() => parse(args({ layers: [1, 1] })), 'stages and widths differ', '2 and 4');
  refused(() => parse(args({ layers: [1, 1, 1e9, 1] })), '"layers"', 'whole numbers');
  refused(() => parse(args({ output_stride: 16 }, 'mobilenetv3_large_100')), 'output_stride, got 16');
  refused(() => parse(args({ head_bias: false }, 'mobilenetv3_small_100')), 'head_bias, got false');
  refused(() => parse(args({ channels: [64, 72, 64, 64] }, 'resnet50_gn')), 'channels do not divide into groups of one size, got 72 / 32');
  refused(() => parse(args({ stem_chs: 8 }, 'resnetv2_50x1_bit')), 'channels do not divide into groups of one size, got 8 / 32');
  refused(() => parse(args({ kernel_sizes: 5 }, 'convnext_tiny')), 'kernel_sizes, got 5');
  refused(() => parse(args({ use_grn: true }, 'convnext_tiny')), 'use_grn');
  refused(() => parse({ model_type: 'resnet', layer_type: 'preact' }), 'layer_type, got preact');
  refused(() => parse({ model_type: 'resnet', hidden_act: 'swoosh' }), 'hidden_act, got swoosh');
  refused(() => parse({ model_type: 'resnet', depths: 'many' }), '"depths"');
  refused(() => parse({ model_type: 'convnext', hidden_sizes: [8, 16] }), 'stages and widths differ');
  refused(() => parse({ model_type: 'convnext' }, [16, 16]), 'image size is too small');
});

test("a Hugging Face ResNet's image size is its processor's", () => {
  assert.equal(openModelFolder(modelFolder('resnet-hf')).model.image, [40, 40]);
  assert.equal(openModelFolder(modelFolder('resnet-hf'), 64).model.image, [64, 64]);
});

test('the head is found among what learns', () => {
  for (const name of builtCases)
    for (const method of ['probe', 'full']) {
      const engine = goldenEngine(name, goldenValues(name), { method });
      assert.equal(
        headNames(engine.program).map((n) => headPart(n)),
        ['weight', 'bias'],
        `${name}, ${method}`,
      );
    }
});

test.run();
