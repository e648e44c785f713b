import { BiasBackwardArg, LinearArg, LinearBackwardWArg, LinearBackwardXArg } from '../abi/ops/dense';
import { Encoding } from '../abi/weights';
import { address, int } from '../engine/argument';
import { first, last, scratch, threads } from '../engine/team';
import { gemmNNCoded, gemmNTCoded, openWeight } from './codedgemm';
import { gemmNN, gemmNT, gemmTN } from './gemm';

/**
 * Linear: y[M,N] = x[M,K] · w[N,K]ᵀ + b[N], and its derivatives. No output may overlap an input, but for ACC = DX.
 * Scratch: gemmScratch(). Threads share the output: its columns in panels of 16 or, where those are few, its rows.
 */
export function linear(p: usize): void {
  multiplyNT(
    int(p, LinearArg.M),
    int(p, LinearArg.N),
    int(p, LinearArg.K),
    address(p, LinearArg.X),
    address(p, LinearArg.W),
    address(p, LinearArg.B),
    address(p, LinearArg.Y),
    int(p, LinearArg.ENCODING),
  );
}

/** dx[M,K] = dy[M,N] · w[N,K] + acc[M,K]. ACC may be 0 or equal DX. */
export function linearBackwardX(p: usize): void {
  multiplyNN(
    int(p, LinearBackwardXArg.M),
    int(p, LinearBackwardXArg.K),
    int(p, LinearBackwardXArg.N),
    address(p, LinearBackwardXArg.DY),
    address(p, LinearBackwardXArg.W),
    address(p, LinearBackwardXArg.ACC),
    address(p, LinearBackwardXArg.DX),
    int(p, LinearBackwardXArg.ENCODING),
  );
}

/** dw[N,K] += dy[M,N]ᵀ · x[M,K]. */
export function linearBackwardW(p: usize): void {
  addTN(
    int(p, LinearBackwardWArg.N),
    int(p, LinearBackwardWArg.K),
    int(p, LinearBackwardWArg.M),
    address(p, LinearBackwardWArg.DY),
    address(p, LinearBackwardWArg.X),
    address(p, LinearBackwardWArg.DW),
  );
}

/** This thread's c[M,N] = a[M,K] · b[N,K]ᵀ + bias[N], all rows dense; b in any encoding of a weight. */
export function multiplyNT(M: i32, N: i32, K: i32, a: usize, b: usize, bias: usize, c: usize, encoding: i32): void {
  const row = (<usize>K) << 2;
  const byRows = encoding == Encoding.F32 ? splitsRows(M, N) : splitsRoundedRows(M);
  const m0 = byRows ? first(M) : 0;
  const m1 = byRows ? last(M) : M;
  const n0 = byRows ? 0 : firstColumn(N);
  const n1 = byRows ? N : lastColumn(N);
  const at = (<usize>n0) << 2;
  const from = a + <usize>m0 * row;
  const to = c + ((<usize>m0 * <usize>N) << 2) + at;
  if (bias != 0) bias += at;
  if (encoding == Encoding.F32)
    return gemmNT(m1 - m0, n1 - n0, K, from, row, b + <usize>n0 * row, row, to, (<usize>N) << 2, bias, 0, scratch);
  openWeight(b, encoding, N, K);
  gemmNTCoded(m1 - m0, n1 - n0, K, from, row, n0, 0, to, (<usize>N) << 2, bias, 0, scratch);
}

/** This thread's c[M,N] = a[M,K] · b[K,N] + acc[M,N]; acc may be 0 or c itself; b in any encoding of a weight. */
export function multiplyNN(M: i32, N: i32, K: i32, a: usize, b: usize, acc: usize, c: usize, encoding: i32): void {
  const row = (<usize>N) << 2;
  const byRows = encoding == Encoding.F32 ? splitsRows(M, N) : splitsRoundedRows(M);
  const m0 = byRows ? first(M) : 0;
  const m1 = byRows ? last(M) : M;
  const n0 = byRows ? 0 : firstColumn(N);
  const n1 = byRows ? N : lastColumn(N);
  const at = <usize>m0 * row + ((<usize>n0) << 2);
  if (acc != 0 && acc != c) for (let m = m0, i = at; m < m1; m++, i += row) memory.copy(c + i, acc + i, (<usize>(n1 - n0)) << 2);
  const from = a + ((<usize>m0 * <usize>K) << 2);
  const more = i32(acc != 0);
  if (encoding == Encoding.F32)
    return gemmNN(m1 - m0, n1 - n0, K, from, (<usize>K) << 2, b + ((<usize>n0) << 2), row, c + at, row, more, scratch);
  openWeight(b, encoding, K, N);
  gemmNNCoded(m1 - m0, n1 - n0, K, from, (<usize>K) << 2, 0, n0, c + at, row, more, scratch);
}

