/** Kept inputs of layers that learn. */
import { Keep } from '../keep.ts';
import { demand, reads, rowsKept, size, whole, writes } from '../bounds.ts';

/** Bytes of the rows in f32, and of their copy. */
let whole32: number = 0;
let coded: number = 0;

/** The sizes, from ROWS to BITS. */
function copied(at: i32): void {
  const rows = size(at);
  const c = size(at + 1);
  const bits = whole(at + 3);
  demand(bits === 4 || bits === 8);
  whole32 = 4 * rows * c;
  coded = rowsKept(bits === 4 ? Keep.Group4 : Keep.Group8, rows, c, at + 2);
}

/**
 * Quantize: x[ROWS,C] as group8 (abi/groups.ts) in GROUPS groups a row where BITS = 8, as group4 rows where BITS = 4 (GROUPS is not read;
 * a NaN or an infinity makes its whole row NaN).
 */
export const enum QuantizeArg {
  X,
  Y,
  ROWS,
  C,
  GROUPS,
  BITS,
}
export function quantize(): void {
  copied(QuantizeArg.ROWS);
  reads(QuantizeArg.X, whole32);
  writes(QuantizeArg.Y, coded);
}

/** Dequantize: y[ROWS,C] from it. */
export const enum DequantizeArg {
  X,
  Y,
  ROWS,
  C,
  GROUPS,
  BITS,
}
export function dequantize(): void {
  copied(DequantizeArg.ROWS);
  reads(DequantizeArg.X, coded);
  writes(DequantizeArg.Y, whole32);
}
