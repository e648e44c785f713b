/**
 * Products over weights in 8 bits by dot products of four bytes, in builds with relaxed SIMD. The same whole numbers as by pairs of words (wholeblock.ts), and so
 * the same bits: a rounded number x of 14 bits goes as two bytes, x + 8192 = 128·high + low, one of 7 bits as one:
 *
 *     Σ x·w = 128·Σ high·w + Σ low·w - 8192·Σ w         14 bits
 *     Σ x·w = Σ (x + 64)·w - 64·Σ w                      7 bits
 *
 * The instruction leaves to the machine what bytes above 127 in its second operand are; there are none. Pairs of products are below 2¹⁵, sums below 2³¹.
 */
import { Whole } from '../abi/tiles';
import { panelRow, turn } from './gemm';
import { finish } from './wholesums';

/** From the high bytes of a row to its low ones: no multiple of what falls into one cache set. */
const LOW: usize = Whole.Row >> 1;

/** Four products a lane, added to `sum`. */
@inline function dot4(w: v128, x: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, sum);
}

/** Packs rows of codes, `row` bytes apart, whose first is at `codes`: four numbers of a column side by side. Columns past the last repeat it. */
export function packByteRows(kc: i32, nc: i32, codes: usize, row: usize, panel: usize): void {
  const quads = (kc + 3) >> 2;
  const last = codes + <usize>(nc - 1) * row;
  const spare = panel + Whole.DecodedOffset;
  let to = panel;
  for (let n = 0; n < nc; n += 16) {
    const width = panelRow(nc - n);
    for (let at: usize = 0, from = codes + <usize>n * row; at < width; at += 16, from += 4 * row) {
      const r0 = whole4(min(from, last), kc, spare);
      const r1 = whole4(min(from + row, last), kc, spare + Whole.Depth);
      const r2 = whole4(min(from + 2 * row, last), kc, spare + 2 * Whole.Depth);
      const r3 = whole4(min(from + 3 * row, last), kc, spare + 3 * Whole.Depth);
      turn(quads, r0, r1, r2, r3, to + at, width);
    }
    to += <usize>quads * width;
  }
  sumColumns(nc, quads, panel);
}

/** A row whose length is a multiple of four: itself, or a copy with zeros behind it. */
function whole4(from: usize, kc: i32, spare: usize): usize {
  if ((kc & 3) == 0) return from;
  store<u32>(spare + <usize>(kc & ~3), 0);
  memory.copy(spare, from, <usize>kc);
  return spare;
}

