/** EVA-02 (arXiv 2303.11331) and DINOv3 (2508.10104), Vision Transformers with rotary positions: timm's `Eva`, and transformers' `dinov3_vit`. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integer, MOST_LAYERS, only, pair, real, section, text } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import type { Size } from './family.ts';
import { activationOf } from './huggingface.ts';
import { holds } from './published.ts';
import { inputSize } from './timm.ts';
import type { Vit, VitNames } from './vit.ts';

/** Dimension, depth, heads. */
const SIZES: Readonly<Record<string, readonly [number, number, number]>> = {
  tiny: [192, 12, 3],
  small: [384, 12, 6],
  base: [768, 12, 12],
  large: [1024, 24, 16],
  huge: [1280, 32, 20],
  '7b': [4096, 40, 32],
};
const EVA02 = /^eva02_(tiny|small|base|large)_patch14_(224|336|448)$/;
const DINOV3 = /^vit_(tiny|small|base|large|huge|7b)_(plus_)?patch16_dinov3(_qkvb)?$/;
export const isEva02 = (name: string): boolean => EVA02.test(name);
export const isDinov3 = (name: string): boolean => DINOV3.test(name);

/** What a name says beside sizes. */
interface Named {
  size: readonly [number, number, number];
  image: number;
  patch: number;
  qkvBias: boolean;
  /** Queries, keys and values are three layers. */
  apart: boolean;
  gated: 'packed' | 'apart' | undefined;
  /** Two layers of a gated MLP have a multiple of this for width. */
  align: number;
  ratio: number;
  isDinov3: boolean;
}

function namedOf(name: string): Named {
  const dinov3 = DINOV3.exec(name);
  if (dinov3) {
    const [, size, plus, biased] = dinov3 as unknown as [string, string, string?, string?];
    const wide = { image: 256, patch: 16, qkvBias: biased !== undefined, apart: false, isDinov3: true };
    const gated = plus || size === '7b' ? 'apart' : undefined;
    return { ...wide, size: SIZES[size]!, gated, align: size === '7b' ? 64 : 8, ratio: size === '7b' ? 2 : 4 };
  }
  const [, size, image] = EVA02.exec(name) as unknown as [string, string, string];
  const isLarge = size === 'base' || size === 'large';
  const sizes = { size: SIZES[size]!, image: Number(image), patch: 14, ratio: (4 * 2) / 3, align: 1 };
  return { ...sizes, qkvBias: true, apart: isLarge, gated: isLarge ? 'apart' : 'packed', isDinov3: false };
}

export function timmEva(name: string, c: Config, image: Size): Vit {
  const named = namedOf(name);
  const args = section(c, 'model_args');
  refuseOthers(args, named);
  const [dimension, depth, heads] = named.size;
  const own = pair(args, 'img_size', inputSize(c) ?? named.image);
  const dim = integer(args, 'embed_dim', dimension);
  const poolName = text(args, 'global_pool', text(c, 'global_pool', 'avg') || 'avg');
  if (poolName !== 'token' && poolName !== 'avg')
    throw new InputError({ where: c.where, what: 'unsupported global_pool', got: poolName, expected: 'avg or token' });
  const mean = poolName === 'avg';
  const wide = Math.floor(dim * real(args, 'mlp_ratio', named.ratio, 0.01, 64));
  const reference = named.isDinov3 ? {} : { reference: pair(args, 'ref_feat_shape', 16) };
  const fcNorm = mean && !named.isDinov3;
  return {
    image: image ?? own,
    pretrainedImage: own,
    patch: pair(args, 'patch_size', named.patch),
    dim,
    depth: integer(args, 'depth', depth, MOST_LAYERS),
    heads: integer(args, 'num_heads', heads),
    mlp: named.gated === 'apart' ? Math.ceil(wide / named.align) * named.align : wide,
    eps: named.isDinov3 ? 1e-5 : 1e-6,
    activation: named.gated ? Kind.Silu : Kind.Gelu,
    qkvBias: named.qkvBias,
    noKeyBias: true,
    rotary: named.isDinov3 ? { theta: 100, pairs: 'halves' } : { theta: 10000, pairs: 'neighbours', ...reference },
    positionsCoverTokens: true,
    antialias: true,
    pool: mean ? 'mean' : 'token',
    normFirst: !fcNorm,
    names: timmNames(named, fcNorm ? 'fc_norm' : 'norm'),
  };
}

const timmNames = (named: Named, norm: string): VitNames => ({
  cls: 'cls_token',
  ...(named.isDinov3 ? { registers: { name: 'reg_token', count: 4 } } : { positions: 'pos_embed' }),
  patches: 'patch_embed.proj',
  block(i) {
    const l = `blocks.${i}`;
    const a = `${l}.attn`;
    const gated = named.gated === 'apart';
    return {
      norm1: `${l}.norm1`,
      norm2: `${l}.norm2`,
      qkv: named.apart
        ? { q: `${a}.q_proj`, k: `${a}.k_proj`, v: `${a}.v_proj` }
        : { rows: `${a}.qkv`, q: `${a}.q_bias`, v: `${a}.v_bias` },
      out: `${a}.proj`,
      fc1: `${l}.mlp.${gated ? 'fc1_x' : 'fc1'}`,
      fc2: `${l}.mlp.fc2`,
      ...(named.gated === 'packed' ? { gate: 'packed' } : gated ? { gate: `${l}.mlp.fc1_g` } : {}),
      ...(gated && !named.isDinov3 ? { mlpNorm: `${l}.mlp.norm` } : {}),
      ...(named.isDinov3 ? { scale: [`${l}.gamma_1`, `${l}.gamma_2`] as [string, string] } : {}),
    };
  },
  norm,
  heads: ['head'],
});

