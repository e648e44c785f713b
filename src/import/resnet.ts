/**
 * ResNet (arXiv 1512.03385) with basic and bottleneck blocks, v1 (the stride in a bottleneck's first 1×1) and v1.5 (in its 3×3), from
 * Hugging Face and timm configurations.
 */
import { Kind } from '../../assembly/generated/kinds.ts';
import { InputError } from '../base/error.ts';
import { absent, type Config, flag, integer, integers, MOST_LAYERS, only, pair, section, text } from '../formats/config.ts';
import { ignore } from '../formats/harmless.ts';
import { depthOf } from '../network/blocks.ts';
import type { Builder } from '../network/builder.ts';
import { type ConvNames, conv, halved, maxPool, meanPool } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool, residual } from '../network/layer.ts';
import { type Squeeze, squeezeExcite } from './chain.ts';
import { activationOf, divisible } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { needDivides } from './stages.ts';
import { inputSize } from './timm.ts';

interface Layer {
  names: ConvNames;
  out: number;
  kernel: number;
  stride: number;
  /** The map is halved behind its activation, by means (anti-aliased forms). */
  halves?: boolean;
}

/** act(shortcut(x) + layers(x)); between the layers stands a ReLU. */
interface Block {
  name: string;
  layers: Layer[];
  /** Where the shape changes. `pools`: the map is halved before it. */
  shortcut?: Layer & { pools?: boolean };
  squeeze?: Squeeze;
}

export interface ResNet {
  image: readonly [number, number];
  /** After the stem and at the end of each block. */
  activation: Kind;
  /** With a ReLU between them. */
  stem: Layer[];
  /** What halves the map behind the stem: means of 2×2 in place of the largest of 3×3. */
  poolsMean?: boolean;
  blocks: Block[];
  head: string;
}

/** x: pixels [B,H,W,C]; returns logits [B,classes]. */
export function resNet(b: Builder, x: number, spec: ResNet, classes: number): number {
  const act = (h: number, name: string): number => activation(b, h, `${name}.act`, spec.activation);
  const between = (h: number, { names, halves }: Layer): number => {
    const y = activation(b, h, `${names.conv}.act`, Kind.Relu);
    return halves ? meanPool(b, y, `${names.conv}.pool`, 2) : y;
  };
  const inRow = (x: number, layers: readonly Layer[]): number =>
    layers.reduce((h, one, j) => layer(b, j === 0 ? h : between(h, layers[j - 1]!), one), x);
  const stem = act(inRow(x, spec.stem), spec.stem.at(-1)!.names.conv);
  let h = spec.poolsMean ? meanPool(b, stem, 'maxpool', 2) : maxPool(b, stem, 'maxpool', 3, 2);
  const blocks = { count: depthOf(b.method, spec.blocks.length), extraTokens: 0 };
  for (const [i, { name, layers, shortcut, squeeze }] of spec.blocks.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    h = inRow(entry, layers);
    if (squeeze) h = squeezeExcite(b, h, squeeze);
    const aside = shortcut?.pools ? halved(b, entry, `${name}.pool`) : entry;
    h = act(residual(b, shortcut ? layer(b, aside, shortcut) : entry, h, `${name}.add`), name);
  }
  leaveBlocks(b, blocks);
  return classifier(b, pool(b, h, 'pool'), spec.head, classes);
}

const layer = (b: Builder, x: number, { names, out, kernel, stride }: Layer): number =>
  conv(b, x, names, out, { kernel, stride, tfPadding: false });

/** What the two libraries' configurations come to. */
interface Stages {
  bottleneck: boolean;
  depths: readonly number[];
  /** Channels that the stem leaves, and each stage. */
  stem: number;
  out: readonly number[];
  /** Channels within the blocks of each stage. */
  inner: readonly number[];
  strideInFirst1x1: boolean;
  downsampleInFirstStage: boolean;
  /** Groups of the 3×3 convolution of a bottleneck. */
  cardinality?: number;
  /** Shortcuts pool where others stride. */
  poolsDown?: boolean;
  /** What strides does not, but is followed by a mean of 2×2. */
  antialiased?: boolean;
  /** The weighing of a block's channels. */
  squeeze?(block: string, out: number): Squeeze;
  /** Names of block i of stage s; layer j of it; its shortcut. */
  name(s: number, i: number): string;
  layer(block: string, j: number): ConvNames;
  shortcut(block: string): ConvNames;
}

