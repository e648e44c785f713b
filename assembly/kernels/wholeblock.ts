/**
 * Products of whole numbers: rows of A rounded to 14 bits or to 7, the packed block of B in 16 (codedgemm.ts), exact sums in i32, f32 outside.
 * A sum of whole numbers is the same in any order, so any width of vector and any instruction gives its bits.
 */
import { Whole } from '../abi/tiles';
import { splitRows } from './bytedots';
import { clear, copyFloats, copyRows, panelRow } from './gemm';
import { alone, dot, finish, joined } from './wholesums';

/** The largest rounded number, of the weight at work: 8191, or 63. */
let largestWhole: f32 = 8191;
/** A row in which every number is smaller counts as zero: its factor's reciprocal would not be finite. */
const LEAST: f32 = 1e-30;
/** Whether the packed block is of bytes (bytedots.ts): of a weight in 8 bits, in builds that have the instruction. */
let isBytes: bool = false;

/** Rows are rounded to so many bits from here on, with the sign; `ofBytes`: the weight's numbers are bytes. True where they are packed as such. */
export function roundTo(bits: i32, ofBytes: bool): bool {
  largestWhole = <f32>((1 << (bits - 1)) - 1);
  isBytes = ASC_FEATURE_RELAXED_SIMD && ofBytes;
  return isBytes;
}

/** f32 bits of infinity: what is not smaller is no number, or infinite. */
const INFINITE: i32 = 0x7f800000;
/** 1.5·2²³: added to a float below 2²² it leaves the nearest whole number in the low bits, halves to even. */
const ROUNDING: i32 = 0x4b400000;

/**
 * c[M,nc] (+)= a[M,kc] · the packed block, whose columns' factors lie at Whole.ColumnsOffset. `by` f32[kc] or 0 multiplies a's columns before they
 * are rounded. `bias` f32[nc] or 0 is used where the sum starts, that is with `resume` = 0.
 */
export function wholeBlock(
  M: i32,
  nc: i32,
  kc: i32,
  a: usize,
  lda: usize,
  by: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  resume: i32,
  panel: usize,
): void {
  if (ASC_FEATURE_RELAXED_SIMD && isBytes) blockOf<u8>(M, nc, kc, a, lda, by, c, ldc, bias, resume, panel);
  else blockOf<i16>(M, nc, kc, a, lda, by, c, ldc, bias, resume, panel);
}

/** Whether a row of 14 bits lies as two of bytes. */
@inline function isSplit<T>(): bool {
  return sizeof<T>() == 1 && largestWhole > 63;
}

/** The same for a block of words, i16, or of bytes, u8. */
function blockOf<T>(
  M: i32,
  nc: i32,
  kc: i32,
  a: usize,
  lda: usize,
  by: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  resume: i32,
  panel: usize,
): void {
  const start = panel + Whole.StartOffset;
  const narrow = panel + Whole.NarrowOffset;
  const rounded = panel + Whole.RoundedOffset;
  const rows = panel + Whole.FactorsOffset;
  const columns = panel + Whole.ColumnsOffset;
  // A step of the inner loop takes four bytes of a column.
  const steps = sizeof<T>() == 1 ? (kc + 3) >> 2 : (kc + 1) >> 1;
  if (bias == 0) clear(start);
  for (let m0 = 0; m0 < M; m0 += Whole.Rows) {
    const mc = min<i32>(Whole.Rows, M - m0);
    const cm = c + <usize>m0 * ldc;
    roundRows(mc, kc, a + <usize>m0 * lda, lda, by, rounded, rows);
    if (sizeof<T>() == 1) splitRows(mc, kc, rounded, isSplit<T>(), panel + Whole.DecodedOffset);
    let p = panel;
    let n = 0;
    for (; n + 16 <= nc; n += 16) {
      const at = (<usize>n) << 2;
      multiply<T>(mc, steps, rounded, p, rows, columns + at, cm + at, ldc, resume ? 0 : bias != 0 ? bias + at : start);
      p += (<usize>steps) << 6;
    }
    if (n < nc) {
      // The last columns are worked on in a tile of their own, as wide as their panel.
      const width = nc - n;
      const at = (<usize>n) << 2;
      const row = panelRow(width);
      if (resume) copyRows(mc, width, cm + at, ldc, narrow, row);
      else if (bias != 0) {
        clear(start);
        copyFloats(width, bias + at, start);
      }
      if (width > 8) multiply<T>(mc, steps, rounded, p, rows, columns + at, narrow, row, resume ? 0 : start);
      else multiplyHalf<T>(mc, steps, rounded, p, rows, columns + at, narrow, row, resume ? 0 : start);
      copyRows(mc, width, narrow, row, cm + at, ldc);
    }
  }
}

/**
 * x[M,kc], its columns times by[kc] where that is not 0, to whole numbers of -8191 … 8191 (or -63 … 63) at `to` (i16, an odd row's last pair filled with 0) and a
 * factor a row: x ≈ factor·whole. A row with infinities or NaN gets the factor NaN.
 */