/** The same where the codes' rows are the block's: four rows at a time, zeros past the last. */
export function packByteColumns(kc: i32, nc: i32, codes: usize, row: usize, panel: usize): void {
  const quads = (kc + 3) >> 2;
  const spare = panel + Whole.DecodedOffset;
  for (let n = 0; n < nc; n += 16) {
    const width = panelRow(nc - n);
    const columns = min<i32>(16, nc - n);
    let to = panel + ((<usize>n * <usize>quads) << 2);
    for (let k = 0, from = codes + <usize>n; k < kc; k += 4, from += 4 * row) {
      const rest = kc - k;
      const r0 = bytes16(from, columns, 1, spare);
      const r1 = bytes16(from + row, columns, rest - 1, spare);
      const r2 = bytes16(from + 2 * row, columns, rest - 2, spare);
      const r3 = bytes16(from + 3 * row, columns, rest - 3, spare);
      const low = v128.shuffle<i8>(r0, r1, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      const low2 = v128.shuffle<i8>(r2, r3, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      v128.store(to, v128.shuffle<i16>(low, low2, 0, 8, 1, 9, 2, 10, 3, 11), 0);
      v128.store(to, v128.shuffle<i16>(low, low2, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      if (width == 64) {
        const high = v128.shuffle<i8>(r0, r1, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        const high2 = v128.shuffle<i8>(r2, r3, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        v128.store(to, v128.shuffle<i16>(high, high2, 0, 8, 1, 9, 2, 10, 3, 11), 32);
        v128.store(to, v128.shuffle<i16>(high, high2, 4, 12, 5, 13, 6, 14, 7, 15), 48);
      }
      to += width;
    }
  }
  sumColumns(nc, quads, panel);
}

/** The first `n` of sixteen bytes, zeros behind them; all zero where `isThere` is not above 0. */
@inline function bytes16(from: usize, n: i32, isThere: i32, spare: usize): v128 {
  if (isThere <= 0) return i32x4.splat(0);
  if (n == 16) return v128.load(from);
  v128.store(spare, i32x4.splat(0));
  memory.copy(spare, from, <usize>n);
  return v128.load(spare);
}

/** Σ w of every column of the packed block, to Whole.SumsOffset. */
function sumColumns(nc: i32, quads: i32, panel: usize): void {
  const ones = i8x16.splat(1);
  let p = panel;
  let to = panel + Whole.SumsOffset;
  for (let n = 0; n < nc; n += 16) {
    const width = panelRow(nc - n);
    for (let at: usize = 0; at < width; at += 16) {
      let sum = i32x4.splat(0);
      for (let q: usize = 0; q < <usize>quads; q++) sum = dot4(v128.load(p + q * width + at), ones, sum);
      v128.store(to + at, sum);
    }
    p += <usize>quads * width;
    to += 64;
  }
}

/** Rows of rounded numbers (i16) become bytes where they lie: the high ones first, the low ones LOW behind them; or, of 7 bits, one each. */
export function splitRows(M: i32, kc: i32, rounded: usize, isExact: bool, spare: usize): void {
  const mask = i8x16.splat(127);
  const offset = i16x8.splat(isExact ? 8192 : 64);
  for (let m = 0; m < M; m++) {
    const row = rounded + <usize>m * Whole.Row;
    for (let i: usize = 0; i < <usize>kc; i += 16) {
      const a = i16x8.add(v128.load(row + 2 * i), offset);
      const b = i16x8.add(v128.load(row + 2 * i, 16), offset);
      if (isExact) {
        v128.store(row + i, v128.and(i8x16.narrow_i16x8_u(i16x8.shr_u(a, 7), i16x8.shr_u(b, 7)), mask));
        const words = i16x8.splat(127);
        v128.store(spare + i, i8x16.narrow_i16x8_u(v128.and(a, words), v128.and(b, words)));
      } else v128.store(row + i, v128.and(i8x16.narrow_i16x8_u(a, b), mask));
    }
    if (isExact) memory.copy(row + LOW, spare, (<usize>kc + 15) & ~15);
  }
}

/** What 14 bits come to, of the sums over both bytes. */
@inline function whole14(high: v128, low: v128, sums: usize): v128 {
  return i32x4.sub(i32x4.add(i32x4.shl(high, 7), low), i32x4.shl(v128.load(sums), 13));
}

/** What 7 bits come to. */
@inline function whole7(sum: v128, sums: usize): v128 {
  return i32x4.sub(sum, i32x4.shl(v128.load(sums), 6));
}

/**
 * c[M,16] = start[16] (or c itself where `start` is 0) + factors·(a[M,4·quads] · b[4·quads,16]): two rows at once of 7 bits, the two bytes of one row of 14.
 * A last single row is worked on twice at once, and stored once.
 */
export function multiplyBytes(
  M: i32,
  quads: i32,
  a: usize,
  b: usize,
  rows: usize,
  columns: usize,
  sums: usize,
  c: usize,
  ldc: usize,
  start: usize,
  isExact: bool,
): void {
  const w0 = v128.load(columns, 0);
  const w1 = v128.load(columns, 16);
  const w2 = v128.load(columns, 32);
  const w3 = v128.load(columns, 48);
  const end = b + ((<usize>quads) << 6);
  const upper = start != 0 ? start + 32 : 0;
  for (let m = 0; m < M; m += isExact ? 1 : 2) {
    let a0 = a + <usize>m * Whole.Row;
    let a1 = isExact ? a0 + LOW : m + 1 < M ? a0 + Whole.Row : a0;
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
      s00 = dot4(b0, x0, s00);
      s01 = dot4(b1, x0, s01);
      s02 = dot4(b2, x0, s02);
      s03 = dot4(b3, x0, s03);
      const x1 = v128.load32_splat(a1);
      s10 = dot4(b0, x1, s10);
      s11 = dot4(b1, x1, s11);
      s12 = dot4(b2, x1, s12);
      s13 = dot4(b3, x1, s13);
      a0 += 4;
      a1 += 4;
      p += 64;
    } while (p < end);
    const to = c + <usize>m * ldc;
    const factor = rows + ((<usize>m) << 2);
    if (isExact) {
      finish(to, factor, start, whole14(s00, s10, sums), whole14(s01, s11, sums + 16), w0, w1);
      finish(to + 32, factor, upper, whole14(s02, s12, sums + 32), whole14(s03, s13, sums + 48), w2, w3);
    } else {
      finish(to, factor, start, whole7(s00, sums), whole7(s01, sums + 16), w0, w1);
      finish(to + 32, factor, upper, whole7(s02, sums + 32), whole7(s03, sums + 48), w2, w3);
      if (m + 1 < M) {
        finish(to + ldc, factor + 4, start, whole7(s10, sums), whole7(s11, sums + 16), w0, w1);
        finish(to + ldc + 32, factor + 4, upper, whole7(s12, sums + 32), whole7(s13, sums + 48), w2, w3);
      }
    }
  }
}

/** The same for a panel of eight columns: four rows at once of 7 bits, two of 14. */
export function multiplyBytesHalf(
  M: i32,
  quads: i32,
  a: usize,
  b: usize,
  rows: usize,
  columns: usize,
  sums: usize,
  c: usize,
  ldc: usize,
  start: usize,
  isExact: bool,
): void {
  const w0 = v128.load(columns, 0);
  const w1 = v128.load(columns, 16);
  const end = b + ((<usize>quads) << 5);
  const last = M - 1;
  for (let m = 0; m < M; m += isExact ? 2 : 4) {
    let a0 = a + <usize>m * Whole.Row;
    let a1 = isExact ? a0 + LOW : a + <usize>min(m + 1, last) * Whole.Row;
    let a2 = a + <usize>min(m + (isExact ? 1 : 2), last) * Whole.Row;
    let a3 = isExact ? a2 + LOW : a + <usize>min(m + 3, last) * Whole.Row;
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
      s00 = dot4(b0, x0, s00);
      s01 = dot4(b1, x0, s01);
      const x1 = v128.load32_splat(a1);
      s10 = dot4(b0, x1, s10);
      s11 = dot4(b1, x1, s11);
      const x2 = v128.load32_splat(a2);
      s20 = dot4(b0, x2, s20);
      s21 = dot4(b1, x2, s21);
      const x3 = v128.load32_splat(a3);
      s30 = dot4(b0, x3, s30);
      s31 = dot4(b1, x3, s31);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      p += 32;
    } while (p < end);
    const to = c + <usize>m * ldc;
    const factor = rows + ((<usize>m) << 2);
    if (isExact) {
      finish(to, factor, start, whole14(s00, s10, sums), whole14(s01, s11, sums + 16), w0, w1);
      if (m + 1 < M) finish(to + ldc, factor + 4, start, whole14(s20, s30, sums), whole14(s21, s31, sums + 16), w0, w1);
    } else {
      finish(to, factor, start, whole7(s00, sums), whole7(s01, sums + 16), w0, w1);
      if (m + 1 < M) finish(to + ldc, factor + 4, start, whole7(s10, sums), whole7(s11, sums + 16), w0, w1);
      if (m + 2 < M) finish(to + 2 * ldc, factor + 8, start, whole7(s20, sums), whole7(s21, sums + 16), w0, w1);
      if (m + 3 < M) finish(to + 3 * ldc, factor + 12, start, whole7(s30, sums), whole7(s31, sums + 16), w0, w1);
    }
  }
}
