/**
 * A codebook record: how a derivative is coded in 4 bits and decoded again. Byte offsets; 128 bytes in all.
 *
 *     0                 64            80            96     100    104   108
 *     | code by cell    | level low   | level high  | scale | shift | flip |
 *
 * Forward: cell = clamp(floor(x·scale + shift), 0, 63); code = cells[cell].
 * Backward: level = bf16 of the two byte planes at `code` (low byte plane first), dx = level·dy.
 */
export const enum Codebook {
  Cells = 0,
  LevelLow = 64,
  LevelHigh = 80,
  /** f32 cells per unit of x. */
  Scale = 96,
  /** f32 cell number of x = 0. */
  Shift = 100,
  Bytes = 128,
}