/** This thread's c[M,N] += a[K,M]ᵀ · b[K,N]. */
export function addTN(M: i32, N: i32, K: i32, a: usize, b: usize, c: usize): void {
  const row = (<usize>N) << 2;
  const byRows = splitsRows(M, N);
  const m0 = byRows ? first(M) : 0;
  const m1 = byRows ? last(M) : M;
  const n0 = byRows ? 0 : firstColumn(N);
  const n1 = byRows ? N : lastColumn(N);
  gemmTN(
    m1 - m0,
    n1 - n0,
    K,
    a + ((<usize>m0) << 2),
    (<usize>M) << 2,
    b + ((<usize>n0) << 2),
    row,
    c + <usize>m0 * row + ((<usize>n0) << 2),
    row,
    1,
    scratch,
  );
}

/** Whether threads share c[M,N] by rows (each then packs all of b): only with few panels that do not come out even, and rows in plenty. */
export function splitsRows(M: i32, N: i32): bool {
  return panels(N) < 4 * threads && panels(N) % threads != 0 && M >= 32 * threads;
}

/** The same over coded weights: rounding a row costs as much as some forty of its products, so threads share rows where there are enough. */
export function splitsRoundedRows(M: i32): bool {
  return M >= 64 * threads;
}

/** This thread's columns of N, in whole panels of 16. */
export function firstColumn(N: i32): i32 {
  return first(panels(N)) << 4;
}

export function lastColumn(N: i32): i32 {
  return min(N, last(panels(N)) << 4);
}

@inline function panels(N: i32): i32 {
  return (N + 15) >> 4;
}

/**
 * BiasBackward: db[N] += Σ_m dy[m,N], rows in index order. Threads share the columns.
 * dy is read once, as it lies, eight rows at a time; the sums stay in the first cache.
 */
export function biasBackward(p: usize): void {
  const M = int(p, BiasBackwardArg.M);
  const N = int(p, BiasBackwardArg.N);
  const n0 = first(N);
  const n = last(N) - n0;
  const row = (<usize>N) << 2;
  let dy = address(p, BiasBackwardArg.DY) + ((<usize>n0) << 2);
  const db = address(p, BiasBackwardArg.DB) + ((<usize>n0) << 2);
  let m = M;
  for (; m >= 8; m -= 8) {
    addEightRows(n, dy, row, db);
    dy += 8 * row;
  }
  for (; m > 0; m--) {
    addOneRow(n, dy, db);
    dy += row;
  }
}

/** to[n] += r0[n] + … + r7[n], added one after the other. */
function addEightRows(n: i32, r0: usize, row: usize, to: usize): void {
  const r1 = r0 + row;
  const r2 = r1 + row;
  const r3 = r2 + row;
  const r4 = r3 + row;
  const r5 = r4 + row;
  const r6 = r5 + row;
  const r7 = r6 + row;
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) {
    let s = f32x4.add(v128.load(to + i), v128.load(r0 + i));
    s = f32x4.add(s, v128.load(r1 + i));
    s = f32x4.add(s, v128.load(r2 + i));
    s = f32x4.add(s, v128.load(r3 + i));
    s = f32x4.add(s, v128.load(r4 + i));
    s = f32x4.add(s, v128.load(r5 + i));
    s = f32x4.add(s, v128.load(r6 + i));
    s = f32x4.add(s, v128.load(r7 + i));
    v128.store(to + i, s);
  }
  for (; i < end; i += 4) {
    let s = load<f32>(to + i);
    for (let r = r0; r <= r7; r += row) s += load<f32>(r + i);
    store<f32>(to + i, s);
  }
}

/** to[n] += r[n]. */
function addOneRow(n: i32, r: usize, to: usize): void {
  const end = (<usize>n) << 2;
  let i: usize = 0;
  for (; i + 16 <= end; i += 16) v128.store(to + i, f32x4.add(v128.load(to + i), v128.load(r + i)));
  for (; i < end; i += 4) store<f32>(to + i, load<f32>(to + i) + load<f32>(r + i));
}
