/** Norms that take no mean away. */
import { Keep } from '../keep.ts';
import { align } from '../sizes.ts';
import { between, mayRead, reads, rowsKept, size, takesScratch, whole, writes } from '../bounds.ts';

/** One row of x̂. */
export function rmsNormScratch(c: number): number {
  return align(4 * c, 128);
}

/**
 * RmsNorm: y[M,C] = x̂·gamma, x̂ = x·r by row. UNIT = 0: r = 1/√(mean of x² + EPS); 1: r = 1/max(√Σx², EPS), rows of length 1. GAMMA may be 0
 * (ones). Y may equal X. XHAT gets x̂ and RSTD r as in LayerNorm, by KEEP.
 */
export const enum RmsNormArg {
  X,
  GAMMA,
  Y,
  XHAT,
  RSTD,
  M,
  C,
  EPS,
  KEEP,
  GROUPS,
  UNIT,
}
export function rmsNorm(): void {
  const m = size(RmsNormArg.M);
  const c = size(RmsNormArg.C);
  const keep = whole(RmsNormArg.KEEP);
  reads(RmsNormArg.X, 4 * m * c);
  mayRead(RmsNormArg.GAMMA, 4 * c);
  writes(RmsNormArg.Y, 4 * m * c);
  if (keep !== Keep.Nothing) {
    writes(RmsNormArg.XHAT, rowsKept(keep, m, c, RmsNormArg.GROUPS));
    writes(RmsNormArg.RSTD, 4 * m);
  }
  between(RmsNormArg.UNIT, 0, 1);
  takesScratch(rmsNormScratch(c));
}

/**
 * RmsNormBackward: dx = r·(g - x̂·mean(g·x̂)) + acc, g = dy·gamma; with UNIT the sum instead of the mean, and nothing where EPS cut r. ACC may be 0
 * or equal DX; DX may equal DY. (dgamma is LayerNormBackwardW.)
 */
export const enum RmsNormBackwardArg {
  XHAT,
  RSTD,
  GAMMA,
  DY,
  ACC,
  DX,
  M,
  C,
  EPS,
  KEEP,
  GROUPS,
  UNIT,
}
export function rmsNormBackward(): void {
  const m = size(RmsNormBackwardArg.M);
  const c = size(RmsNormBackwardArg.C);
  reads(RmsNormBackwardArg.XHAT, rowsKept(whole(RmsNormBackwardArg.KEEP), m, c, RmsNormBackwardArg.GROUPS));
  reads(RmsNormBackwardArg.RSTD, 4 * m);
  mayRead(RmsNormBackwardArg.GAMMA, 4 * c);
  reads(RmsNormBackwardArg.DY, 4 * m * c);
  mayRead(RmsNormBackwardArg.ACC, 4 * m * c);
  writes(RmsNormBackwardArg.DX, 4 * m * c);
  between(RmsNormBackwardArg.UNIT, 0, 1);
  takesScratch(rmsNormScratch(c));
}
