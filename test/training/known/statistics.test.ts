/** Means, covariance and distances against numpy's (tools/golden/known.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openStore } from '../../../src/base/files.ts';
import { directionsOf } from '../../../src/training/known/directions.ts';
import { distanceOf, knownTable, thresholdOf } from '../../../src/training/known/distance.ts';
import { statisticsOf } from '../../../src/training/known/statistics.ts';
import { close } from '../../support/close.ts';
import { newFolder } from '../../support/folder.ts';

const golden = JSON.parse(readFileSync('test/golden/known.json', 'utf8'));
const { classes, features, labels } = golden;

function statistics(x: Float32Array, of: readonly number[], count: number) {
  const store = openStore(join(newFolder(), 'features'), x.byteLength);
  store.writeAt(0, new Uint8Array(x.buffer));
  try {
    return statisticsOf({ store, features: x.length / of.length, labels: of }, count);
  } finally {
    store.close();
  }
}

test("means, variances and distances are numpy's", () => {
  const found = statistics(Float32Array.from(golden.x), labels, classes);
  assert.not('why' in found);
  if ('why' in found) return;
  close(found.means, golden.means, 1e-6, 'means');
  close(found.lengths, golden.lengths, 1e-6, 'lengths');
  close(found.variances, golden.variances, 1e-3, 'variances');
  const known = knownTable(found, 0);
  const probes = Float32Array.from(golden.probes);
  const distances = golden.distances.map((_: number, i: number) =>
    distanceOf(known, probes.slice(i * features, (i + 1) * features), classes),
  );
  close(distances, golden.distances, 1e-3, 'distances');
});

test('what cannot be told from says so', () => {
  const x = Float32Array.from({ length: 6 * 4 }, (_, i) => (i * 7) % 5);
  assert.equal(statistics(x, [0, 0, 1, 1, 0, 1], 3), { why: 'a class has no picture' });
  assert.equal(statistics(x, [0, 1, 2, 3, 4, 5], 6), { why: 'no class has two pictures' });
  assert.equal(statistics(new Float32Array(24), [0, 0, 0, 1, 1, 1], 2), { why: 'features of a class are all the same' });
});

test('directions are orthonormal and no more than the rows have', () => {
  const rows = [Float64Array.of(3, 0, 0, 0), Float64Array.of(-3, 0, 0, 0), Float64Array.of(0, 1, 0, 0), Float64Array.of(0, -1, 0, 0)];
  const { directions, variances } = directionsOf({ count: 4, width: 4, each: (use) => rows.forEach((row) => void use(row)) }, 3);
  close(variances, [4.5, 0.5], 1e-9, 'variances');
  assert.is(directions.length, 2);
  close(directions[0]!.map(Math.abs), [1, 0, 0, 0], 1e-6, 'first');
});

test('a threshold refuses at most its share of what was judged, and needs enough of it', () => {
  const judged = Float32Array.from({ length: 99 }, (_, i) => i + 1);
  // 5 of 100 may lie beyond: those that were judged from the 95th on do.
  assert.is(thresholdOf({ judged }, 0.05), 95);
  assert.is(thresholdOf({ judged }, 0.01), 99);
  assert.is(thresholdOf({ judged }, 0.009), undefined);
  assert.is(thresholdOf({ judged: new Float32Array() }, 0.5), undefined);
});

test.run();
