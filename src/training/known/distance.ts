/** How far features are from what was learnt: the table that the engine's Distance reads, and the same arithmetic here, number by number. */

import { beyondThreshold, DistanceTable, distanceNumbers } from '../../../assembly/abi/ops/distance.ts';
import type { Known } from '../../formats/knownfile.ts';
import type { KnownTable } from '../../pipeline/options.ts';

/** Where nothing is unknown. */
export const NEVER = 3.4e38;

type Statistics = Pick<Known, 'features' | 'means' | 'directions' | 'variances'>;

/** The table of the operator Distance (assembly/abi/ops/distance.ts). `threshold`: the largest distance of what is known. */
export function knownTable({ features, means, directions, variances }: Statistics, threshold: number): KnownTable {
  const classes = means.length / features;
  const count = variances.length - 1;
  const table = new Float32Array(distanceNumbers(features, classes, count));
  table[DistanceTable.Threshold] = threshold;
  let at: number = DistanceTable.Lists;
  for (const variance of variances) table[at++] = 1 / variance;
  for (let c = 0; c < classes; c++)
    for (let k = 0; k < count; k++) table[at++] = product(means, c * features, directions, k * features, features);
  table.set(means, at);
  table.set(directions, at + means.length);
  return { directions: count, table };
}

/** The distance of one picture's features from the nearest class, to the engine's last bit. */
export function distanceOf({ directions: count, table }: KnownTable, x: Float32Array, classes: number): number {
  const features = x.length;
  const inverses = DistanceTable.Lists;
  const placed = inverses + count + 1;
  const means = placed + classes * count;
  const directions = means + classes * features;
  const length = Math.sqrt(product(x, 0, x, 0, features));
  const scale = length > 0 ? 1 / length : 0;
  let least = Number.POSITIVE_INFINITY;
  for (let c = 0; c < classes; c++) {
    let rest = squareFrom(x, table, means + c * features, scale);
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const along = scale * product(x, 0, table, directions + k * features, features) - table[placed + c * count + k]!;
      sum += along * along * table[inverses + k]!;
      rest -= along * along;
    }
    if (rest > 0) sum += rest * table[inverses + count]!;
    if (sum < least) least = sum;
  }
  return Math.fround(least);
}

/** The largest distance of what is known where this share of the judged pictures may be refused; undefined where too few were judged to tell. */
export function thresholdOf({ judged }: Pick<Known, 'judged'>, rate: number): number | undefined {
  const beyond = beyondThreshold(judged.length, rate);
  return beyond < 1 ? undefined : judged[judged.length - beyond];
}

export function product(a: ArrayLike<number>, from: number, b: ArrayLike<number>, start: number, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[from + i]! * b[start + i]!;
  return sum;
}

function squareFrom(x: Float32Array, table: Float32Array, mean: number, scale: number): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const d = scale * x[i]! - table[mean + i]!;
    sum += d * d;
  }
  return sum;
}
