/** Two pictures in one, in training. */
import { between, demand, mayRead, MOST_STEP, reads, size, takesState, whole, writes } from '../bounds.ts';
import { CHANCES } from './distort.ts';

/**
 * Mix: y[B,H,W,C] f32 = each picture of x, at random as it is, blended with its partner, or with a rectangle of it; SHARES f32[B]: how much of it each picture
 * still is; OTHERS i32[B]: its partner's label, -1 where it has none. Partners are the two pictures of places 2k and 2k+1 in the batch, which the pass may have cut:
 * where BATCH is odd one of its pictures has its partner outside, which PARTNER [H,W,C] is, of label PARTNER_LABEL (-1: there is none) and number
 * PARTNER_SAMPLE. That is the picture before the first where its number is SAMPLES' first less one, else the one behind the last; PARTNER 0: the pass is whole
 * pairs. LABELS i32[B], of which -1 marks a padding row: its partner stays as it is. MIXUP, CUTMIX: for how many of CHANCES.
 */
export const enum MixArg {
  X,
  Y,
  SHARES,
  OTHERS,
  LABELS,
  SAMPLES,
  PARTNER,
  PARTNER_LABEL,
  PARTNER_SAMPLE,
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
  writes(MixArg.OTHERS, 4 * b);
  reads(MixArg.LABELS, 4 * b);
  reads(MixArg.SAMPLES, 4 * b);
  demand((b % 2 === 1) === (whole(MixArg.PARTNER) !== 0));
  mayRead(MixArg.PARTNER, 4 * h * w * c);
  demand((whole(MixArg.PARTNER) !== 0) === (whole(MixArg.PARTNER_LABEL) !== 0));
  mayRead(MixArg.PARTNER_LABEL, 4);
  demand((whole(MixArg.PARTNER) !== 0) === (whole(MixArg.PARTNER_SAMPLE) !== 0));
  mayRead(MixArg.PARTNER_SAMPLE, 4);
  takesState(MixArg.STATE);
}
