import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { resizePositionsScratch } from '../../../assembly/abi/ops/init.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { resize } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const perThread = resizePositionsScratch(24, 24);
const rig = openRig(8 << 20, 3 * perThread);

test('FoldBatchNorm, both layouts, with and without gamma and beta', () => {
  const eps = 1e-3;
  for (const [o, k] of [
    [1, 1],
    [5, 9],
    [16, 3],
    [7, 25],
  ] as const)
    for (const depthwise of [0, 1])
      for (const absent of [0, 1, 2, 3])
        for (const threads of [1, 3]) {
          rig.clear();
          const [w, b, mean] = [numbers(o * k, 1), numbers(o, 2), numbers(o, 3)];
          const variance = numbers(o, 4).map((v) => v * v + 0.01);
          const gamma = absent & 1 ? new Float32Array(o).fill(1) : numbers(o, 5);
          const beta = absent & 2 ? new Float32Array(o) : numbers(o, 6);
          const [pw, pb] = [rig.f32(w), rig.f32(b)];
          const args = [absent & 1 ? 0 : rig.f32(gamma), absent & 2 ? 0 : rig.f32(beta), rig.f32(mean), rig.f32(variance)];
          onThreads(rig, threads, perThread, () => {
            assert.is(rig.run(Op.FoldBatchNorm, [pw, pb, ...args, o, k, rig.float(eps), depthwise, 0]), 0);
          });
          const factor = [...gamma].map((g, i) => g / Math.sqrt(variance[i]! + Math.fround(eps)));
          const wantB = [...b].map((v, i) => beta[i]! + (v - mean[i]!) * factor[i]!);
          const wantW = [...w].map((v, i) => v * factor[depthwise ? i % o : Math.floor(i / k)]!);
          close(rig.readF32(pw, o * k), wantW, 1e-7, 'w');
          close(rig.readF32(pb, o), wantB, 1e-6, 'b');
          const alone = rig.f32(w);
          assert.is(rig.run(Op.FoldBatchNorm, [alone, 0, ...args, o, k, rig.float(eps), depthwise, 0]), 0);
          close(rig.readF32(alone, o * k), wantW, 1e-7, 'w without b');
        }
});

/** Runs ResizePositions on [prefix + h0·w0, c]. */
function run(
  x: ArrayLike<number>,
  prefix: number,
  h0: number,
  w0: number,
  h: number,
  w: number,
  c: number,
  antialias: number,
  threads = 1,
) {
  rig.clear();
  const n = (prefix + h * w) * c;
  const [px, y] = [rig.f32(x), rig.f32(n + 4)];
  onThreads(rig, threads, perThread, () => assert.is(rig.run(Op.ResizePositions, [px, y, prefix, h0, w0, h, w, c, antialias]), 0));
  assert.equal([...rig.readF32(y + n * 4, 4)], [0, 0, 0, 0], 'nothing after y');
  return rig.readF32(y, n);
}

test('ResizePositions: every direction, prefix rows, threads', () => {
  for (const [h0, w0, h, w] of [
    [14, 14, 7, 7],
    [14, 14, 24, 24],
    [5, 4, 3, 9],
    [1, 1, 3, 2],
    [3, 3, 1, 1],
    [2, 7, 7, 2],
    [24, 24, 5, 10],
  ] as const)
    for (const antialias of [0, 1])
      for (const [prefix, c] of [
        [0, 1],
        [1, 5],
        [2, 3],
      ] as const) {
        const x = numbers((prefix + h0 * w0) * c, 1);
        const y = run(x, prefix, h0, w0, h, w, c, antialias);
        assert.equal(y.slice(0, prefix * c), x.slice(0, prefix * c));
        for (let k = 0; k < c; k++) {
          const channel = (all: Float32Array, n: number) => Float32Array.from({ length: n }, (_, i) => all[(prefix + i) * c + k]!);
          close(channel(y, h * w), resize(channel(x, h0 * w0), h0, w0, h, w, antialias === 1), 1e-6, `${h0}×${w0} → ${h}×${w}`);
        }
        assert.equal(run(x, prefix, h0, w0, h, w, c, antialias, 3), y);
      }
});

test('the same size changes nothing', () => {
  const x = numbers(1 + 36, 1);
  for (const antialias of [0, 1]) assert.equal(run(x, 1, 6, 6, 6, 6, 1, antialias), x);
});

test("PyTorch's own numbers", () => {
  // torch 2.15, F.interpolate(x, size, mode='bicubic', align_corners=False, antialias=…) of (7·i mod 11), 5×4, f64
  const x = Float32Array.from({ length: 20 }, (_, i) => (7 * i) % 11);
  const golden: [h: number, w: number, antialias: number, y: number[]][] = [
    [3, 2, 0, [3.622685185, 6.94212963, 4.875, 1.625, 5.363425926, 4.914351852]],
    [3, 2, 1, [3.734011443, 6.619834711, 4.846761484, 4.630194119, 5.619326128, 5.316338207]],
    [
      7,
      3,
      0,
      [
        0.741074803, 4.960641399, 9.180207996, 3.867444795, 5.129373178, 7.596597965, 4.729581714, 5.981915087, 3.702060388, 2.074074074,
        7.03125, 0.50462963, 5.400135649, 6.539723032, 5.402639429, 5.392226136, 7.087099125, 5.166082901, 2.819792004, 8.151785714,
        1.096010825,
      ],
    ],
    [
      7,
      3,
      1,
      [
        1.804314501, 4.970873786, 8.137433072, 3.552691798, 5.220794727, 7.490951273, 4.327171078, 5.747844828, 4.713131542, 2.958810069,
        6.387212644, 0.7597254, 5.041456792, 6.433908046, 6.031022543, 5.059617006, 6.898265116, 5.350361632, 3.862566928, 7.438894934,
        1.431805559,
      ],
    ],
  ];
  for (const [h, w, antialias, want] of golden) close(run(x, 0, 5, 4, h, w, 1, antialias), want, 1e-6, `${h}×${w}, antialias ${antialias}`);
});

test.run();