function roundRows(M: i32, kc: i32, x: usize, ldx: usize, by: usize, to: usize, factors: usize): void {
  const bytes = (<usize>kc) << 2;
  for (let m = 0; m < M; m++) {
    const bits = by == 0 ? largest(x, bytes) : largestBy(x, by, bytes);
    const most = reinterpret<f32>(bits);
    if (bits >= INFINITE || most < LEAST) {
      store<f32>(factors, bits >= INFINITE ? f32.NaN : 0);
      memory.fill(to, 0, (<usize>(kc + (kc & 1))) << 1);
    } else {
      store<f32>(factors, most / largestWhole);
      if (by == 0) roundRow(x, bytes, largestWhole / most, to);
      else roundRowBy(x, by, bytes, largestWhole / most, to);
      if (kc & 1) store<i16>(to + (bytes >> 1), 0);
    }
    x += ldx;
    to += Whole.Row;
    factors += 4;
  }
}

/** Bits of the largest |x|. */
function largest(x: usize, bytes: usize): i32 {
  const magnitude = i32x4.splat(0x7fffffff);
  let a = i32x4.splat(0);
  let b = a;
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    a = i32x4.max_s(a, v128.and(v128.load(x + i), magnitude));
    b = i32x4.max_s(b, v128.and(v128.load(x + i, 16), magnitude));
  }
  let most = largestLane(i32x4.max_s(a, b));
  for (; i < bytes; i += 4) most = max(most, load<i32>(x + i) & 0x7fffffff);
  return most;
}

/** Bits of the largest |x·by|. */
function largestBy(x: usize, by: usize, bytes: usize): i32 {
  const magnitude = i32x4.splat(0x7fffffff);
  let a = i32x4.splat(0);
  let b = a;
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    a = i32x4.max_s(a, v128.and(f32x4.mul(v128.load(x + i), v128.load(by + i)), magnitude));
    b = i32x4.max_s(b, v128.and(f32x4.mul(v128.load(x + i, 16), v128.load(by + i, 16)), magnitude));
  }
  let most = largestLane(i32x4.max_s(a, b));
  for (; i < bytes; i += 4) most = max(most, reinterpret<i32>(load<f32>(x + i) * load<f32>(by + i)) & 0x7fffffff);
  return most;
}

@inline function largestLane(v: v128): i32 {
  return max(max(i32x4.extract_lane(v, 0), i32x4.extract_lane(v, 1)), max(i32x4.extract_lane(v, 2), i32x4.extract_lane(v, 3)));
}

/** The nearest whole numbers, halves to even, of floats below 2²². */
@inline export function toWhole(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, i32x4.splat(ROUNDING)), i32x4.splat(ROUNDING));
}

@inline function round4(x: v128, inverse: v128): v128 {
  return toWhole(f32x4.mul(x, inverse));
}

@inline function round1(x: f32, inverse: f32): i16 {
  return <i16>(reinterpret<i32>(x * inverse + reinterpret<f32>(ROUNDING)) - ROUNDING);
}

/** to[i] = x[i]·inverse, rounded. */
function roundRow(x: usize, bytes: usize, inverse: f32, to: usize): void {
  const factor = f32x4.splat(inverse);
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    v128.store(to, i16x8.narrow_i32x4_s(round4(v128.load(x + i), factor), round4(v128.load(x + i, 16), factor)));
    to += 16;
  }
  for (; i < bytes; i += 4) {
    store<i16>(to, round1(load<f32>(x + i), inverse));
    to += 2;
  }
}

/** to[i] = x[i]·by[i]·inverse, rounded. */
function roundRowBy(x: usize, by: usize, bytes: usize, inverse: f32, to: usize): void {
  const factor = f32x4.splat(inverse);
  let i: usize = 0;
  for (; i + 32 <= bytes; i += 32) {
    const a = f32x4.mul(v128.load(x + i), v128.load(by + i));
    const b = f32x4.mul(v128.load(x + i, 16), v128.load(by + i, 16));
    v128.store(to, i16x8.narrow_i32x4_s(round4(a, factor), round4(b, factor)));
    to += 16;
  }
  for (; i < bytes; i += 4) {
    store<i16>(to, round1(load<f32>(x + i) * load<f32>(by + i), inverse));
    to += 2;
  }
}

/**
 * The inner loop: c[M,16] = start[16] (or c itself where `start` is 0) + factors·(a[M,K] · b[K,16]), two words or four bytes of each column side by side,
 * which a step takes. Two rows at once, or the two bytes of one; a last single row is worked on twice at once, and stored once.
 */
