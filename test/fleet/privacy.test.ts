/** Clipping and noise: lengths by hand, the noise's distribution against the normal one's own shares. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makePrivate, normal, uniformOf } from '../../src/fleet/privacy.ts';
import type { Tensors } from '../../src/fleet/tensors.ts';

const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
const one = (...values: number[]): Tensors => new Map([['w', { shape: [values.length], values: Float32Array.from(values) }]]);

test('an update is shortened to the clip, and left alone where it is shorter', () => {
  const learnt = one(4, 5);
  makePrivate(learnt, one(1, 1), { clip: 2.5, noise: 0 }, uniformOf(secret, 'a'));
  assert.equal([...learnt.get('w')!.values], [2.5, 3], 'half of (3, 4), whose length is 5');
  const short = one(4, 5);
  makePrivate(short, one(1, 1), { clip: 6, noise: 0 }, uniformOf(secret, 'a'));
  assert.equal([...short.get('w')!.values], [4, 5]);
});

test('the noise is normal: mean, variance, fourth moment and shares within 1, 2 and 3 deviations', () => {
  const uniform = uniformOf(secret, 'b');
  const n = 40000;
  const xs = Float64Array.from({ length: n }, () => normal(uniform));
  const mean = (f: (x: number) => number): number => xs.reduce((sum, x) => sum + f(x), 0) / n;
  // Five standard errors of each.
  assert.ok(Math.abs(mean((x) => x)) < 5 / Math.sqrt(n));
  assert.ok(Math.abs(mean((x) => x * x) - 1) < 5 * Math.sqrt(2 / n));
  assert.ok(Math.abs(mean((x) => x ** 4) - 3) < 5 * Math.sqrt(96 / n));
  for (const [within, share] of [
    [0.5, 0.382925],
    [1, 0.682689],
    [2, 0.9545],
    [3, 0.9973],
  ] as const)
    assert.ok(Math.abs(mean((x) => (Math.abs(x) < within ? 1 : 0)) - share) < 5 * Math.sqrt((share * (1 - share)) / n), `within ${within}`);
});

test('the same message and secret give the same noise, another of either another', () => {
  const first = (key: Uint8Array, name: string): number[] => {
    const uniform = uniformOf(key, name);
    return Array.from({ length: 8 }, () => normal(uniform));
  };
  assert.equal(first(secret, 'a'), first(secret, 'a'));
  assert.not.equal(first(secret, 'a'), first(secret, 'b'));
  assert.not.equal(
    first(secret, 'a'),
    first(
      secret.map((x) => x + 1),
      'a',
    ),
  );
});

test.run();
