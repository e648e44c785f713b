/** The loss of pictures that are two in one, and of classes that weigh, against PyTorch's cross-entropy (tools/golden/losses.py), and what it refuses. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { Status } from '../../../assembly/abi/status.ts';
import { close } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(4 << 20, 1 << 12);

interface Golden {
  x: number[];
  labels: number[];
  shares?: number[];
  others?: number[];
  weights?: number[];
  mean?: number;
  losses: number[];
  gradient: number[];
  smoothing: number;
}
const golden = JSON.parse(readFileSync('test/golden/losses.json', 'utf8')) as {
  mixed: Golden[];
  weighted: Golden[];
  shape: [number, number];
};
const { mixed, weighted, shape } = golden;
const [B, N] = shape;

/** Where a pair's other label is not named, it is the neighbour's. */
function run({ x, labels, shares, weights, smoothing, others }: Omit<Golden, 'losses' | 'gradient'>, lossScale = 1 / B) {
  rig.clear();
  const state = rig.u8(new Uint8Array(State.Bytes));
  const view = new DataView(rig.memory.buffer, state);
  view.setFloat32(State.Smoothing, smoothing, true);
  view.setFloat32(State.LossScale, lossScale, true);
  const [px, pl, pw] = [rig.f32(x), rig.i32(labels), weights ? rig.f32(weights) : 0];
  const [po, ps] = shares ? [rig.i32(others ?? labels.map((_, b) => labels[b ^ 1]!)), rig.f32(shares)] : [0, 0];
  const [losses, choices] = [rig.f32(B), rig.f32(B)];
  // In place: the gradient takes the logits' room.
  const status = rig.run(Op.SoftCrossEntropy, [px, pl, po, ps, pw, px, losses, choices, state, B, N]);
  return { status, losses: rig.readF32(losses, B), gradient: rig.readF32(px, x.length), lossSum: view.getFloat64(State.LossSum, true) };
}

test("PyTorch's losses and gradients, with smoothing and without", () => {
  assert.ok(mixed.length >= 4);
  for (const g of mixed) {
    const got = run(g);
    assert.is(got.status, Status.Ok);
    close(got.losses, g.losses, 1e-6, 'losses');
    close(got.gradient, g.gradient, 1e-6, 'gradient');
    close([got.lossSum], [g.losses.reduce((a, b) => a + b)], 1e-6, 'sum');
  }
});

test("classes that weigh: PyTorch's losses, its weighted mean and its gradients, with smoothing and without, mixed and not", () => {
  assert.ok(weighted.length >= 5);
  for (const g of weighted) {
    // What the runner divides by: of pairs too the weights of all labels.
    const whole = g.labels.reduce((sum, label) => sum + g.weights![label]!, 0);
    const got = run(g, 1 / whole);
    assert.is(got.status, Status.Ok);
    close(got.losses, g.losses, 1e-6, 'losses');
    close([got.lossSum / whole], [g.mean!], 1e-6, 'mean');
    close(got.gradient, g.gradient, 1e-6, 'gradient');
  }
});

test('labels that are none, and losses that are no number', () => {
  const g = mixed[0]!;
  assert.is(run({ ...g, labels: [3, N, 1, 1] }).status, Status.BadLabel);
  assert.is(run({ ...g, labels: [3, -2, 1, 1] }).status, Status.BadLabel);
  for (const bad of [N, 1 << 30]) assert.is(run({ ...g, others: [3, bad, 1, 1] }).status, Status.BadLabel);
  assert.is(run({ ...g, x: g.x.map((x, i) => (i === 9 ? Number.NaN : x)) }).status, Status.LossNotFinite);
});

test.run();
