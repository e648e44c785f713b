/** Means and covariance of the features that were learnt from. */
import type { Store } from '../../base/files.ts';
import type { Known } from '../../formats/knownfile.ts';
import { directionsOf, type Rows } from './directions.ts';
import { product } from './distance.ts';

/**
 * Directions that are kept. On features of length 1, 32 told other drawings and photos apart as well as all 128 and 1,280 did (docs/unknown.md), and
 * take a 40th of the bytes.
 */
const MOST_DIRECTIONS = 32;

/** Features of labelled pictures, in a file: the i-th row belongs to `labels[i]`. */
export interface FeatureRows {
  store: Pick<Store, 'readAt'>;
  features: number;
  labels: readonly number[];
}

type Found = Pick<Known, 'pictures' | 'features' | 'means' | 'lengths' | 'directions' | 'variances'>;

/** A row scaled to length 1 into `to`; its length before. */
function scaled({ store, features }: FeatureRows, i: number, unscaled: Float32Array, to: Float64Array): number {
  store.readAt(4 * features * i, new Uint8Array(unscaled.buffer));
  const length = Math.sqrt(product(unscaled, 0, unscaled, 0, features));
  for (let k = 0; k < features; k++) to[k] = length > 0 ? unscaled[k]! / length : 0;
  return length;
}

/** Means of each class's features scaled to length 1, and of their lengths; 0 where a class has no picture. */
export function meansOf(rows: FeatureRows, classes: number): { counts: Uint32Array; means: Float64Array; lengths: Float64Array } {
  const { features, labels } = rows;
  const counts = new Uint32Array(classes);
  const means = new Float64Array(classes * features);
  const lengths = new Float64Array(classes);
  const [unscaled, row] = [new Float32Array(features), new Float64Array(features)];
  for (const [i, c] of labels.entries()) {
    lengths[c]! += scaled(rows, i, unscaled, row);
    counts[c]!++;
    for (let k = 0; k < features; k++) means[c * features + k]! += row[k]!;
  }
  for (let c = 0; c < classes; c++) {
    const n = Math.max(1, counts[c]!);
    lengths[c]! /= n;
    for (let k = 0; k < features; k++) means[c * features + k]! /= n;
  }
  return { counts, means, lengths };
}

/**
 * Class means of features scaled to length 1, and the covariance about them that the classes share, shrunk half way: the mean variance is added to every
 * one. Where a class has no picture, or none has two, the reason as a part of a sentence.
 */
export function statisticsOf(rows: FeatureRows, classes: number): Found | { why: string } {
  const { features, labels } = rows;
  const { counts, means, lengths } = meansOf(rows, classes);
  if (counts.includes(0)) return { why: 'a class has no picture' };
  const freedom = labels.length - classes;
  if (freedom < 1) return { why: 'no class has two pictures' };
  const [unscaled, row] = [new Float32Array(features), new Float64Array(features)];
  const about: Rows = {
    count: labels.length,
    width: features,
    each(use) {
      for (const [i, c] of labels.entries()) {
        scaled(rows, i, unscaled, row);
        for (let k = 0; k < features; k++) row[k]! -= means[c * features + k]!;
        use(row);
      }
    },
  };
  let total = 0;
  about.each((r) => {
    total += product(r, 0, r, 0, features) / freedom;
  });
  if (!(total > 0)) return { why: 'features of a class are all the same' };
  const found = directionsOf(about, Math.min(MOST_DIRECTIONS, features - 1, freedom));
  const along = found.variances.map((v) => (v * labels.length) / freedom);
  const rest = Math.max(0, total - along.reduce((a, b) => a + b, 0)) / (features - along.length);
  const shrink = total / features;
  return {
    pictures: labels.length,
    features,
    means: Float32Array.from(means),
    lengths: Float32Array.from(lengths),
    directions: Float32Array.from(found.directions.flatMap((d) => [...d])),
    variances: Float32Array.from([...along, rest], (v) => v + shrink),
  };
}
