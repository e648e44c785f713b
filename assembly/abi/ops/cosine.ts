/** Attention by cosines: what follows from weights alone. */
import { reads, size, writes } from '../bounds.ts';

/**
 * PositionTable: y[(2·WH-1)·(2·WW-1), HEADS] = 16·sigmoid(W2·relu(W1·(dy, dx) + B1)), a bias for each distance of two places of a window WH × WW
 * (Swin V2, arXiv 2111.09883). W1 [HIDDEN, 2], B1 [HIDDEN], W2 [HEADS, HIDDEN]. A distance d counts as sign(d)·log8(1 + 8·|d|/(n - 1)) for a window of n
 * (TALL, WIDE; 1 counts as 2) that the weights were trained with.
 */
export const enum PositionTableArg {
  Y,
  W1,
  B1,
  W2,
  HIDDEN,
  HEADS,
  WH,
  WW,
  TALL,
  WIDE,
}
export function positionTable(): void {
  const hidden = size(PositionTableArg.HIDDEN);
  const heads = size(PositionTableArg.HEADS);
  reads(PositionTableArg.W1, 8 * hidden);
  reads(PositionTableArg.B1, 4 * hidden);
  reads(PositionTableArg.W2, 4 * heads * hidden);
  writes(PositionTableArg.Y, 4 * (2 * size(PositionTableArg.WH) - 1) * (2 * size(PositionTableArg.WW) - 1) * heads);
  size(PositionTableArg.TALL);
  size(PositionTableArg.WIDE);
}

/** HeadFactors: y[HEADS·D] = exp(min(x[h], ln 100)), D times for each head h. */
export const enum HeadFactorsArg {
  X,
  Y,
  HEADS,
  D,
}
export function headFactors(): void {
  const heads = size(HeadFactorsArg.HEADS);
  reads(HeadFactorsArg.X, 4 * heads);
  writes(HeadFactorsArg.Y, 4 * heads * size(HeadFactorsArg.D));
}
