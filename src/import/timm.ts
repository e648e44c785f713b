/** timm configurations (`architecture`, `pretrained_cfg`, `model_args`) and tensor names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError, shownValue } from '../base/error.ts';
import {
  absent,
  type Config,
  flag,
  integer,
  integers,
  MOST_LAYERS,
  MOST_PIXELS,
  only,
  pair,
  real,
  section,
  text,
} from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { ACTIVATION_NAMES } from '../ops/activations.ts';
import type { Size } from './family.ts';
import { holds } from './published.ts';
import { MOST_WINDOW, stagesOf } from './stages.ts';
import type { Swin } from './swin.ts';
import type { Vit } from './vit.ts';

/** Dimension, depth, heads by the size in the architecture's name, and the MLP's width where it is not four times the dimension. */
const SIZES: Readonly<Record<string, readonly [number, number, number, number?]>> = {
  tiny: [192, 12, 3],
  xsmall: [256, 10, 4],
  wee: [256, 14, 4, 1280],
  little: [320, 14, 5, 1792],
  small: [384, 12, 6],
  medium: [512, 12, 8],
  mediumd: [512, 20, 8],
  betwixt: [640, 12, 10],
  base: [768, 12, 12],
  large: [1024, 24, 16],
  so400m: [1152, 27, 16, 4304],
  huge: [1280, 32, 16],
  giant: [1408, 40, 16, 6144],
  giantopt: [1536, 40, 16],
  gigantic: [1664, 48, 16, 8192],
};

/** An architecture's name without the tag of its weights: resnet50.a1_in1k, and as timm before 0.9 wrote it (tv_resnet50, vit_base_patch16_224_dino). */
export function plainName(architecture: string): string {
  return architecture
    .replace(/\..*/, '')
    .replace(/^(?:tv|ssl|swsl)_(?=resnet\d)/, '')
    .replace(/^gluon_(resnet\d+)_v1b$/, '$1')
    .replace(/^(convnext_.*)_384(?=_in22)/, '$1')
    .replace(/_(?:in21k|in22k|in21ft1k|in22ft1k|dino|sam)$/, '')
    .replace(/^(mobilenetv3_.*)_miil$/, '$1');
}

/**
 * `36x1` has so many blocks and a layer scale, `plus` is wider, `miil` has no biases of q, k and v; `gap` reads the mean of the patches, without a class
 * token, `reg4_gap` beside so many registers; `siglip` pools by a latent query; `clip` norms the embeddings, `dinov2` scales its layers. Every other suffix is another network.
 */
const VIT =
  /^(?<kind>vit|deit|deit3)_(?<size>[a-z]+(?:400m)?)_(?<distilled>distilled_)?patch(?<patch>\d+)_(?<deep>36x1_)?(?<plus>plus_)?(?:reg(?<reg>[14])_(?=gap_))?(?:(?<way>clip|clip_quickgelu|gap|siglip_gap|siglip)_)?(?<image>\d+|(?:reg4_)?dinov2)(?<bare>_miil)?$/;

/** FlexiViT (arXiv 2212.08013), learnt over patches of many sizes and published for one: a ViT whose positions are of patches alone. */
const FLEXIVIT = /^flexivit_(small|base|large)$/;
const asVit = (architecture: string): string => architecture.replace(FLEXIVIT, 'vit_$1_patch16_240');

export const isTimmVit = (architecture: string): boolean => Object.hasOwn(SIZES, VIT.exec(asVit(architecture))?.groups?.size ?? '');

/** What an architecture's name says. */
interface NamedVit {
  dim: number;
  depth: number;
  heads: number;
  mlp: number;
  patch: number;
  image: number;
  distilled: boolean;
  registers: number;
  classToken: boolean;
  pool: 'token' | 'avg' | 'map';
  preNorm: boolean;
  qkvBias: boolean;
  scaled: boolean;
  positionsCoverTokens: boolean;
  fcNorm: boolean;
  act: string;
  gated: boolean;
}

