/**
 * Sums of whole numbers, by pairs of words (T = i16) or by dot products of four bytes (T = u8, in builds with relaxed SIMD; bytedots.ts draws how numbers lie), and
 * where they go: f32, times the factors of their row and their columns.
 */

/** Four products a lane of bytes, added to `sum`; those of x are 0 … 127. */
@inline export function dot4(w: v128, x: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, sum);
}

/** The products of what lies side by side in one column, added to `sum`. */
@inline export function dot<T>(x: v128, w: v128, sum: v128): v128 {
  if (sizeof<T>() == 1) return dot4(w, x, sum);
  return i32x4.add(sum, i32x4.dot_i16x8_s(w, x));
}

/** What a sum of words, or of bytes of 7 bits, comes to; `sums`: Σ w by column. */
@inline export function alone<T>(sum: v128, sums: usize): v128 {
  if (sizeof<T>() == 1) return i32x4.sub(sum, i32x4.shl(v128.load(sums), 6));
  return sum;
}

/** What the sums over both bytes of 14 bits come to. */
@inline export function joined(high: v128, low: v128, sums: usize): v128 {
  return i32x4.sub(i32x4.add(i32x4.shl(high, 7), low), i32x4.shl(v128.load(sums), 13));
}

/** from + sum·(row·column). */
@inline function scaled(from: usize, sum: v128, row: v128, column: v128): v128 {
  return f32x4.add(v128.load(from), f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(row, column)));
}

/** Eight sums of one row to their place, added to what lies at `start`, or there where that is 0. */
@inline export function finish(c: usize, factor: usize, start: usize, s0: v128, s1: v128, w0: v128, w1: v128): void {
  const from = start != 0 ? start : c;
  const row = v128.load32_splat(factor);
  const y0 = scaled(from, s0, row, w0);
  const y1 = scaled(from + 16, s1, row, w1);
  v128.store(c, y0, 0);
  v128.store(c, y1, 16);
}
