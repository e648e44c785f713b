/** A factor and a number to add for each channel. */
import { mayRead, reads, size, writes } from '../bounds.ts';

/** Affine: y[M,C] = x[M,C]·scale[C] + shift[C]. SCALE may be 0 (ones), SHIFT too (zeros). Y may equal X. */
export const enum AffineArg { X, SCALE, SHIFT, Y, M, C }
export function affine(): void {
  const m = size(AffineArg.M);
  const c = size(AffineArg.C);
  reads(AffineArg.X, 4 * m * c);
  mayRead(AffineArg.SCALE, 4 * c);
  mayRead(AffineArg.SHIFT, 4 * c);
  writes(AffineArg.Y, 4 * m * c);
}