function blocksOf(c: Config, s: Stages): Block[] {
  if (s.depths.length !== s.out.length)
    throw new InputError({ where: c.where, what: 'stages and widths differ in number', got: `${s.depths.length} and ${s.out.length}` });
  let before = s.stem;
  return s.out.flatMap((out, stage) =>
    Array.from({ length: s.depths[stage]! }, (_, i): Block => {
      const stride = i === 0 && (stage > 0 || s.downsampleInFirstStage) ? 2 : 1;
      const name = s.name(stage, i);
      const inner = s.inner[stage]!;
      const one = (j: number, kernel: number, channels: number, strided: boolean): Layer => ({
        names: s.layer(name, j),
        out: channels,
        kernel,
        stride: strided && !s.antialiased ? stride : 1,
        ...(strided && s.antialiased && stride > 1 ? { halves: true } : {}),
      });
      const layers = s.bottleneck
        ? [one(0, 1, inner, s.strideInFirst1x1), spread(one(1, 3, inner, !s.strideInFirst1x1), s.cardinality), one(2, 1, out, false)]
        : [one(0, 3, inner, true), one(1, 3, out, false)];
      const changes = stride !== 1 || before !== out;
      before = out;
      const pools = s.poolsDown === true && stride > 1;
      const shortcut = { names: s.shortcut(name), out, kernel: 1, stride: s.poolsDown ? 1 : stride, pools };
      return { name, layers, ...(changes ? { shortcut } : {}), ...(s.squeeze ? { squeeze: s.squeeze(name, out) } : {}) };
    }),
  );
}

const spread = (layer: Layer, groups = 1): Layer => ({ ...layer, names: { ...layer.names, ...(groups > 1 ? { spread: groups } : {}) } });

/** `model_type` resnet. Its configuration has no image_size: 224 unless it, or the caller, says otherwise. */
export function hfResNet(c: Config, imageSize: readonly [number, number] | undefined): ResNet {
  const type = text(c, 'layer_type', 'bottleneck');
  if (type !== 'bottleneck' && type !== 'basic')
    throw new InputError({ where: c.where, what: 'unsupported layer_type', got: type, expected: 'bottleneck or basic' });
  const bottleneck = type === 'bottleneck';
  const p = backbonePrefix(c);
  const out = integers(c, 'hidden_sizes', [256, 512, 1024, 2048]);
  const stem = integer(c, 'embedding_size', 64);
  const ownImage = pair(c, 'image_size', 224);
  const names = (l: string): ConvNames => ({ conv: `${l}.convolution`, norm: `${l}.normalization`, eps: 1e-5 });
  return {
    image: imageSize ?? ownImage,
    activation: activationOf(c, 'relu'),
    stem: [{ names: names(`${p}embedder.embedder`), out: stem, kernel: 7, stride: 2 }],
    blocks: blocksOf(c, {
      bottleneck,
      depths: integers(c, 'depths', [3, 4, 6, 3], MOST_LAYERS),
      stem,
      out,
      inner: bottleneck ? out.map((n) => Math.floor(n / 4)) : out,
      strideInFirst1x1: flag(c, 'downsample_in_bottleneck', false),
      downsampleInFirstStage: flag(c, 'downsample_in_first_stage', false),
      name: (s, i) => `${p}encoder.stages.${s}.layers.${i}`,
      layer: (block, j) => names(`${block}.layer.${j}`),
      shortcut: (block) => names(`${block}.shortcut`),
    }),
    head: 'classifier.1',
  };
}

