import { mayWrite, reads, size, takesState, writes } from '../bounds.ts';

/**
 * BinaryCrossEntropy with logits, a yes or no for each of N labels: adds loss, correct and count to STATE;
 * dlogits[B,N] = LossScale·(σ(x) - t)/N, or DLOGITS = 0. targets f32[B,N], 0 to 1; a padding row begins with the bits 0xffffffff.
 * thresholds f32[N]: the probability from which a label is answered. LOSSES f32[B], CHOICES i32[B,N] (1: answered) are always written.
 */
export const enum BinaryCrossEntropyArg {
  X,
  TARGETS,
  THRESHOLDS,
  DLOGITS,
  LOSSES,
  CHOICES,
  STATE,
  BATCH,
  N,
}
export function binaryCrossEntropy(): void {
  const b = size(BinaryCrossEntropyArg.BATCH);
  const n = size(BinaryCrossEntropyArg.N);
  reads(BinaryCrossEntropyArg.X, 4 * b * n);
  reads(BinaryCrossEntropyArg.TARGETS, 4 * b * n);
  reads(BinaryCrossEntropyArg.THRESHOLDS, 4 * n);
  mayWrite(BinaryCrossEntropyArg.DLOGITS, 4 * b * n);
  writes(BinaryCrossEntropyArg.LOSSES, 4 * b);
  writes(BinaryCrossEntropyArg.CHOICES, 4 * b * n);
  takesState(BinaryCrossEntropyArg.STATE);
}
