/** What a row of a chain's table says. */
import type { Kind } from '../../assembly/generated/kinds.ts';

/**
 * What a block is made of: one convolution; a depthwise one and a 1×1, the latter with or without an activation; a 1×1, a depthwise, a 1×1
 * (MBConv); a dense one and a 1×1 (Fused-MBConv); attention of as many heads as its expansion says; MobileNetV4's universal block, a depthwise, a 1×1, a depthwise, a 1×1, of which the
 * depthwise ones may be absent (kernel 0).
 */
export type BlockKind = 'conv' | 'separable' | 'separableActive' | 'inverted' | 'fused' | 'universal' | 'attention';

export interface More {
  /** Squeeze-excite, to this share of the channels. */
  squeeze?: number;
  /** Adds its input: a convolution does not unless it says so, others do. */
  skips?: boolean;
  activation?: Kind;
  /** Channels that the expansion multiplies, where it is not the block's input. */
  expands?: number;
  /** Kernel of a universal block's first depthwise convolution. */
  start?: number;
  /** Channels of attention's key and value, which are of fewer places by `fewer`. */
  width?: number;
  fewer?: number;
}

/** A run of equal blocks. The stride is that of its first. */
export type Run = readonly [
  kind: BlockKind,
  repeats: number,
  kernel: number,
  stride: number,
  expansion: number,
  channels: number,
  more?: More,
];
