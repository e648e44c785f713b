/** The loss of pictures that are two in one against PyTorch's cross-entropy with soft targets (tools/golden/losses.py), and what it refuses. */
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
  shares: number[];
  losses: number[];
  gradient: number[];
  smoothing: number;
}
const { mixed, shape } = JSON.parse(readFileSync('test/golden/losses.json', 'utf8')) as { mixed: Golden[]; shape: [number, number] };
const [B, N] = shape;

function run({ x, labels, shares, smoothing }: Omit<Golden, 'losses' | 'gradient'>) {
  rig.clear();
  const state = rig.u8(new Uint8Array(State.Bytes));
  const view = new DataView(rig.memory.buffer, state);
  view.setFloat32(State.Smoothing, smoothing, true);
  view.setFloat32(State.LossScale, 1 / B, true);
  const [px, pl, ps] = [rig.f32(x), rig.i32(labels), rig.f32(shares)];
  const [losses, choices] = [rig.f32(B), rig.f32(B)];
  // In place: the gradient takes the logits' room.
  const status = rig.run(Op.MixCrossEntropy, [px, pl, ps, px, losses, choices, state, B, N]);
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

test('labels that are none, and losses that are no number', () => {
  const g = mixed[0]!;
  assert.is(run({ ...g, labels: [3, N, 1, 1] }).status, Status.BadLabel);
  assert.is(run({ ...g, labels: [3, -2, 1, 1] }).status, Status.BadLabel);
  assert.is(run({ ...g, x: g.x.map((x, i) => (i === 9 ? Number.NaN : x)) }).status, Status.LossNotFinite);
});

test.run();
