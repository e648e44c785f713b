/**
 * Products with weights in 12, 8 and 4 bits (layouts: abi/weights.ts), in whole numbers. A weight is a factor a row, its unit, times a whole number: its
 * code or, in 4 bits, the nearest to it in 127ths of the largest scale of its row. The other operand's rows are rounded to 14 bits (7 where the weight asks for it), 256 numbers (over 12 bits
 * 128) at a time, each such piece with a factor of its own:
 *
 *     c[m,n] += piece factor[m] · unit[n] · Σ_k rounded[m,k] · whole[n,k]           forward
 *     c[m,n] += piece factor[m] · Σ_k rounded[m,k] · whole[k,n]                     gradient: a[m,k]·unit[k] is what is rounded
 *
 * A sum over one piece is exact: 8191 · 127 · 256, 8191 · 1016 · 256 and 8191 · 2047 · 128 are below 2³¹. Pieces are added in f32, in index order, and begin
 * at multiples of their length in K, so the bits depend on nothing but the operands. Weights are decoded where they lie, in the packing step.
 */
import { Whole } from '../abi/tiles';
import { Coded, Encoding } from '../abi/weights';
import { packByteColumns, packByteRows } from './bytedots';
import { empty, panelRow, turn } from './gemm';
import { roundTo, toWhole, wholeBlock } from './wholeblock';

/** Parts of the largest scale of a row in 4 bits: its codes, up to 8 of them, stay exact. */
const PARTS: f32 = 127;
/** A row whose unit would be smaller counts as zero. */
const LEAST: f32 = 1e-30;
/** Bytes of a decoded row. */
const DECODED_ROW: usize = Whole.Columns << 1;

/** The weight at work. Every thread has an instance, so globals are its own. */
let encoding: i32 = 0;
let scales: usize = 0;
let codes: usize = 0;
/** Whether its codes are packed as they are, as bytes. */
let isBytes: bool = false;
/** Bytes from row to row of the codes and of the scales. */
let codeRow: usize = 0;
let scaleRow: usize = 0;

/** Chooses the weight w[O,K] that the products below read. */
export function openWeight(w: usize, kind: i32, o: i32, k: i32): void {
  encoding = kind == Encoding.Int8By7 ? Encoding.Int8 : kind;
  isBytes = roundTo(kind == Encoding.Int8By7 ? Coded.Bits7 : Coded.Bits, encoding == Encoding.Int8);
  scales = w;
  scaleRow = scaleRowBytes(kind, k);
  codes = w + scalesBytes(kind, o, k);
  codeRow = codeRowBytes(kind, k);
}

/** Bytes of the scales of one row, of all rows with what pads them, and of the codes of one row. */
export function scaleRowBytes(kind: i32, k: i32): usize {
  return kind == Encoding.Int4 ? (<usize>((k + Coded.Group4 - 1) / Coded.Group4)) << 2 : 4;
}
export function scalesBytes(kind: i32, o: i32, k: i32): usize {
  return (<usize>o * scaleRowBytes(kind, k) + 15) & ~15;
}
export function codeRowBytes(kind: i32, k: i32): usize {
  if (kind == Encoding.Int4) return (<usize>((k + Coded.Block4 - 1) / Coded.Block4)) << 4;
  if (kind == Encoding.Int12) return <usize>((k + Coded.Block12 - 1) / Coded.Block12) * Coded.Block12Bytes;
  return <usize>k;
}

/**
 * c[M,N] (+)= a[M,K] · bᵀ (+ bias), b being rows n0 … n0+N-1, columns k0 … k0+K-1 of the weight; k0 a multiple of Whole.Depth. Arguments as gemmNT's.
 */
export function gemmNTCoded(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  n0: i32,
  k0: i32,
  c: usize,
  ldc: usize,
  bias: usize,
  accumulate: i32,
  panel: usize,
): void {
  if (K <= 0) return empty(M, N, c, ldc, bias, accumulate);
  const depth = encoding == Encoding.Int12 ? Whole.Depth12 : Whole.Depth;
  for (let n = 0; n < N; n += Whole.Columns) {
    const nc = min<i32>(Whole.Columns, N - n);
    const at = (<usize>n) << 2;
    const columns = panel + Whole.ColumnsOffset;
    memory.fill(columns, 0, Whole.Columns << 2);
    units(n0 + n, nc, columns);
    for (let k = 0; k < K; k += depth) {
      const kc = min<i32>(depth, K - k);
      packRows(kc, nc, n0 + n, k0 + k, panel);
      wholeBlock(M, nc, kc, a + ((<usize>k) << 2), lda, 0, c + at, ldc, bias != 0 ? bias + at : 0, accumulate | i32(k > 0), panel);
    }
  }
}