function multiply<T>(M: i32, steps: i32, a: usize, b: usize, rows: usize, columns: usize, c: usize, ldc: usize, start: usize): void {
  const sums = columns + Whole.ToSums;
  const split = isSplit<T>();
  const w0 = v128.load(columns, 0);
  const w1 = v128.load(columns, 16);
  const w2 = v128.load(columns, 32);
  const w3 = v128.load(columns, 48);
  const end = b + ((<usize>steps) << 6);
  for (let m = 0; m < M; m += split ? 1 : 2) {
    let a0 = a + <usize>m * Whole.Row;
    let a1 = split ? a0 + Whole.LowRow : m + 1 < M ? a0 + Whole.Row : a0;
    let s00 = i32x4.splat(0);
    let s01 = s00;
    let s02 = s00;
    let s03 = s00;
    let s10 = s00;
    let s11 = s00;
    let s12 = s00;
    let s13 = s00;
    let p = b;
    do {
      const b0 = v128.load(p, 0);
      const b1 = v128.load(p, 16);
      const b2 = v128.load(p, 32);
      const b3 = v128.load(p, 48);
      const x0 = v128.load32_splat(a0);
      s00 = dot<T>(x0, b0, s00);
      s01 = dot<T>(x0, b1, s01);
      s02 = dot<T>(x0, b2, s02);
      s03 = dot<T>(x0, b3, s03);
      const x1 = v128.load32_splat(a1);
      s10 = dot<T>(x1, b0, s10);
      s11 = dot<T>(x1, b1, s11);
      s12 = dot<T>(x1, b2, s12);
      s13 = dot<T>(x1, b3, s13);
      a0 += 4;
      a1 += 4;
      p += 64;
    } while (p < end);
    const to = c + <usize>m * ldc;
    const factor = rows + ((<usize>m) << 2);
    const upper = start != 0 ? start + 32 : 0;
    if (split) {
      finish(to, factor, start, joined(s00, s10, sums), joined(s01, s11, sums + 16), w0, w1);
      finish(to + 32, factor, upper, joined(s02, s12, sums + 32), joined(s03, s13, sums + 48), w2, w3);
      continue;
    }
    finish(to, factor, start, alone<T>(s00, sums), alone<T>(s01, sums + 16), w0, w1);
    finish(to + 32, factor, upper, alone<T>(s02, sums + 32), alone<T>(s03, sums + 48), w2, w3);
    if (m + 1 < M) {
      finish(to + ldc, factor + 4, start, alone<T>(s10, sums), alone<T>(s11, sums + 16), w0, w1);
      finish(to + ldc + 32, factor + 4, upper, alone<T>(s12, sums + 32), alone<T>(s13, sums + 48), w2, w3);
    }
  }
}

/** The same for a panel of eight columns, four rows at once: as many products for a load. */
function multiplyHalf<T>(M: i32, steps: i32, a: usize, b: usize, rows: usize, columns: usize, c: usize, ldc: usize, start: usize): void {
  const sums = columns + Whole.ToSums;
  const split = isSplit<T>();
  const w0 = v128.load(columns, 0);
  const w1 = v128.load(columns, 16);
  const end = b + ((<usize>steps) << 5);
  const last = M - 1;
  for (let m = 0; m < M; m += split ? 2 : 4) {
    let a0 = a + <usize>m * Whole.Row;
    let a1 = split ? a0 + Whole.LowRow : a + <usize>min(m + 1, last) * Whole.Row;
    let a2 = a + <usize>min(m + (split ? 1 : 2), last) * Whole.Row;
    let a3 = split ? a2 + Whole.LowRow : a + <usize>min(m + 3, last) * Whole.Row;
    let s00 = i32x4.splat(0);
    let s01 = s00;
    let s10 = s00;
    let s11 = s00;
    let s20 = s00;
    let s21 = s00;
    let s30 = s00;
    let s31 = s00;
    let p = b;
    do {
      const b0 = v128.load(p, 0);
      const b1 = v128.load(p, 16);
      const x0 = v128.load32_splat(a0);
      s00 = dot<T>(x0, b0, s00);
      s01 = dot<T>(x0, b1, s01);
      const x1 = v128.load32_splat(a1);
      s10 = dot<T>(x1, b0, s10);
      s11 = dot<T>(x1, b1, s11);
      const x2 = v128.load32_splat(a2);
      s20 = dot<T>(x2, b0, s20);
      s21 = dot<T>(x2, b1, s21);
      const x3 = v128.load32_splat(a3);
      s30 = dot<T>(x3, b0, s30);
      s31 = dot<T>(x3, b1, s31);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      p += 32;
    } while (p < end);
    const to = c + <usize>m * ldc;
    const factor = rows + ((<usize>m) << 2);
    if (split) {
      finish(to, factor, start, joined(s00, s10, sums), joined(s01, s11, sums + 16), w0, w1);
      if (m + 1 < M) finish(to + ldc, factor + 4, start, joined(s20, s30, sums), joined(s21, s31, sums + 16), w0, w1);
      continue;
    }
    finish(to, factor, start, alone<T>(s00, sums), alone<T>(s01, sums + 16), w0, w1);
    if (m + 1 < M) finish(to + ldc, factor + 4, start, alone<T>(s10, sums), alone<T>(s11, sums + 16), w0, w1);
    if (m + 2 < M) finish(to + 2 * ldc, factor + 8, start, alone<T>(s20, sums), alone<T>(s21, sums + 16), w0, w1);
    if (m + 3 < M) finish(to + 3 * ldc, factor + 12, start, alone<T>(s30, sums), alone<T>(s31, sums + 16), w0, w1);
  }
}