/** SigLIP networks whose GELU is the tanh form. */
const TANH = /^vit_(?:base_patch32|giantopt_patch16|so400m_patch16|large_patch16_siglip_(?:gap_)?512)/;

function namedVit(architecture: string): NamedVit {
  const { kind, size, distilled, patch, deep, plus, way, image, bare, reg } = VIT.exec(asVit(architecture))!.groups as Record<
    string,
    string | undefined
  >;
  const gated = size === 'giant' && image!.endsWith('dinov2');
  // timm's ratio of an MLP and its gate: twice 2.66667.
  const [dim, depth, heads, mlp] = plus ? [896, 12, 14, 3584] : gated ? [1536, 40, 24, 8192] : SIZES[size!]!;
  const isGap = way === 'gap' || way === 'siglip_gap';
  const isSmallGap = way === 'gap' && reg === undefined && (size === 'medium' || size === 'betwixt');
  const deit3 = kind === 'deit3';
  return {
    dim,
    depth: deep ? 36 : depth,
    heads: way === 'gap' && size === 'base' && reg === undefined ? 16 : heads,
    mlp: mlp ?? 4 * dim,
    patch: Number(patch),
    image: image!.endsWith('dinov2') ? 518 : Number(image),
    registers: image === 'reg4_dinov2' ? 4 : Number(reg ?? 0),
    distilled: distilled !== undefined,
    classToken: !isGap && way !== 'siglip',
    pool: isGap ? 'avg' : way === 'siglip' ? 'map' : 'token',
    preNorm: /^clip/.test(way ?? ''),
    qkvBias: bare === undefined && !isSmallGap,
    scaled:
      deit3 ||
      deep !== undefined ||
      image!.endsWith('dinov2') ||
      isSmallGap ||
      (reg !== undefined && size !== 'base') ||
      (plus !== undefined && way === undefined),
    positionsCoverTokens: !deit3 && !FLEXIVIT.test(architecture) && image !== 'reg4_dinov2' && reg === undefined,
    // The norm of what was pooled; without a class token the name says whether there is one.
    fcNorm: !isGap || reg !== undefined,
    gated,
    act: gated
      ? 'silu'
      : way === 'clip_quickgelu'
        ? 'quick_gelu'
        : way?.startsWith('siglip') && TANH.test(architecture)
          ? 'gelu_tanh'
          : 'gelu',
  };
}

export function timmVit(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): Vit {
  const named = namedVit(architecture);
  const args = section(c, 'model_args');
  const pretrainedImage = pair(args, 'img_size', inputSize(c) ?? named.image);
  const dim = integer(args, 'embed_dim', named.dim);
  const poolName = text(args, 'global_pool', text(c, 'global_pool', named.pool) || named.pool);
  if (poolName !== 'token' && poolName !== 'avg' && poolName !== named.pool)
    throw new InputError({ where: c.where, what: 'unsupported global_pool', got: poolName, expected: 'token or avg' });
  const mean = poolName === 'avg';
  const hasCls = flag(args, 'class_token', named.classToken);
  // null, and no key, mean that pooling decides; networks without a class token say no by their names.
  const fcNorm = (args.get('fc_norm') ?? undefined) === undefined ? mean && named.fcNorm : flag(args, 'fc_norm', mean);
  for (const [key, ...values] of SAME_VIT) only(args, key, ...values);
  for (const [key, value] of [
    ['act_layer', named.act],
    ['reg_tokens', named.registers],
    ['pre_norm', named.preNorm],
  ] as const)
    only(args, key, value);
  absent(args, 'embed_layer', 'embed_norm_layer', 'norm_layer', 'block_fn', 'mlp_layer', 'attn_layer');
  // Pictures of other sizes than the model's own, which here are none.
  ignore(args, ['dynamic_img_size', 'dynamic_img_pad', 'strict_img_size']);
  const scaled = named.scaled || typeof args.get('init_values') === 'number';
  return {
    image: imageSize ?? pretrainedImage,
    pretrainedImage,
    patch: pair(args, 'patch_size', named.patch),
    dim,
    depth: integer(args, 'depth', named.depth, MOST_LAYERS),
    heads: integer(args, 'num_heads', named.heads),
    mlp: Math.floor(
      Math.floor(dim * real(args, 'mlp_ratio', named.gated ? 2.66667 * 2 : named.mlp / named.dim, 0.01, 64)) / (named.gated ? 2 : 1),
    ),
    eps: named.preNorm ? 1e-5 : 1e-6,
    activation: ACTIVATION_NAMES[named.act]!,
    // Some were trained without, which not every configuration says.
    qkvBias: flag(args, 'qkv_bias', holds(c, 'blocks.0.attn.qkv.bias', named.qkvBias)),
    positionsCoverTokens: !flag(args, 'no_embed_class', !named.positionsCoverTokens),
    antialias: true,
    pool: mean ? 'mean' : poolName === 'map' ? 'latent' : 'token',
    normFirst: !fcNorm,
    names: vitNames(named, hasCls, scaled, fcNorm, mean),
  };
}

