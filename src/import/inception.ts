/** Inception-v3 (arXiv 1512.00567): branches of convolutions side by side, some of them one row or one column high. timm's and torchvision's names. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, only, real, section } from '../formats/config.ts';
import { publishedSide } from '../input/torchvision.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { blurred, conv, maxPool, type Window } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool } from '../network/layer.ts';
import type { Size } from './family.ts';
import { inputSize } from './timm.ts';
import { argumentsOf } from './torchvision.ts';

export interface Inception {
  image: readonly [number, number];
  half: boolean;
  eps: number;
  /** Channels of a convolution, where the file's are others than the paper's. */
  widthOf(layer: string, out: number): number;
}

/** A convolution: its name in the block, channels, height and width, and whether it halves the map, without padding. */
type Layer = readonly [name: string, out: number, kernel: number, across?: number, halves?: true];
/** A chain of layers, behind the mean around each position or not, or of maxima; its last entry may be layers that read the same, side by side. */
interface Branch {
  begins?: 'mean' | 'max';
  layers: readonly Layer[];
  ends?: readonly Layer[];
}

/** The last of `layers` is what a branch of that kind ends with. */
const pooled = (out: number): Branch => ({ begins: 'mean', layers: [['branch_pool', out, 1]] });
const MAXIMA: Branch = { begins: 'max', layers: [] };

const small = (channels: number): Branch[] => [
  { layers: [['branch1x1', 64, 1]] },
  // biome-ignore format: a branch a line
  { layers: [['branch5x5_1', 48, 1], ['branch5x5_2', 64, 5]] },
  // biome-ignore format: a branch a line
  { layers: [['branch3x3dbl_1', 64, 1], ['branch3x3dbl_2', 96, 3], ['branch3x3dbl_3', 96, 3]] },
  pooled(channels),
];
const wide = (n: number): Branch[] => [
  { layers: [['branch1x1', 192, 1]] },
  // biome-ignore format: a branch a line
  { layers: [['branch7x7_1', n, 1], ['branch7x7_2', n, 1, 7], ['branch7x7_3', 192, 7, 1]] },
  {
    // biome-ignore format: a branch a line
    layers: [['branch7x7dbl_1', n, 1], ['branch7x7dbl_2', n, 7, 1], ['branch7x7dbl_3', n, 1, 7], ['branch7x7dbl_4', n, 7, 1], ['branch7x7dbl_5', 192, 1, 7]],
  },
  pooled(192),
];
const split = (name: string, letters: string): readonly Layer[] => [
  [`${name}_${letters}a`, 384, 1, 3],
  [`${name}_${letters}b`, 384, 3, 1],
];
const LAST: readonly Branch[] = [
  { layers: [['branch1x1', 320, 1]] },
  { layers: [['branch3x3_1', 384, 1]], ends: split('branch3x3', '2') },
  // biome-ignore format: a branch a line
  { layers: [['branch3x3dbl_1', 448, 1], ['branch3x3dbl_2', 384, 3]], ends: split('branch3x3dbl', '3') },
  pooled(192),
];

// biome-ignore format: a branch a line
const BLOCKS: readonly (readonly [name: string, branches: readonly Branch[]])[] = [
  ['Mixed_5b', small(32)],
  ['Mixed_5c', small(64)],
  ['Mixed_5d', small(64)],
  ['Mixed_6a', [
    { layers: [['branch3x3', 384, 3, 3, true]] },
    { layers: [['branch3x3dbl_1', 64, 1], ['branch3x3dbl_2', 96, 3], ['branch3x3dbl_3', 96, 3, 3, true]] },
    MAXIMA,
  ]],
  ['Mixed_6b', wide(128)],
  ['Mixed_6c', wide(160)],
  ['Mixed_6d', wide(160)],
  ['Mixed_6e', wide(192)],
  ['Mixed_7a', [
    { layers: [['branch3x3_1', 192, 1], ['branch3x3_2', 320, 3, 3, true]] },
    { layers: [['branch7x7x3_1', 192, 1], ['branch7x7x3_2', 192, 1, 7], ['branch7x7x3_3', 192, 7, 1], ['branch7x7x3_4', 192, 3, 3, true]] },
    MAXIMA,
  ]],
  ['Mixed_7b', LAST],
  ['Mixed_7c', LAST],
];