/** c[M,N] (+)= a[M,K] · b, b being rows k0 … k0+K-1, columns n0 … n0+N-1 of the weight; k0 a multiple of Whole.Depth. Arguments as gemmNN's. */
export function gemmNNCoded(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  k0: i32,
  n0: i32,
  c: usize,
  ldc: usize,
  accumulate: i32,
  panel: usize,
): void {
  if (K <= 0) return empty(M, N, c, ldc, 0, accumulate);
  const depth = encoding == Encoding.Int12 ? Whole.Depth12 : Whole.Depth;
  const columns = panel + Whole.ColumnsOffset;
  for (let at: usize = 0; at < 4 * Whole.Columns; at += 16) v128.store(columns + at, f32x4.splat(1));
  const by = panel + Whole.UnitsOffset;
  for (let n = 0; n < N; n += Whole.Columns) {
    const nc = min<i32>(Whole.Columns, N - n);
    for (let k = 0; k < K; k += depth) {
      const kc = min<i32>(depth, K - k);
      units(k0 + k, kc, by);
      packColumns(kc, nc, k0 + k, n0 + n, panel);
      wholeBlock(M, nc, kc, a + ((<usize>k) << 2), lda, by, c + ((<usize>n) << 2), ldc, 0, accumulate | i32(k > 0), panel);
    }
  }
}

/** The units of `n` rows. */
function units(row: i32, n: i32, to: usize): void {
  if (encoding != Encoding.Int4) return memory.copy(to, scales + ((<usize>row) << 2), (<usize>n) << 2);
  for (let i = 0; i < n; i++) store<f32>(to + ((<usize>i) << 2), unit4(row + i));
}

/** The unit of a row in 4 bits. */
function unit4(row: i32): f32 {
  let at = scales + <usize>row * scaleRow;
  let most: f32 = 0;
  for (const end = at + scaleRow; at < end; at += 4) most = max(most, abs<f32>(load<f32>(at)));
  const unit: f32 = most / PARTS;
  return unit < LEAST ? 0 : unit;
}

/** Pairs of a row are as wide as floats: four rows at a time are decoded, and turned into the panels. Columns past the last repeat it. */
function packRows(kc: i32, nc: i32, row: i32, column: i32, panel: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && isBytes) return packByteRows(kc, nc, codes + <usize>row * codeRow + <usize>column, codeRow, panel);
  const r0 = panel + Whole.DecodedOffset;
  const r1 = r0 + DECODED_ROW;
  const r2 = r1 + DECODED_ROW;
  const r3 = r2 + DECODED_ROW;
  const end = row + nc - 1;
  const pairs = (kc + 1) >> 1;
  let to = panel;
  for (let n = 0; n < nc; n += 16) {
    const width = panelRow(nc - n);
    for (let at: usize = 0, j = row + n; at < width; at += 16, j += 4) {
      decode(min(j, end), column, kc, r0);
      decode(min(j + 1, end), column, kc, r1);
      decode(min(j + 2, end), column, kc, r2);
      decode(min(j + 3, end), column, kc, r3);
      turn(pairs, r0, r1, r2, r3, to + at, width);
    }
    to += <usize>pairs * width;
  }
}

/** Two rows at a time are decoded, and their numbers go side by side into the panels. What lies past the last row or column is zero. */
function packColumns(kc: i32, nc: i32, row: i32, column: i32, panel: usize): void {
  if (ASC_FEATURE_RELAXED_SIMD && isBytes) return packByteColumns(kc, nc, codes + <usize>row * codeRow + <usize>column, codeRow, panel);
  const r0 = panel + Whole.DecodedOffset;
  const r1 = r0 + DECODED_ROW;
  const pairs = <usize>((kc + 1) >> 1);
  memory.fill(r0, 0, 2 * DECODED_ROW);
  for (let k = 0; k < kc; k += 2) {
    decode(row + k, column, nc, r0);
    if (k + 1 < kc) decode(row + k + 1, column, nc, r1);
    else memory.fill(r1, 0, DECODED_ROW);
    for (let n = 0; n < nc; n += 16) {
      const width = panelRow(nc - n);
      const to = panel + ((<usize>n * pairs) << 2) + (<usize>k >> 1) * width;
      const at = (<usize>n) << 1;
      interleave(v128.load(r0 + at), v128.load(r1 + at), to);
      if (width == 64) interleave(v128.load(r0 + at, 16), v128.load(r1 + at, 16), to + 32);
    }
  }
}

