/** Group-wise quantisation of kept rows, as drawn in `abi/groups.ts`: what layer norm and attention share. */
import { Group } from '../abi/groups';
import { madd, sum4 } from '../engine/math';

/** Adding it to a small f32 leaves that number, rounded half to even, in the lowest bits. */
const ROUND: f32 = 12582912.0;
/** Steps below this have no reciprocal in f32; their group counts as constant. */
const SMALLEST_STEP: f32 = 1e-30;

@inline function bf16(bits: u32): f32 {
  return reinterpret<f32>(bits << 16);
}

/** The largest bf16 ≤ x, as its 16 bits; NaN stays NaN. */
@inline function bf16Down(x: f32): u32 {
  const bits = reinterpret<u32>(x);
  return select<u32>(0x7fc0, (bits + (<u32>(<i32>bits >> 31) >> 16)) >> 16, x != x);
}

/** The smallest bf16 ≥ x for x ≥ 0, as its 16 bits; NaN stays NaN. */
@inline function bf16Up(x: f32): u32 {
  return select<u32>(0x7fc0, (reinterpret<u32>(x) + 0xffff) >> 16, x != x);
}

/** Bytes of the headers of one group4 row of `c` channels; the codes start there. */
@inline export function group4HeadBytes(c: i32): usize {
  return <usize>(((c + Group.Size4 - 1) / Group.Size4) << 2);
}

/** Bytes of one group4 row of `c` channels. */
@inline export function group4RowBytes(c: i32): usize {
  return group4HeadBytes(c) + <usize>(((c + 31) >> 5) << 4);
}

/**
 * Writes the header of a group whose values span [low, high]. The minimum is rounded down and the step up, so that 16 levels
 * always reach both ends. A NaN in either end makes every value of the group decode as NaN.
 */
@inline function writeHeader4(header: usize, low: f32, high: f32): void {
  const minimum = bf16Down(low);
  let step = (high - bf16(minimum)) * <f32>(1.0 / 15.0);
  if (step < SMALLEST_STEP) step = 0;
  store<u32>(header, minimum | (bf16Up(step) << 16));
}

@inline export function minimum4(header: usize): f32 {
  return bf16(load<u16>(header));
}

@inline export function step4(header: usize): f32 {
  return bf16(load<u16>(header, 2));
}

/** 1 / step, 0 for a constant group. */
@inline export function inverse4(header: usize): f32 {
  const step = step4(header);
  return step == 0 ? 0 : 1 / step;
}

/** Adding it to v·inverse gives a number whose bits 8…11 are the code round((v - minimum)·inverse), to 1/256. */
@inline export function offset4(minimum: f32, inverse: f32): f32 {
  return <f32>49152.5 - minimum * inverse;
}

/** Eight codes in the high bytes of i16x8, from eight values. */
@inline export function codes4(a: v128, b: v128, inverse: v128, offset: v128, mask: v128): v128 {
  return i16x8.narrow_i32x4_u(v128.and(madd(a, inverse, offset), mask), v128.and(madd(b, inverse, offset), mask));
}

/** A block from its 32 codes, eight in each of a, b (low nibbles), c, d (high nibbles). */
@inline export function block4(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(v128.or(i16x8.shr_u(a, 8), i16x8.shr_u(c, 4)), v128.or(i16x8.shr_u(b, 8), i16x8.shr_u(d, 4)));
}

/** What cuts the code out. */
@inline export function mask4(): v128 {
  return i32x4.splat(0xf00);
}

/** The code of one value, by the same rule. */
@inline export function code4(x: f32, inverse: f32, offset: f32): u32 {
  return (reinterpret<u32>(x * inverse + offset) >> 8) & 15;
}

