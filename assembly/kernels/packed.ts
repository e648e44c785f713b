/**
 * A right-hand matrix that several products share, packed once: as gemm.ts packs a block of it (packRows, packColumns), but whole. Sums are in index order as there, so
 * the bits are the same. `panel` is GEMM_SCRATCH; the packed matrix may lie in it, below Gemm.TileOffset. `packed` = 0: the product packs for itself.
 */
import { Gemm } from '../abi/tiles';
import { block, gemmNN, gemmNT, panelRow } from './gemm';

/** Bytes of b[K,N] packed. */
export function packedMatrixBytes(K: i32, N: i32): usize {
  const rest = N % Gemm.Panel;
  return <usize>K * (((<usize>(N - rest)) << 2) + (rest > 0 ? panelRow(rest) : 0));
}

/** c[M,N] = a[M,K] · b[N,K]ᵀ. */
export function productNT(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  packed: usize,
  c: usize,
  ldc: usize,
  panel: usize,
): void {
  if (packed != 0) block(M, N, K, a, lda, c, ldc, 0, 0, packed, panel);
  else gemmNT(M, N, K, a, lda, b, ldb, c, ldc, 0, 0, panel);
}

/** c[M,N] = a[M,K] · b[K,N]. */
export function productNN(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  packed: usize,
  c: usize,
  ldc: usize,
  panel: usize,
): void {
  if (packed != 0) block(M, N, K, a, lda, c, ldc, 0, 0, packed, panel);
  else gemmNN(M, N, K, a, lda, b, ldb, c, ldc, 0, panel);
}
