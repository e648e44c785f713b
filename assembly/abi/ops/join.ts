/** Parts of an axis: put next to each other, taken out, put back. What lies before the axis counts OUTER, lengths are in floats, axes after it included. */
import { between, demand, mayRead, MOST_PRODUCT, reads, size, whole, writes } from '../bounds.ts';

/** Most operands of one Concat. */
export const enum Join {
  Most = 8,
}

/** Concat: y[OUTER, ΣN] = the rows of X0[OUTER,N0], X1[OUTER,N1], …, one after the other. Xi = 0 has Ni = 0. */
export const enum ConcatArg {
  X0,
  X1,
  X2,
  X3,
  X4,
  X5,
  X6,
  X7,
  Y,
  OUTER,
  N0,
  N1,
  N2,
  N3,
  N4,
  N5,
  N6,
  N7,
}
/** Floats in a row of an operand: none where it is absent. */
function rowOf(x: i32, n: i32): number {
  return whole(x) === 0 ? between(n, 0, 0) : size(n);
}
export function concat(): void {
  const outer = size(ConcatArg.OUTER);
  const n0 = rowOf(ConcatArg.X0, ConcatArg.N0);
  const n1 = rowOf(ConcatArg.X1, ConcatArg.N1);
  const n2 = rowOf(ConcatArg.X2, ConcatArg.N2);
  const n3 = rowOf(ConcatArg.X3, ConcatArg.N3);
  const n4 = rowOf(ConcatArg.X4, ConcatArg.N4);
  const n5 = rowOf(ConcatArg.X5, ConcatArg.N5);
  const n6 = rowOf(ConcatArg.X6, ConcatArg.N6);
  const n7 = rowOf(ConcatArg.X7, ConcatArg.N7);
  mayRead(ConcatArg.X0, 4 * outer * n0);
  mayRead(ConcatArg.X1, 4 * outer * n1);
  mayRead(ConcatArg.X2, 4 * outer * n2);
  mayRead(ConcatArg.X3, 4 * outer * n3);
  mayRead(ConcatArg.X4, 4 * outer * n4);
  mayRead(ConcatArg.X5, 4 * outer * n5);
  mayRead(ConcatArg.X6, 4 * outer * n6);
  mayRead(ConcatArg.X7, 4 * outer * n7);
  writes(ConcatArg.Y, 4 * outer * (n0 + n1 + n2 + n3 + n4 + n5 + n6 + n7));
}

/** Slice: y[OUTER,COUNT] = floats FROM … FROM+COUNT-1 of each row of x[OUTER,ROW]. */
export const enum SliceArg {
  X,
  Y,
  OUTER,
  ROW,
  FROM,
  COUNT,
}
export function slice(): void {
  const outer = size(SliceArg.OUTER);
  const row = size(SliceArg.ROW);
  const count = size(SliceArg.COUNT);
  demand(between(SliceArg.FROM, 0, MOST_PRODUCT) + count <= row);
  reads(SliceArg.X, 4 * outer * row);
  writes(SliceArg.Y, 4 * outer * count);
}

/** SliceBackward: dx[OUTER,ROW] = dy[OUTER,COUNT] from float FROM of each row on and 0 elsewhere, + acc[OUTER,ROW]. ACC may be 0 or equal DX. */
export const enum SliceBackwardArg {
  DY,
  ACC,
  DX,
  OUTER,
  ROW,
  FROM,
  COUNT,
}
export function sliceBackward(): void {
  const outer = size(SliceBackwardArg.OUTER);
  const row = size(SliceBackwardArg.ROW);
  const count = size(SliceBackwardArg.COUNT);
  demand(between(SliceBackwardArg.FROM, 0, MOST_PRODUCT) + count <= row);
  reads(SliceBackwardArg.DY, 4 * outer * count);
  mayRead(SliceBackwardArg.ACC, 4 * outer * row);
  writes(SliceBackwardArg.DX, 4 * outer * row);
}