/** Settings of timm's Eva that make another graph, and the values that do not. */
function refuseOthers(args: Config, { qkvBias, apart, gated, align, isDinov3: v3 }: Named): void {
  const same: readonly (readonly [string, ...unknown[]])[] = [
    ['qkv_bias', qkvBias],
    ['qkv_fused', !apart],
    ['qk_norm', false],
    ['swiglu_mlp', gated !== undefined],
    ['swiglu_align_to', v3 && gated ? align : 0],
    ['scale_mlp', gated === 'apart' && !v3],
    ['scale_attn_inner', false],
    ['attn_type', 'eva'],
    ['attn_only_layer_scale', false],
    ['class_token', true],
    ['num_reg_tokens', v3 ? 4 : 0],
    ['no_embed_class', false],
    ['use_abs_pos_emb', !v3],
    ['use_rot_pos_emb', true],
    ['rope_type', v3 ? 'dinov3' : 'cat'],
    ['rope_grid_offset', 0],
    ['rope_grid_indexing', 'ij'],
    ['rope_temperature', v3 ? 100 : 10000],
    ['rope_rotate_half', v3],
    ['use_post_norm', false],
    ['use_pre_transformer_norm', false],
    ['use_fc_norm', v3 ? false : undefined],
  ];
  for (const [key, ...values] of same) only(args, key, ...values);
  absent(args, 'num_kv_heads', 'norm_layer', 'use_post_transformer_norm', 'rope_mrope_section', 'patch_drop_rate');
  // Pictures of other sizes than the model's own, which here are none; places that are moved in training alone; how scales are drawn.
  ignore(args, ['dynamic_img_size', 'dynamic_img_pad', 'rope_shift_coords', 'rope_jitter_coords', 'rope_rescale_coords', 'init_values']);
}

/** `model_type` dinov3_vit. It has no class for classification: a new head reads the class token. */
export function hfDinov3(c: Config, image: Size): Vit {
  const own = pair(c, 'image_size', 224);
  const inner = holds(c, 'model.layer.0.norm1.weight', false) ? 'model.' : '';
  const gated = flag(c, 'use_gated_mlp', false);
  for (const [key, value] of [
    ['query_bias', true],
    ['key_bias', false],
    ['value_bias', true],
    ['proj_bias', true],
    ['mlp_bias', true],
  ] as const)
    only(c, key, value);
  // Places that are moved in training alone; of detectors that read several layers; how the scales are drawn.
  ignore(c, ['pos_embed_shift', 'pos_embed_jitter', 'pos_embed_rescale', 'apply_layernorm', 'reshape_hidden_states', 'layerscale_value']);
  const registers = (c.get('num_register_tokens') ?? 0) === 0 ? undefined : integer(c, 'num_register_tokens', undefined, 64);
  return {
    image: image ?? own,
    pretrainedImage: own,
    patch: pair(c, 'patch_size', 16),
    dim: integer(c, 'hidden_size', 384),
    depth: integer(c, 'num_hidden_layers', 12, MOST_LAYERS),
    heads: integer(c, 'num_attention_heads', 6),
    mlp: integer(c, 'intermediate_size', 1536),
    eps: real(c, 'layer_norm_eps', 1e-5),
    activation: activationOf(c, 'gelu'),
    qkvBias: true,
    noKeyBias: true,
    rotary: { theta: real(c, 'rope_theta', 100, 1, 1e6), pairs: 'halves' },
    positionsCoverTokens: true,
    antialias: false,
    pool: 'token',
    normFirst: true,
    names: {
      cls: 'embeddings.cls_token',
      ...(registers ? { registers: { name: 'embeddings.register_tokens', count: registers } } : {}),
      patches: 'embeddings.patch_embeddings',
      block(i) {
        const l = `${inner}layer.${i}`;
        const a = `${l}.attention`;
        return {
          norm1: `${l}.norm1`,
          norm2: `${l}.norm2`,
          qkv: { q: `${a}.q_proj`, k: `${a}.k_proj`, v: `${a}.v_proj` },
          out: `${a}.o_proj`,
          fc1: `${l}.mlp.up_proj`,
          fc2: `${l}.mlp.down_proj`,
          ...(gated ? { gate: `${l}.mlp.gate_proj` } : {}),
          scale: [`${l}.layer_scale1.lambda1`, `${l}.layer_scale2.lambda1`],
        };
      },
      norm: 'norm',
      heads: ['classifier'],
    },
  };
}
