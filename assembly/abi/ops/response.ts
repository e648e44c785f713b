/** Global response norm. */
import { Keep } from '../keep.ts';
import { align } from '../sizes.ts';
import { mayRead, mayWrite, reads, rowsKept, size, takesScratch, whole, writes } from '../bounds.ts';

/** Two numbers a channel, one decoded row. */
export function responseScratch(c: number): number {
  return 3 * align(4 * c, 128);
}

/** ResponseStats: stats[B,C] = the length √Σx² of each channel over the positions of x[B,P,C]. */
export const enum ResponseStatsArg {
  X,
  STATS,
  BATCH,
  P,
  C,
}
export function responseStats(): void {
  const bc = size(ResponseStatsArg.BATCH) * size(ResponseStatsArg.C);
  reads(ResponseStatsArg.X, 4 * bc * size(ResponseStatsArg.P));
  writes(ResponseStatsArg.STATS, 4 * bc);
}

/**
 * ResponseNorm: y = x·(1 + gamma·n) + beta, n = stats/(mean of the picture's stats + EPS). BETA may be 0. Y may equal X. KEPT (0: absent) gets x
 * as group4 rows, or group8 in CODES groups a row, by KEEP; with Value x itself stays.
 */
export const enum ResponseNormArg {
  X,
  STATS,
  GAMMA,
  BETA,
  Y,
  KEPT,
  BATCH,
  P,
  C,
  EPS,
  KEEP,
  CODES,
}
export function responseNorm(): void {
  const b = size(ResponseNormArg.BATCH);
  const c = size(ResponseNormArg.C);
  const rows = b * size(ResponseNormArg.P);
  const keep = whole(ResponseNormArg.KEEP);
  reads(ResponseNormArg.X, 4 * rows * c);
  reads(ResponseNormArg.STATS, 4 * b * c);
  reads(ResponseNormArg.GAMMA, 4 * c);
  mayRead(ResponseNormArg.BETA, 4 * c);
  writes(ResponseNormArg.Y, 4 * rows * c);
  if (keep !== Keep.Nothing && keep !== Keep.Value) writes(ResponseNormArg.KEPT, rowsKept(keep, rows, c, ResponseNormArg.CODES));
  takesScratch(responseScratch(c));
}

/**
 * ResponseNormBackward: of dy and products[B,C] = Σ_p dy·x (GroupSums with x for x̂): dx, which may equal DY, or 0; and DGAMMA += Σ_b n·products,
 * or 0.
 */
export const enum ResponseNormBackwardArg {
  DY,
  KEPT,
  STATS,
  GAMMA,
  PRODUCTS,
  DX,
  DGAMMA,
  BATCH,
  P,
  C,
  EPS,
  KEEP,
  CODES,
}
export function responseNormBackward(): void {
  const b = size(ResponseNormBackwardArg.BATCH);
  const c = size(ResponseNormBackwardArg.C);
  const rows = b * size(ResponseNormBackwardArg.P);
  reads(ResponseNormBackwardArg.DY, 4 * rows * c);
  reads(ResponseNormBackwardArg.KEPT, rowsKept(whole(ResponseNormBackwardArg.KEEP), rows, c, ResponseNormBackwardArg.CODES));
  reads(ResponseNormBackwardArg.STATS, 4 * b * c);
  reads(ResponseNormBackwardArg.GAMMA, 4 * c);
  reads(ResponseNormBackwardArg.PRODUCTS, 4 * b * c);
  mayWrite(ResponseNormBackwardArg.DX, 4 * rows * c);
  mayWrite(ResponseNormBackwardArg.DGAMMA, 4 * c);
  takesScratch(responseScratch(c));
}
