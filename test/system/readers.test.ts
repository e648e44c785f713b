/** Readers that understand or refuse: a key or a tensor that nobody knows is an error with its name, in every golden configuration. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../src/base/files.ts';
import { isRecord } from '../../src/base/json.ts';
import { graphOf } from '../../src/compile.ts';
import { type Model, parseModel } from '../../src/import/index.ts';
import { readPreprocess } from '../../src/input/preprocess.ts';
import { refused } from '../support/folder.ts';
import { builtCases, goldenCase } from '../support/golden.ts';

type Json = Record<string, unknown>;
const configOf = (name: string): Json => readJson(join('test/golden', name, 'config.json'));
const parse = (values: Json, image?: [number, number]): Model => parseModel({ where: 'config.json', values }, image);
const timm = (architecture: string, model_args: Json = {}, more: Json = {}): Json => ({
  architecture,
  model_args,
  pretrained_cfg: { input_size: [3, 224, 224] },
  ...more,
});

/** All that is computed, as text: specifications hold functions. */
function computed(values: Json): string {
  const { graph } = graphOf({ model: parse(values), classes: 7, microBatch: 1, purpose: 'infer', head: 'file', method: 'probe' });
  return JSON.stringify([graph.values.map(({ name, type, source }) => [name, type, source]), graph.phases]);
}

for (const name of builtCases) {
  test(`${name}: an unknown key is refused by name, wherever it stands`, () => {
    const config = configOf(name);
    parse(config);
    // Whoever gives an image size of their own makes no key of the file unknown.
    parse(config, goldenCase(name).size);
    refused(() => parse({ ...config, odd_setting: 1 }), 'config.json: key "odd_setting" is not understood, got 1');
    refused(() => parse({ ...config, odd_setting: { deep: [1] }, another: 'x' }), '"odd_setting"', '{"deep":[1]}', 'another');
    if (!('architecture' in config)) return;
    for (const section of config.library === 'torchvision' ? ['arguments'] : ['model_args', 'pretrained_cfg']) {
      const inner = isRecord(config[section]) ? config[section] : {};
      const changed = { ...config, [section]: { ...inner, odd_setting: true } };
      refused(() => parse(changed), `config.json: ${section}: key "odd_setting" is not understood, got true`);
    }
  });
  const processor = join('test/golden', name, 'preprocessor_config.json');
  if (!existsSync(processor)) continue;
  test(`${name}: an unknown key of the image processor is refused by name`, () => {
    const config = readJson(processor);
    const read = (json: Json) => readPreprocess(json, 'p.json', undefined, undefined, (config.image_mean as unknown[]).length);
    read(config);
    refused(() => read({ ...config, odd_setting: 3 }), 'p.json: key "odd_setting" is not understood, got 3');
  });
}

test('a key that is null was not set', () => {
  assert.is(computed({ ...configOf('vit-hf'), odd_setting: null }), computed(configOf('vit-hf')));
});

