/**
 * torchvision's networks. It saves a state dict alone, so config.json is a line that says whose and which, `{"library": "torchvision",
 * "architecture": "resnet18", "num_classes": 10}`, and under `arguments` what the network was built with where that is not its function's default.
 */

import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError, shownValue } from '../base/error.ts';
import { type Config, integer, integers, MOST_LAYERS, real } from '../formats/config.ts';
import { publishedSide } from '../input/torchvision.ts';
import type { ConvNext } from './convnext.ts';
import type { Size } from './family.ts';
import type { Swin } from './swin.ts';
import type { Vit } from './vit.ts';

/** What the constructor was given. */
export const argumentsOf = (c: Config): Config => c.section('arguments');

/** image_size, patch_size, num_layers, num_heads, hidden_dim, mlp_dim of vit_*. */
const VITS: Readonly<Record<string, readonly [patch: number, depth: number, heads: number, dim: number, mlp: number]>> = {
  vit_b_16: [16, 12, 12, 768, 3072],
  vit_b_32: [32, 12, 12, 768, 3072],
  vit_l_16: [16, 24, 16, 1024, 4096],
  vit_l_32: [32, 24, 16, 1024, 4096],
  vit_h_14: [14, 32, 16, 1280, 5120],
};

export function tvVit(name: string, c: Config, image: Size): Vit {
  const [patch, depth, heads, dim, mlp] = VITS[name]!;
  const args = argumentsOf(c);
  const side = integer(args, 'image_size', sideOf(c, patch) ?? publishedSide(name));
  const size = integer(args, 'patch_size', patch);
  return {
    image: image ?? [side, side],
    pretrainedImage: [side, side],
    patch: [size, size],
    dim: integer(args, 'hidden_dim', dim),
    depth: integer(args, 'num_layers', depth, MOST_LAYERS),
    heads: integer(args, 'num_heads', heads),
    mlp: integer(args, 'mlp_dim', mlp),
    eps: 1e-6,
    activation: Kind.Gelu,
    qkvBias: true,
    positionsCoverTokens: true,
    antialias: false,
    pool: 'token',
    normFirst: true,
    names: {
      cls: 'class_token',
      positions: 'encoder.pos_embedding',
      patches: 'conv_proj',
      block(i) {
        const l = `encoder.layers.encoder_layer_${i}`;
        return {
          norm1: `${l}.ln_1`,
          norm2: `${l}.ln_2`,
          qkv: { fused: `${l}.self_attention.in_proj_` },
          out: `${l}.self_attention.out_proj`,
          fc1: `${l}.mlp.0`,
          fc2: `${l}.mlp.3`,
        };
      },
      norm: 'encoder.ln',
      heads: ['heads.head'],
    },
  };
}

/** The side of square pictures that the file's positions are for; vit_b_16 was published for 224 and for 384. */
function sideOf(c: Config, patch: number): number | undefined {
  const rows = c.tensors?.get('encoder.pos_embedding')?.[1];
  return rows === undefined ? undefined : Math.round(Math.sqrt(rows - 1)) * patch;
}

const SWINS: Readonly<Record<string, readonly [dim: number, depths: readonly number[], heads: readonly number[]]>> = {
  swin_t: [96, [2, 2, 6, 2], [3, 6, 12, 24]],
  swin_s: [96, [2, 2, 18, 2], [3, 6, 12, 24]],
  swin_b: [128, [2, 2, 18, 2], [4, 8, 16, 32]],
  swin_v2_t: [96, [2, 2, 6, 2], [3, 6, 12, 24]],
  swin_v2_s: [96, [2, 2, 18, 2], [3, 6, 12, 24]],
  swin_v2_b: [128, [2, 2, 18, 2], [4, 8, 16, 32]],
};

