/**
 * A codebook record: how a derivative is coded in 4 bits and decoded again. Byte offsets; 80 bytes in all.
 *
 *     0              32           48            64     68     72     76
 *     | code by cell | level low  | level high  | scale| shift| flip | zero
 *
 * Derivatives of activations are symmetric: f′(-x) = f′(x), or f′(-x) = 1 - f′(x). So cells divide |x|, and a negative x flips its code.
 * Cells are the leading bits of a float, 16 to an octave of v: narrow where v is small and the derivative steep. With this freedom
 * 32 cells come within a few percent of the best code there is.
 *
 * Forward: v = |x|·scale + shift; cell = min((bits(v) >> 19) - (bits(shift) >> 19), 31); code = cells[cell], ^ flip where x < 0.
 * NaN and ±∞ take the last cell.
 * Backward: level = bf16 of the two byte planes at `code` (low byte plane first), dx = level·dy.
 */
export const enum Codebook {
  Cells = 0,
  LevelLow = 32,
  LevelHigh = 48,
  /** f32. */
  Scale = 64,
  /** f32, above 0. */
  Shift = 68,
  /** i32: 15 where f′(-x) = 1 - f′(x), 0 where f′ is even. */
  Flip = 72,
  Bytes = 80,
  /** Cells in all, and the bits of a float below a cell's: 23 - log2(cells to an octave). */
  CellCount = 32,
  CellBits = 19,
}