/** x: pixels [B,H,W,C]; returns logits. The classifier that reads an earlier block, in training alone, is no part of it. */
export function inception(b: Builder, x: number, spec: Inception, classes: number): number {
  const one = (h: number, name: string, out: number, window: Partial<Window> & { kernel: number }): number => {
    const names = { conv: `${name}.conv`, norm: `${name}.bn`, eps: spec.eps };
    const y = conv(b, h, names, spec.widthOf(names.conv, out), { stride: 1, tfPadding: false, ...window });
    return activation(b, y, `${name}.act`, Kind.Relu);
  };
  const bare = (kernel: number, stride = 1): Window => ({ kernel, stride, tfPadding: false, padding: 'none' });
  let h = one(x, 'Conv2d_1a_3x3', 32, bare(3, 2));
  h = one(h, 'Conv2d_2a_3x3', 32, bare(3));
  h = maxPool(b, one(h, 'Conv2d_2b_3x3', 64, { kernel: 3 }), 'Pool1', 3, 2, 'none');
  h = one(h, 'Conv2d_3b_1x1', 80, { kernel: 1 });
  h = maxPool(b, one(h, 'Conv2d_4a_3x3', 192, bare(3)), 'Pool2', 3, 2, 'none');
  const blocks = { count: depthOf(b.method, BLOCKS.length), extraTokens: 0 };
  for (const [i, [name, branches]] of BLOCKS.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    const layer = (y: number, [part, out, kernel, across = kernel, halves]: Layer): number =>
      one(y, `${name}.${part}`, out, halves ? bare(kernel, 2) : { kernel, across });
    const parts = branches.flatMap(({ begins, layers, ends }) => {
      const seen =
        begins === 'mean'
          ? blurred(b, entry, `${name}.mean`, 3)
          : begins === 'max'
            ? maxPool(b, entry, `${name}.max`, 3, 2, 'none')
            : entry;
      const last = layers.reduce(layer, seen);
      return ends ? ends.map((end) => layer(last, end)) : [last];
    });
    h = append(b, 'Concat', `${name}.all`, parts, { axis: 3 });
  }
  leaveBlocks(b, blocks);
  return classifier(b, pool(b, h, 'pool'), 'fc', classes);
}

/** Sides of a picture of which every map still has a pixel. */
const LEAST = 75;

export function checkInception(where: string, { image }: Inception): void {
  const [h, w] = image;
  if (h < LEAST || w < LEAST)
    throw new InputError({ where, what: 'image size is too small', got: `${h}x${w}`, expected: `at least ${LEAST}x${LEAST}` });
}

/** A pruned network keeps its name, so widths are the file's where there is one. */
const widthsOf =
  (c: Config): Inception['widthOf'] =>
  (layer, out) =>
    c.tensors?.get(`${layer}.weight`)?.[0] ?? out;

export const isTimmInception = (name: string): boolean => /^(tf_|adv_|gluon_)?inception_v3$/.test(name);

export function timmInception(_: string, c: Config, image: Size): Inception {
  const args = section(c, 'model_args');
  only(args, 'aux_logits', false, true);
  only(args, 'global_pool', 'avg');
  only(args, 'act_layer', 'relu');
  only(args, 'norm_layer', 'batchnorm2d');
  absent(args, 'conv_block');
  return { image: image ?? inputSize(c) ?? [299, 299], half: false, eps: real(args, 'norm_eps', 1e-3), widthOf: widthsOf(c) };
}

export function tvInception(name: string, c: Config, image: Size): Inception {
  const args = argumentsOf(c);
  // Published weights transform what they read: (x·0.229 + 0.485 - 0.5) / 0.5 of the first channel, which is to say that the statistics are a half.
  const half = flag(args, 'transform_input', true);
  flag(args, 'aux_logits', true);
  const side = publishedSide(name);
  return { image: image ?? [side, side], half, eps: 1e-3, widthOf: widthsOf(c) };
}
