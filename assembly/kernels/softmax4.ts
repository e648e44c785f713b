/**
 * Attention probabilities kept in 4 bits, softmax4 of abi/groups.ts: p = code²/Σ code² over its row, code = round(15·√(e/max e)). Squares give
 * small probabilities finer steps (half the error of even ones), and the row's own sum takes the place of a scale.
 *
 * A tile of m rows passes through m·T bytes of scratch, one a code, which are then packed: rows need not begin on a block.
 */
import { madd } from '../engine/math';

/** Bytes of `n` packed codes. */
@inline export function packedBytes(n: i32): usize {
  return <usize>(((n + 31) >> 5) << 4);
}

/** Codes of four exponentials, i32. */
@inline function code4(e: v128, factor: v128, half: v128): v128 {
  return i32x4.trunc_sat_f32x4_u(madd(f32x4.sqrt(e), factor, half));
}

/**
 * One row of `n` exponentials, the largest 1, as a byte each. `total` is their sum: where it is NaN all codes are 0. Up to 15 bytes past the row
 * and 60 bytes past `e` are touched, the former written.
 */
export function encodeRow(e: usize, n: i32, total: f32, codes: usize): void {
  const factor = f32x4.splat(15 + (total - total));
  const half = f32x4.splat(0.5);
  for (; n > 0; n -= 16) {
    const low = i16x8.narrow_i32x4_s(code4(v128.load(e), factor, half), code4(v128.load(e, 16), factor, half));
    const high = i16x8.narrow_i32x4_s(code4(v128.load(e, 32), factor, half), code4(v128.load(e, 48), factor, half));
    v128.store(codes, i8x16.narrow_i16x8_u(low, high));
    e += 64;
    codes += 16;
  }
}

/** Two codes to a byte. What lies past the `n` codes becomes 0; 32 bytes there must be free. */
export function packCodes(codes: usize, n: i32, kept: usize): void {
  v128.store(codes + n, i64x2.splat(0));
  v128.store(codes + n, i64x2.splat(0), 16);
  for (; n > 0; n -= 32) {
    v128.store(kept, v128.or(v128.load(codes), i16x8.shl(v128.load(codes, 16), 4)));
    codes += 32;
    kept += 16;
  }
}

/** `m` rows of `n` probabilities from their packed codes, row stride `stride`, zeros after each; `codes` as above. */
export function decodeRows(kept: usize, m: i32, n: i32, codes: usize, p: usize, stride: usize): void {
  const count = m * n;
  for (let i = 0; i < count; i += 32) {
    const block = v128.load(kept + (<usize>i >> 1));
    v128.store(codes + i, v128.and(block, i8x16.splat(15)));
    v128.store(codes + i, i8x16.shr_u(block, 4), 16);
  }
  for (; m > 0; m--) {
    decodeRow(codes, n, p, p + stride);
    codes += n;
    p += stride;
  }
}

function decodeRow(codes: usize, n: i32, p: usize, end: usize): void {
  let sums = i32x4.splat(0);
  let i = 0;
  for (; i + 16 <= n; i += 16) {
    const c = v128.load(codes + i);
    const low = i16x8.extend_low_i8x16_u(c);
    const high = i16x8.extend_high_i8x16_u(c);
    sums = i32x4.add(sums, i32x4.add(i32x4.dot_i16x8_s(low, low), i32x4.dot_i16x8_s(high, high)));
  }
  let sum = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  for (; i < n; i++) {
    const c = <i32>load<u8>(codes + i);
    sum += c * c;
  }
  const share: f32 = 1 / <f32>sum;
  const s = f32x4.splat(share);
  for (i = 0; i + 16 <= n; i += 16) {
    const c = v128.load(codes + i);
    const low = i16x8.extmul_low_i8x16_u(c, c);
    const high = i16x8.extmul_high_i8x16_u(c, c);
    v128.store(p, f32x4.mul(f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(low)), s));
    v128.store(p, f32x4.mul(f32x4.convert_i32x4_u(i32x4.extend_high_i16x8_u(low)), s), 16);
    v128.store(p, f32x4.mul(f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(high)), s), 32);
    v128.store(p, f32x4.mul(f32x4.convert_i32x4_u(i32x4.extend_high_i16x8_u(high)), s), 48);
    p += 64;
  }
  for (; i < n; i++, p += 4) {
    const c = <i32>load<u8>(codes + i);
    // 0 · (1/0) is NaN.
    store<f32>(p, <f32>(c * c) * share);
  }
  for (; p < end; p += 4) store<f32>(p, 0);
}
