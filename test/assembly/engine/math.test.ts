import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { erf, sigmoid } from '../../oracle/activation.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(4 << 20, 1 << 16);
const kernels = rig.kernels as unknown as {
  vector(f: number, x: number, y: number, n: number): void;
  cosPi(x: number): number;
  log64(x: number): number;
  exp64(x: number): number;
};

/** f of `x` through one of the engine's vector functions. */
function vector(f: number, x: ArrayLike<number>): Float32Array {
  rig.clear();
  const at = rig.f32(x);
  kernels.vector(f, at, at, x.length);
  return rig.readF32(at, x.length);
}

/** n f32 numbers from a to b; n a multiple of 4. */
const grid = (a: number, b: number, n = 40000) => Float32Array.from({ length: n }, (_, i) => a + ((b - a) * i) / (n - 1));

/** The largest error of f over x, absolute or relative. */
function worst(f: number, x: Float32Array, exact: (x: number) => number, relative: boolean): number {
  const got = vector(f, x);
  let max = 0;
  x.forEach((v, i) => {
    const want = exact(v);
    max = Math.max(max, Math.abs((got[i] as number) - want) / (relative ? Math.abs(want) : 1));
    if (Number.isNaN(got[i])) max = Number.NaN;
  });
  return max;
}

const below = (got: number, bound: number, what: string) => assert.ok(got < bound, `${what}: error ${got}, expected below ${bound}`);

test('exp', () => {
  below(worst(0, grid(-87, 88.3), Math.exp, true), 2e-7, 'exp');
  below(worst(0, grid(-1, 1), Math.exp, true), 1.5e-7, 'exp near 0');
  assert.equal([...vector(0, [-Infinity, Infinity, Number.NaN, 0])], [0, Infinity, Number.NaN, 1]);
  assert.equal([...vector(0, [-1e30, 1e30, -100, 100])], [0, Infinity, 0, Infinity]);
});

test('normal distribution and erf', () => {
  below(
    worst(1, grid(-8, 8), (x) => erf(x * Math.SQRT1_2) / 2, false),
    2e-7,
    'cdf',
  );
  below(worst(2, grid(-6, 6), erf, false), 3e-7, 'erf');
  assert.equal([...vector(1, [-Infinity, Infinity, Number.NaN, 0])], [-0.5, 0.5, Number.NaN, 0]);
});

test('tanh', () => {
  below(worst(3, grid(-12, 12), Math.tanh, false), 3e-7, 'tanh');
  below(worst(3, grid(-0.01, 0.01), Math.tanh, false), 1e-8, 'tanh near 0');
  assert.equal([...vector(3, [-Infinity, Infinity, Number.NaN, 0])], [-1, 1, Number.NaN, 0]);
});

test('sigmoid', () => {
  below(worst(4, grid(-80, 80), sigmoid, true), 4e-7, 'sigmoid');
  assert.equal([...vector(4, [-Infinity, Infinity, Number.NaN, 0])], [0, 1, Number.NaN, 0.5]);
});

test('every NaN stays NaN', () => {
  rig.clear();
  const at = rig.i32([0x7fc00000, 0x7fffffff, -0x400000, -1]);
  for (let f = 0; f < 5; f++) {
    const to = rig.f32(4);
    kernels.vector(f, at, to, 4);
    assert.ok(rig.readF32(to, 4).every(Number.isNaN), `function ${f}`);
  }
});

test('cosPi', () => {
  for (let i = -3000; i <= 3000; i++) {
    const x = i / 997;
    assert.ok(Math.abs(kernels.cosPi(x) - Math.cos(Math.PI * x)) < 3e-15, `cosPi(${x})`);
  }
  for (const [x, want] of [
    [0, 1],
    [0.5, 0],
    [1, -1],
    [2, 1],
    [-1, -1],
    [1.5, 0],
  ] as const)
    assert.is(Math.abs(kernels.cosPi(x) - want), 0);
});

test('log64 and exp64', () => {
  for (let i = -300; i <= 300; i++) {
    const x = 1.37 * 10 ** i;
    assert.ok(Math.abs(kernels.log64(x) / Math.log(x) - 1) < 5e-16 * 2, `log64(${x})`);
    const y = i * 2.3;
    assert.ok(Math.abs(kernels.exp64(y) / Math.exp(y) - 1) < 1e-15 * 2, `exp64(${y})`);
  }
  for (let x = 0.5; x < 2; x += 1 / 1024) assert.ok(Math.abs(kernels.log64(x) - Math.log(x)) < 3e-16, `log64(${x})`);
  assert.equal([0, -1, 1, Infinity, Number.NaN].map(kernels.log64), [-Infinity, Number.NaN, 0, Infinity, Number.NaN]);
  assert.equal([0, -Infinity, Infinity, Number.NaN, 1000].map(kernels.exp64), [1, 0, Infinity, Number.NaN, Infinity]);
  assert.ok(Math.abs(kernels.log64(5e-324) - Math.log(5e-324)) < 1e-12);
});

test.run();
