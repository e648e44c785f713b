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
import { type ConvNames, conv, maxPool } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool, residual } from '../network/layer.ts';
import { activationOf } from './huggingface.ts';
import { backbonePrefix } from './published.ts';
import { inputSize } from './timm.ts';

interface Layer {
  names: ConvNames;
  out: number;
  kernel: number;
  stride: number;
}

/** act(shortcut(x) + layers(x)); between the layers stands a ReLU. */
interface Block {
  name: string;
  layers: Layer[];
  /** Where the shape changes. */
  shortcut?: Layer;
}

export interface ResNet {
  image: readonly [number, number];
  /** After the stem and at the end of each block. */
  activation: Kind;
  stem: Layer;
  blocks: Block[];
  head: string;
}

/** x: pixels [B,H,W,C]; returns logits [B,classes]. */
export function resNet(b: Builder, x: number, spec: ResNet, classes: number): number {
  const act = (h: number, name: string): number => activation(b, h, `${name}.act`, spec.activation);
  let h = maxPool(b, act(layer(b, x, spec.stem), spec.stem.names.conv), 'maxpool', 3, 2);
  const blocks = { count: depthOf(b.method, spec.blocks.length), extraTokens: 0 };
  for (const [i, { name, layers, shortcut }] of spec.blocks.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    h = entry;
    for (const [j, one] of layers.entries()) {
      if (j > 0) h = activation(b, h, `${layers[j - 1]!.names.conv}.act`, Kind.Relu);
      h = layer(b, h, one);
    }
    h = act(residual(b, shortcut ? layer(b, entry, shortcut) : entry, h, `${name}.add`), name);
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
        stride: strided ? stride : 1,
      });
      const layers = s.bottleneck
        ? [one(0, 1, inner, s.strideInFirst1x1), one(1, 3, inner, !s.strideInFirst1x1), one(2, 1, out, false)]
        : [one(0, 3, inner, true), one(1, 3, out, false)];
      const changes = stride !== 1 || before !== out;
      before = out;
      return { name, layers, ...(changes ? { shortcut: { names: s.shortcut(name), out, kernel: 1, stride } } : {}) };
    }),
  );
}

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
    stem: { names: names(`${p}embedder.embedder`), out: stem, kernel: 7, stride: 2 },
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

/** Names with a letter after the number, and resnext, seresnet and the like, are other graphs. */
const RESNET = /^(?:resnet(18|34|26|50|101|152|200)|wide_resnet(50|101)_2|resnet(50)_gn)$/;
export const isTimmResNet = (architecture: string): boolean => RESNET.test(architecture);

export function timmResNet(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): ResNet {
  const [, size, wide, grouped] = RESNET.exec(architecture) as unknown as [string, string?, string?, string?];
  const plain = size ?? grouped;
  const norm = { eps: 1e-5, ...(grouped ? { groups: GROUPS } : {}) };
  const args = section(c, 'model_args');
  for (const [key, ...values] of SAME_GRAPH) only(args, key, ...values);
  only(args, 'norm_layer', ...(grouped ? ['groupnorm'] : ['batchnorm2d', 'batchnorm']));
  absent(args, 'aa_layer', 'block_args');
  // The width of a deep stem, which this is not.
  ignore(args, ['stem_width']);
  const bottleneck = plain !== '18' && plain !== '34';
  const planes = integers(args, 'channels', [64, 128, 256, 512]);
  const odd = grouped ? planes.find((n) => n % GROUPS !== 0) : undefined;
  if (odd !== undefined)
    throw new InputError({
      where: args.where,
      what: 'channels do not divide into groups of one size',
      got: `${odd} / ${GROUPS}`,
      expected: 'a whole number',
    });
  const width = integer(args, 'base_width', wide ? 128 : 64);
  return {
    image: imageSize ?? inputSize(c) ?? [224, 224],
    activation: Kind.Relu,
    stem: { names: { conv: 'conv1', norm: 'bn1', ...norm }, out: 64, kernel: 7, stride: 2 },
    blocks: blocksOf(c, {
      bottleneck,
      depths: integers(args, 'layers', DEPTHS[(plain ?? wide)!]!, MOST_LAYERS),
      stem: 64,
      out: bottleneck ? planes.map((n) => 4 * n) : planes,
      inner: bottleneck ? planes.map((n) => Math.floor((n * width) / 64)) : planes,
      strideInFirst1x1: false,
      downsampleInFirstStage: false,
      ...timmNames(norm),
    }),
    head: 'fc',
  };
}

/** torchvision's names are timm's. */
export function tvResNet(architecture: string, c: Config, imageSize: readonly [number, number] | undefined): ResNet {
  const [, size, wide] = RESNET.exec(architecture) as unknown as [string, string?, string?];
  const args = c.section('arguments');
  only(args, 'groups', 1);
  const bottleneck = size !== '18' && size !== '34';
  const planes = [64, 128, 256, 512];
  const width = integer(args, 'width_per_group', wide ? 128 : 64);
  return {
    image: imageSize ?? [224, 224],
    activation: Kind.Relu,
    stem: { names: { conv: 'conv1', norm: 'bn1', eps: 1e-5 }, out: 64, kernel: 7, stride: 2 },
    blocks: blocksOf(c, {
      bottleneck,
      depths: integers(args, 'layers', DEPTHS[(size ?? wide)!]!, MOST_LAYERS),
      stem: 64,
      out: bottleneck ? planes.map((n) => 4 * n) : planes,
      inner: bottleneck ? planes.map((n) => Math.floor((n * width) / 64)) : planes,
      strideInFirst1x1: false,
      downsampleInFirstStage: false,
      ...timmNames({ eps: 1e-5 }),
    }),
    head: 'fc',
  };
}

/** Names of timm's, and torchvision's, blocks. */
const timmNames = (norm: Pick<ConvNames, 'eps' | 'groups'>): Pick<Stages, 'name' | 'layer' | 'shortcut'> => ({
  name: (s, i) => `layer${s + 1}.${i}`,
  layer: (block, j) => ({ conv: `${block}.conv${j + 1}`, norm: `${block}.bn${j + 1}`, ...norm }),
  shortcut: (block) => ({ conv: `${block}.downsample.0`, norm: `${block}.downsample.1`, ...norm }),
});

/** Settings of timm's ResNet class that make another graph, and the value that does not. */
const SAME_GRAPH: readonly (readonly [string, ...unknown[]])[] = [
  ['cardinality', 1],
  ['output_stride', 32],
  ['stem_type', ''],
  ['replace_stem_pool', false],
  ['block_reduce_first', 1],
  ['down_kernel_size', 1],
  ['avg_down', false],
  ['act_layer', 'relu'],
  ['global_pool', 'avg'],
];
