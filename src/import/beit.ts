/** BEiT and BEiTv2 (arXiv 2106.08254, 2208.06366): Vision Transformers whose positions are a bias of every pair of patches. transformers and timm. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integer, MOST_LAYERS, only, pair, real, section, text } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import type { Size } from './family.ts';
import { activationOf, blockNames } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { inputSize } from './timm.ts';
import type { Vit } from './vit.ts';

const BEIT = /^beit(?:v2)?_(base|large)_patch16_(224|384|512)$/;
/** Dimension, depth, heads. */
const SIZES: Readonly<Record<string, readonly [number, number, number]>> = { base: [768, 12, 12], large: [1024, 24, 16] };
export const isBeit = (name: string): boolean => BEIT.test(name);

/** What the two libraries have in common. */
const COMMON = { qkvBias: true, noKeyBias: true, relative: true, positionsCoverTokens: true } as const;

export function timmBeit(name: string, c: Config, image: Size): Vit {
  const [, size, side] = BEIT.exec(name) as unknown as [string, string, string];
  const [dimension, depth, heads] = SIZES[size]!;
  const args = section(c, 'model_args');
  for (const [key, value] of SAME_GRAPH) only(args, key, value);
  absent(args, 'norm_layer', 'use_fc_norm');
  const own = pair(args, 'img_size', inputSize(c) ?? Number(side));
  const dim = integer(args, 'embed_dim', dimension);
  const poolName = text(args, 'global_pool', text(c, 'global_pool', 'avg') || 'avg');
  if (poolName !== 'token' && poolName !== 'avg')
    throw new InputError({ where: c.where, what: 'unsupported global_pool', got: poolName, expected: 'avg or token' });
  const mean = poolName === 'avg';
  const scaled = args.get('init_values') !== null;
  return {
    ...COMMON,
    image: image ?? own,
    pretrainedImage: own,
    patch: pair(args, 'patch_size', 16),
    dim,
    depth: integer(args, 'depth', depth, MOST_LAYERS),
    heads: integer(args, 'num_heads', heads),
    mlp: Math.floor(dim * real(args, 'mlp_ratio', 4, 0.01, 64)),
    eps: 1e-6,
    activation: Kind.Gelu,
    antialias: true,
    pool: mean ? 'mean' : 'token',
    normFirst: !mean,
    names: {
      cls: 'cls_token',
      patches: 'patch_embed.proj',
      block(i) {
        const l = `blocks.${i}`;
        const a = `${l}.attn`;
        return {
          norm1: `${l}.norm1`,
          norm2: `${l}.norm2`,
          qkv: { rows: `${a}.qkv`, q: `${a}.q_bias`, v: `${a}.v_bias` },
          table: `${a}.relative_position_bias_table`,
          out: `${a}.proj`,
          fc1: `${l}.mlp.fc1`,
          fc2: `${l}.mlp.fc2`,
          ...(scaled ? { scale: [`${l}.gamma_1`, `${l}.gamma_2`] as [string, string] } : {}),
        };
      },
      norm: mean ? 'fc_norm' : 'norm',
      heads: ['head'],
    },
  };
}

/** Settings of timm's Beit that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, unknown])[] = [
  ['qkv_bias', true],
  ['swiglu_mlp', false],
  ['scale_mlp', false],
  ['use_abs_pos_emb', false],
  ['use_rel_pos_bias', true],
  ['use_shared_rel_pos_bias', false],
];

/** Of masked pictures, and of what cuts pictures into parts, which classifiers have no use for. */
const OTHERS = [
  ...['use_mask_token', 'vocab_size', 'pool_scales', 'use_auxiliary_head', 'auxiliary_loss_weight', 'auxiliary_channels'],
  ...['auxiliary_num_convs', 'auxiliary_concat_input', 'semantic_loss_ignore_index', 'add_fpn', 'reshape_hidden_states'],
  'segmentation_indices',
];

/** `model_type` beit. */
export function hfBeit(c: Config, image: Size): Vit {
  const p = backbonePrefix(c);
  const own = pair(c, 'image_size', 224);
  only(c, 'use_shared_relative_position_bias', false);
  const relative = flag(c, 'use_relative_position_bias', false);
  const absolute = flag(c, 'use_absolute_position_embeddings', false);
  absent(c, 'pruned_heads');
  ignore(c, OTHERS);
  const mean = flag(c, 'use_mean_pooling', true);
  const scaled = real(c, 'layer_scale_init_value', 0.1) > 0;
  return {
    ...COMMON,
    relative,
    image: image ?? own,
    pretrainedImage: own,
    patch: pair(c, 'patch_size', 16),
    dim: integer(c, 'hidden_size', 768),
    depth: integer(c, 'num_hidden_layers', 12, MOST_LAYERS),
    heads: integer(c, 'num_attention_heads', 12),
    mlp: integer(c, 'intermediate_size', 3072),
    eps: real(c, 'layer_norm_eps', 1e-12),
    activation: activationOf(c, 'gelu'),
    antialias: false,
    pool: mean ? 'mean' : 'token',
    normFirst: !mean,
    names: {
      cls: `${p}embeddings.cls_token`,
      ...(absolute ? { positions: `${p}embeddings.position_embeddings` } : {}),
      patches: `${p}embeddings.patch_embeddings.projection`,
      block(i) {
        const l = `${p}encoder.layer.${i}`;
        return {
          ...blockNames(l),
          ...(relative ? { table: `${l}.attention.attention.relative_position_bias.relative_position_bias_table` } : {}),
          ...(scaled ? { scale: [`${l}.lambda_1`, `${l}.lambda_2`] as [string, string] } : {}),
        };
      },
      norm: mean ? `${p}pooler.layernorm` : `${p}layernorm`,
      heads: ['classifier'],
    },
  };
}
