import { Gemm } from '../abi/tiles';
import { madd } from '../engine/math';

/**
 * SGEMM over row-major operands, any M, N, K; lda, ldb, ldc in bytes; every pointer 4-byte aligned or better.
 * `accumulate` = 0: c = …; 1: c += …. `bias` f32[N] or 0 is added once. `panel` is at least GEMM_SCRATCH bytes, 16-byte aligned.
 * c overlaps no operand. The sum over k is in index order whatever the tiling, so the bits depend on nothing but the operands.
 *
 * B is copied, a block of 256·128 at a time, into panels [N/16][k][16], so that the inner loop reads it in a straight line; A is read where
 * it lies (TN turns a block of it first). The three products differ in that copying alone and share one inner loop. The blocking is Goto and
 * van de Geijn's, "Anatomy of high-performance matrix multiplication" (2008); 2×16 is what fits x86-64's fifteen usable vector registers.
 */
export const GEMM_SCRATCH: i32 = Gemm.ScratchBytes;

/** c[M,N] (+)= a[M,K] · b[N,K]ᵀ (+ bias). */
export function gemmNT(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  accumulate: i32,
  panel: usize,
): void {
  if (bias != 0 && accumulate) {
    addRow(M, N, c, ldc, bias);
    bias = 0;
  }
  if (K <= 0) return empty(M, N, c, ldc, bias, accumulate);
  for (let n0 = 0; n0 < N; n0 += Gemm.Columns) {
    const nc = min<i32>(Gemm.Columns, N - n0);
    for (let k0 = 0; k0 < K; k0 += Gemm.Depth) {
      const kc = min<i32>(Gemm.Depth, K - k0);
      packRows(kc, nc, b + <usize>n0 * ldb + ((<usize>k0) << 2), ldb, panel);
      const from = bias != 0 ? bias + ((<usize>n0) << 2) : 0;
      block(M, nc, kc, a + ((<usize>k0) << 2), lda, c + ((<usize>n0) << 2), ldc, from, accumulate | i32(k0 > 0), panel, panel);
    }
  }
}

/** c[M,N] (+)= a[M,K] · b[K,N]. */
export function gemmNN(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  accumulate: i32,
  panel: usize,
): void {
  if (K <= 0) return empty(M, N, c, ldc, 0, accumulate);
  for (let n0 = 0; n0 < N; n0 += Gemm.Columns) {
    const nc = min<i32>(Gemm.Columns, N - n0);
    for (let k0 = 0; k0 < K; k0 += Gemm.Depth) {
      const kc = min<i32>(Gemm.Depth, K - k0);
      packColumns(kc, nc, b + <usize>k0 * ldb + ((<usize>n0) << 2), ldb, panel);
      block(M, nc, kc, a + ((<usize>k0) << 2), lda, c + ((<usize>n0) << 2), ldc, 0, accumulate | i32(k0 > 0), panel, panel);
    }
  }
}

/** c[M,N] (+)= a[K,M]ᵀ · b[K,N]. */
export function gemmTN(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  accumulate: i32,
  panel: usize,
): void {
  if (K <= 0) return empty(M, N, c, ldc, 0, accumulate);
  const rows = panel + Gemm.TransposedOffset;
  for (let n0 = 0; n0 < N; n0 += Gemm.Columns) {
    const nc = min<i32>(Gemm.Columns, N - n0);
    for (let k0 = 0; k0 < K; k0 += Gemm.Depth) {
      const kc = min<i32>(Gemm.Depth, K - k0);
      packColumns(kc, nc, b + <usize>k0 * ldb + ((<usize>n0) << 2), ldb, panel);
      for (let m0 = 0; m0 < M; m0 += Gemm.Rows) {
        const mc = min<i32>(Gemm.Rows, M - m0);
        transpose(kc, mc, a + <usize>k0 * lda + ((<usize>m0) << 2), lda, rows);
        block(mc, nc, kc, rows, TRANSPOSED_ROW, c + <usize>m0 * ldc + ((<usize>n0) << 2), ldc, 0, accumulate | i32(k0 > 0), panel, panel);
      }
    }
  }
}