/** The headers of one row of x̂ = (x - mean)·rstd, whose extremes are those of x: x̂ is monotone in x, rounding included. */
export function writeHeaders4(x: usize, c: i32, mean: f32, rstd: f32, header: usize): void {
  for (; c >= 8; c -= Group.Size4) {
    // The last, overlapping, eight spare a group its tail.
    const last = x + ((<usize>(min(c, Group.Size4) - 8)) << 2);
    let l0 = v128.load(last);
    let l1 = v128.load(last, 16);
    let h0 = l0;
    let h1 = l1;
    for (; x + 32 < last; x += 64) {
      const a = v128.load(x);
      const b = v128.load(x, 16);
      const d = v128.load(x, 32);
      const e = v128.load(x, 48);
      l0 = f32x4.pmin(l0, f32x4.pmin(a, d));
      l1 = f32x4.pmin(l1, f32x4.pmin(b, e));
      h0 = f32x4.pmax(h0, f32x4.pmax(a, d));
      h1 = f32x4.pmax(h1, f32x4.pmax(b, e));
    }
    for (; x < last; x += 32) {
      const a = v128.load(x);
      const b = v128.load(x, 16);
      l0 = f32x4.pmin(l0, a);
      l1 = f32x4.pmin(l1, b);
      h0 = f32x4.pmax(h0, a);
      h1 = f32x4.pmax(h1, b);
    }
    x = last + 32;
    // Both at once: the largest is minus the smallest of what is negated.
    l0 = f32x4.pmin(l0, l1);
    h0 = f32x4.neg(f32x4.pmax(h0, h1));
    l0 = f32x4.pmin(v128.shuffle<f32>(l0, h0, 0, 1, 4, 5), v128.shuffle<f32>(l0, h0, 2, 3, 6, 7));
    l0 = f32x4.pmin(l0, v128.shuffle<f32>(l0, l0, 1, 0, 3, 2));
    writeHeader4(header, (f32x4.extract_lane(l0, 0) - mean) * rstd, (-f32x4.extract_lane(l0, 2) - mean) * rstd);
    header += 4;
  }
  if (c <= 0) return;
  let low = load<f32>(x);
  let high = low;
  for (let i = 1; i < c; i++) {
    low = min<f32>(low, load<f32>(x + ((<usize>i) << 2)));
    high = max<f32>(high, load<f32>(x + ((<usize>i) << 2)));
  }
  writeHeader4(header, (low - mean) * rstd, (high - mean) * rstd);
}

/** The first n of four elements (none where n <= 0), zeros after them. */
export function loadPart(at: usize, n: i32): v128 {
  let v = i32x4.splat(0);
  if (n > 0) v = v128.load32_zero(at);
  if (n > 1) v = v128.load32_lane(at, v, 1, 4);
  if (n > 2) v = v128.load32_lane(at, v, 2, 8);
  if (n > 3) v = v128.load32_lane(at, v, 3, 12);
  return v;
}

/** 0, or NaN where one of `c` values is NaN or infinite: the extremes alone would not say so. */
function nothing(x: usize, c: i32): f32 {
  const zero = f32x4.splat(0);
  let sum = zero;
  let i = 0;
  for (; i + 4 <= c; i += 4) sum = madd(v128.load(x + ((<usize>i) << 2)), zero, sum);
  sum = madd(loadPart(x + ((<usize>i) << 2), c - i), zero, sum);
  return sum4(sum) * 0;
}

/** One group4 row of the `c` values at `x`. A NaN or an infinity makes all of it NaN. */
export function encode4(x: usize, c: i32, row: usize): void {
  writeHeaders4(x, c, nothing(x, c), 1, row);
  const mask = mask4();
  let codes = row + group4HeadBytes(c);
  for (let i = 0; i < c; i += 32) {
    const scalar = inverse4(row);
    storeBlock4(x, c - i, f32x4.splat(scalar), f32x4.splat(offset4(minimum4(row), scalar)), mask, codes);
    if (i & 32) row += 4;
    x += 128;
    codes += 16;
  }
}

/** The block of `n` values at `x`, at most 32 of them; codes past them are 0. */
function storeBlock4(x: usize, n: i32, inverse: v128, offset: v128, mask: v128, codes: usize): void {
  if (n >= 32)
    return v128.store(
      codes,
      block4(
        codes4(v128.load(x), v128.load(x, 16), inverse, offset, mask),
        codes4(v128.load(x, 32), v128.load(x, 48), inverse, offset, mask),
        codes4(v128.load(x, 64), v128.load(x, 80), inverse, offset, mask),
        codes4(v128.load(x, 96), v128.load(x, 112), inverse, offset, mask),
      ),
    );
  const part = block4(
    codes4(loadPart(x, n), loadPart(x + 16, n - 4), inverse, offset, mask),
    codes4(loadPart(x + 32, n - 8), loadPart(x + 48, n - 12), inverse, offset, mask),
    codes4(loadPart(x + 64, n - 16), loadPart(x + 80, n - 20), inverse, offset, mask),
    codes4(loadPart(x + 96, n - 24), loadPart(x + 112, n - 28), inverse, offset, mask),
  );
  const lane = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const low = v128.and(i8x16.gt_s(i8x16.splat(<i8>n), lane), i8x16.splat(0x0f));
  const high = v128.andnot(i8x16.gt_s(i8x16.splat(<i8>(n - 16)), lane), i8x16.splat(0x0f));
  v128.store(codes, v128.and(part, v128.or(low, high)));
}

