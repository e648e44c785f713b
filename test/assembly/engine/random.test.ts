import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { normal, philox } from '../../oracle/random.ts';
import { openRig } from '../../support/rig.ts';

const { kernels } = openRig(1 << 20, 1 << 12);
const random = kernels.random as (seed: number, stream: number, counter: number) => bigint;
const normalAt = kernels.normalAt as (seed: number, stream: number, counter: number) => number;
const words = (seed: number, stream: number, counter: number) => {
  const bits = BigInt.asUintN(64, random(seed, stream, counter));
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
};
const order = (n: number, seed: number, epoch: number) => Array.from({ length: n }, (_, i) => kernels.sampleAt(i, n, seed, epoch) >>> 0);

test('the vectors published with Philox-2x32-10', () => {
  assert.equal(words(0, 0, 0), [0xff1dae59, 0x6cd10df2]);
  assert.equal(words(0xffffffff, 0xffffffff, 0xffffffff), [0x2c3f628b, 0xab4fd7ad]);
  assert.equal(words(0x13198a2e, 0x85a308d3, 0x243f6a88), [0xdd7ce038, 0xf62a4c12]);
});

test('agrees with its twin in JavaScript', () => {
  for (let i = 0; i < 200; i++) {
    const [a, b] = philox(i, 77, 99);
    const [c] = philox(a, b, i);
    assert.equal(words(a, b, c), philox(a, b, c));
  }
});

test('sampleAt is a permutation for every size', () => {
  for (const n of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 64, 65, 100, 255, 256, 257, 1000, 4097])
    for (const epoch of [0, 1]) {
      const seen = new Set(order(n, 5, epoch));
      assert.is(seen.size, n);
      assert.ok(
        [...seen].every((i) => i >= 0 && i < n),
        `n = ${n}`,
      );
    }
  const large = kernels.sampleAt(3, 4000000000, 1, 0) >>> 0;
  assert.ok(large < 4000000000);
});

test('seeds and epochs give different orders', () => {
  assert.not.equal(order(50, 1, 0), order(50, 1, 1));
  assert.not.equal(order(50, 1, 0), order(50, 2, 0));
  assert.equal(order(50, 1, 3), order(50, 1, 3));
});

test('every picture comes at every position about equally often', () => {
  const n = 10;
  const epochs = 5000;
  const counts = new Float64Array(n * n);
  for (let epoch = 0; epoch < epochs; epoch++) for (let i = 0; i < n; i++) counts[i * n + kernels.sampleAt(i, n, 9, epoch)]!++;
  const expected = epochs / n;
  const chi = counts.reduce((sum, c) => sum + (c - expected) ** 2 / expected, 0);
  // 81 degrees of freedom: 99.99 % lie below 136.
  assert.ok(chi < 136, `chi-square ${chi}`);
});

test('normalAt is standard normal', () => {
  const n = 20000;
  const values = Array.from({ length: n }, (_, i) => normalAt(3, 3, i));
  const moment = (k: number) => values.reduce((sum, v) => sum + v ** k, 0) / n;
  assert.ok(Math.abs(moment(1)) < 0.03);
  assert.ok(Math.abs(moment(2) - 1) < 0.04);
  assert.ok(Math.abs(moment(3)) < 0.08);
  assert.ok(Math.abs(moment(4) - 3) < 0.25);
  assert.ok(Math.abs(normalAt(3, 3, 17) - normal(3, 3, 17)) < 1e-12);
});

test.run();