/** Bytes from row to row of the turned block of A: four floats over 256, so that a column of it does not fall into one cache set. */
const TRANSPOSED_ROW: usize = (Gemm.Depth + 4) << 2;

/** c[M,nc] (+)= a[M,kc] · the block at `packed`. `bias` is used where the sum starts, that is with `resume` = 0. `panel` is scratch beside the block. */
export function block(
  M: i32,
  nc: i32,
  kc: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  resume: i32,
  packed: usize,
  panel: usize,
): void {
  const start = panel + Gemm.StartOffset;
  const narrow = panel + Gemm.TileOffset;
  if (bias == 0) clear(start);
  for (let m0 = 0; m0 < M; m0 += Gemm.Rows) {
    const mc = min<i32>(Gemm.Rows, M - m0);
    const am = a + <usize>m0 * lda;
    const cm = c + <usize>m0 * ldc;
    let p = packed;
    let n = 0;
    for (; n + Gemm.Panel <= nc; n += Gemm.Panel) {
      const at = (<usize>n) << 2;
      multiply(mc, kc, am, lda, p, cm + at, ldc, resume ? 0 : bias != 0 ? bias + at : start);
      p += (<usize>kc) << 6;
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
      if (width > 8) multiply(mc, kc, am, lda, p, narrow, row, resume ? 0 : start);
      else multiplyHalf(mc, kc, am, lda, p, narrow, row, resume ? 0 : start);
      copyRows(mc, width, narrow, row, cm + at, ldc);
    }
  }
}

/** Bytes from k to k in a panel: sixteen columns, or eight where the last panel needs no more. */
@inline export function panelRow(columns: i32): usize {
  return columns > 8 ? 64 : 32;
}

/**
 * The inner loop: c[M,16] = start[16] (or c itself where `start` is 0) + a[M,K] · b[K,16].
 * A last single row is worked on twice at once, which stores the same bits twice.
 */
function multiply(M: i32, K: i32, a: usize, lda: usize, b: usize, c: usize, ldc: usize, start: usize): void {
  for (let m = 0; m < M; m += 2) {
    let a0 = a + <usize>m * lda;
    let a1 = m + 1 < M ? a0 + lda : a0;
    const c0 = c + <usize>m * ldc;
    const c1 = m + 1 < M ? c0 + ldc : c0;
    const from0 = start != 0 ? start : c0;
    const from1 = start != 0 ? start : c1;
    let s00 = v128.load(from0, 0);
    let s01 = v128.load(from0, 16);
    let s02 = v128.load(from0, 32);
    let s03 = v128.load(from0, 48);
    let s10 = v128.load(from1, 0);
    let s11 = v128.load(from1, 16);
    let s12 = v128.load(from1, 32);
    let s13 = v128.load(from1, 48);
    let p = b;
    const end = b + ((<usize>K) << 6);
    do {
      const b0 = v128.load(p, 0);
      const b1 = v128.load(p, 16);
      const b2 = v128.load(p, 32);
      const b3 = v128.load(p, 48);
      const x0 = v128.load32_splat(a0);
      s00 = madd(x0, b0, s00);
      s01 = madd(x0, b1, s01);
      s02 = madd(x0, b2, s02);
      s03 = madd(x0, b3, s03);
      const x1 = v128.load32_splat(a1);
      s10 = madd(x1, b0, s10);
      s11 = madd(x1, b1, s11);
      s12 = madd(x1, b2, s12);
      s13 = madd(x1, b3, s13);
      a0 += 4;
      a1 += 4;
      p += 64;
    } while (p < end);
    v128.store(c0, s00, 0);
    v128.store(c0, s01, 16);
    v128.store(c0, s02, 32);
    v128.store(c0, s03, 48);
    v128.store(c1, s10, 0);
    v128.store(c1, s11, 16);
    v128.store(c1, s12, 32);
    v128.store(c1, s13, 48);
  }
}

