/** Means and deviations of channels against NumPy's, in any division into examples. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { channelSums } from '../../src/input/measure.ts';
import { close } from '../support/close.ts';

const golden = JSON.parse(readFileSync('test/golden/arrays/arrays.json', 'utf8')) as {
  f4: { numbers: number[] };
  statistics: { mean: number[]; std: number[] };
};

test('one pass over examples gives what NumPy gives over all', () => {
  const { numbers } = golden.f4;
  for (const size of [numbers.length, 24, 8]) {
    const sums = channelSums(2);
    for (let from = 0; from < numbers.length; from += size) sums.add(numbers.slice(from, from + size));
    const { mean, std, constant } = sums.result();
    close(mean, golden.statistics.mean, 1e-6, 'mean');
    close(std, golden.statistics.std, 1e-6, 'std');
    assert.equal(constant, []);
  }
});

test('large means cost no digits, and a channel that never changes is told', () => {
  const sums = channelSums(2);
  for (let i = 0; i < 100; i++) sums.add([1e8 + (i % 2), 5, 1e8 + (i % 2), 5]);
  const { mean, std, constant } = sums.result();
  assert.equal([mean[1], std, constant], [5, [0.5, 1], [1]]);
});

test.run();
