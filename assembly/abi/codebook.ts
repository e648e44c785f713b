/**
 * A codebook record: how a derivative is coded in 4 bits and decoded again. Byte offsets; 80 bytes in all.
 *
 *     0              32           48            64     68     72     76
 *     | code by cell | level low  | level high  | scale| shift| flip | origin
 *
 * Most derivatives of activations are symmetric: f′(-x) = f′(x), or f′(-x) = 1 - f′(x). There cells divide |x|, and a negative x flips its
 * code; origin is 0. Others (ELU, SELU, Mish) are not: there cells divide x itself, from origin on; flip is 0.
 * Cells are the leading bits of a float, 16 to an octave of v: narrow where v is small and the derivative steep. With this freedom
 * 32 cells come within a few percent of the best code there is.
 *
 * Forward, origin = 0: v = |x|·scale + shift; cell = min((bits(v) >> 19) - (bits(shift) >> 19), 31); code = cells[cell], ^ flip where x < 0.
 * Forward, origin > 0: v = max(x·scale + shift, origin); cell = min((bits(v) >> 19) - (bits(origin) >> 19), 31); code = cells[cell].
 * NaN takes the last cell, and ±∞ the first or the last.
 *
 * A worked case, ELU, whose f′ is e^x up to 0 and 1 from there on: scale -3, shift 4, origin 4. x = 2 gives v = max(-2, 4) = 4, cell 0, whose
 * level is 1. x = -1 gives v = 7: 4 to 8 is an octave of 16 cells, so 7 lies in the 12th, whose level is some 0.37.
 * Backward: level = bf16 of the two byte planes at `code` (low byte plane first), dx = level·dy.
 */
export const enum Codebook {
  Cells = 0,
  LevelLow = 32,
  LevelHigh = 48,
  /** f32. */
  Scale = 64,
  /** f32; above 0 where cells divide |x|. */
  Shift = 68,
  /** i32: 15 where f′(-x) = 1 - f′(x), 0 where f′ is even. */
  Flip = 72,
  /** f32: 0 where cells divide |x|, else the least v. */
  Origin = 76,
  Bytes = 80,
  /** Cells in all, and the bits of a float below a cell's: 23 - log2(cells to an octave). */
  CellCount = 32,
  CellBits = 19,
}
