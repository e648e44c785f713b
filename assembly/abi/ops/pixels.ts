/** Where the network begins. */
import { between, MOST_STEP, reads, size, takesState, writes } from '../bounds.ts';

/**
 * Pixels: y[B,H,W,3] f32 = x[B,SH,SW,3]·scale[c] + shift[c]; TABLE is f32 scale[3] then shift[3]. x is u8, or f32 with AUGMENT.Float.
 * AUGMENT: bits below. SAMPLES: u32[B], the counter of each picture in its random stream; STATE for the seed.
 * Without AUGMENT.Crop the centre H×W of SH×SW is taken. With it the window is shifted by up to PAD pixels each way, edge pixels repeated.
 */
export const enum PixelsArg { X, Y, TABLE, SAMPLES, STATE, BATCH, SH, SW, H, WIDTH, AUGMENT, PAD }
export function pixels(): void {
  const b = size(PixelsArg.BATCH);
  const augment = between(PixelsArg.AUGMENT, 0, Augment.Crop + Augment.Flip + Augment.Float);
  between(PixelsArg.PAD, 0, MOST_STEP);
  reads(PixelsArg.X, b * size(PixelsArg.SH) * size(PixelsArg.SW) * (augment >= Augment.Float ? 12 : 3));
  writes(PixelsArg.Y, 12 * b * size(PixelsArg.H) * size(PixelsArg.WIDTH));
  reads(PixelsArg.TABLE, 24);
  reads(PixelsArg.SAMPLES, 4 * b);
  takesState(PixelsArg.STATE);
}

export const enum Augment { None = 0, Crop = 1, Flip = 2, Float = 4 }
