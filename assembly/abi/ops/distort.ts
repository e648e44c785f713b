/** Where the network begins, in training with more than a shifted window. */
import { between, demand, MOST_STEP, reads, size, takesState, writes } from '../bounds.ts';
import { Augment, augmentAt, channelsIn, flagsIn } from './pixels.ts';

/** What turn, scale and the colours' ranges are counted in: so many are 1. Of turn 1 is half a turn. */
export const PARTS = 1024;
/** What chances are counted in: so many are always. */
export const CHANCES = 65536;

/**
 * Distort: y[B,H,W,C] f32 = Pixels of x[B,H,W,C] (u8, or f32 with Augment.Float) turned, scaled, recoloured, blurred and erased at random; TABLE, SAMPLES,
 * STATE, AUGMENT and PAD as Pixels has them. TURN, ZOOM, BRIGHT, CONTRAST and SATURATION: how far at most either way, in PARTS; GREY, BLUR, ERASE:
 * for how many of CHANCES. Colours and grey are of three bytes a pixel alone.
 */
export const enum DistortArg {
  X,
  Y,
  TABLE,
  SAMPLES,
  STATE,
  BATCH,
  H,
  WIDTH,
  AUGMENT,
  PAD,
  TURN,
  ZOOM,
  BRIGHT,
  CONTRAST,
  SATURATION,
  GREY,
  BLUR,
  ERASE,
}
export function distort(): void {
  const b = size(DistortArg.BATCH);
  const augment = augmentAt(DistortArg.AUGMENT);
  const flags = flagsIn(augment);
  const c = channelsIn(augment);
  between(DistortArg.PAD, 0, MOST_STEP);
  between(DistortArg.TURN, 0, PARTS);
  between(DistortArg.ZOOM, 0, PARTS / 2);
  const colours =
    between(DistortArg.BRIGHT, 0, PARTS) +
    between(DistortArg.CONTRAST, 0, PARTS) +
    between(DistortArg.SATURATION, 0, PARTS) +
    between(DistortArg.GREY, 0, CHANCES);
  demand(colours === 0 || (c === 3 && flags < Augment.Float));
  between(DistortArg.BLUR, 0, CHANCES);
  between(DistortArg.ERASE, 0, CHANCES);
  const h = between(DistortArg.H, 1, MOST_STEP);
  const w = between(DistortArg.WIDTH, 1, MOST_STEP);
  reads(DistortArg.X, b * h * w * c * (flags >= Augment.Float ? 4 : 1));
  writes(DistortArg.Y, 4 * b * h * w * c);
  reads(DistortArg.TABLE, 8 * c);
  reads(DistortArg.SAMPLES, 4 * b);
  takesState(DistortArg.STATE);
}
