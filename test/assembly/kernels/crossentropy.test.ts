import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { Status } from '../../../assembly/abi/status.ts';
import { crossEntropy, crossEntropyBackward } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { checkGradient } from '../../support/difference.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);

/** Lays everything out, runs, and reads what came out. */
function run(
  x: ArrayLike<number>,
  labels: number[],
  smoothing: number,
  scale: number,
  how: 'apart' | 'in place' | 'no gradient' = 'apart',
  threads = 1,
) {
  rig.clear();
  const n = x.length / labels.length;
  const state = rig.u8(new Uint8Array(State.Bytes));
  const view = new DataView(rig.memory.buffer, state);
  view.setFloat32(State.Smoothing, smoothing, true);
  view.setFloat32(State.LossScale, scale, true);
  view.setFloat64(State.LossSum, 10, true);
  view.setInt32(State.Correct, 100, true);
  view.setInt32(State.Count, 200, true);
  const [px, pl, pd, losses, choices] = [rig.f32(x), rig.i32(labels), rig.f32(x.length), rig.f32(labels.length), rig.i32(labels.length)];
  const d = how === 'apart' ? pd : how === 'in place' ? px : 0;
  let status = 0;
  onThreads(rig, threads, 1024, () => {
    status ||= rig.run(Op.CrossEntropy, [px, pl, d, losses, choices, state, labels.length, n]);
  });
  return {
    status,
    dx: rig.readF32(how === 'in place' ? px : pd, x.length),
    losses: rig.readF32(losses, labels.length),
    choices: [...rig.readI32(choices, labels.length)],
    lossSum: view.getFloat64(State.LossSum, true) - 10,
    correct: view.getInt32(State.Correct, true) - 100,
    count: view.getInt32(State.Count, true) - 200,
  };
}

test('loss, gradient, choices and counts', () => {
  for (const n of [1, 2, 5, 10, 101, 1000])
    for (const smoothing of [0, 0.1])
      for (const how of ['apart', 'in place', 'no gradient'] as const) {
        const labels = [0, n - 1, -1, n >> 1];
        const x = numbers(4 * n, n, 3);
        const rows = labels.map((_, i) => x.slice(i * n, (i + 1) * n));
        const got = run(x, labels, smoothing, 0.25, how, 2);
        assert.is(got.status, 0);
        const want = labels.map((label, i) => (label < 0 ? 0 : crossEntropy(rows[i]!, label, smoothing)));
        close(got.losses, want, 1e-6);
        const sum = want.reduce((a, b) => a + b);
        assert.ok(Math.abs(got.lossSum - sum) <= 1e-7 * Math.max(1, sum));
        const choices = rows.map((row) => row.indexOf(Math.max(...row)));
        assert.equal(got.choices, choices);
        assert.is(got.correct, choices.filter((c, i) => c === labels[i]).length);
        assert.is(got.count, 3);
        const gradient = labels.flatMap((label, i) =>
          label < 0 ? Array(n).fill(0) : [...crossEntropyBackward(rows[i]!, label, smoothing)].map((g) => g * 0.25),
        );
        if (how === 'no gradient') assert.equal([...got.dx], Array(4 * n).fill(0));
        // One class: the gradient is zero but for rounding, so there is nothing to be relative to.
        else if (n === 1) assert.ok(got.dx.every((g) => Math.abs(g) < 1e-12));
        else close(got.dx, gradient, 1e-6, `N ${n}, ${how}`);
      }
});

test("PyTorch's own numbers", () => {
  // torch 2.15, F.cross_entropy(x, 2, label_smoothing=0.1), f64
  const { losses, dx } = run([1, 2, -1, 0.5], [2], 0.1, 1);
  close(losses, [3.332681898085856], 1e-6);
  close(dx, [0.19920781804820115, 0.5844600375988771, -0.8946567714405839, 0.11098891379550353], 1e-6);
});

test('large logits stay finite, ties take the first', () => {
  const { losses, dx, choices, status } = run([1e4, 1e4, -1e4, 3e38, 0, 0], [0, 0], 0, 1);
  assert.is(status, 0);
  close(losses, [Math.log(2), 0], 1e-6);
  close(dx, [-0.5, 0.5, 0, 0, 0, 0], 1e-6);
  assert.equal(choices, [0, 0]);
});

test('a bad label and a loss that is not finite fail and count nothing', () => {
  for (const label of [3, -2, 1 << 30]) assert.is(run([1, 2, 3], [label], 0, 1).status, Status.BadLabel);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    for (const at of [0, 1, 2])
      for (const label of [1, -1]) {
        const x = [1, 2, 3];
        x[at] = bad;
        const got = run([...x, 1, 1, 1], [label, 0], 0, 1);
        assert.is(got.status, Status.LossNotFinite, `${bad} at ${at}, label ${label}`);
        assert.is(got.count, 0);
        assert.is(got.lossSum, 0);
      }
  // The label's own probability is zero beyond f32.
  assert.is(run([Number.NEGATIVE_INFINITY, 0], [0], 0, 1).status, Status.LossNotFinite);
});

test('the oracle is right: finite differences', () => {
  const x = numbers(7, 3, 2);
  for (const smoothing of [0, 0.1]) checkGradient((v) => [crossEntropy(v, 4, smoothing)], x, [1], crossEntropyBackward(x, 4, smoothing));
});

test.run();
