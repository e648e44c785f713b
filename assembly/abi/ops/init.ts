/** What happens to weights before the first step. */
import { align } from '../sizes.ts';
import { between, mayRead, mayWrite, MOST_PRODUCT, reads, size, takesScratch, takesState, weightBytes, writes } from '../bounds.ts';

/** ResizePositions: the weights of one row and one column of the old grid, f64. */
export function resizePositionsScratch(h0: number, w0: number): number {
  return align(8 * (h0 + w0), 128);
}

/**
 * FoldBatchNorm, in place: f = gamma/√(var+EPS); w ·= f for its channel, b = beta + (b - mean)·f.
 * w is [O, K] (DEPTHWISE = 0) or [K, O] (DEPTHWISE = 1). GAMMA may be 0 (ones), BETA too (zeros), and B, of a layer without a bias. MEAN and VAR both 0: f = gamma, a layer scale.
 * Of a coded weight (ENCODING) the scales are multiplied.
 */
export const enum FoldBatchNormArg {
  W,
  B,
  GAMMA,
  BETA,
  MEAN,
  VAR,
  O,
  K,
  EPS,
  DEPTHWISE,
  ENCODING,
}
export function foldBatchNorm(): void {
  const o = size(FoldBatchNormArg.O);
  writes(FoldBatchNormArg.W, weightBytes(FoldBatchNormArg.ENCODING, o, size(FoldBatchNormArg.K)));
  mayWrite(FoldBatchNormArg.B, 4 * o);
  mayRead(FoldBatchNormArg.GAMMA, 4 * o);
  mayRead(FoldBatchNormArg.BETA, 4 * o);
  mayRead(FoldBatchNormArg.MEAN, 4 * o);
  mayRead(FoldBatchNormArg.VAR, 4 * o);
  between(FoldBatchNormArg.DEPTHWISE, 0, 1);
}

/**
 * MergeBranch: a convolution and its batch norm, added to the filter and bias of the one that stands for several: f = gamma/√(var+EPS);
 * w[o,t,i] += g·f·x[o,t,i], b[o] += g·(beta - mean·f). w is [O, R·R, I] (DEPTHWISE = 0) or [R·R, O] (DEPTHWISE = 1, I = 1), R odd. X has the S × S taps
 * in the middle, S odd, laid out as w is; X = 0 is the identity, 1 at the middle tap of channel o mod I. g is SCALE (absent: 1), TAKEN = 1: less than
 * nothing. Absent of the norm: gamma is 1, beta and mean 0, the variance such that f = gamma.
 */
export const enum MergeBranchArg {
  W,
  B,
  X,
  GAMMA,
  BETA,
  MEAN,
  VAR,
  SCALE,
  O,
  I,
  R,
  S,
  EPS,
  DEPTHWISE,
  TAKEN,
}
export function mergeBranch(): void {
  const o = size(MergeBranchArg.O);
  const i = size(MergeBranchArg.I);
  const r = size(MergeBranchArg.R);
  const s = between(MergeBranchArg.S, 1, r);
  writes(MergeBranchArg.W, 4 * o * i * r * r);
  writes(MergeBranchArg.B, 4 * o);
  mayRead(MergeBranchArg.X, 4 * o * i * s * s);
  mayRead(MergeBranchArg.GAMMA, 4 * o);
  mayRead(MergeBranchArg.BETA, 4 * o);
  mayRead(MergeBranchArg.MEAN, 4 * o);
  mayRead(MergeBranchArg.VAR, 4 * o);
  mayRead(MergeBranchArg.SCALE, 4 * o);
  between(MergeBranchArg.DEPTHWISE, 0, 1);
  between(MergeBranchArg.TAKEN, 0, 1);
}

/** Standardise, in place: w[O, K] of each o less its mean, over √(variance + EPS). */
export const enum StandardiseArg {
  W,
  O,
  K,
  EPS,
}
export function standardise(): void {
  writes(StandardiseArg.W, 4 * size(StandardiseArg.O) * size(StandardiseArg.K));
}

/**
 * ResizePositions: y[PREFIX + H·W, C] from x[PREFIX + H0·W0, C]: PREFIX rows copied, the grid resampled bicubically
 * (a = -0.75, half-pixel centres; ANTIALIAS = 1 widens the filter when shrinking and uses a = -0.5, as PyTorch does).
 */
export const enum ResizePositionsArg {
  X,
  Y,
  PREFIX,
  H0,
  W0,
  H,
  WIDTH,
  C,
  ANTIALIAS,
}
export function resizePositions(): void {
  const prefix = between(ResizePositionsArg.PREFIX, 0, MOST_PRODUCT);
  const h0 = size(ResizePositionsArg.H0);
  const w0 = size(ResizePositionsArg.W0);
  const c = size(ResizePositionsArg.C);
  reads(ResizePositionsArg.X, 4 * (prefix + h0 * w0) * c);
  writes(ResizePositionsArg.Y, 4 * (prefix + size(ResizePositionsArg.H) * size(ResizePositionsArg.WIDTH)) * c);
  between(ResizePositionsArg.ANTIALIAS, 0, 1);
  takesScratch(resizePositionsScratch(h0, w0));
}

/** Normal: y[N] = SCALE·z, z standard normal numbers of stream (Initial, NUMBER) under STATE's seed, one a counter from 0. */
export const enum NormalArg {
  Y,
  N,
  NUMBER,
  SCALE,
  STATE,
}
export function normal(): void {
  writes(NormalArg.Y, 4 * size(NormalArg.N));
  takesState(NormalArg.STATE);
}