/** Blocks by stage of timm's (and torchvision's) sizes. */
const DEPTHS: Readonly<Record<string, readonly number[]>> = {
  10: [1, 1, 1, 1],
  14: [1, 1, 1, 1],
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  26: [2, 2, 2, 2],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
  200: [3, 24, 36, 3],
};

/** Groups of every group norm of `resnet50_gn`. */
const GROUPS = 32;

/** `c` and `s` have three convolutions for a stem, `d` pools in its shortcuts besides, `t` the same of other widths; `aa` means where others stride; `se` weighs its channels; `32x4d` is groups and their width. */
const RESNET =
  /^(?:(?<se>se)?res(?<kind>net|next)(?<aa>aa)?(?<size>\d+)(?<deep>[cdst])?(?:_(?<groups>\d+)x(?<each>\d+)d)?|wide_resnet(?<wide>50|101)_2|resnet(?<grouped>50)_gn)$/;

interface Named {
  size: string;
  isNormedByGroups: boolean;
  cardinality: number;
  width: number;
  deep: string | undefined;
  se: boolean;
  antialiased: boolean;
}

function namedResNet(architecture: string): Named | undefined {
  const found = RESNET.exec(architecture)?.groups as Record<string, string | undefined> | undefined;
  if (found === undefined) return undefined;
  const { se, kind, deep, groups, each, wide, grouped, aa } = found;
  const size = found.size ?? wide ?? grouped!;
  const isNext = kind === 'next';
  // Groups are what makes it a ResNeXt; those of 10 and 14 layers have a stem of three convolutions.
  if (!Object.hasOwn(DEPTHS, size) || isNext !== (groups !== undefined) || (Number(size) < 18 && deep !== 't')) return undefined;
  if (isNext && isBasic(size)) return undefined;
  return {
    size,
    isNormedByGroups: grouped !== undefined,
    cardinality: Number(groups ?? 1),
    width: wide ? 128 : Number(each ?? 64),
    deep,
    se: se !== undefined,
    antialiased: aa !== undefined,
  };
}

const isBasic = (size: string): boolean => ['10', '18', '34'].includes(size);
export const isTimmResNet = (architecture: string): boolean => namedResNet(architecture) !== undefined;

export function timmResNet(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): ResNet {
  const named = namedResNet(architecture)!;
  const { size, isNormedByGroups, deep, antialiased } = named;
  const poolsDown = deep === 'd' || deep === 't';
  const norm = { eps: 1e-5, ...(isNormedByGroups ? { groups: GROUPS } : {}) };
  const args = section(c, 'model_args');
  for (const [key, ...values] of SAME_GRAPH) only(args, key, ...values);
  only(args, 'stem_type', deep === 't' ? 'deep_tiered' : deep ? 'deep' : '');
  only(args, 'avg_down', poolsDown);
  only(args, 'norm_layer', ...(isNormedByGroups ? ['groupnorm'] : ['batchnorm2d', 'batchnorm']));
  absent(args, 'aa_layer', 'block_args');
  // The width of a deep stem, which others do not have.
  if (deep) only(args, 'stem_width', deep === 's' ? 64 : 32);
  else ignore(args, ['stem_width']);
  const planes = integers(args, 'channels', [64, 128, 256, 512]);
  if (isNormedByGroups) for (const n of planes) needDivides(args.where, 'channels do not divide into groups of one size', n, GROUPS);
  const bottleneck = !isBasic(size);
  const width = integer(args, 'base_width', named.width);
  const cardinality = integer(args, 'cardinality', named.cardinality);
  if (!bottleneck)
    for (const [key, value] of [
      ['base_width', 64],
      ['cardinality', 1],
    ] as const)
      only(args, key, value);
  const image = imageSize ?? inputSize(c) ?? [224, 224];
  if (antialiased) checkMeans(c, image);
  return {
    image,
    activation: Kind.Relu,
    stem: stemOf(deep, norm),
    poolsMean: antialiased,
    blocks: blocksOf(c, {
      bottleneck,
      depths: integers(args, 'layers', DEPTHS[size]!, MOST_LAYERS),
      stem: deep === 's' ? 128 : 64,
      out: bottleneck ? planes.map((n) => 4 * n) : planes,
      inner: bottleneck ? planes.map((n) => Math.floor((n * width) / 64) * cardinality) : planes,
      strideInFirst1x1: false,
      downsampleInFirstStage: false,
      cardinality,
      poolsDown,
      antialiased,
      ...(named.se ? { squeeze: weighing } : {}),
      ...timmNames(norm, poolsDown ? 1 : 0),
    }),
    head: 'fc',
  };
}

