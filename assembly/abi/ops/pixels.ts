/** Where the network begins. */
import { between, demand, MOST_STEP, reads, size, takesState, writes } from '../bounds.ts';

/**
 * Pixels: y[B,H,W,C] f32 = x[B,SH,SW,C]·scale[c] + shift[c]; TABLE is f32 scale[C] then shift[C]. x is u8, or f32 with Augment.Float.
 * AUGMENT: bits below, and C in the bits from 8 on (0: the three of a picture). SAMPLES: u32[B], the counter of each picture in its random
 * stream; STATE for the seed.
 * Without Augment.Crop the centre H×W of SH×SW is taken. With it the window is shifted by up to PAD pixels each way, edge pixels repeated.
 */
export const enum PixelsArg {
  X,
  Y,
  TABLE,
  SAMPLES,
  STATE,
  BATCH,
  SH,
  SW,
  H,
  WIDTH,
  AUGMENT,
  PAD,
}
/** The argument AUGMENT at `index`, of this instruction or of Distort; `flagsIn` and `channelsIn` take it apart. */
export function augmentAt(index: i32): number {
  const both = between(index, 0, MOST_CHANNELS * CHANNELS_UNIT + CHANNELS_UNIT - 1);
  demand(flagsIn(both) <= Augment.Crop + Augment.Flip + Augment.Float);
  return both;
}
export function flagsIn(augment: number): number {
  return augment % CHANNELS_UNIT;
}
export function channelsIn(augment: number): number {
  const said = (augment - flagsIn(augment)) / CHANNELS_UNIT;
  return said === 0 ? 3 : said;
}

export function pixels(): void {
  const b = size(PixelsArg.BATCH);
  const augment = augmentAt(PixelsArg.AUGMENT);
  const flags = flagsIn(augment);
  const c = channelsIn(augment);
  between(PixelsArg.PAD, 0, MOST_STEP);
  reads(PixelsArg.X, b * size(PixelsArg.SH) * size(PixelsArg.SW) * c * (flags >= Augment.Float ? 4 : 1));
  writes(PixelsArg.Y, 4 * b * size(PixelsArg.H) * size(PixelsArg.WIDTH) * c);
  reads(PixelsArg.TABLE, 8 * c);
  reads(PixelsArg.SAMPLES, 4 * b);
  takesState(PixelsArg.STATE);
}

export const enum Augment {
  None = 0,
  Crop = 1,
  Flip = 2,
  Float = 4,
}
/** What one channel counts in AUGMENT. */
export const CHANNELS_UNIT = 256;
/** Most numbers that a position of an input has. */
export const MOST_CHANNELS = 1024;
