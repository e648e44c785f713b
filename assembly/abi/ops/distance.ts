/** How far a picture is from what was learnt. */
import { between, reads, size, writes } from '../bounds.ts';

/** The table in front of its lists, in words: what a host decides by it. */
export const enum DistanceTable {
  /** The largest distance of what is known. */
  Threshold = 0,
  /** From here on 1/variance along each direction, then of every number of the rest; means in terms of the directions [N,K]; means [N,F]; directions [K,F]. */
  Lists,
}

/** Numbers of a table. */
export function distanceNumbers(f: number, n: number, k: number): number {
  return DistanceTable.Lists + k + 1 + n * k + n * f + k * f;
}

/**
 * How many of the judged pictures lie beyond the threshold where this share may be refused: the next picture is as likely as any to be the k-th farthest of n + 1. None:
 * too few were judged to tell.
 */
export function beyondThreshold(judged: number, share: number): number {
  return Math.floor(share * (judged + 1));
}

/**
 * Distance: y[B] = the least over N classes of (x/|x| - mean)ᵀ·C⁻¹·(x/|x| - mean), C having K directions with variances of their own and one for the rest;
 * x[B,F], TABLE as DistanceTable.
 */
export const enum DistanceArg {
  X,
  TABLE,
  Y,
  BATCH,
  F,
  N,
  K,
}
export function distance(): void {
  const b = size(DistanceArg.BATCH);
  const f = size(DistanceArg.F);
  const n = size(DistanceArg.N);
  const k = between(DistanceArg.K, 0, f);
  reads(DistanceArg.X, 4 * b * f);
  reads(DistanceArg.TABLE, 4 * distanceNumbers(f, n, k));
  writes(DistanceArg.Y, 4 * b);
}
