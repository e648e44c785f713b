/** Rotary positions. */
import { between, demand, MOST_PRODUCT, reads, size, writes } from '../bounds.ts';

/**
 * Rotary: of every head of x[B,T,HEADS·D] the first TURNED channels are pairs, turned by the angles of the row: (u, v) becomes (u·cos - v·sin,
 * v·cos + u·sin). TABLE f32 [T - FIRST, TURNED]: a row's cosines, then its sines. Rows before FIRST stay as they are. NEIGHBOURS = 1: pairs are
 * channels 2i and 2i+1; 0: i and i + TURNED/2. BACK = 1 turns the other way, the derivative. Y may equal X.
 */
export const enum RotaryArg {
  X,
  TABLE,
  Y,
  BATCH,
  T,
  HEADS,
  D,
  TURNED,
  FIRST,
  NEIGHBOURS,
  BACK,
}
export function rotary(): void {
  const t = size(RotaryArg.T);
  const d = size(RotaryArg.D);
  const bytes = 4 * size(RotaryArg.BATCH) * t * size(RotaryArg.HEADS) * d;
  const turned = between(RotaryArg.TURNED, 2, d);
  demand(turned % 2 === 0);
  const from = between(RotaryArg.FIRST, 0, t - 1);
  reads(RotaryArg.X, bytes);
  reads(RotaryArg.TABLE, 4 * (t - from) * turned);
  writes(RotaryArg.Y, bytes);
  between(RotaryArg.NEIGHBOURS, 0, 1);
  between(RotaryArg.BACK, 0, 1);
}

/**
 * WaveTable: sines and cosines of a grid's places, row by row, y[H·W, 4·BANDS]: sine and cosine of the row's place times THETA^(-k/BANDS), k = 0 … BANDS-1,
 * each beside the other, then those of the column's. Place i of n is SCALE·(i+1)/n.
 */
export const enum WaveTableArg {
  Y,
  H,
  WIDTH,
  BANDS,
  THETA,
  SCALE,
}
export function waveTable(): void {
  const bands = between(WaveTableArg.BANDS, 1, MOST_PRODUCT);
  writes(WaveTableArg.Y, 16 * size(WaveTableArg.H) * size(WaveTableArg.WIDTH) * bands);
}

/**
 * RotaryTable: Rotary's table for a grid of H × W positions, row by row, y[H·W, 4·BANDS]: the first BANDS angles are the row's place times
 * THETA^(-k/BANDS), k = 0 … BANDS-1, the next ones the column's. A place is SCALE·i or, CENTRED, SCALE·((2i+1)/H - 1).
 */
export const enum RotaryTableArg {
  Y,
  H,
  WIDTH,
  BANDS,
  THETA,
  SCALE,
  CENTRED,
}
export function rotaryTable(): void {
  const bands = between(RotaryTableArg.BANDS, 1, MOST_PRODUCT);
  writes(RotaryTableArg.Y, 16 * size(RotaryTableArg.H) * size(RotaryTableArg.WIDTH) * bands);
  between(RotaryTableArg.CENTRED, 0, 1);
}
