/** Where sums of whole numbers go: f32, times the factors of their row and their columns. */

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
