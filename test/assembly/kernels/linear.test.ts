import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import * as oracle from '../../oracle/linear.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(32 << 20, 1 << 20);
const SIZES = [
  [1, 1, 1],
  [2, 16, 16],
  [3, 10, 17],
  [197, 48, 33],
  [130, 100, 65],
  [300, 24, 16],
  [9, 129, 70],
] as const;

/** Runs one instruction as each of `threads` threads in turn. */
function runAs(threads: number, op: number, args: number[]): void {
  for (let t = 0; t < threads; t++) {
    rig.kernels.setup(0, rig.scratch, 0, t, threads);
    assert.is(rig.run(op, args), 0);
  }
  rig.kernels.setup(0, rig.scratch, 0, 0, 1);
}

/** What `op` leaves in an output that held `before`, equal for 1, 2, 3 and 5 threads; nothing past it is touched. */
function results(op: number, before: Float32Array, args: (out: number) => number[]): Float32Array {
  const run = (threads: number) => {
    const out = rig.f32([...before, 77, 77, 77, 77]);
    runAs(threads, op, args(out));
    assert.equal(rig.readF32(out + before.length * 4, 4), new Float32Array(4).fill(77), 'past the output');
    return rig.readF32(out, before.length);
  };
  const one = run(1);
  for (const threads of [2, 3, 5]) assert.equal(run(threads), one, `${threads} threads`);
  return one;
}

test('the oracle is its own derivative', () => {
  const [m, n, k] = [3, 4, 5];
  const x = Float64Array.from(numbers(m * k, 1));
  const w = Float64Array.from(numbers(n * k, 2));
  const b = Float64Array.from(numbers(n, 3));
  const dy = numbers(m * n, 4);
  close(
    oracle.linearBackwardX(m, n, k, dy, w),
    oracle.differences(x, dy, (v) => oracle.linear(m, n, k, v, w, b)),
    1e-8,
  );
  close(
    oracle.linearBackwardW(m, n, k, dy, x),
    oracle.differences(w, dy, (v) => oracle.linear(m, n, k, x, v, b)),
    1e-8,
  );
  close(
    oracle.biasBackward(m, n, dy),
    oracle.differences(b, dy, (v) => oracle.linear(m, n, k, x, w, v)),
    1e-8,
  );
});

for (const [m, n, k] of SIZES) {
  const x = numbers(m * k, 1);
  const w = numbers(n * k, 2);
  const b = numbers(n, 3);
  const dy = numbers(m * n, 4);

  test(`linear ${m}×${n}×${k}`, () => {
    rig.clear();
    const garbage = new Float32Array(m * n).fill(Number.NaN);
    for (const bias of [b, null]) {
      const y = results(Op.Linear, garbage, (out) => [rig.f32(x), rig.f32(w), bias ? rig.f32(bias) : 0, out, m, n, k, 0]);
      close(y, oracle.linear(m, n, k, x, w, bias), 3e-6);
    }
  });

  test(`linearBackwardX ${m}×${n}×${k}, alone, onto itself and onto another`, () => {
    rig.clear();
    const dx = oracle.linearBackwardX(m, n, k, dy, w);
    const acc = numbers(m * k, 5);
    const sum = dx.map((v, i) => v + acc[i]!);
    const garbage = new Float32Array(m * k).fill(Number.NaN);
    close(
      results(Op.LinearBackwardX, garbage, (out) => [rig.f32(dy), rig.f32(w), 0, out, m, n, k, 0]),
      dx,
      3e-6,
    );
    close(
      results(Op.LinearBackwardX, acc, (out) => [rig.f32(dy), rig.f32(w), out, out, m, n, k, 0]),
      sum,
      3e-6,
    );
    close(
      results(Op.LinearBackwardX, garbage, (out) => [rig.f32(dy), rig.f32(w), rig.f32(acc), out, m, n, k, 0]),
      sum,
      3e-6,
    );
  });

  test(`linearBackwardW ${m}×${n}×${k} accumulates`, () => {
    rig.clear();
    const before = numbers(n * k, 6);
    const want = oracle.linearBackwardW(m, n, k, dy, x).map((v, i) => v + before[i]!);
    close(
      results(Op.LinearBackwardW, before, (out) => [rig.f32(dy), rig.f32(x), out, m, n, k]),
      want,
      3e-6,
    );
  });

  test(`biasBackward ${m}×${n} accumulates`, () => {
    rig.clear();
    const before = numbers(n, 7);
    const want = oracle.biasBackward(m, n, dy).map((v, i) => v + before[i]!);
    close(
      results(Op.BiasBackward, before, (out) => [rig.f32(dy), out, m, n]),
      want,
      3e-6,
    );
  });
}

test.run();
