/** Linear layers. */
import { Gemm } from '../tiles.ts';
import { mayRead, reads, size, takesScratch, weightBytes, writes } from '../bounds.ts';

/** Linear, LinearBackwardX, LinearBackwardW and every gemm* call. */
export function gemmScratch(): number {
  return Gemm.ScratchBytes;
}

/**
 * Linear: y[M,N] = x[M,K] · w[N,K]ᵀ + b[N]. B may be 0. ENCODING, here and wherever frozen weights are read: how W is stored
 * (abi/weights.ts); 0 is f32.
 */
export const enum LinearArg {
  X,
  W,
  B,
  Y,
  M,
  N,
  K,
  ENCODING,
}
export function linear(): void {
  const m = size(LinearArg.M);
  const n = size(LinearArg.N);
  const k = size(LinearArg.K);
  reads(LinearArg.X, 4 * m * k);
  reads(LinearArg.W, weightBytes(LinearArg.ENCODING, n, k));
  mayRead(LinearArg.B, 4 * n);
  writes(LinearArg.Y, 4 * m * n);
  takesScratch(gemmScratch());
}

/** LinearBackwardX: dx[M,K] = dy[M,N] · w[N,K] + acc[M,K]. ACC may be 0 or equal DX. */
export const enum LinearBackwardXArg {
  DY,
  W,
  ACC,
  DX,
  M,
  N,
  K,
  ENCODING,
}
export function linearBackwardX(): void {
  const m = size(LinearBackwardXArg.M);
  const n = size(LinearBackwardXArg.N);
  const k = size(LinearBackwardXArg.K);
  reads(LinearBackwardXArg.DY, 4 * m * n);
  reads(LinearBackwardXArg.W, weightBytes(LinearBackwardXArg.ENCODING, n, k));
  mayRead(LinearBackwardXArg.ACC, 4 * m * k);
  writes(LinearBackwardXArg.DX, 4 * m * k);
  takesScratch(gemmScratch());
}

/** LinearBackwardW: dw[N,K] += dy[M,N]ᵀ · x[M,K]. */
export const enum LinearBackwardWArg {
  DY,
  X,
  DW,
  M,
  N,
  K,
}
export function linearBackwardW(): void {
  const m = size(LinearBackwardWArg.M);
  const n = size(LinearBackwardWArg.N);
  const k = size(LinearBackwardWArg.K);
  reads(LinearBackwardWArg.DY, 4 * m * n);
  reads(LinearBackwardWArg.X, 4 * m * k);
  writes(LinearBackwardWArg.DW, 4 * n * k);
  takesScratch(gemmScratch());
}

/** BiasBackward: db[N] += Σ_m dy[m,N]. */
export const enum BiasBackwardArg {
  DY,
  DB,
  M,
  N,
}
export function biasBackward(): void {
  const n = size(BiasBackwardArg.N);
  reads(BiasBackwardArg.DY, 4 * size(BiasBackwardArg.M) * n);
  writes(BiasBackwardArg.DB, 4 * n);
}
