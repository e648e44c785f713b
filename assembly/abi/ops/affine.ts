/** A factor and a number to add for each channel, and those of a batch norm. */
import { mayRead, reads, size, writes } from '../bounds.ts';

/** Affine: y[M,C] = x[M,C]·scale[C] + shift[C]. SCALE may be 0 (ones), SHIFT too (zeros). Y may equal X. */
export const enum AffineArg {
  X,
  SCALE,
  SHIFT,
  Y,
  M,
  C,
}
export function affine(): void {
  const m = size(AffineArg.M);
  const c = size(AffineArg.C);
  reads(AffineArg.X, 4 * m * c);
  mayRead(AffineArg.SCALE, 4 * c);
  mayRead(AffineArg.SHIFT, 4 * c);
  writes(AffineArg.Y, 4 * m * c);
}

/** BatchNormTerms: scale[C] = gamma/√(var + EPS), shift[C] = beta - mean·scale. GAMMA may be 0 (ones), BETA too (zeros). */
export const enum BatchNormTermsArg {
  SCALE,
  SHIFT,
  GAMMA,
  BETA,
  MEAN,
  VAR,
  C,
  EPS,
}
export function batchNormTerms(): void {
  const c = size(BatchNormTermsArg.C);
  writes(BatchNormTermsArg.SCALE, 4 * c);
  writes(BatchNormTermsArg.SHIFT, 4 * c);
  mayRead(BatchNormTermsArg.GAMMA, 4 * c);
  mayRead(BatchNormTermsArg.BETA, 4 * c);
  reads(BatchNormTermsArg.MEAN, 4 * c);
  reads(BatchNormTermsArg.VAR, 4 * c);
}
