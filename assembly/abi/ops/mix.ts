/** Two pictures in one, in training. */
import { between, mayWrite, MOST_STEP, reads, size, takesState, writes } from '../bounds.ts';
import { CHANCES } from './distort.ts';

/**
 * Mix: y[B,H,W,C] f32 = each pair of neighbours (2k, 2k+1) of x, at random as it is, blended, or with a rectangle of one in the other; SHARES f32[B]: how much
 * of it each picture still is. LABELS i32[B], of which -1 marks a padding row: its pair stays as it is. MIXUP, CUTMIX: for how many of CHANCES.
 */
export const enum MixArg {
  X,
  Y,
  SHARES,
  LABELS,
  SAMPLES,
  STATE,
  BATCH,
  H,
  WIDTH,
  C,
  MIXUP,
  CUTMIX,
}
export function mix(): void {
  const b = size(MixArg.BATCH);
  const h = between(MixArg.H, 1, MOST_STEP);
  const w = between(MixArg.WIDTH, 1, MOST_STEP);
  const c = between(MixArg.C, 1, MOST_STEP);
  between(MixArg.MIXUP, 0, CHANCES);
  between(MixArg.CUTMIX, 0, CHANCES);
  reads(MixArg.X, 4 * b * h * w * c);
  writes(MixArg.Y, 4 * b * h * w * c);
  writes(MixArg.SHARES, 4 * b);
  reads(MixArg.LABELS, 4 * b);
  reads(MixArg.SAMPLES, 4 * b);
  takesState(MixArg.STATE);
}

/**
 * MixCrossEntropy: CrossEntropy of pictures that are two in one: the target is SHARES f32[B] of a row's own label and the rest of its neighbour's in the pair
 * (2k, 2k+1), smoothed. All else as CrossEntropy has it; a row without a neighbour, or whose neighbour is padding, is its own label alone.
 */
export const enum MixCrossEntropyArg {
  X,
  LABELS,
  SHARES,
  DLOGITS,
  LOSSES,
  CHOICES,
  STATE,
  BATCH,
  N,
}
export function mixCrossEntropy(): void {
  const b = size(MixCrossEntropyArg.BATCH);
  const n = size(MixCrossEntropyArg.N);
  reads(MixCrossEntropyArg.X, 4 * b * n);
  reads(MixCrossEntropyArg.LABELS, 4 * b);
  reads(MixCrossEntropyArg.SHARES, 4 * b);
  mayWrite(MixCrossEntropyArg.DLOGITS, 4 * b * n);
  writes(MixCrossEntropyArg.LOSSES, 4 * b);
  writes(MixCrossEntropyArg.CHOICES, 4 * b);
  takesState(MixCrossEntropyArg.STATE);
}
