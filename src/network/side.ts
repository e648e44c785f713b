/**
 * Lite side branch (arXiv 2503.08154). At each block's entry the channels of x, before the prompt, are average-pooled by `ratio` and added
 * to the side state, which then goes through PWConv 1×1 → DWConv 3×3 → PWConv 1×1. The last state, averaged over positions, is the
 * second part of what the head reads; that part of the head starts at zero, the convolutions variance-preserving, so that step 0 is the
 * pretrained network and every tensor has a gradient from the second step on.
 *
 * Class and distillation tokens have no side state: it would never reach the logits, which read the mean over patch positions.
 */

import { InputError } from '../base/error.ts';
import { ABSENT, lastDim, numel, shapeOf } from '../graph/graph.ts';
import type { Blocks } from './blocks.ts';
import { append, type Builder, learns, newWeight } from './builder.ts';
import { pool } from './layer.ts';

/** Fewest channels of a side state. */
const LEAST_CHANNELS = 8;

export interface Side {
  ratio: number;
  residual: number;
  tap: number;
}

/** Channels that a tap of `c` channels is pooled to; of block `i`. */
function pooledChannels(c: number, ratio: number, i: number): number {
  const channels = (k: number): number => Math.max(LEAST_CHANNELS, Math.floor(c / k));
  if (c % channels(ratio) !== 0) {
    const fitting = Array.from({ length: Math.max(1, Math.floor(c / LEAST_CHANNELS)) }, (_, k) => k + 1).filter(
      (k) => c % channels(k) === 0,
    );
    throw new InputError({
      where: '--method side',
      what: `the ratio does not divide the ${c} channels of block ${i}`,
      got: ratio,
      expected: `one of ${fitting.join(', ')}`,
    });
  }
  return channels(ratio);
}

export function enterSide(b: Builder, x: number, i: number, blocks: Blocks, side: Side): void {
  if (!learns(b)) return;
  const shape = shapeOf(b.graph, x);
  const c = lastDim(b.graph, x);
  const channels = pooledChannels(c, side.ratio, i);
  const [h, w] = blocks.grid ?? (shape.slice(1, 3) as [number, number]);
  const count = numel(shape.slice(1, -1)) - blocks.extraTokens;
  const attributes = { k: c / channels, first: blocks.extraTokens, count, h, w, detach: side.tap ? 0 : 1 };
  const pooled = append(b, 'ChannelPool', `side.${i}.tap`, [x], attributes);
  const before = b.side;
  const state =
    before === undefined ? pooled : append(b, 'Add', `side.${i}.sum`, [pooled, finish(b, before, side, channels, h, w)], { scale: 1 });
  b.side = { state, index: i };
}

/** The three convolutions of the block that `at` entered; the state leaves with `channels` channels and size h × w. */
function finish(
  b: Builder,
  { state, index }: NonNullable<Builder['side']>,
  { residual }: Side,
  channels: number,
  h: number,
  w: number,
): number {
  const name = `side.${index}`;
  const [, height, width, c] = shapeOf(b.graph, state) as [number, number, number, number];
  const first = pointwise(b, `${name}.pw1`, state, c);
  const filter = newWeight(b, {
    name: `${name}.dw.weight`,
    shape: [3, 3, c],
    kind: 'weight',
    deviation: 1 / 3,
    layout: { shape: [c, 1, 3, 3], dims: [1, c, 9], strides: [0, 1, c] },
  });
  const bias = newWeight(b, { name: `${name}.dw.bias`, shape: [c], kind: 'bias' });
  const window = { r: 3, s: 3, stride: 1, top: 1, left: 1, oh: height, ow: width };
  const middle = append(b, 'Depthwise', `${name}.dw`, [first, filter, bias], window);
  let out = pointwise(b, `${name}.pw2`, middle, channels);
  if (residual && channels === c) out = append(b, 'Add', `${name}.residual`, [out, state], { scale: 1 });
  return height === h && width === w ? out : append(b, 'AdaptivePool', `${name}.shrink`, [out], { oh: h, ow: w });
}

function pointwise(b: Builder, name: string, x: number, n: number): number {
  const c = lastDim(b.graph, x);
  const weight = newWeight(b, {
    name: `${name}.weight`,
    shape: [n, c],
    kind: 'weight',
    deviation: 1 / Math.sqrt(c),
    layout: { shape: [n, c, 1, 1], dims: [1, 1, n * c], strides: [0, 0, 1] },
  });
  return append(b, 'Linear', name, [x, weight, newWeight(b, { name: `${name}.bias`, shape: [n], kind: 'bias' })]);
}

/** The side's part of the logits; undefined without a side branch. */
export function sideLogits(b: Builder, classes: number): number | undefined {
  if (b.side === undefined || b.method.side === undefined) return undefined;
  const [, h, w, c] = shapeOf(b.graph, b.side.state) as [number, number, number, number];
  const state = finish(b, b.side, b.method.side, c, h, w);
  const weight = newWeight(b, { name: 'side.head.weight', shape: [classes, c], kind: 'weight' });
  b.joins.set(weight, ABSENT);
  return append(b, 'Linear', 'side.head', [pool(b, state, 'side.pool'), weight, -1]);
}
