/** Products of values of one shape. */
import { reads, size, writes } from '../bounds.ts';

/** Multiply: y[N] = a[N]·b[N]. Y may equal A or B. */
export const enum MultiplyArg {
  A,
  B,
  Y,
  N,
}
export function multiply(): void {
  const n = size(MultiplyArg.N);
  reads(MultiplyArg.A, 4 * n);
  reads(MultiplyArg.B, 4 * n);
  writes(MultiplyArg.Y, 4 * n);
}
