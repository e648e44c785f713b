/** MobileNetV2 (arXiv 1801.04381), from Hugging Face and timm configurations. */
import type { Kind } from '../../assembly/abi/ops.ts';
import { shapeOf } from '../graph.ts';
import { enterBlock, leaveBlocks } from '../modules/entry.ts';
import { activation, add, type Builder, type ConvNames, classifier, conv, pool } from './builder.ts';

/** One convolution of the chain. */
export interface ConvLayer {
  names: ConvNames;
  kind: 'dense' | 'depthwise';
  out: number;
  kernel: number;
  stride: number;
  activated: boolean;
}

/** Convolutions that follow each other; `residual` adds the block's input to its output. */
export interface ConvBlock {
  name: string;
  layers: ConvLayer[];
  residual: boolean;
}

export interface MobileNet {
  family: 'mobilenet_v2';
  image: readonly [number, number];
  tfPadding: boolean;
  activation: Kind;
  blocks: ConvBlock[];
  head: string;
}

/** x: pixels [B,H,W,3]; returns logits [B,classes]. */
export function mobileNet(b: Builder, x: number, spec: MobileNet, classes: number): number {
  let h = x;
  // The stem and the last 1×1 convolution are no blocks.
  const blocks = { count: spec.blocks.length - 2, extraTokens: 0 };
  for (const [i, block] of spec.blocks.entries()) {
    if (i > 0 && i <= blocks.count) h = enterBlock(b, h, i - 1, blocks);
    if (i > blocks.count) leaveBlocks(b, blocks);
    const input = h;
    for (const layer of block.layers) {
      const window = { kernel: layer.kernel, stride: layer.stride, tfPadding: spec.tfPadding };
      const out = layer.kind === 'depthwise' ? shapeOf(b.graph, h)[3]! : layer.out;
      h = conv(b, h, layer.names, out, window, layer.kind === 'depthwise');
      if (layer.activated) h = activation(b, h, `${layer.names.conv}.act`, spec.activation);
    }
    if (block.residual) h = add(b, h, input, `${block.name}.add`);
  }
  return classifier(b, pool(b, h, 'pool'), spec.head, classes);
}
