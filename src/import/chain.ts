/**
 * Chains of convolutional blocks: MobileNets (arXiv 1704.04861, 1801.04381, 1905.02244, 2404.10518), EfficientNets (1905.11946, 2104.00298), MNASNet
 * (1807.11626), LCNet (2109.15099), RegNet (2003.13678). A family is a table of blocks; what they are made of is the same.
 */
import type { Kind } from '../../assembly/generated/kinds.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { type ConvNames, conv, layerScale, meanPool, type Window } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool, residual } from '../network/layer.ts';
import { type MultiQuery, multiQuery } from './multiquery.ts';

/** One convolution of a chain. */
export interface ConvLayer {
  names: ConvNames;
  kind: 'dense' | 'depthwise';
  /** Channels; a depthwise layer keeps those that it reads. */
  out: number;
  kernel: number;
  stride: number;
  /** Absent: linear. */
  activation?: Kind;
  /** The weights of its channels, after the activation or (`weighsFirst`) before it. */
  squeeze?: Squeeze;
  weighsFirst?: boolean;
  /** Its map is halved after its activation: the mean of each 2×2 window. */
  halves?: boolean;
  /** Its padding where it is not the chain's. */
  padding?: Padding;
}

/** As `Window` has it. */
export type Padding = Pick<Window, 'tfPadding' | 'padding'>;

/** Squeeze-excite (arXiv 1709.01507): x · gate(expand(act(reduce(mean over space of x)))). */
export interface Squeeze {
  reduce: string;
  expand: string;
  /** Channels between the two. */
  width: number;
  activation: Kind;
  gate: Kind;
}

/** Convolutions that follow each other; `residual` adds the block's input to its output. */
export interface ConvBlock {
  name: string;
  layers: ConvLayer[];
  residual: boolean;
  /** In place of layers. */
  attends?: MultiQuery;
  /** What its input goes through before it is added; absent: nothing. */
  shortcut?: ConvLayer;
  /** Of the sum. */
  activation?: Kind;
  /** A layer scale of what its last layer puts out. */
  scale?: string;
}

export interface Chain {
  image: readonly [number, number];
  tfPadding: boolean;
  /** Steps by which drop-path rises: timm counts from before the first block, and a last stage that is a convolution too. */
  pathSteps?: number;
  stem: ConvLayer[];
  blocks: ConvBlock[];
  /** After the blocks, before pooling; may be none. */
  last: ConvLayer[];
  /** A 1×1 convolution between pooling and classifier. */
  features?: { names: ConvNames; out: number; activation: Kind };
  head: string;
}

/** As a family has them. */
export function foldedLayers({ stem, blocks, last }: Chain): { names: ConvNames; channels: number }[] {
  let channels = 0;
  return [...stem, ...blocks.flatMap((block) => block.layers), ...last].flatMap(({ names, kind, out }) => {
    if (kind === 'dense') channels = out;
    return names.norm === undefined ? [{ names, channels }] : [];
  });
}

/** x: pixels [B,H,W,C]; returns logits [B,classes]. */
export function chain(b: Builder, x: number, spec: Chain, classes: number): number {
  let h = layers(b, x, spec.stem, spec);
  const isWhole = b.method.depth === undefined;
  const total = spec.blocks.length;
  const follows = spec.last.length > 0 || spec.features !== undefined;
  const blocks = { count: depthOf(b.method, total, follows ? total : total - 1), extraTokens: 0 };
  const pathSteps = isWhole ? spec.pathSteps : spec.pathSteps && blocks.count;
  for (const [i, block] of spec.blocks.slice(0, blocks.count).entries()) {
    const entry = enterBlock(b, h, i, blocks);
    h = block.attends ? multiQuery(b, entry, block.attends) : layers(b, entry, block.layers, spec);
    if (block.scale) layerScale(b, block.attends ? block.attends.out : block.layers.at(-1)!.names.conv, block.scale);
    const aside = block.shortcut ? layers(b, entry, [block.shortcut], spec) : entry;
    if (block.residual) h = residual(b, aside, h, `${block.name}.add`, pathSteps);
    if (block.activation !== undefined) h = activation(b, h, `${block.name}.act`, block.activation);
  }
  leaveBlocks(b, blocks);
  if (isWhole) h = layers(b, h, spec.last, spec);
  if (spec.features === undefined || !isWhole) return classifier(b, pool(b, h, 'pool'), spec.head, classes);
  const { names, out, activation: kind } = spec.features;
  const features = activation(b, pointwise(b, pooledMap(b, h, 'pool'), names, out), `${names.conv}.act`, kind);
  return classifier(b, pool(b, features, `${names.conv}.flatten`), spec.head, classes);
}

function layers(b: Builder, x: number, list: readonly ConvLayer[], { tfPadding }: Chain): number {
  let h = x;
  for (const { names, kind, out, kernel, stride, activation: act, squeeze, weighsFirst, halves, padding = { tfPadding } } of list) {
    const isDepthwise = kind === 'depthwise';
    h = conv(b, h, names, isDepthwise ? shapeOf(b.graph, h)[3]! : out, { kernel, stride, ...padding }, isDepthwise);
    if (squeeze && weighsFirst) h = squeezeExcite(b, h, squeeze);
    if (act !== undefined) h = activation(b, h, `${names.conv}.act`, act);
    if (halves) h = meanPool(b, h, `${names.conv}.halved`, 2);
    if (squeeze && !weighsFirst) h = squeezeExcite(b, h, squeeze);
  }
  return h;
}

/** The mean over all positions, as a map of one. */
const pooledMap = (b: Builder, x: number, name: string): number => pool(b, x, name, 0, undefined, 1);

/** A 1×1 convolution. */
const pointwise = (b: Builder, x: number, names: ConvNames, out: number): number =>
  conv(b, x, names, out, { kernel: 1, stride: 1, tfPadding: false });

export function squeezeExcite(b: Builder, x: number, { reduce, expand, width, activation: act, gate }: Squeeze): number {
  const name = reduce.replace(/\.[^.]+$/, '');
  const named = (conv: string): ConvNames => ({ conv, eps: 0 });
  const squeezed = activation(b, pointwise(b, pooledMap(b, x, `${name}.mean`), named(reduce), width), `${reduce}.act`, act);
  const factors = activation(b, pointwise(b, squeezed, named(expand), lastDim(b.graph, x)), `${expand}.act`, gate);
  return append(b, 'Gate', `${name}.gate`, [x, factors]);
}
