/** Where the network ends. */
import { mayWrite, reads, size, takesState, writes } from '../bounds.ts';

/**
 * CrossEntropy with label smoothing: adds loss, correct and count to STATE; dlogits[B,N] = LossScale·(softmax - target), or DLOGITS = 0.
 * labels i32[B]; -1 marks a padding row: no loss, zero gradient (its logits must be finite all the same).
 * LOSSES f32[B], CHOICES i32[B] (the arg max) are always written.
 */
export const enum CrossEntropyArg {
  X,
  LABELS,
  DLOGITS,
  LOSSES,
  CHOICES,
  STATE,
  BATCH,
  N,
}
export function crossEntropy(): void {
  const b = size(CrossEntropyArg.BATCH);
  const n = size(CrossEntropyArg.N);
  reads(CrossEntropyArg.X, 4 * b * n);
  reads(CrossEntropyArg.LABELS, 4 * b);
  mayWrite(CrossEntropyArg.DLOGITS, 4 * b * n);
  writes(CrossEntropyArg.LOSSES, 4 * b);
  writes(CrossEntropyArg.CHOICES, 4 * b);
  takesState(CrossEntropyArg.STATE);
}
