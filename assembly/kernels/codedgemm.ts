/** Weights in 12, 8 and 4 bits (layouts: abi/weights.ts), read where they lie: decoded to f32 in the GEMM's packing step. */
import { Coded, Encoding } from '../abi/weights';
import { Gemm } from '../abi/tiles';
import { block, empty, panelRow, turn } from './gemm';

/** The weight at work. Every thread has an instance, so globals are its own. */
let encoding: i32 = 0;
let scales: usize = 0;
let codes: usize = 0;
/** Bytes from row to row of the codes and of the scales. */
let codeRow: usize = 0;
let scaleRow: usize = 0;

/** Chooses the weight w[O,K] that the products below read. */
export function openWeight(w: usize, kind: i32, o: i32, k: i32): void {
  encoding = kind;
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
 * c[M,N] (+)= a[M,K] · bᵀ (+ bias), b being rows n0 … n0+N-1, columns k0 … k0+K-1 of the weight. Otherwise gemmNT: the same sums in the
 * same order, so the same bits as with the decoded weight.
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
  for (let n = 0; n < N; n += Gemm.Columns) {
    const nc = min<i32>(Gemm.Columns, N - n);
    const at = (<usize>n) << 2;
    for (let k = 0; k < K; k += Gemm.Depth) {
      const kc = min<i32>(Gemm.Depth, K - k);
      packRows(kc, nc, n0 + n, k0 + k, panel);
      block(M, nc, kc, a + ((<usize>k) << 2), lda, c + at, ldc, bias != 0 ? bias + at : 0, accumulate | i32(k > 0), panel);
    }
  }
}

/** c[M,N] (+)= a[M,K] · b, b being rows k0 … k0+K-1, columns n0 … n0+N-1 of the weight. Otherwise gemmNN. */
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
  for (let n = 0; n < N; n += Gemm.Columns) {
    const nc = min<i32>(Gemm.Columns, N - n);
    for (let k = 0; k < K; k += Gemm.Depth) {
      const kc = min<i32>(Gemm.Depth, K - k);
      packColumns(kc, nc, k0 + k, n0 + n, panel);
      block(M, nc, kc, a + ((<usize>k) << 2), lda, c + ((<usize>n) << 2), ldc, 0, accumulate | i32(k > 0), panel);
    }
  }
}

/** Four rows at a time are decoded into the place that the narrow tile takes later: 4 × 256 floats, and turned into the panels. */
function packRows(kc: i32, nc: i32, row: i32, column: i32, panel: usize): void {
  const r0 = panel + Gemm.TileOffset;
  const r1 = r0 + (Gemm.Depth << 2);
  const r2 = r1 + (Gemm.Depth << 2);
  const r3 = r2 + (Gemm.Depth << 2);
  const end = row + nc - 1;
  let to = panel;
  for (let n = 0; n < nc; n += Gemm.Panel) {
    const width = panelRow(nc - n);
    for (let at: usize = 0, j = row + n; at < width; at += 16, j += 4) {
      decode(min(j, end), column, kc, r0);
      decode(min(j + 1, end), column, kc, r1);
      decode(min(j + 2, end), column, kc, r2);
      decode(min(j + 3, end), column, kc, r3);
      turn(kc, r0, r1, r2, r3, to + at, width);
    }
    to += <usize>kc * width;
  }
}

/** Panel by panel: sixteen numbers of a row are a line of it. Columns past the last are zero. */
function packColumns(kc: i32, nc: i32, row: i32, column: i32, panel: usize): void {
  let to = panel;
  for (let n = 0; n < nc; n += Gemm.Panel) {
    const width = panelRow(nc - n);
    const count = min<i32>(Gemm.Panel, nc - n);
    if (count < Gemm.Panel) memory.fill(to, 0, <usize>kc * width);
    for (let k = 0; k < kc; k++) {
      decode(row + k, column + n, count, to);
      to += width;
    }
  }
}

/** Numbers k … k+n-1 of a row, as f32. With Int4 and Int12 those before the first multiple of 16 and after the last come singly. */
function decode(row: i32, k: i32, n: i32, to: usize): void {
  const from = codes + <usize>row * codeRow;
  const scale = scales + <usize>row * scaleRow;
  const end = k + n;
  if (encoding == Encoding.Int8) {
    const factor = v128.load32_splat(scale);
    for (; k + 16 <= end; k += 16) {
      widen(v128.load(from + <usize>k), factor, to);
      to += 64;
    }
    for (; k < end; k++) {
      store<f32>(to, load<f32>(scale) * <f32>load<i8>(from + <usize>k));
      to += 4;
    }
    return;
  }
  if (encoding == Encoding.Int12) {
    const factor = v128.load32_splat(scale);
    while (k < end) {
      const at = from + <usize>(k >> 4) * Coded.Block12Bytes;
      const i = <usize>(k & 15);
      if (i == 0 && k + 16 <= end) {
        widen12(v128.load(at), v128.load64_zero(at + 16), factor, to);
        k += 16;
        to += 64;
      } else {
        const low = (<i32>load<u8>(at + 16 + (i & 7)) >> (i & 8 ? 4 : 0)) & 15;
        store<f32>(to, load<f32>(scale) * <f32>(((<i32>load<i8>(at + i)) << 4) | low));
        k++;
        to += 4;
      }
    }
    return;
  }
  while (k < end) {
    const at = from + ((<usize>(k >> 5)) << 4);
    const high = k & 16 ? 4 : 0;
    const group = scale + ((<usize>(k >> 6)) << 2);
    if ((k & 15) == 0 && k + 16 <= end) {
      const nibbles = v128.and(i8x16.shr_u(v128.load(at), high), i8x16.splat(15));
      widen(i8x16.sub(nibbles, i8x16.splat(8)), v128.load32_splat(group), to);
      k += 16;
      to += 64;
    } else {
      const code = (<i32>load<u8>(at + <usize>(k & 15)) >> high) & 15;
      store<f32>(to, load<f32>(group) * <f32>(code - 8));
      k++;
      to += 4;
    }
  }
}

/** Sixteen bytes as floats, each times its lane of `factor`. */
@inline function widen(bytes: v128, factor: v128, to: usize): void {
  widenWords(i16x8.extend_low_i8x16_s(bytes), i16x8.extend_high_i8x16_s(bytes), factor, to);
}

/** The same of an Int12 block: the signed bytes above, the halves of eight bytes below. */
@inline function widen12(above: v128, below: v128, factor: v128, to: usize): void {
  const low = i16x8.extend_low_i8x16_u(v128.and(below, i8x16.splat(15)));
  const high = i16x8.extend_low_i8x16_u(i8x16.shr_u(below, 4));
  widenWords(
    v128.or(i16x8.shl(i16x8.extend_low_i8x16_s(above), 4), low),
    v128.or(i16x8.shl(i16x8.extend_high_i8x16_s(above), 4), high),
    factor,
    to,
  );
}

/** Twice eight words as floats. */
@inline function widenWords(low: v128, high: v128, factor: v128, to: usize): void {
  v128.store(to, f32x4.mul(factor, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low))), 0);
  v128.store(to, f32x4.mul(factor, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low))), 16);
  v128.store(to, f32x4.mul(factor, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high))), 32);
  v128.store(to, f32x4.mul(factor, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high))), 48);
}
