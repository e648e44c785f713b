/** How far a picture is from what was learnt: against the covariance written out, and to the last bit what the host's twin says. */
import * as assert from 'uvu/assert';
import { f32 } from '../../../src/graph/graph.ts';
import { distanceOf, knownTable } from '../../../src/training/known/distance.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { TAILS } from './tails.ts';

/** Axes of the space as directions: then the inverse covariance is a diagonal. */
function distance(batch: number, features: number, classes: number, count: number, zero = false): Direct {
  const directions = new Float32Array(count * features);
  for (let k = 0; k < count; k++) directions[k * features + ((k * 3) % features)] = 1;
  const variances = Float32Array.from({ length: count + 1 }, (_, k) => 0.5 / (k + 1));
  const means = Float32Array.from(numbers(classes * features, 9), (v) => v / Math.sqrt(features));
  const known = knownTable({ features, means, directions, variances }, 1);
  const x = zero ? new Float32Array(batch * features) : Float32Array.from(numbers(batch * features, 21, 3));
  const ownVariance = (i: number): number => {
    for (let k = 0; k < count; k++) if ((k * 3) % features === i) return variances[k]!;
    return variances[count]!;
  };
  const wanted = Array.from({ length: batch }, (_, b) => {
    const row = x.subarray(b * features, (b + 1) * features);
    const length = Math.hypot(...row) || 1;
    const to = (c: number): number => row.reduce((sum, v, i) => sum + (v / length - means[c * features + i]!) ** 2 / ownVariance(i), 0);
    return Math.min(...Array.from({ length: classes }, (_, c) => to(c)));
  });
  return {
    op: 'Distance',
    name: `Distance [${batch},${features}], ${classes} classes, ${count} directions${zero ? ', of nothing' : ''}`,
    phase: 'eval',
    inputs: [plain(x, [batch, features]), plain(known.table, [known.table.length])],
    attributes: { classes, directions: count },
    types: [f32(batch)],
    check([bytes]) {
      const found = new Float32Array(bytes!.slice().buffer);
      close(found, Float64Array.from(wanted), 1e-4, 'distances');
      const twin = Array.from({ length: batch }, (_, b) => distanceOf(known, x.slice(b * features, (b + 1) * features), classes));
      assert.equal([...found], twin);
    },
  };
}

export const distanceCases: readonly Direct[] = [
  ...TAILS.map((features) => distance(2, features, 3, Math.floor(Math.min(features, 8) / 3))),
  ...TAILS.map((classes) => distance(1, 10, classes, 2)),
  distance(3, 130, 5, 32),
  distance(2, 7, 1, 0),
  distance(2, 9, 2, 3, true),
];
