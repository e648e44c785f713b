/** Means of windows of maps. */
import { between, demand, MOST_STEP, reads, size, writes } from '../bounds.ts';

/** Bytes of the map and of its means, by the sizes from BATCH to PADDED. */
let image: number = 0;
let means: number = 0;

function axis(full: number, out: number, length: number, step: i32, before: i32, after: i32): void {
  const every = between(step, 1, MOST_STEP);
  const first = between(before, 0, length - 1);
  between(after, 0, MOST_STEP);
  // Every window has a pixel of the picture: no mean is of nothing.
  demand((out - 1) * every < full + first);
}

function windows(at: i32): void {
  const batch = size(at);
  const c = size(at + 3);
  const h = size(at + 1);
  const w = size(at + 2);
  const oh = size(at + 4);
  const ow = size(at + 5);
  const r = between(at + 6, 1, MOST_STEP);
  const s = between(at + 7, 1, MOST_STEP);
  axis(h, oh, r, at + 8, at + 10, at + 12);
  axis(w, ow, s, at + 9, at + 11, at + 13);
  between(at + 14, 0, 1);
  image = 4 * batch * h * w * c;
  means = 4 * batch * oh * ow * c;
}

/**
 * AveragePool: y[B,OH,OW,C] = the mean of each window of R × S pixels of x[B,H,W,C], beginning STEPY rows (STEPX columns) apart, the first one
 * TOP rows above and LEFT columns left of the picture. PADDED = 0: the mean of those pixels that there are; 1: zeros around the picture count, TOP
 * rows of them above, BOTTOM below, LEFT and RIGHT of it.
 */
export const enum AveragePoolArg {
  X,
  Y,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STEPY,
  STEPX,
  TOP,
  LEFT,
  BOTTOM,
  RIGHT,
  PADDED,
}
export function averagePool(): void {
  windows(AveragePoolArg.BATCH);
  reads(AveragePoolArg.X, image);
  writes(AveragePoolArg.Y, means);
}

/** AveragePoolBackward: dx[B,H,W,C] = Σ dy/(pixels that count) over the windows that hold the pixel. */
export const enum AveragePoolBackwardArg {
  DY,
  DX,
  BATCH,
  H,
  WIDTH,
  C,
  OH,
  OW,
  R,
  S,
  STEPY,
  STEPX,
  TOP,
  LEFT,
  BOTTOM,
  RIGHT,
  PADDED,
}
export function averagePoolBackward(): void {
  windows(AveragePoolBackwardArg.BATCH);
  reads(AveragePoolBackwardArg.DY, means);
  writes(AveragePoolBackwardArg.DX, image);
}