/** Bytes of the codes of a signed4 tensor of `groups` groups of `n`; the steps start there. */
@inline export function signed4CodeBytes(groups: i32, n: i32): usize {
  return <usize>groups * <usize>(((n + 31) >> 5) << 4);
}

/** One signed4 group: the codes of `n` values, and their step: the smallest bf16 ≥ max|x| / 7.5. Zeros, NaN and infinity as in `encode8`. */
export function encodeSigned4(x: usize, n: i32, codes: usize, step: usize): void {
  const top = largest(x, n);
  const bits = bf16Up(top * <f32>(1.0 / 7.5) + (top - top));
  store<u16>(step, bits);
  const inverse = f32x4.splat(top == 0 ? 0 : 1 / bf16(bits));
  // 7.5 above the lowest level.
  const offset = f32x4.splat(49160);
  const mask = mask4();
  for (; n > 0; n -= 32) {
    storeBlock4(x, n, inverse, offset, mask, codes);
    x += 128;
    codes += 16;
  }
}

/** The `n` values of one signed4 group; up to 31 floats past the end are written. */
export function decodeSigned4(codes: usize, n: i32, step: usize, out: usize): void {
  const factor = bf16(load<u16>(step));
  const s = f32x4.splat(factor);
  const lowest = f32x4.splat(<f32>-7.5 * factor);
  for (; n > 0; n -= 32) {
    const block = v128.load(codes);
    decode16(v128.and(block, i8x16.splat(15)), lowest, s, out);
    decode16(i8x16.shr_u(block, 4), lowest, s, out + 64);
    codes += 16;
    out += 128;
  }
}

/** Four values from the four codes in the low bytes of `codes`. */
@inline function values4(codes: v128, minimum: v128, step: v128): v128 {
  return madd(f32x4.convert_i32x4_u(codes), step, minimum);
}

/**
 * Decodes channels [from, to) of a group4 row of `c` channels, `from` a multiple of 64. Channel `from` goes to `out`;
 * up to 31 floats past the end are written.
 */
export function decode4(row: usize, c: i32, from: i32, to: i32, out: usize): void {
  let header = row + ((<usize>(from / Group.Size4)) << 2);
  let codes = row + group4HeadBytes(c) + (<usize>from >> 1);
  let minimum = f32x4.splat(0);
  let step = minimum;
  for (let i = from; i < to; i += 32) {
    if ((i & (Group.Size4 - 1)) == 0) {
      minimum = f32x4.splat(minimum4(header));
      step = f32x4.splat(step4(header));
      header += 4;
    }
    const block = v128.load(codes);
    decode16(v128.and(block, i8x16.splat(15)), minimum, step, out);
    decode16(i8x16.shr_u(block, 4), minimum, step, out + 64);
    codes += 16;
    out += 128;
  }
}

/** Value `i` of a short block of a row: `header` is its group's, `block` its 16 bytes. */
export function value4(header: usize, block: usize, i: i32): f32 {
  const code = (<u32>load<u8>(block + <usize>(i & 15)) >> ((<u32>(i >> 4)) << 2)) & 15;
  return minimum4(header) + step4(header) * <f32>code;
}

@inline function decode16(codes: v128, minimum: v128, step: v128, out: usize): void {
  const low = i16x8.extend_low_i8x16_u(codes);
  const high = i16x8.extend_high_i8x16_u(codes);
  v128.store(out, values4(i32x4.extend_low_i16x8_u(low), minimum, step));
  v128.store(out, values4(i32x4.extend_high_i16x8_u(low), minimum, step), 16);
  v128.store(out, values4(i32x4.extend_low_i16x8_u(high), minimum, step), 32);
  v128.store(out, values4(i32x4.extend_high_i16x8_u(high), minimum, step), 48);
}

/** Bytes of the codes of a group8 tensor of `rows` rows of `c` channels; the scales start there. */
@inline export function group8CodeBytes(rows: i32, c: i32): usize {
  return (<usize>rows * <usize>c + 15) & ~15;
}

