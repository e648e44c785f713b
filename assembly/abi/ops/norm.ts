/** Layer norm. */
import { Keep } from '../keep.ts';
import { align } from '../sizes.ts';
import { mayRead, reads, rowsKept, size, takesScratch, whole, writes } from '../bounds.ts';

/** LayerNormBackward and LayerNormBackwardW: one decoded row, one row of sums. */
export function layerNormScratch(c: number): number {
  return 2 * align(4 * c, 128);
}

/**
 * LayerNorm: y[M,C] = x̂·gamma + beta, x̂ = (x-mean)·rstd by row, biased variance, EPS f32. Y may equal X.
 * KEEP = Value: XHAT gets x̂ f32 [M,C]. KEEP = Group4: XHAT gets rows of `group4RowBytes(C)`; Group8: a group8 tensor in GROUPS
 * groups a row (abi/groups.ts). RSTD gets f32 [M]. Both 0 where KEEP = Nothing.
 */
export const enum LayerNormArg {
  X,
  GAMMA,
  BETA,
  Y,
  XHAT,
  RSTD,
  M,
  C,
  EPS,
  KEEP,
  GROUPS,
}
export function layerNorm(): void {
  const m = size(LayerNormArg.M);
  const c = size(LayerNormArg.C);
  const keep = whole(LayerNormArg.KEEP);
  reads(LayerNormArg.X, 4 * m * c);
  reads(LayerNormArg.GAMMA, 4 * c);
  reads(LayerNormArg.BETA, 4 * c);
  writes(LayerNormArg.Y, 4 * m * c);
  if (keep !== Keep.Nothing) {
    writes(LayerNormArg.XHAT, rowsKept(keep, m, c, LayerNormArg.GROUPS));
    writes(LayerNormArg.RSTD, 4 * m);
  }
  if (keep === Keep.Group8) takesScratch(layerNormScratch(c));
}

/** LayerNormBackward: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)) + acc, g = dy·gamma. ACC may be 0 or equal DX; DX may equal DY. */
export const enum LayerNormBackwardArg {
  XHAT,
  RSTD,
  GAMMA,
  DY,
  ACC,
  DX,
  M,
  C,
  KEEP,
  GROUPS,
}
export function layerNormBackward(): void {
  const m = size(LayerNormBackwardArg.M);
  const c = size(LayerNormBackwardArg.C);
  reads(LayerNormBackwardArg.XHAT, rowsKept(whole(LayerNormBackwardArg.KEEP), m, c, LayerNormBackwardArg.GROUPS));
  reads(LayerNormBackwardArg.RSTD, 4 * m);
  reads(LayerNormBackwardArg.GAMMA, 4 * c);
  reads(LayerNormBackwardArg.DY, 4 * m * c);
  mayRead(LayerNormBackwardArg.ACC, 4 * m * c);
  writes(LayerNormBackwardArg.DX, 4 * m * c);
  takesScratch(layerNormScratch(c));
}

/** LayerNormBackwardW: dgamma[C] += Σ_m dy·x̂. (dbeta is BiasBackward.) */
export const enum LayerNormBackwardWArg {
  XHAT,
  DY,
  DGAMMA,
  M,
  C,
  KEEP,
  GROUPS,
}
export function layerNormBackwardW(): void {
  const m = size(LayerNormBackwardWArg.M);
  const c = size(LayerNormBackwardWArg.C);
  reads(LayerNormBackwardWArg.XHAT, rowsKept(whole(LayerNormBackwardWArg.KEEP), m, c, LayerNormBackwardWArg.GROUPS));
  reads(LayerNormBackwardWArg.DY, 4 * m * c);
  writes(LayerNormBackwardWArg.DGAMMA, 4 * c);
  takesScratch(layerNormScratch(c));
}