/** Where timm keeps a ViT's tensors; `fcNorm`: its last norm is of what was pooled, by the `mean` or not. */
const vitNames = (named: NamedVit, hasCls: boolean, scaled: boolean, fcNorm: boolean, mean: boolean): Vit['names'] => ({
  ...(hasCls ? { cls: 'cls_token' } : {}),
  ...(named.distilled ? { dist: 'dist_token' } : {}),
  ...(named.registers ? { registers: { name: 'reg_token', count: named.registers } } : {}),
  positions: 'pos_embed',
  patches: 'patch_embed.proj',
  ...(named.preNorm ? { preNorm: 'norm_pre' } : {}),
  block(i) {
    const l = `blocks.${i}`;
    return {
      norm1: `${l}.norm1`,
      norm2: `${l}.norm2`,
      qkv: `${l}.attn.qkv`,
      out: `${l}.attn.proj`,
      fc1: `${l}.mlp.fc1`,
      fc2: `${l}.mlp.fc2`,
      ...(named.gated ? { gate: 'packed' } : {}),
      ...(scaled ? { scale: [`${l}.ls1.gamma`, `${l}.ls2.gamma`] as [string, string] } : {}),
    };
  },
  norm: fcNorm ? 'fc_norm' : 'norm',
  ...(named.pool === 'map' ? { latent: 'attn_pool' } : {}),
  heads: named.distilled && !mean ? ['head', 'head_dist'] : ['head'],
});

/** Settings of timm's VisionTransformer that make another graph, and the value that does not. */
const SAME_VIT: readonly (readonly [string, ...unknown[]])[] = [
  ['qk_norm', false],
  ['scale_attn_norm', false],
  ['scale_mlp_norm', false],
  ['proj_bias', true],
  ['pos_embed', 'learn'],
  ['final_norm', true],
  ['pool_include_prefix', false],
];

/** [height, width] of `pretrained_cfg.input_size` ([3, h, w]), where it is given. */
export function inputSize(c: Config): [number, number] | undefined {
  const list = section(c, 'pretrained_cfg').get('input_size') ?? c.get('input_size');
  return Array.isArray(list) && list.length === 3 && list.every((n) => Number.isSafeInteger(n) && n > 0) ? [list[1], list[2]] : undefined;
}

/** Dimension, depths, heads by the size in the architecture's name. */
export const SWINS: Readonly<Record<string, readonly [number, readonly number[], readonly number[]]>> = {
  tiny: [96, [2, 2, 6, 2], [3, 6, 12, 24]],
  small: [96, [2, 2, 18, 2], [3, 6, 12, 24]],
  base: [128, [2, 2, 18, 2], [4, 8, 16, 32]],
  large: [192, [2, 2, 18, 2], [6, 12, 24, 48]],
};
const SWIN = /^swin_(tiny|small|base|large)_patch(\d+)_window(\d+)_(\d+)$/;
export const isTimmSwin = (architecture: string): boolean => SWIN.test(architecture);

