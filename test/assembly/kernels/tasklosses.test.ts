/** Losses of several labels and of numbers against PyTorch's (tools/golden/losses.py), and what they refuse. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { Status } from '../../../assembly/abi/status.ts';
import { close } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);

interface Golden {
  x: number[];
  targets: number[];
  losses: number[];
  gradient: number[];
  smoothing?: number;
  delta?: number;
  mean?: number[];
  std?: number[];
  answers?: number[];
}
const golden = JSON.parse(readFileSync('test/golden/losses.json', 'utf8')) as {
  shape: [number, number];
  binary: Golden[];
  numbers: Golden[];
};
const [B, N] = golden.shape;

/** One run of either kernel on `g`; `padding`: rows of it that are marked so. */
function run(g: Omit<Golden, 'losses' | 'gradient'>, how: 'apart' | 'in place' | 'no gradient' = 'apart', padding: number[] = [], n = N) {
  rig.clear();
  const b = g.x.length / n;
  const state = rig.u8(new Uint8Array(State.Bytes));
  const view = new DataView(rig.memory.buffer, state);
  view.setFloat32(State.Smoothing, g.smoothing ?? 0, true);
  view.setFloat32(State.LossScale, 1 / b, true);
  const [px, pt, pd, losses, answers] = [rig.f32(g.x), rig.f32(g.targets), rig.f32(g.x.length), rig.f32(b), rig.f32(g.x.length)];
  for (const row of padding) new Uint8Array(rig.memory.buffer, pt + 4 * n * row, 4 * n).fill(0xff);
  const d = how === 'apart' ? pd : how === 'in place' ? px : 0;
  const table = rig.f32(g.mean === undefined ? new Array(n).fill(0.5) : [...g.mean, ...g.std!]);
  const bits = new Int32Array(Float32Array.of(g.delta ?? 0).buffer)[0]!;
  let status = 0;
  onThreads(rig, 2, 1024, () => {
    status ||=
      g.mean === undefined
        ? rig.run(Op.BinaryCrossEntropy, [px, pt, table, d, losses, answers, state, b, n])
        : rig.run(Op.Huber, [px, pt, table, d, losses, answers, state, b, n, bits]);
  });
  return {
    status,
    dx: rig.readF32(how === 'in place' ? px : pd, g.x.length),
    losses: rig.readF32(losses, b),
    answers: rig.readF32(answers, g.x.length),
    choices: [...rig.readI32(answers, g.x.length)],
    lossSum: view.getFloat64(State.LossSum, true),
    correct: view.getInt32(State.Correct, true),
    count: view.getInt32(State.Count, true),
  };
}

for (const [i, g] of [...golden.binary, ...golden.numbers].entries())
  test(`PyTorch's loss ${i}: losses, gradient, answers`, () => {
    for (const how of ['apart', 'in place', 'no gradient'] as const) {
      const got = run(g, how);
      assert.is(got.status, 0);
      close(got.losses, g.losses, 1e-6, 'losses');
      assert.ok(Math.abs(got.lossSum / B - g.losses.reduce((a, b) => a + b) / B) <= 1e-12 * Math.max(1, got.lossSum), 'sum in f64');
      assert.is(got.count, B);
      if (how === 'no gradient') assert.equal([...got.dx], Array(B * N).fill(0));
      else close(got.dx, g.gradient, 1e-6, `gradient, ${how}`);
      if (g.answers) close(got.answers, g.answers, 1e-6, 'answers');
      else
        assert.equal(
          got.choices,
          g.x.map((x) => Number(x >= 0)),
        );
    }
  });

test('padding: no loss, no gradient, not counted', () => {
  for (const g of [golden.binary[0]!, golden.numbers[0]!]) {
    const got = run(g, 'apart', [1, 3]);
    assert.is(got.status, 0);
    assert.is(got.count, 2);
    assert.equal([got.losses[1], got.losses[3]], [0, 0]);
    assert.ok(got.dx.slice(N, 2 * N).every((v) => v === 0));
    close([got.losses[0]!, got.losses[2]!], [g.losses[0]!, g.losses[2]!], 1e-6);
  }
});

test('a picture is right where all of its labels are; a threshold is a probability', () => {
  const got = run({ x: [3, -3, 3, 3, 0, -1], targets: [1, 0, 1, 0, 1, 0] }, 'apart', [], 2);
  assert.equal(got.choices, [1, 0, 1, 1, 1, 0]);
  assert.is(got.correct, 2);
});

test('targets outside of 0 to 1, numbers that are not finite, losses that are not finite: refused, nothing counted', () => {
  const scale = { mean: [0, 0], std: [1, 1] };
  for (const bad of [-0.25, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const got = run({ x: [0, 0, 0, 0], targets: [1, 0, 0, bad] }, 'apart', [], 2);
    assert.is(got.status, Status.BadLabel, `${bad}`);
    assert.is(got.count, 0);
  }
  for (const bad of [Number.NaN, Number.NEGATIVE_INFINITY]) {
    assert.is(run({ x: [0, 0, 0, 0], targets: [1, 0, 0, bad], ...scale }, 'apart', [], 2).status, Status.BadLabel, `${bad}`);
    for (const padding of [[], [1]]) {
      const x = [0, 0, 0, bad];
      assert.is(run({ x, targets: [1, 0, 1, 0] }, 'apart', padding, 2).status, Status.LossNotFinite);
      assert.is(run({ x, targets: [1, 0, 1, 0], ...scale }, 'apart', padding, 2).status, Status.LossNotFinite);
    }
  }
});

test.run();
