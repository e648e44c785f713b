/** RegNet X and Y (arXiv 2003.13678): bottlenecks whose 3×3 convolution is grouped, in Y with squeeze-excite behind it. transformers, timm, torchvision. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { type Config, flag, integer, integers, MOST_LAYERS, only, pair, real, section, text } from '../formats/config.ts';
import { publishedSide } from '../input/torchvision.ts';
import type { Chain, ConvBlock, ConvLayer, Squeeze } from './chain.ts';
import type { Size } from './family.ts';
import { activationOf, divisible, roundHalfEven } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { needDivides } from './stages.ts';
import { inputSize } from './timm.ts';
import { argumentsOf } from './torchvision.ts';

interface Stage {
  width: number;
  depth: number;
  /** Channels of a group of its 3×3 convolutions. */
  group: number;
}

/** Where a library keeps a block's tensors. */
interface Names {
  block(s: number, i: number): string;
  /** Its convolutions j = 0, 1, 2, and its shortcut; `weighs`: there is squeeze-excite. */
  layer(block: string, j: number, weighs: boolean): ConvLayer['names'];
  shortcut(block: string): ConvLayer['names'];
  squeeze(block: string): Pick<Squeeze, 'reduce' | 'expand'>;
}

interface Way {
  stem: number;
  /** Stride of the first stage. */
  stride: number;
  /** Share of a block's input that squeeze-excite reduces to; 0: none. */
  share: number;
  activation: Kind;
  names: Names;
}

function blocksOf(stages: readonly Stage[], { stem, stride: first, share, activation, names }: Way): ConvBlock[] {
  let before = stem;
  return stages.flatMap(({ width, depth, group }, s) =>
    Array.from({ length: depth }, (_, i): ConvBlock => {
      const name = names.block(s, i);
      const stride = i > 0 ? 1 : s === 0 ? first : 2;
      const groups = Math.max(1, Math.floor(width / group));
      const one = (j: number, kernel: number, more: Partial<ConvLayer> = {}): ConvLayer => ({
        ...{ names: names.layer(name, j, share > 0), kind: 'dense' as const, out: width, kernel, stride: 1 },
        ...more,
      });
      const middle = one(1, 3, { stride, activation });
      if (groups > 1) middle.names = { ...middle.names, spread: groups };
      if (share > 0)
        middle.squeeze = {
          ...names.squeeze(name),
          ...{ width: roundHalfEven(before * share), activation: Kind.Relu, gate: Kind.Sigmoid },
        };
      const changes = stride !== 1 || before !== width;
      const shortcut: ConvLayer = { names: names.shortcut(name), kind: 'dense', out: width, kernel: 1, stride };
      before = width;
      return {
        ...{ name, layers: [one(0, 1, { activation }), middle, one(2, 1)], residual: true, activation },
        ...(changes ? { shortcut } : {}),
      };
    }),
  );
}

/** A stem of one 3×3 convolution, the stages, nothing between them and the classifier. */
const regNet = (image: Chain['image'], stem: ConvLayer['names'], head: string, stages: readonly Stage[], way: Way): Chain => ({
  image,
  tfPadding: false,
  stem: [{ names: stem, kind: 'dense', out: way.stem, kernel: 3, stride: 2, activation: way.activation }],
  blocks: blocksOf(stages, way),
  last: [],
  head,
});