/** A mean of 2×2 drops what is left over of a map, which a shortcut does not. */
function checkMeans(c: Config, image: readonly [number, number]): void {
  if (image.every((side) => side % 32 === 0)) return;
  throw new InputError({
    where: c.where,
    what: 'the image size does not fit an anti-aliased network',
    got: image.join('x'),
    expected: 'multiples of 32',
  });
}

/** One convolution of 7×7, or three of 3×3. */
function stemOf(deep: string | undefined, norm: Pick<ConvNames, 'eps' | 'groups'>): Layer[] {
  if (deep === undefined) return [{ names: { conv: 'conv1', norm: 'bn1', ...norm }, out: 64, kernel: 7, stride: 2 }];
  const one = (conv: string, bn: string, out: number, stride: number): Layer => ({
    names: { conv, norm: bn, ...norm },
    out,
    kernel: 3,
    stride,
  });
  const wide = deep === 's' ? 64 : 32;
  return [one('conv1.0', 'conv1.1', deep === 't' ? 24 : wide, 2), one('conv1.3', 'conv1.4', wide, 1), one('conv1.6', 'bn1', 2 * wide, 1)];
}

/** timm's SEModule: a sixteenth of the channels, in steps of 8. */
const weighing = (block: string, out: number): Squeeze => ({
  reduce: `${block}.se.fc1`,
  expand: `${block}.se.fc2`,
  width: divisible(out / 16, 8, 8, 0),
  activation: Kind.Relu,
  gate: Kind.Sigmoid,
});

/** torchvision's names are timm's. */
export function tvResNet(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): ResNet {
  const { size, width: preset } = namedResNet(architecture)!;
  const args = c.section('arguments');
  const cardinality = integer(args, 'groups', namedResNet(architecture)!.cardinality);
  const bottleneck = !isBasic(size);
  const planes = [64, 128, 256, 512];
  const width = integer(args, 'width_per_group', preset);
  return {
    image: imageSize ?? [224, 224],
    activation: Kind.Relu,
    stem: [{ names: { conv: 'conv1', norm: 'bn1', eps: 1e-5 }, out: 64, kernel: 7, stride: 2 }],
    blocks: blocksOf(c, {
      bottleneck,
      depths: integers(args, 'layers', DEPTHS[size]!, MOST_LAYERS),
      stem: 64,
      out: bottleneck ? planes.map((n) => 4 * n) : planes,
      inner: bottleneck ? planes.map((n) => Math.floor((n * width) / 64) * cardinality) : planes,
      strideInFirst1x1: false,
      downsampleInFirstStage: false,
      cardinality,
      ...timmNames({ eps: 1e-5 }),
    }),
    head: 'fc',
  };
}

/** Names of timm's, and torchvision's, blocks. */
const timmNames = (norm: Pick<ConvNames, 'eps' | 'groups'>, first = 0): Pick<Stages, 'name' | 'layer' | 'shortcut'> => ({
  name: (s, i) => `layer${s + 1}.${i}`,
  layer: (block, j) => ({ conv: `${block}.conv${j + 1}`, norm: `${block}.bn${j + 1}`, ...norm }),
  shortcut: (block) => ({ conv: `${block}.downsample.${first}`, norm: `${block}.downsample.${first + 1}`, ...norm }),
});

/** Settings of timm's ResNet class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, ...unknown[]])[] = [
  ['output_stride', 32],
  ['replace_stem_pool', false],
  ['block_reduce_first', 1],
  ['down_kernel_size', 1],
  ['act_layer', 'relu'],
  ['global_pool', 'avg'],
];