@inline function scaled8(x: usize, inverse: v128, round: v128): v128 {
  return i32x4.sub(madd(v128.load(x), inverse, round), round);
}

/** max|x| of `n` values; 0 where that is under 1e-30, NaN where one is NaN. */
function largest(x: usize, n: i32): f32 {
  // As integers, magnitudes keep their order and NaN stands above them all.
  let a = i32x4.splat(0);
  let b = a;
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    a = i32x4.max_s(a, f32x4.abs(v128.load(x + ((<usize>i) << 2))));
    b = i32x4.max_s(b, f32x4.abs(v128.load(x + ((<usize>i) << 2), 16)));
  }
  a = i32x4.max_s(a, b);
  a = i32x4.max_s(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  a = i32x4.max_s(a, v128.shuffle<f32>(a, a, 1, 0, 3, 2));
  let top = f32x4.extract_lane(a, 0);
  for (; i < n; i++) top = max<f32>(top, abs<f32>(load<f32>(x + ((<usize>i) << 2))));
  return top < SMALLEST_STEP ? 0 : top;
}

/**
 * Writes round(x / scale) of `n` values as int8 and their scale, the smallest bf16 ≥ max|x| / 127, at `scale`: rounding it up first costs a
 * wider step, never a wrong one. 0 where every |x| is under 1e-30; NaN where an x is NaN or infinite, so that all of them decode as NaN.
 */
export function encode8(x: usize, n: i32, codes: usize, scale: usize): void {
  const top = largest(x, n);
  // top - top is 0, or NaN where top is infinite.
  const bits = bf16Up(top * <f32>(1.0 / 127.0) + (top - top));
  store<u16>(scale, bits);
  const inverse: f32 = top == 0 ? 0 : 1 / bf16(bits);
  const inv = f32x4.splat(inverse);
  const round = f32x4.splat(ROUND);
  let i = 0;
  for (; i + 16 <= n; i += 16) {
    const low = i16x8.narrow_i32x4_s(scaled8(x, inv, round), scaled8(x + 16, inv, round));
    const high = i16x8.narrow_i32x4_s(scaled8(x + 32, inv, round), scaled8(x + 48, inv, round));
    v128.store(codes, i8x16.narrow_i16x8_s(low, high));
    x += 64;
    codes += 16;
  }
  for (; i < n; i++) {
    store<i8>(codes, <i8>(reinterpret<i32>(load<f32>(x) * inverse + ROUND) - reinterpret<i32>(ROUND)));
    x += 4;
    codes += 1;
  }
}

/** Row `m` of `rows`, of `c` values in `groups` groups, into a group8 tensor. */
export function encodeRow8(x: usize, m: i32, rows: i32, c: i32, groups: i32, kept: usize): void {
  const n = c / groups;
  let codes = kept + <usize>m * <usize>c;
  let scale = kept + group8CodeBytes(rows, c) + ((<usize>(m * groups)) << 1);
  for (let g = 0; g < groups; g++) {
    encode8(x, n, codes, scale);
    x += (<usize>n) << 2;
    codes += n;
    scale += 2;
  }
}

/** Groups [from, to) of row `m` of such a tensor. */
export function decodeRow8(kept: usize, m: i32, rows: i32, c: i32, groups: i32, from: i32, to: i32, out: usize): void {
  const n = c / groups;
  let codes = kept + <usize>m * <usize>c + <usize>(from * n);
  let scale = kept + group8CodeBytes(rows, c) + ((<usize>(m * groups + from)) << 1);
  for (let g = from; g < to; g++) {
    decode8(codes, n, scale, out);
    out += (<usize>n) << 2;
    codes += n;
    scale += 2;
  }
}

/** The `n` values of one group8 group, whose scale is at `scale`. */
export function decode8(codes: usize, n: i32, scale: usize, out: usize): void {
  const factor = bf16(load<u16>(scale));
  const s = f32x4.splat(factor);
  let i = 0;
  for (; i + 16 <= n; i += 16) {
    const block = v128.load(codes);
    const low = i16x8.extend_low_i8x16_s(block);
    const high = i16x8.extend_high_i8x16_s(block);
    v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), s));
    v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), s), 16);
    v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), s), 32);
    v128.store(out, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), s), 48);
    codes += 16;
    out += 64;
  }
  for (; i < n; i++) {
    store<f32>(out, <f32>load<i8>(codes) * factor);
    codes += 1;
    out += 4;
  }
}