/** `model_type` regnet. Its configuration has no image_size: 224 unless it, or the caller, says otherwise. */
export function hfRegNet(c: Config, image: Size): Chain {
  const type = text(c, 'layer_type', 'y');
  if (type !== 'x' && type !== 'y') throw new InputError({ where: c.where, what: 'unsupported layer_type', got: type, expected: 'x or y' });
  const p = backbonePrefix(c);
  const widths = integers(c, 'hidden_sizes', [128, 192, 512, 1088]);
  const depths = integers(c, 'depths', [2, 6, 12, 2], MOST_LAYERS);
  const group = integer(c, 'groups_width', 64);
  if (widths.length !== depths.length)
    throw new InputError({ where: c.where, what: 'stages and widths differ in number', got: `${depths.length} and ${widths.length}` });
  const ownImage = pair(c, 'image_size', 224);
  const named = (l: string): ConvLayer['names'] => ({ conv: `${l}.convolution`, norm: `${l}.normalization`, eps: 1e-5 });
  const stages = widths.map((width, s) => ({ width, depth: depths[s]!, group: divides(c, width, group) }));
  return regNet(image ?? ownImage, named(`${p}embedder.embedder`), 'classifier.1', stages, {
    stem: integer(c, 'embedding_size', 32),
    stride: flag(c, 'downsample_in_first_stage', true) ? 2 : 1,
    share: type === 'y' ? 0.25 : 0,
    activation: activationOf(c, 'relu'),
    names: {
      block: (s, i) => `${p}encoder.stages.${s}.layers.${i}`,
      layer: (block, j, weighs) => named(`${block}.layer.${j === 2 && weighs ? 3 : j}`),
      shortcut: (block) => named(`${block}.shortcut`),
      squeeze: (block) => ({ reduce: `${block}.layer.2.attention.0`, expand: `${block}.layer.2.attention.2` }),
    },
  });
}

/** Groups are as many as fit into the width, and all of one size. */
function divides(c: Config, width: number, group: number): number {
  const groups = Math.max(1, Math.floor(width / group));
  needDivides(c.where, 'channels do not divide into groups of one size', width, groups);
  return group;
}

/** What widths and depths follow from: blocks, the first width, how widths rise, by which factor they jump, channels of a group. */
type Design = readonly [depth: number, w0: number, wa: number, wm: number, group: number];
const X: Readonly<Record<string, Design>> = {
  '002': [13, 24, 36.44, 2.49, 8],
  '004': [22, 24, 24.48, 2.54, 16],
  '006': [16, 48, 36.97, 2.24, 24],
  '008': [16, 56, 35.73, 2.28, 16],
  '016': [18, 80, 34.01, 2.25, 24],
  '032': [25, 88, 26.31, 2.25, 48],
  '040': [23, 96, 38.65, 2.43, 40],
  '064': [17, 184, 60.83, 2.07, 56],
  '080': [23, 80, 49.56, 2.88, 120],
  '120': [19, 168, 73.36, 2.37, 112],
  '160': [22, 216, 55.59, 2.1, 128],
  '320': [23, 320, 69.86, 2.0, 168],
};
const Y: Readonly<Record<string, Design>> = {
  '002': [13, 24, 36.44, 2.49, 8],
  '004': [16, 48, 27.89, 2.09, 8],
  '006': [15, 48, 32.54, 2.32, 16],
  '008': [14, 56, 38.84, 2.4, 16],
  '016': [27, 48, 20.71, 2.65, 24],
  '032': [21, 80, 42.63, 2.66, 24],
  '040': [22, 96, 31.41, 2.24, 64],
  '064': [25, 112, 33.22, 2.27, 72],
  '080': [17, 192, 76.82, 2.19, 56],
  '120': [19, 168, 73.36, 2.37, 112],
  '160': [18, 200, 106.23, 2.48, 112],
  '320': [20, 232, 115.89, 2.53, 232],
  '640': [20, 352, 147.48, 2.4, 328],
  '1280': [27, 456, 160.83, 2.52, 264],
  '2560': [27, 640, 230.83, 2.53, 373],
};

/** torchvision rounds a width to multiples of a group so that no more than a tenth is taken away, the others to the nearest. */
const TV_SHARE = 0.9;

/** Stages of equal width, each a whole number of groups wide. */
function stagesOf([depth, w0, wa, wm, group]: Design, least: number): Stage[] {
  const widths = Array.from({ length: depth }, (_, i) => {
    const jumps = roundHalfEven(Math.log((w0 + i * wa) / w0) / Math.log(wm));
    return roundHalfEven((w0 * wm ** jumps) / 8) * 8;
  });
  return [...new Set(widths)].map((width) => {
    const size = Math.min(group, width);
    const whole = least > 0 ? divisible(width, size, size, least) : roundHalfEven(width / size) * size;
    return { width: whole, depth: widths.filter((w) => w === width).length, group: size };
  });
}

