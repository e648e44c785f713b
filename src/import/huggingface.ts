/** Hugging Face configurations and tensor names. */

import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integer, integers, MOST_LAYERS, MOST_PIXELS, only, pair, real, text } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { ACTIVATION_NAMES } from '../ops/activations.ts';
import { backbonePrefix, hasTeacher, holds } from './published.ts';
import { MOST_WINDOW, stagesOf } from './stages.ts';
import type { Swin } from './swin.ts';
import type { BlockNames, Vit } from './vit.ts';

export function activationOf(c: Config, preset: string): number {
  const name = text(c, 'hidden_act', preset);
  const kind = Object.hasOwn(ACTIVATION_NAMES, name) ? ACTIVATION_NAMES[name] : undefined;
  if (kind === undefined)
    throw new InputError({ where: c.where, what: 'unsupported hidden_act', got: name, expected: Object.keys(ACTIVATION_NAMES).join(', ') });
  return kind;
}

/** Layers of a transformer's block `at`, as most of transformers' networks for pictures call them. */
export function blockNames(at: string): BlockNames {
  const a = `${at}.attention.attention`;
  return {
    norm1: `${at}.layernorm_before`,
    norm2: `${at}.layernorm_after`,
    qkv: { q: `${a}.query`, k: `${a}.key`, v: `${a}.value` },
    out: `${at}.attention.output.dense`,
    fc1: `${at}.intermediate.dense`,
    fc2: `${at}.output.dense`,
  };
}

/** `model_type` vit or deit. */
export function hfVit(c: Config, imageSize: readonly [number, number] | undefined): Vit {
  absent(c, 'pruned_heads');
  // The decoder of masked pictures, and the pooler, are not part of the classifier.
  ignore(c, ['encoder_stride', 'pooler_output_size', 'pooler_act']);
  const type = text(c, 'model_type');
  const distilled = type === 'deit';
  const p = backbonePrefix(c);
  const pretrainedImage = pair(c, 'image_size', 224);
  const heads = distilled && hasTeacher(c) ? ['cls_classifier', 'distillation_classifier'] : ['classifier'];
  return {
    image: imageSize ?? pretrainedImage,
    pretrainedImage,
    patch: pair(c, 'patch_size', 16),
    dim: integer(c, 'hidden_size', 768),
    depth: integer(c, 'num_hidden_layers', 12, MOST_LAYERS),
    heads: integer(c, 'num_attention_heads', 12),
    mlp: integer(c, 'intermediate_size', 3072),
    eps: real(c, 'layer_norm_eps', 1e-12),
    activation: activationOf(c, 'gelu'),
    qkvBias: flag(c, 'qkv_bias', holds(c, `${p}encoder.layer.0.attention.attention.query.bias`, true)),
    positionsCoverTokens: true,
    antialias: false,
    pool: 'token',
    normFirst: true,
    names: {
      cls: `${p}embeddings.cls_token`,
      ...(distilled ? { dist: `${p}embeddings.distillation_token` } : {}),
      positions: `${p}embeddings.position_embeddings`,
      patches: `${p}embeddings.patch_embeddings.projection`,
      block: (i) => blockNames(`${p}encoder.layer.${i}`),
      norm: `${p}layernorm`,
      heads,
    },
  };
}

/** `model_type` swin. */
export function hfSwin(c: Config, imageSize: readonly [number, number] | undefined): Swin {
  if (flag(c, 'use_absolute_embeddings', false))
    throw new InputError({ where: c.where, what: 'unsupported use_absolute_embeddings', got: 'true', expected: 'false' });
  const p = backbonePrefix(c);
  const pretrainedImage = pair(c, 'image_size', 224);
  const window = integer(c, 'window_size', 7, MOST_WINDOW);
  const heads = integers(c, 'num_heads', [3, 6, 12, 24]);
  const depths = stagesOf(c, integers(c, 'depths', [2, 2, 6, 2], MOST_LAYERS), heads);
  for (const key of ['num_layers', 'num_hidden_layers']) only(c, key, depths.length);
  absent(c, 'pruned_heads');
  // Written from embed_dim; a misspelt patch_norm that transformers never read; the decoder of masked pictures.
  ignore(c, ['hidden_size', 'path_norm', 'encoder_stride']);
  return {
    image: imageSize ?? pretrainedImage,
    pretrainedImage,
    patch: integer(c, 'patch_size', 4, MOST_PIXELS),
    dim: integer(c, 'embed_dim', 96),
    stages: depths.map((depth, s) => ({ depth, heads: heads[s]!, window: [window, window] })),
    mlpRatio: real(c, 'mlp_ratio', 4, 0.01, 64),
    eps: real(c, 'layer_norm_eps', 1e-5),
    activation: activationOf(c, 'gelu'),
    qkvBias: flag(c, 'qkv_bias', holds(c, `${p}encoder.layers.0.blocks.0.attention.self.query.bias`, true)),
    shrink: 'both',
    padFirst: true,
    dropsMlp: false,
    names: {
      patches: `${p}embeddings.patch_embeddings.projection`,
      patchNorm: `${p}embeddings.norm`,
      block(s, i) {
        const l = `${p}encoder.layers.${s}.blocks.${i}`;
        const a = `${l}.attention.self`;
        return {
          norm1: `${l}.layernorm_before`,
          norm2: `${l}.layernorm_after`,
          qkv: { q: `${a}.query`, k: `${a}.key`, v: `${a}.value` },
          positions: `${a}.relative_position_bias_table`,
          out: `${l}.attention.output.dense`,
          fc1: `${l}.intermediate.dense`,
          fc2: `${l}.output.dense`,
        };
      },
      merge(s) {
        const l = `${p}encoder.layers.${s}.downsample`;
        return { norm: `${l}.norm`, reduction: `${l}.reduction` };
      },
      norm: `${p}layernorm`,
      head: 'classifier',
    },
  };
}

/** Python's round: halves go to the even neighbour. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The nearest multiple of `divisor`, but not below `limit` of `value`: by default not more than a tenth (TF-slim's make_divisible). */
export function divisible(value: number, divisor: number, least: number, limit = 0.9): number {
  const rounded = Math.max(least, Math.floor((value + divisor / 2) / divisor) * divisor);
  return rounded < limit * value ? rounded + divisor : rounded;
}
