/**
 * Places `count` elements of a weight, converting to f32: element `start + j` of the file's row-major [n0,n1,n2] tensor goes to
 * dst[i0·s0 + i1·s1 + i2·s2]. `dtype` 0 f32, 1 f16, 2 bf16. Returns how many were not finite.
 */
export function place(src: usize, dtype: i32, start: u32, count: u32, dst: usize, n1: u32, n2: u32, s0: u32, s1: u32, s2: u32): u32 {
  return 0;
}