/** a₀ b₀ a₁ b₁ … of twice eight words. */
@inline function interleave(a: v128, b: v128, to: usize): void {
  v128.store(to, v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11), 0);
  v128.store(to, v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15), 16);
}

/**
 * Whole numbers k … k+n-1 of a row, as i16, and a zero behind an odd number of them. With Int4 and Int12 those before the first multiple of 16 and after
 * the last come singly.
 */
function decode(row: i32, k: i32, n: i32, to: usize): void {
  const from = codes + <usize>row * codeRow;
  const end = k + n;
  if (n & 1) store<i16>(to + ((<usize>n) << 1), 0);
  if (encoding == Encoding.Int8) {
    for (; k + 16 <= end; k += 16) {
      const bytes = v128.load(from + <usize>k);
      v128.store(to, i16x8.extend_low_i8x16_s(bytes), 0);
      v128.store(to, i16x8.extend_high_i8x16_s(bytes), 16);
      to += 32;
    }
    for (; k < end; k++) {
      store<i16>(to, <i16>load<i8>(from + <usize>k));
      to += 2;
    }
  } else if (encoding == Encoding.Int12) decode12(from, k, end, to);
  else decode4(from, row, k, end, to);
}

function decode12(from: usize, k: i32, end: i32, to: usize): void {
  while (k < end) {
    const at = from + <usize>(k >> 4) * Coded.Block12Bytes;
    const i = <usize>(k & 15);
    if (i == 0 && k + 16 <= end) {
      const above = v128.load(at);
      const below = v128.load64_zero(at + 16);
      const low = i16x8.extend_low_i8x16_u(v128.and(below, i8x16.splat(15)));
      const high = i16x8.extend_low_i8x16_u(i8x16.shr_u(below, 4));
      v128.store(to, v128.or(i16x8.shl(i16x8.extend_low_i8x16_s(above), 4), low), 0);
      v128.store(to, v128.or(i16x8.shl(i16x8.extend_high_i8x16_s(above), 4), high), 16);
      k += 16;
      to += 32;
    } else {
      const low = (<i32>load<u8>(at + 16 + (i & 7)) >> (i & 8 ? 4 : 0)) & 15;
      store<i16>(to, <i16>(((<i32>load<i8>(at + i)) << 4) | low));
      k++;
      to += 2;
    }
  }
}

/** A code less 8, times its group's scale in units of the row, to the nearest whole number. */
function decode4(from: usize, row: i32, k: i32, end: i32, to: usize): void {
  const scale = scales + <usize>row * scaleRow;
  const unit = unit4(row);
  while (k < end) {
    const at = from + ((<usize>(k >> 5)) << 4);
    const high = k & 16 ? 4 : 0;
    const part: f32 = unit == 0 ? 0 : load<f32>(scale + ((<usize>(k >> 6)) << 2)) / unit;
    if ((k & 15) == 0 && k + 16 <= end) {
      const nibbles = i8x16.sub(v128.and(i8x16.shr_u(v128.load(at), high), i8x16.splat(15)), i8x16.splat(8));
      const factor = f32x4.splat(part);
      v128.store(to, whole8(i16x8.extend_low_i8x16_s(nibbles), factor), 0);
      v128.store(to, whole8(i16x8.extend_high_i8x16_s(nibbles), factor), 16);
      k += 16;
      to += 32;
    } else {
      const code = ((<i32>load<u8>(at + <usize>(k & 15)) >> high) & 15) - 8;
      store<i16>(to, <i16>nearest<f32>(<f32>code * part));
      k++;
      to += 2;
    }
  }
}

/** Eight words times `factor`, rounded. */
@inline function whole8(words: v128, factor: v128): v128 {
  return i16x8.narrow_i32x4_s(
    toWhole(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(words)), factor)),
    toWhole(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(words)), factor)),
  );
}
