/** Dropout and stochastic depth. */
import { between, reads, size, takesState, writes } from '../bounds.ts';

const MOST_THRESHOLD = 0x10000;

/**
 * Drop: y[B,N] = x[B,N]·SCALE where a mask is 1, else 0. PATH = 1: one mask a picture. A mask is 0 where 16 random bits are below THRESHOLD; SCALE
 * (f32) is 65536/(65536 - THRESHOLD). SAMPLES u32[B]: the counter of each picture in its random stream; NUMBER tells layers apart. Y may equal X.
 */
export const enum DropArg {
  X,
  Y,
  SAMPLES,
  STATE,
  BATCH,
  N,
  THRESHOLD,
  SCALE,
  NUMBER,
  PATH,
}
export function drop(): void {
  const n = size(DropArg.N);
  const b = size(DropArg.BATCH);
  between(DropArg.THRESHOLD, 0, MOST_THRESHOLD);
  between(DropArg.PATH, 0, 1);
  reads(DropArg.X, 4 * b * n);
  writes(DropArg.Y, 4 * b * n);
  reads(DropArg.SAMPLES, 4 * b);
  takesState(DropArg.STATE);
}
