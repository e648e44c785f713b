/** Prompts and side branches. */
import { between, demand, groups, mayRead, MOST_PRODUCT, reads, size, writes } from '../bounds.ts';

/** Bytes of the map that AdaptivePool makes. */
let coarse: number = 0;

/** Its sizes, from BATCH to OW; returns the bytes of the map that it is made of. */
function map(at: i32): number {
  const b = size(at);
  const h = size(at + 1);
  const w = size(at + 2);
  const c = size(at + 3);
  const oh = size(at + 4);
  demand((h + 1) * (oh + 1) <= MOST_PRODUCT);
  const ow = size(at + 5);
  demand((w + 1) * (ow + 1) <= MOST_PRODUCT);
  coarse = 4 * b * oh * ow * c;
  return 4 * b * h * w * c;
}

/** BroadcastAdd: y[B,N] = x[B,N] + p[N]. Y may equal X. */
export const enum BroadcastAddArg {
  X,
  P,
  Y,
  BATCH,
  N,
}
export function broadcastAdd(): void {
  const n = size(BroadcastAddArg.N);
  const b = size(BroadcastAddArg.BATCH);
  reads(BroadcastAddArg.X, 4 * b * n);
  reads(BroadcastAddArg.P, 4 * n);
  writes(BroadcastAddArg.Y, 4 * b * n);
}

/** SumBatch: y[N] = Σ_b x[B,N], in order of b. */
export const enum SumBatchArg {
  X,
  Y,
  BATCH,
  N,
}
export function sumBatch(): void {
  const n = size(SumBatchArg.N);
  reads(SumBatchArg.X, 4 * size(SumBatchArg.BATCH) * n);
  writes(SumBatchArg.Y, 4 * n);
}

/** ChannelPool: y[B,COUNT,C/K] = means of K neighbouring channels of x[B,P,C], positions FIRST … FIRST+COUNT-1. */
export const enum ChannelPoolArg {
  X,
  Y,
  BATCH,
  P,
  C,
  K,
  FIRST,
  COUNT,
}
export function channelPool(): void {
  const b = size(ChannelPoolArg.BATCH);
  const c = size(ChannelPoolArg.C);
  const p = size(ChannelPoolArg.P);
  const small = c / groups(ChannelPoolArg.K, c);
  const count = size(ChannelPoolArg.COUNT);
  demand(between(ChannelPoolArg.FIRST, 0, p) + count <= p);
  reads(ChannelPoolArg.X, 4 * b * p * c);
  writes(ChannelPoolArg.Y, 4 * b * count * small);
}

/** ChannelPoolBackward: dx[B,P,C] = dy/K spread over its K channels, 0 at other positions, + acc. ACC may be 0 or equal DX. */
export const enum ChannelPoolBackwardArg {
  DY,
  ACC,
  DX,
  BATCH,
  P,
  C,
  K,
  FIRST,
  COUNT,
}
export function channelPoolBackward(): void {
  const b = size(ChannelPoolBackwardArg.BATCH);
  const c = size(ChannelPoolBackwardArg.C);
  const p = size(ChannelPoolBackwardArg.P);
  const small = c / groups(ChannelPoolBackwardArg.K, c);
  const count = size(ChannelPoolBackwardArg.COUNT);
  demand(between(ChannelPoolBackwardArg.FIRST, 0, p) + count <= p);
  reads(ChannelPoolBackwardArg.DY, 4 * b * count * small);
  mayRead(ChannelPoolBackwardArg.ACC, 4 * b * p * c);
  writes(ChannelPoolBackwardArg.DX, 4 * b * p * c);
}

/** AdaptivePool: y[B,OH,OW,C] = means over rows ⌊iH/OH⌋ … ⌈(i+1)H/OH⌉-1 and the like columns of x[B,H,W,C] (PyTorch's adaptive_avg_pool2d). */
export const enum AdaptivePoolArg {
  X,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
}
export function adaptivePool(): void {
  const fine = map(AdaptivePoolArg.BATCH);
  reads(AdaptivePoolArg.X, fine);
  writes(AdaptivePoolArg.Y, coarse);
}

/** AdaptivePoolBackward: dx[B,H,W,C] gathers from the windows that hold each pixel. */
export const enum AdaptivePoolBackwardArg {
  DY,
  DX,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
}
export function adaptivePoolBackward(): void {
  const fine = map(AdaptivePoolBackwardArg.BATCH);
  reads(AdaptivePoolBackwardArg.DY, coarse);
  writes(AdaptivePoolBackwardArg.DX, fine);
}
