/** Where the network ends. */
import { demand, mayRead, mayWrite, reads, size, takesState, whole, writes } from '../bounds.ts';

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

/**
 * SoftCrossEntropy: CrossEntropy whose target is more than one label. OTHERS i32[B] and SHARES f32[B], both or neither: the target is SHARES of a row's own label
 * and the rest of the other one (mix.ts), -1 where there is none, smoothed. WEIGHTS f32[N]: factors on the classes' parts of the loss, 0 where all are 1. All else
 * as CrossEntropy has it.
 */
export const enum SoftCrossEntropyArg {
  X,
  LABELS,
  OTHERS,
  SHARES,
  WEIGHTS,
  DLOGITS,
  LOSSES,
  CHOICES,
  STATE,
  BATCH,
  N,
}
export function softCrossEntropy(): void {
  const b = size(SoftCrossEntropyArg.BATCH);
  const n = size(SoftCrossEntropyArg.N);
  reads(SoftCrossEntropyArg.X, 4 * b * n);
  reads(SoftCrossEntropyArg.LABELS, 4 * b);
  demand((whole(SoftCrossEntropyArg.OTHERS) !== 0) === (whole(SoftCrossEntropyArg.SHARES) !== 0));
  mayRead(SoftCrossEntropyArg.OTHERS, 4 * b);
  mayRead(SoftCrossEntropyArg.SHARES, 4 * b);
  mayRead(SoftCrossEntropyArg.WEIGHTS, 4 * n);
  mayWrite(SoftCrossEntropyArg.DLOGITS, 4 * b * n);
  writes(SoftCrossEntropyArg.LOSSES, 4 * b);
  writes(SoftCrossEntropyArg.CHOICES, 4 * b);
  takesState(SoftCrossEntropyArg.STATE);
}
