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
import { divisible, MOST_WINDOW, stagesOf } from './huggingface.ts';
import type { ConvBlock, ConvLayer, MobileNet } from './mobilenet.ts';
import { holds } from './published.ts';
import type { Swin } from './swin.ts';
import type { Vit } from './vit.ts';

/** Dimension, depth, heads by the size in the architecture's name. */
const SIZES: Readonly<Record<string, readonly [number, number, number]>> = {
  tiny: [192, 12, 3],
  small: [384, 12, 6],
  medium: [512, 12, 8],
  base: [768, 12, 12],
  large: [1024, 24, 16],
  huge: [1280, 32, 16],
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

function threeChannels(args: Config): void {
  const got = integer(args, 'in_chans', 3);
  if (got !== 3) throw new InputError({ where: args.where, what: 'unsupported in_chans', got, expected: '3 (RGB pictures)' });
}

/** `36x1` has so many blocks and a layer scale, `miil` no biases of q, k and v. Every other suffix is another network. */
const VIT = /^(vit|deit|deit3)_(tiny|small|medium|base|large|huge)_(distilled_)?patch(\d+)_(36x1_)?(\d+)(_miil)?$/;

export const isTimmVit = (architecture: string): boolean => VIT.test(architecture);

export function timmVit(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): Vit {
  const [, kind, size, distilled, patchText, deep, imageText, bare] = VIT.exec(architecture) as unknown as [
    string,
    string,
    string,
    string?,
    string?,
    string?,
    string?,
    string?,
  ];
  const [dimPreset, depthPreset, headsPreset] = SIZES[size!]!;
  const args = section(c, 'model_args');
  threeChannels(args);
  const pretrainedImage = pair(args, 'img_size', inputSize(c) ?? Number(imageText));
  const dim = integer(args, 'embed_dim', dimPreset);
  const poolName = text(args, 'global_pool', text(c, 'global_pool', 'token') || 'token');
  if (poolName !== 'token' && poolName !== 'avg')
    throw new InputError({ where: c.where, what: 'unsupported global_pool', got: poolName, expected: 'token or avg' });
  const mean = poolName === 'avg';
  const hasCls = flag(args, 'class_token', true);
  const fcNorm = args.get('fc_norm') === null || args.get('fc_norm') === undefined ? mean : flag(args, 'fc_norm', mean);
  for (const [key, ...values] of SAME_VIT) only(args, key, ...values);
  absent(args, 'embed_layer', 'embed_norm_layer', 'norm_layer', 'block_fn', 'mlp_layer', 'attn_layer');
  // Pictures of other sizes than the model's own, which here are none.
  ignore(args, ['dynamic_img_size', 'dynamic_img_pad', 'strict_img_size']);
  const deit3 = kind === 'deit3';
  const scaled = deit3 || deep !== undefined || typeof args.get('init_values') === 'number';
  return {
    family: 'vit',
    image: imageSize ?? pretrainedImage,
    pretrainedImage,
    patch: pair(args, 'patch_size', Number(patchText)),
    dim,
    depth: integer(args, 'depth', deep ? 36 : depthPreset, MOST_LAYERS),
    heads: integer(args, 'num_heads', headsPreset),
    mlp: Math.floor(dim * real(args, 'mlp_ratio', 4, 0.01, 64)),
    eps: 1e-6,
    activation: Kind.Gelu,
    // Some were trained without, which not every configuration says.
    qkvBias: flag(args, 'qkv_bias', holds(c, 'blocks.0.attn.qkv.bias', bare === undefined)),
    positionsCoverTokens: !flag(args, 'no_embed_class', deit3),
    antialias: true,
    pool: mean ? 'mean' : 'token',
    normFirst: !fcNorm,
    names: {
      ...(hasCls ? { cls: 'cls_token' } : {}),
      ...(distilled ? { dist: 'dist_token' } : {}),
      positions: 'pos_embed',
      patches: 'patch_embed.proj',
      block(i) {
        const l = `blocks.${i}`;
        return {
          norm1: `${l}.norm1`,
          norm2: `${l}.norm2`,
          qkv: `${l}.attn.qkv`,
          out: `${l}.attn.proj`,
          fc1: `${l}.mlp.fc1`,
          fc2: `${l}.mlp.fc2`,
          ...(scaled ? { scale: [`${l}.ls1.gamma`, `${l}.ls2.gamma`] as [string, string] } : {}),
        };
      },
      norm: fcNorm ? 'fc_norm' : 'norm',
      heads: distilled && !mean ? ['head', 'head_dist'] : ['head'],
    },
  };
}

/** Settings of timm's VisionTransformer that make another graph, and the value that does not. */
const SAME_VIT: readonly (readonly [string, ...unknown[]])[] = [
  ['qk_norm', false],
  ['scale_attn_norm', false],
  ['scale_mlp_norm', false],
  ['proj_bias', true],
  ['pos_embed', 'learn'],
  ['reg_tokens', 0],
  ['pre_norm', false],
  ['final_norm', true],
  ['pool_include_prefix', false],
  ['act_layer', 'gelu'],
];

/** [height, width] of `pretrained_cfg.input_size` ([3, h, w]), where it is given. */
export function inputSize(c: Config): [number, number] | undefined {
  const list = section(c, 'pretrained_cfg').get('input_size') ?? c.get('input_size');
  return Array.isArray(list) && list.length === 3 && list.every((n) => Number.isSafeInteger(n) && n > 0) ? [list[1], list[2]] : undefined;
}

const MOBILENET = /^mobilenetv2_(\d{3})(d?)$/;
export const isTimmMobileNet = (architecture: string): boolean => MOBILENET.test(architecture);

/** [repeats, channels, stride, expansion] by stage. */
const STAGES = [
  [1, 16, 1, 1],
  [2, 24, 2, 6],
  [3, 32, 2, 6],
  [4, 64, 2, 6],
  [3, 96, 1, 6],
  [3, 160, 2, 6],
  [1, 320, 1, 6],
] as const;
/** Depth multipliers of the widened and deepened variants. */
const DEPTH: Readonly<Record<string, number>> = { '110d': 1.2, '120d': 1.4 };

export function timmMobileNet(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): MobileNet {
  const [, digits, deep] = MOBILENET.exec(architecture) as unknown as [string, string, string];
  const args = section(c, 'model_args');
  const multiplier = Number(digits) / 100;
  const channels = (n: number): number => divisible(n * multiplier, 8, 8);
  const fixed = deep === 'd';
  const depth = DEPTH[`${digits}${deep}`] ?? 1;
  const eps = real(args, 'bn_eps', 1e-5);
  threeChannels(args);
  for (const [key, ...values] of SAME_MOBILENET) only(args, key, ...values);
  absent(args, 'norm_layer', 'aa_layer', 'se_layer', 'group_size');
  const layer = (
    conv: string,
    norm: string,
    out: number,
    kernel: number,
    stride: number,
    activated: boolean,
    kind: ConvLayer['kind'] = 'dense',
  ): ConvLayer => ({
    names: { conv, norm, eps },
    kind,
    out,
    kernel,
    stride,
    ...(activated ? { activation: Kind.Relu6 } : {}),
  });
  const blocks: ConvBlock[] = [
    { name: 'stem', layers: [layer('conv_stem', 'bn1', fixed ? 32 : channels(32), 3, 2, true)], residual: false },
  ];
  let before = fixed ? 32 : channels(32);
  STAGES.forEach(([repeats, c0, firstStride, expansion], s) => {
    const out = channels(c0);
    const n = s === 0 || s === STAGES.length - 1 ? repeats : Math.ceil(repeats * depth);
    for (let r = 0; r < n; r++) {
      const name = `blocks.${s}.${r}`;
      const stride = r === 0 ? firstStride : 1;
      const residual = stride === 1 && before === out;
      const layers =
        expansion === 1
          ? [
              layer(`${name}.conv_dw`, `${name}.bn1`, 0, 3, stride, true, 'depthwise'),
              layer(`${name}.conv_pw`, `${name}.bn2`, out, 1, 1, false),
            ]
          : [
              layer(`${name}.conv_pw`, `${name}.bn1`, divisible(before * expansion, 8, 8), 1, 1, true),
              layer(`${name}.conv_dw`, `${name}.bn2`, 0, 3, stride, true, 'depthwise'),
              layer(`${name}.conv_pwl`, `${name}.bn3`, out, 1, 1, false),
            ];
      blocks.push({ name, layers, residual });
      before = out;
    }
  });
  blocks.push({
    name: 'head',
    layers: [layer('conv_head', 'bn2', fixed ? 1280 : Math.max(1280, channels(1280)), 1, 1, true)],
    residual: false,
  });
  return {
    family: 'mobilenet',
    image: imageSize ?? inputSize(c) ?? [224, 224],
    tfPadding: false,
    pathSteps: blocks.length - 2,
    blocks,
    head: 'classifier',
  };
}

/** Settings of timm's EfficientNet class that make another graph than MobileNetV2, and the value that does not. */
const SAME_MOBILENET: readonly (readonly [string, ...unknown[]])[] = [
  ['output_stride', 32],
  ['stem_kernel_size', 3],
  ['pad_type', ''],
  ['act_layer', 'relu6'],
  ['global_pool', 'avg'],
];

/** Dimension, depths, heads by the size in the architecture's name. */
const SWINS: Readonly<Record<string, readonly [number, readonly number[], readonly number[]]>> = {
  tiny: [96, [2, 2, 6, 2], [3, 6, 12, 24]],
  small: [96, [2, 2, 18, 2], [3, 6, 12, 24]],
  base: [128, [2, 2, 18, 2], [4, 8, 16, 32]],
  large: [192, [2, 2, 18, 2], [6, 12, 24, 48]],
};
const SWIN = /^swin_(tiny|small|base|large)_patch(\d+)_window(\d+)_(\d+)$/;
export const isTimmSwin = (architecture: string): boolean => SWIN.test(architecture);

export function timmSwin(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): Swin {
  const [, size, patchText, windowText, imageText] = SWIN.exec(architecture) as unknown as [string, string, string, string, string];
  const [dim, depthsPreset, headsPreset] = SWINS[size]!;
  const args = section(c, 'model_args');
  threeChannels(args);
  absent(args, 'head_dim', 'embed_layer', 'norm_layer');
  only(args, 'global_pool', 'avg');
  // Pictures of other sizes than the model's own, which here are none.
  ignore(args, ['dynamic_img_size', 'strict_img_size']);
  const pretrainedImage = pair(args, 'img_size', inputSize(c) ?? Number(imageText));
  const heads = integers(args, 'num_heads', headsPreset);
  const depths = stagesOf(args, integers(args, 'depths', depthsPreset, MOST_LAYERS), heads);
  const windows = windowSizes(args, Number(windowText), depths.length);
  // Files from before timm 0.9 keep a merging with the stage before it, and the classifier in `head`; each is told by the file's own names.
  const isOld = section(c, 'pretrained_cfg').get('classifier') === 'head';
  const mergesBehind = holds(c, 'layers.0.downsample.reduction.weight', isOld);
  const plainHead = holds(c, 'head.weight', isOld);
  return {
    family: 'swin',
    image: imageSize ?? pretrainedImage,
    pretrainedImage,
    patch: integer(args, 'patch_size', Number(patchText), MOST_PIXELS),
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
          table: `${l}.attn.relative_position_bias_table`,
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