export function timmSwin(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): Swin {
  const [, size, ...numbers] = SWIN.exec(architecture) as unknown as [string, string, string, string, string];
  const [patch, window, side] = numbers.map(Number) as [number, number, number];
  return swinOf(c, imageSize, size, patch, window, side);
}

/** The sizes that a name says, where `model_args` do not. */
export function swinOf(c: Config, imageSize: Size, size: string, patch: number, window: number, side: number): Swin {
  const [dim, depthsPreset, headsPreset] = SWINS[size]!;
  const args = section(c, 'model_args');
  absent(args, 'head_dim', 'embed_layer', 'norm_layer');
  only(args, 'global_pool', 'avg');
  // Pictures of other sizes than the model's own, which here are none.
  ignore(args, ['dynamic_img_size', 'strict_img_size']);
  const pretrainedImage = pair(args, 'img_size', inputSize(c) ?? side);
  const heads = integers(args, 'num_heads', headsPreset);
  const depths = stagesOf(args, integers(args, 'depths', depthsPreset, MOST_LAYERS), heads);
  const windows = windowSizes(args, window, depths.length);
  // Files from before timm 0.9 keep a merging with the stage before it, and the classifier in `head`; each is told by the file's own names.
  const isOld = section(c, 'pretrained_cfg').get('classifier') === 'head';
  const mergesBehind = holds(c, 'layers.0.downsample.reduction.weight', isOld);
  const plainHead = holds(c, 'head.weight', isOld);
  return {
    image: imageSize ?? pretrainedImage,
    pretrainedImage,
    patch: integer(args, 'patch_size', patch, MOST_PIXELS),
    dim: integer(args, 'embed_dim', dim),
    stages: depths.map((depth, s) => ({ depth, heads: heads[s]!, window: windows[s]! })),
    mlpRatio: real(args, 'mlp_ratio', 4, 0.01, 64),
    eps: 1e-5,
    activation: Kind.Gelu,
    qkvBias: flag(args, 'qkv_bias', holds(c, 'layers.0.blocks.0.attn.qkv.bias', true)),
    shrink: flag(args, 'always_partition', false) ? 'never' : 'axis',
    padFirst: false,
    dropsMlp: true,
    names: {
      patches: 'patch_embed.proj',
      patchNorm: 'patch_embed.norm',
      block(s, i) {
        const l = `layers.${s}.blocks.${i}`;
        return {
          norm1: `${l}.norm1`,
          norm2: `${l}.norm2`,
          qkv: `${l}.attn.qkv`,
          positions: `${l}.attn.relative_position_bias_table`,
          out: `${l}.attn.proj`,
          fc1: `${l}.mlp.fc1`,
          fc2: `${l}.mlp.fc2`,
        };
      },
      merge(s) {
        const l = `layers.${mergesBehind ? s : s + 1}.downsample`;
        return { norm: `${l}.norm`, reduction: `${l}.reduction` };
      },
      norm: 'norm',
      head: plainHead ? 'head' : 'head.fc',
    },
  };
}

/** Window of each stage: one number, or one pair (height, width), for all, or a list of one entry a stage, each a number or a pair. */
function windowSizes(args: Config, preset: number, stages: number): (readonly [number, number])[] {
  const value = args.get('window_size') ?? preset;
  const isPair = Array.isArray(value) && value.length === 2 && value.every((n) => typeof n === 'number');
  const list: unknown[] = Array.isArray(value) && !isPair ? value : new Array(stages).fill(value);
  const sizes = list.map((entry) => (Array.isArray(entry) ? entry : [entry, entry]));
  const ok = sizes.every((s) => s.length === 2 && s.every((n) => Number.isSafeInteger(n) && n >= 1 && n <= MOST_WINDOW));
  if (!ok || sizes.length !== stages)
    throw new InputError({
      where: args.where,
      what: 'key "window_size" has a wrong value',
      got: shownValue(value),
      expected: `a whole number from 1 to ${MOST_WINDOW}, a pair (height, width), or one for each of ${stages} stages`,
    });
  return sizes as [number, number][];
}