/** The same for a panel of eight columns, four rows at once: as many products for a load. */
function multiplyHalf(M: i32, K: i32, a: usize, lda: usize, b: usize, c: usize, ldc: usize, start: usize): void {
  for (let m = 0; m < M; m += 4) {
    let a0 = a + <usize>m * lda;
    let a1 = m + 1 < M ? a0 + lda : a0;
    let a2 = m + 2 < M ? a1 + lda : a1;
    let a3 = m + 3 < M ? a2 + lda : a2;
    const c0 = c + <usize>m * ldc;
    const c1 = m + 1 < M ? c0 + ldc : c0;
    const c2 = m + 2 < M ? c1 + ldc : c1;
    const c3 = m + 3 < M ? c2 + ldc : c2;
    let s00 = v128.load(start != 0 ? start : c0, 0);
    let s01 = v128.load(start != 0 ? start : c0, 16);
    let s10 = v128.load(start != 0 ? start : c1, 0);
    let s11 = v128.load(start != 0 ? start : c1, 16);
    let s20 = v128.load(start != 0 ? start : c2, 0);
    let s21 = v128.load(start != 0 ? start : c2, 16);
    let s30 = v128.load(start != 0 ? start : c3, 0);
    let s31 = v128.load(start != 0 ? start : c3, 16);
    let p = b;
    const end = b + ((<usize>K) << 5);
    do {
      const b0 = v128.load(p, 0);
      const b1 = v128.load(p, 16);
      const x0 = v128.load32_splat(a0);
      s00 = madd(x0, b0, s00);
      s01 = madd(x0, b1, s01);
      const x1 = v128.load32_splat(a1);
      s10 = madd(x1, b0, s10);
      s11 = madd(x1, b1, s11);
      const x2 = v128.load32_splat(a2);
      s20 = madd(x2, b0, s20);
      s21 = madd(x2, b1, s21);
      const x3 = v128.load32_splat(a3);
      s30 = madd(x3, b0, s30);
      s31 = madd(x3, b1, s31);
      a0 += 4;
      a1 += 4;
      a2 += 4;
      a3 += 4;
      p += 32;
    } while (p < end);
    v128.store(c0, s00, 0);
    v128.store(c0, s01, 16);
    v128.store(c1, s10, 0);
    v128.store(c1, s11, 16);
    v128.store(c2, s20, 0);
    v128.store(c2, s21, 16);
    v128.store(c3, s30, 0);
    v128.store(c3, s31, 16);
  }
}

/** Packs b[kc,nc] into panels. Columns past the last are zero. */
export function packColumns(kc: i32, nc: i32, b: usize, ldb: usize, panel: usize): void {
  let p = panel;
  let n = 0;
  for (; n + Gemm.Panel <= nc; n += Gemm.Panel) {
    let from = b + ((<usize>n) << 2);
    for (let k = 0; k < kc; k++) {
      v128.store(p, v128.load(from, 0), 0);
      v128.store(p, v128.load(from, 16), 16);
      v128.store(p, v128.load(from, 32), 32);
      v128.store(p, v128.load(from, 48), 48);
      from += ldb;
      p += 64;
    }
  }
  if (n < nc) {
    const row = panelRow(nc - n);
    memory.fill(p, 0, <usize>kc * row);
    copyRows(kc, nc - n, b + ((<usize>n) << 2), ldb, p, row);
  }
}

/** Packs b[nc,kc]ᵀ into panels. Columns past the last repeat it: what they add up to is never stored. */
export function packRows(kc: i32, nc: i32, b: usize, ldb: usize, panel: usize): void {
  let to = panel;
  const last = nc - 1;
  for (let n = 0; n < nc; n += Gemm.Panel) {
    const row = panelRow(nc - n);
    for (let at: usize = 0, j = n; at < row; at += 16, j += 4) {
      const r0 = b + <usize>min(j, last) * ldb;
      const r1 = b + <usize>min(j + 1, last) * ldb;
      const r2 = b + <usize>min(j + 2, last) * ldb;
      const r3 = b + <usize>min(j + 3, last) * ldb;
      turn(kc, r0, r1, r2, r3, to + at, row);
    }
    to += <usize>kc * row;
  }
}

