/** What a layer's activation sees: how often each x came, in equal bins over the range where derivatives vary. */
import type { Fn } from '../../ops/activations.ts';

/** Bins cover [-REACH, REACH); beyond it every f′ has reached its limit, and the tables' last cell is that limit. */
export const REACH = 10;
const BINS = 2560;
const PER_UNIT = BINS / (2 * REACH);

export interface Histogram {
  counts: Float64Array;
  /** How many came, those outside the range included, and the largest |x|. */
  total: number;
  largest: number;
}

export const newHistogram = (): Histogram => ({ counts: new Float64Array(BINS), total: 0, largest: 0 });

/** Counts values; NaN is counted nowhere. */
export function count(h: Histogram, values: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    const bin = Math.floor((x + REACH) * PER_UNIT);
    if (bin >= 0 && bin < BINS) h.counts[bin]! += 1;
    const size = Math.abs(x);
    if (size > h.largest) h.largest = size;
  }
  h.total += values.length;
}

/** The share of the shipped weight in a measured density: what the pictures at hand did not show stays defined, and sensible. */
const FLOOR = 0.02;

/** Density of x: measured, over a floor of `prior`. */
export function densityOf({ counts }: Histogram, prior: Fn): Fn {
  const inside = counts.reduce((a, b) => a + b, 0);
  const scale = inside > 0 ? ((1 - FLOOR) * PER_UNIT) / inside : 0;
  const floor = inside > 0 ? FLOOR : 1;
  return (x) => floor * prior(x) + scale * (counts[Math.floor((x + REACH) * PER_UNIT)] ?? 0);
}
