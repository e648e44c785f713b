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
import { dot4 } from './wholesums';

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

/** Rows of rounded numbers (i16) become bytes where they lie: the high ones first, the low ones Whole.LowRow behind them; or, of 7 bits, one each. */
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
    if (isExact) memory.copy(row + Whole.LowRow, spare, (<usize>kc + 15) & ~15);
  }
}