test("timm's settings that make another network are refused, and its own defaults are not", () => {
  const others: Record<string, Json> = {
    vit_tiny_patch16_224: {
      ...{ qk_norm: true, scale_attn_norm: true, proj_bias: false, pos_embed: 'none', reg_tokens: 4, pre_norm: true, final_norm: false },
      ...{ pool_include_prefix: true, act_layer: 'silu', norm_layer: 'rmsnorm', mlp_layer: 'swiglu', global_pool: 'max', use_naflex: true },
      ...{ features_only: true, in_chans: 0 },
    },
    swin_tiny_patch4_window7_224: { head_dim: 32, norm_layer: 'rmsnorm', global_pool: 'max', in_chans: 0 },
    mobilenetv2_100: {
      ...{ output_stride: 16, act_layer: 'silu', pad_type: 'same', global_pool: 'max', stem_kernel_size: 5, norm_layer: 'groupnorm' },
      ...{ aa_layer: 'avg', se_layer: 'eca', group_size: 8, num_features: 640, channel_multiplier: 2, in_chans: 0 },
    },
    mobilenetv3_large_100: { act_layer: 'silu', pad_type: 'same', se_from_exp: false, aa_layer: 'avg', layer_scale_init_value: 1e-5 },
    tf_mobilenetv3_small_100: { pad_type: '', norm_layer: 'groupnorm' },
    resnet50: { act_layer: 'silu', norm_layer: 'groupnorm', aa_layer: 'blurpc', block_args: { attn_layer: 'se' }, avg_down: true },
    resnet50_gn: { norm_layer: 'batchnorm2d' },
    convnext_tiny: { act_layer: 'relu', norm_layer: 'rmsnorm2d', head_hidden_size: 64, conv_bias: false, stem_type: 'overlap' },
  };
  for (const [name, settings] of Object.entries(others))
    for (const [key, value] of Object.entries(settings)) refused(() => parse(timm(name, { [key]: value })), key);
  const same: Record<string, Json> = {
    vit_tiny_patch16_224: {
      qk_norm: false,
      act_layer: 'gelu',
      reg_tokens: 0,
      weight_init: 'skip',
      dynamic_img_size: true,
      norm_layer: null,
    },
    mobilenetv2_100: { output_stride: 32, act_layer: 'relu6', pad_type: '', global_pool: 'avg', bn_momentum: 0.1 },
    tf_mobilenetv3_small_100: { pad_type: 'same', act_layer: 'hard_swish' },
    resnet50: { act_layer: 'relu', stem_width: 32, zero_init_last: false, block_args: {}, norm_layer: 'batchnorm2d' },
    convnext_tiny: { act_layer: 'gelu', head_init_scale: 0.001, num_classes: 7 },
  };
  for (const [name, settings] of Object.entries(same)) assert.is(computed(timm(name, settings)), computed(timm(name)), name);
});

test("names of timm's before 0.9, and the variants that a suffix names", () => {
  const depth = (name: string, args: Json = {}): number => (parse(timm(name, args)).spec as unknown as { depth: number }).depth;
  assert.is(depth('vit_small_patch16_36x1_224'), 36);
  assert.is(depth('vit_tiny_patch16_224', { depth: 36 }), 36);
  assert.is((parse(timm('vit_base_patch16_224_miil')).spec as unknown as { qkvBias: boolean }).qkvBias, false);
  for (const [old, now] of [
    ['vit_base_patch16_224_dino', 'vit_base_patch16_224.dino'],
    ['vit_base_patch16_224_in21k', 'vit_base_patch16_224'],
    ['deit3_base_patch16_224_in21ft1k', 'deit3_base_patch16_224'],
    ['swin_base_patch4_window7_224_in22k', 'swin_base_patch4_window7_224'],
    ['convnext_tiny_384_in22ft1k', 'convnext_tiny'],
    ['tv_resnet50', 'resnet50'],
    ['gluon_resnet50_v1b', 'resnet50'],
    ['mobilenetv3_large_100_miil', 'mobilenetv3_large_100'],
  ] as const)
    assert.is(computed(timm(old)), computed(timm(now)), old);
  for (const other of ['vit_small_patch16_18x2_224', 'vit_base_patch16_224_augmented', 'gluon_resnet50_v1d'])
    refused(() => parse(timm(other)), 'unsupported model');
});

test("transformers' settings that make another network are refused", () => {
  const swin = configOf('swin-hf');
  refused(() => parse({ ...swin, num_layers: 4 }), 'num_layers, got 4');
  refused(() => parse({ ...configOf('convnext-hf'), num_stages: 2 }), 'num_stages, got 2');
  const vit = configOf('vit-hf');
  refused(() => parse({ ...vit, pruned_heads: { 0: [1] } }), 'pruned_heads');
  refused(() => parse({ ...vit, quantization_config: { load_in_8bit: true } }), 'quantization_config');
  refused(() => parse({ ...vit, per_layer_config: { 1: { hidden_act: 'relu' } } }), 'per_layer_config');
  // As published: what is computed does not depend on it.
  parse({ ...swin, path_norm: true, encoder_stride: 32, hidden_size: 5, pruned_heads: {}, out_indices: [4], chunk_size_feed_forward: 4 });
  parse({
    ...vit,
    _name_or_path: 'x',
    torch_dtype: 'float32',
    finetuning_task: 'image-classification',
    problem_type: 'single_label_classification',
  });
});

test.run();