/** to[mc,kc] = a[kc,mc]ᵀ, TRANSPOSED_ROW bytes from row to row. */
function transpose(kc: i32, mc: i32, a: usize, lda: usize, to: usize): void {
  let k = 0;
  for (; k + 4 <= kc; k += 4) {
    turn(mc, a, a + lda, a + 2 * lda, a + 3 * lda, to, TRANSPOSED_ROW);
    a += 4 * lda;
    to += 16;
  }
  for (; k < kc; k++) {
    for (let m: usize = 0; m < <usize>mc; m++) store<f32>(to + m * TRANSPOSED_ROW, load<f32>(a + (m << 2)));
    a += lda;
    to += 4;
  }
}

/** Turns four rows of n floats into four columns: to[i·step + 4·j] = rⱼ[i]. */
export function turn(n: i32, r0: usize, r1: usize, r2: usize, r3: usize, to: usize, step: usize): void {
  for (; n >= 4; n -= 4) {
    const a = v128.load(r0);
    const b = v128.load(r1);
    const c = v128.load(r2);
    const d = v128.load(r3);
    const ab01 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
    const ab23 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd01 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const cd23 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(ab01, cd01, 0, 2));
    to += step;
    v128.store(to, v128.shuffle<i64>(ab01, cd01, 1, 3));
    to += step;
    v128.store(to, v128.shuffle<i64>(ab23, cd23, 0, 2));
    to += step;
    v128.store(to, v128.shuffle<i64>(ab23, cd23, 1, 3));
    to += step;
    r0 += 16;
    r1 += 16;
    r2 += 16;
    r3 += 16;
  }
  for (; n > 0; n--) {
    store<f32>(to, load<f32>(r0), 0);
    store<f32>(to, load<f32>(r1), 4);
    store<f32>(to, load<f32>(r2), 8);
    store<f32>(to, load<f32>(r3), 12);
    r0 += 4;
    r1 += 4;
    r2 += 4;
    r3 += 4;
    to += step;
  }
}

/** Nothing to sum: c = bias or 0, unless accumulating. */
export function empty(M: i32, N: i32, c: usize, ldc: usize, bias: usize, accumulate: i32): void {
  if (accumulate) return;
  for (let m = 0; m < M; m++) memory.fill(c + <usize>m * ldc, 0, (<usize>N) << 2);
  if (bias != 0) addRow(M, N, c, ldc, bias);
}

/** c[m,N] += row[N] for every m. */
function addRow(M: i32, N: i32, c: usize, ldc: usize, row: usize): void {
  for (let m = 0; m < M; m++) {
    const to = c + <usize>m * ldc;
    for (let n: usize = 0; n < (<usize>N) << 2; n += 4) store<f32>(to + n, load<f32>(to + n) + load<f32>(row + n));
  }
}

/** Zeros 16 floats. */
export function clear(to: usize): void {
  const zero = i32x4.splat(0);
  v128.store(to, zero, 0);
  v128.store(to, zero, 16);
  v128.store(to, zero, 32);
  v128.store(to, zero, 48);
}

/** Copies M rows of n floats. */
export function copyRows(M: i32, n: i32, from: usize, fromRow: usize, to: usize, toRow: usize): void {
  for (let m = 0; m < M; m++) {
    copyFloats(n, from, to);
    from += fromRow;
    to += toRow;
  }
}

/** Copies n floats; for a handful of them a call of memory.copy costs more than the copy. */
export function copyFloats(n: i32, from: usize, to: usize): void {
  if (n < 4) {
    for (; n > 0; n--) {
      store<f32>(to, load<f32>(from));
      from += 4;
      to += 4;
    }
    return;
  }
  // The last vector may overlap the one before.
  const end = (<usize>(n - 4)) << 2;
  for (let i: usize = 0; i < end; i += 16) v128.store(to + i, v128.load(from + i));
  v128.store(to + end, v128.load(from + end));
}
