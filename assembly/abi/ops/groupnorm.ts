/** Group norm. */
import { Keep } from '../keep.ts';
import { align } from '../sizes.ts';
import { groups, reads, rowsKept, size, takesScratch, whole, writes } from '../bounds.ts';

/** Group norm's kernels: three numbers a channel, one decoded row. */
export function groupNormScratch(c: number): number {
  return 4 * align(4 * c, 128);
}

/** GroupStats: stats[B,GROUPS,2] = mean and 1/√(variance + EPS) of each group of neighbouring channels of x[B,P,C], biased variance, EPS f32. */
export const enum GroupStatsArg {
  X,
  STATS,
  BATCH,
  P,
  C,
  GROUPS,
  EPS,
}
export function groupStats(): void {
  const b = size(GroupStatsArg.BATCH);
  const c = size(GroupStatsArg.C);
  reads(GroupStatsArg.X, 4 * b * size(GroupStatsArg.P) * c);
  writes(GroupStatsArg.STATS, 8 * b * groups(GroupStatsArg.GROUPS, c));
}

/**
 * GroupNorm: y = x̂·gamma + beta, x̂ = (x-mean)·rstd by STATS. Y may equal X. XHAT (0: absent) gets x̂ as LayerNorm's by KEEP, a row for each
 * position, CODES groups a row where that is Group8.
 */
export const enum GroupNormArg {
  X,
  STATS,
  GAMMA,
  BETA,
  Y,
  XHAT,
  BATCH,
  P,
  C,
  GROUPS,
  KEEP,
  CODES,
}
export function groupNorm(): void {
  const b = size(GroupNormArg.BATCH);
  const c = size(GroupNormArg.C);
  const rows = b * size(GroupNormArg.P);
  const keep = whole(GroupNormArg.KEEP);
  reads(GroupNormArg.X, 4 * rows * c);
  reads(GroupNormArg.STATS, 8 * b * groups(GroupNormArg.GROUPS, c));
  reads(GroupNormArg.GAMMA, 4 * c);
  reads(GroupNormArg.BETA, 4 * c);
  writes(GroupNormArg.Y, 4 * rows * c);
  if (keep !== Keep.Nothing) writes(GroupNormArg.XHAT, rowsKept(keep, rows, c, GroupNormArg.CODES));
  takesScratch(groupNormScratch(c));
}

/** GroupSums: sums[B,C] = Σ_p dy, products[B,C] = Σ_p dy·x̂. */
export const enum GroupSumsArg {
  DY,
  XHAT,
  SUMS,
  PRODUCTS,
  BATCH,
  P,
  C,
  KEEP,
  CODES,
}
export function groupSums(): void {
  const b = size(GroupSumsArg.BATCH);
  const c = size(GroupSumsArg.C);
  const rows = b * size(GroupSumsArg.P);
  reads(GroupSumsArg.DY, 4 * rows * c);
  reads(GroupSumsArg.XHAT, rowsKept(whole(GroupSumsArg.KEEP), rows, c, GroupSumsArg.CODES));
  writes(GroupSumsArg.SUMS, 4 * b * c);
  writes(GroupSumsArg.PRODUCTS, 4 * b * c);
  takesScratch(groupNormScratch(c));
}

/** GroupNormBackward: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)), g = dy·gamma, means over the group by SUMS and PRODUCTS. DX may equal DY. */
export const enum GroupNormBackwardArg {
  DY,
  XHAT,
  STATS,
  GAMMA,
  SUMS,
  PRODUCTS,
  DX,
  BATCH,
  P,
  C,
  GROUPS,
  KEEP,
  CODES,
}
export function groupNormBackward(): void {
  const b = size(GroupNormBackwardArg.BATCH);
  const c = size(GroupNormBackwardArg.C);
  const rows = b * size(GroupNormBackwardArg.P);
  reads(GroupNormBackwardArg.DY, 4 * rows * c);
  reads(GroupNormBackwardArg.XHAT, rowsKept(whole(GroupNormBackwardArg.KEEP), rows, c, GroupNormBackwardArg.CODES));
  reads(GroupNormBackwardArg.STATS, 8 * b * groups(GroupNormBackwardArg.GROUPS, c));
  reads(GroupNormBackwardArg.GAMMA, 4 * c);
  reads(GroupNormBackwardArg.SUMS, 4 * b * c);
  reads(GroupNormBackwardArg.PRODUCTS, 4 * b * c);
  writes(GroupNormBackwardArg.DX, 4 * rows * c);
  takesScratch(groupNormScratch(c));
}
