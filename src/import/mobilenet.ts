/** MobileNetV2 (arXiv 1801.04381) and V3 (arXiv 1905.02244): a chain of inverted residual blocks. */
import { Kind } from '../../assembly/generated/kinds.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { depthOf } from '../network/blocks.ts';
import { append, type Builder } from '../network/builder.ts';
import { type ConvNames, conv } from '../network/conv.ts';
import { enterBlock, leaveBlocks } from '../network/entry.ts';
import { activation, classifier, pool, residual } from '../network/layer.ts';

/** One convolution of the chain. */
export interface ConvLayer {
  names: ConvNames;
  kind: 'dense' | 'depthwise';
  out: number;
  kernel: number;
  stride: number;
  /** Absent: linear. */
  activation?: Kind;
  squeeze?: Squeeze;
}

/** Squeeze-excite after a layer: x · hardsigmoid(expand(relu(reduce(mean over space of x)))). */
export interface Squeeze {
  reduce: string;
  expand: string;
  /** Channels between the two. */
  width: number;
}

/** Convolutions that follow each other; `residual` adds the block's input to its output. */
export interface ConvBlock {
  name: string;
  layers: ConvLayer[];
  residual: boolean;
}

export interface MobileNet {
  family: 'mobilenet';
  image: readonly [number, number];
  tfPadding: boolean;
  /** Steps by which drop-path rises: timm counts from before the first block, and MobileNetV3's last convolution too. */
  pathSteps?: number;
  blocks: ConvBlock[];
  /** A 1×1 convolution with a bias between pooling and classifier. */
  features?: { name: string; out: number; activation: Kind };
  head: string;
}

/** x: pixels [B,H,W,3]; returns logits [B,classes]. */
export function mobileNet(b: Builder, x: number, spec: MobileNet, classes: number): number {
  let h = x;
  // The stem and the last 1×1 convolution are no blocks.
  const total = spec.blocks.length - 2;
  const isWhole = b.method.depth === undefined;
  const blocks = { count: depthOf(b.method, total, total), extraTokens: 0 };
  const pathSteps = isWhole ? spec.pathSteps : spec.pathSteps && blocks.count;
  for (const [i, block] of (isWhole ? spec.blocks : spec.blocks.slice(0, 1 + blocks.count)).entries()) {
    if (i > 0 && i <= blocks.count) h = enterBlock(b, h, i - 1, blocks);
    if (i > blocks.count) leaveBlocks(b, blocks);
    const input = h;
    for (const layer of block.layers) {
      const window = { kernel: layer.kernel, stride: layer.stride, tfPadding: spec.tfPadding };
      const out = layer.kind === 'depthwise' ? shapeOf(b.graph, h)[3]! : layer.out;
      h = conv(b, h, layer.names, out, window, layer.kind === 'depthwise');
      if (layer.activation !== undefined) h = activation(b, h, `${layer.names.conv}.act`, layer.activation);
      if (layer.squeeze) h = squeezeExcite(b, h, layer.squeeze);
    }
    if (block.residual) h = residual(b, input, h, `${block.name}.add`, pathSteps);
  }
  leaveBlocks(b, blocks);
  if (spec.features === undefined || !isWhole) return classifier(b, pool(b, h, 'pool'), spec.head, classes);
  const { name, out, activation: kind } = spec.features;
  const features = activation(b, pointwise(b, pooledMap(b, h, 'pool'), name, out), `${name}.act`, kind);
  return classifier(b, pool(b, features, `${name}.flatten`), spec.head, classes);
}

/** The mean over all positions, as a map of one. */
const pooledMap = (b: Builder, x: number, name: string): number => pool(b, x, name, 0, undefined, 1);

/** A 1×1 convolution with a bias of its own. */
const pointwise = (b: Builder, x: number, name: string, out: number): number =>
  conv(b, x, { conv: name, eps: 0 }, out, { kernel: 1, stride: 1, tfPadding: false });

function squeezeExcite(b: Builder, x: number, { reduce, expand, width }: Squeeze): number {
  const name = reduce.replace(/\.[^.]+$/, '');
  const squeezed = activation(b, pointwise(b, pooledMap(b, x, `${name}.mean`), reduce, width), `${reduce}.act`, Kind.Relu);
  const factors = activation(b, pointwise(b, squeezed, expand, lastDim(b.graph, x)), `${expand}.act`, Kind.HardSigmoid);
  return append(b, 'Gate', `${name}.gate`, [x, factors]);
}