const REGNET = /^regnet([xy])_(\d{3,4})(_tv)?$/;
const designOf = (letter: string, size: string): Design | undefined => (letter === 'x' ? X : Y)[size];
/** `_tv` are those that torchvision made, of which there are three. */
export const isTimmRegNet = (name: string): boolean => {
  const [, letter, size, tv] = REGNET.exec(name) ?? [];
  return letter !== undefined && designOf(letter, size!) !== undefined && (!tv || ['x004', 'y008', 'y080'].includes(letter + size));
};

export function timmRegNet(name: string, c: Config, image: Size): Chain {
  const [, letter, size, tv] = REGNET.exec(name) as unknown as [string, string, string, string?];
  const [depth, w0, wa, wm, group] = designOf(letter, size)!;
  const args = section(c, 'model_args');
  for (const [key, value] of SAME_GRAPH) only(args, key, value);
  const least = real(args, 'group_min_ratio', tv ? TV_SHARE : 0);
  const design: Design = [
    integer(args, 'depth', depth, MOST_LAYERS),
    integer(args, 'w0', w0),
    real(args, 'wa', wa, 0, 4096),
    real(args, 'wm', wm, 1.01, 64),
    integer(args, 'group_size', group),
  ];
  return regNet(image ?? inputSize(c) ?? [224, 224], timmNamed('stem'), 'head.fc', stagesOf(design, least), {
    stem: integer(args, 'stem_width', 32),
    stride: 2,
    share: real(args, 'se_ratio', letter === 'y' ? 0.25 : 0),
    activation: Kind.Relu,
    names: {
      block: (s, i) => `s${s + 1}.b${i + 1}`,
      layer: (block, j) => timmNamed(`${block}.conv${j + 1}`),
      shortcut: (block) => timmNamed(`${block}.downsample`),
      squeeze: (block) => ({ reduce: `${block}.se.fc1`, expand: `${block}.se.fc2` }),
    },
  });
}

const timmNamed = (l: string): ConvLayer['names'] => ({ conv: `${l}.conv`, norm: `${l}.bn`, eps: 1e-5 });

/** Settings of timm's RegNet class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, unknown])[] = [
  ['output_stride', 32],
  ['global_pool', 'avg'],
  ['bottle_ratio', 1],
  ['downsample', 'conv1x1'],
  ['linear_out', false],
  ['preact', false],
  ['num_features', 0],
  ['act_layer', 'relu'],
  ['norm_layer', 'batchnorm'],
];

/** torchvision's names by timm's sizes. */
const TV: Readonly<Record<string, string>> = {
  ...{ '400mf': '004', '800mf': '008', '1_6gf': '016', '3_2gf': '032', '8gf': '080', '16gf': '160', '32gf': '320', '128gf': '1280' },
};

export function tvRegNet(name: string, c: Config, image: Size): Chain {
  const [, letter, size] = /^regnet_([xy])_(.+)$/.exec(name) as unknown as [string, string, string];
  const args = argumentsOf(c);
  const [depth, w0, wa, wm, group] = designOf(letter, TV[size]!)!;
  const design: Design = [
    integer(args, 'depth', depth, MOST_LAYERS),
    integer(args, 'w_0', w0),
    real(args, 'w_a', wa, 0, 4096),
    real(args, 'w_m', wm, 1.01, 64),
    integer(args, 'group_width', group),
  ];
  const named = (l: string): ConvLayer['names'] => ({ conv: `${l}.0`, norm: `${l}.1`, eps: 1e-5 });
  const side = publishedSide(name);
  return regNet(image ?? [side, side], named('stem'), 'fc', stagesOf(design, TV_SHARE), {
    stem: integer(args, 'stem_width', 32),
    stride: 2,
    share: letter === 'y' ? 0.25 : 0,
    activation: Kind.Relu,
    names: {
      block: (s, i) => `trunk_output.block${s + 1}.block${s + 1}-${i}`,
      layer: (block, j) => named(`${block}.f.${'abc'[j]}`),
      shortcut: (block) => named(`${block}.proj`),
      squeeze: (block) => ({ reduce: `${block}.f.se.fc1`, expand: `${block}.f.se.fc2` }),
    },
  });
}
