/**
 * A codebook record: how a derivative is coded in 4 bits and decoded again. Byte offsets; 128 bytes in all.
 *
 *     0                 64           80           96     100    104    108
 *     | code by cell    | level low  | level high | scale| shift| flip |  zero
 *
 * Derivatives of activations are symmetric: f′(-x) = f′(x), or f′(-x) = 1 - f′(x). So cells divide |x|, and a negative x flips its code.
 * Cells are the leading bits of a float: 32 to an octave of v, narrow where v is small and the derivative steep.
 *
 * Forward: v = |x|·scale + shift; cell = min((bits(v) >> 18) - (bits(shift) >> 18), 63); code = cells[cell], ^ flip where x < 0.
 * NaN takes cell 0; ±∞ the last cell.
 * Backward: level = bf16 of the two byte planes at `code` (low byte plane first), dx = level·dy.
 */
export const enum Codebook {
  Cells = 0,
  LevelLow = 64,
  LevelHigh = 80,
  /** f32. */
  Scale = 96,
  /** f32, above 0. */
  Shift = 100,
  /** i32: 15 where f′(-x) = 1 - f′(x) (then level[15-c] = 1 - level[c] in spirit), 0 where f′ is even. */
  Flip = 104,
  Bytes = 128,
  /** Bits of a float below a cell's: 23 - log2(cells to an octave). */
  CellBits = 18,
}