export function tvSwin(name: string, c: Config, image: Size): Swin {
  const [dim, depths, heads] = SWINS[name]!;
  const args = argumentsOf(c);
  const numbers = { depths: integers(args, 'depths', depths, MOST_LAYERS), heads: integers(args, 'num_heads', heads) };
  const isV2 = name.startsWith('swin_v2_');
  const window = pairOf(args, 'window_size', isV2 ? 8 : 7);
  if (numbers.depths.length !== numbers.heads.length)
    throw new InputError({
      where: args.where,
      what: 'depths and num_heads do not fit each other',
      got: `[${numbers.depths}] and [${numbers.heads}]`,
    });
  const side = isV2 ? 256 : 224;
  return {
    image: image ?? [side, side],
    pretrainedImage: [side, side],
    patch: pairOf(args, 'patch_size', 4)[0],
    dim: integer(args, 'embed_dim', dim),
    stages: numbers.depths.map((depth, s) => ({ depth, heads: numbers.heads[s]!, window })),
    mlpRatio: real(args, 'mlp_ratio', 4, 0.01, 64),
    eps: 1e-5,
    activation: Kind.Gelu,
    qkvBias: true,
    shrink: 'pads',
    padFirst: true,
    dropsMlp: true,
    names: {
      patches: 'features.0.0',
      patchNorm: 'features.0.2',
      block(s, i) {
        const l = `features.${2 * s + 1}.${i}`;
        return {
          norm1: `${l}.norm1`,
          norm2: `${l}.norm2`,
          qkv: `${l}.attn.qkv`,
          positions: `${l}.attn.relative_position_bias_table`,
          out: `${l}.attn.proj`,
          fc1: `${l}.mlp.0`,
          fc2: `${l}.mlp.3`,
        };
      },
      merge: (s) => ({ norm: `features.${2 * s + 2}.norm`, reduction: `features.${2 * s + 2}.reduction` }),
      norm: 'norm',
      head: 'head',
    },
  };
}

/** Two equal sides. */
function pairOf(c: Config, key: string, preset: number): readonly [number, number] {
  const [h, w] = integers(c, key, [preset, preset], 64);
  if (h !== w) throw new InputError({ where: c.where, what: `unsupported ${key}`, got: `${h} and ${w}`, expected: 'equal sides' });
  return [h!, h!];
}

/** Widths and depths. */
const CONVNEXTS: Readonly<Record<string, readonly [width: number, depths: readonly number[]]>> = {
  convnext_tiny: [96, [3, 3, 9, 3]],
  convnext_small: [96, [3, 3, 27, 3]],
  convnext_base: [128, [3, 3, 27, 3]],
  convnext_large: [192, [3, 3, 27, 3]],
};

export function tvConvNext(name: string, c: Config, image: Size): ConvNext {
  const [width, depths] = CONVNEXTS[name]!;
  const stages = blockSetting(argumentsOf(c)) ?? depths.map((depth, s) => [width * 2 ** s, depth] as const);
  return {
    image: image ?? [224, 224],
    patch: 4,
    widths: stages.map(([channels]) => channels),
    depths: stages.map(([, depth]) => depth),
    eps: 1e-6,
    lastEps: 1e-6,
    activation: Kind.Gelu,
    pointwise: false,
    names: {
      stem: { conv: 'features.0.0', norm: 'features.0.1' },
      shrink: (s) => ({ norm: `features.${2 * s}.0`, conv: `features.${2 * s}.1` }),
      block: (s, i) => `features.${2 * s + 1}.${i}`,
      inner: { filter: 'block.0', norm: 'block.2', fc1: 'block.3', fc2: 'block.5', scale: 'layer_scale' },
      scaleAxes: 3,
      norm: 'classifier.0',
      head: 'classifier.2',
    },
  };
}

/** `[[channels, channels of the next stage or null, blocks], …]`, as CNBlockConfig has them: channels and blocks. */
function blockSetting(args: Config): (readonly [number, number])[] | undefined {
  const value = args.get('block_setting');
  if (value === undefined || value === null) return undefined;
  const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 1 && (n as number) <= 65536;
  const rows = Array.isArray(value) ? value : [];
  const fits = rows.every(
    (row, s) =>
      Array.isArray(row) &&
      row.length === 3 &&
      isCount(row[0]) &&
      isCount(row[2]) &&
      row[2] <= MOST_LAYERS &&
      (row[1] ?? undefined) === rows[s + 1]?.[0],
  );
  if (rows.length === 0 || rows.length > 8 || !fits)
    throw new InputError({
      where: args.where,
      what: 'key "block_setting" has a wrong value',
      got: shownValue(value),
      expected: '[channels, channels of the next stage or null, blocks] for each stage',
    });
  return rows.map(([channels, , depth]) => [channels, depth] as const);
}
