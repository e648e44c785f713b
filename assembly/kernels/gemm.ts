/**
 * SGEMM over row-major operands, any M, N, K; lda, ldb, ldc in bytes; every pointer 4-byte aligned or better.
 * `accumulate` = 0: c = …; 1: c += …. `bias` f32[N] or 0 is added once. `panel` is at least GEMM_SCRATCH bytes, 16-byte aligned.
 * The sum over k is in index order whatever the tiling, so the bits depend on nothing but the operands.
 */
export const GEMM_SCRATCH: i32 = 131072;

/** c[M,N] (+)= a[M,K] · b[N,K]ᵀ (+ bias). */
export function gemmNT(M: i32, N: i32, K: i32, a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, bias: usize, accumulate: i32, panel: usize): void {}
/** c[M,N] (+)= a[M,K] · b[K,N]. */
export function gemmNN(M: i32, N: i32, K: i32, a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, accumulate: i32, panel: usize): void {}
/** c[M,N] (+)= a[K,M]ᵀ · b[K,N]. */
export function gemmTN(M: i32, N: i32, K: i32, a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize, accumulate: i32, panel: usize): void {}
