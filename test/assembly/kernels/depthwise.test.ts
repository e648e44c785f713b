import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { type DepthwiseShape, depthwise, depthwiseBackwardW, depthwiseBackwardX } from '../../oracle/depthwise.ts';
import { close, numbers } from '../../support/close.ts';
import { checkGradient } from '../../support/difference.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(16 << 20, 1 << 16);

/** A shape with "same"-like padding: `before` zeros in front, the output as large as `after` zeros behind allow. */
function shape(
  batch: number,
  h: number,
  w: number,
  c: number,
  k: number,
  stride: number,
  before: number,
  after = before,
  s = k,
): DepthwiseShape {
  const size = (n: number, taps: number) => Math.floor((n + before + after - taps) / stride) + 1;
  return { batch, h, w, c, oh: size(h, k), ow: size(w, s), r: k, s, stride, top: before, left: before };
}

const shapes: DepthwiseShape[] = [];
for (const c of [1, 3, 4, 8, 16, 20, 33, 48])
  for (const stride of [1, 2]) {
    shapes.push(shape(2, 7, 6, c, 3, stride, 1));
    shapes.push(shape(1, 8, 9, c, 3, stride, 0, 1)); // TensorFlow's SAME at even sizes
  }
for (const stride of [1, 2]) {
  for (let n = 1; n <= 6; n++) shapes.push(shape(1, n, 7 - n, 20, 3, stride, 1));
  shapes.push(shape(1, 2, 2, 8, 3, stride, 1, 2), shape(1, 1, 1, 16, 3, stride, 1, 1), shape(1, 12, 13, 16, 3, stride, 0));
  shapes.push(shape(2, 14, 11, 36, 5, stride, 2), shape(1, 9, 9, 8, 7, stride, 3), shape(1, 6, 8, 8, 2, stride, 0, 1));
  shapes.push(shape(1, 10, 10, 12, 3, stride, 2), shape(1, 6, 9, 12, 1, stride, 0), shape(1, 9, 9, 20, 5, stride, 1, 1, 3));
}
shapes.push(shape(1, 11, 10, 20, 3, 3, 1), shape(1, 9, 12, 8, 5, 4, 2), shape(2, 11, 14, 24, 3, 2, 1), shape(1, 9, 12, 8, 2, 3, 0));

const args = (d: DepthwiseShape) => [d.batch, d.h, d.w, d.c, d.oh, d.ow, d.r, d.s, d.stride, d.top, d.left];
const name = (d: DepthwiseShape) => `B${d.batch} ${d.h}×${d.w}×${d.c} → ${d.oh}×${d.ow}, ${d.r}×${d.s}/${d.stride} pad ${d.top}`;

function data(d: DepthwiseShape) {
  return {
    x: numbers(d.batch * d.h * d.w * d.c, 1),
    w: numbers(d.r * d.s * d.c, 2),
    b: numbers(d.c, 3),
    dy: numbers(d.batch * d.oh * d.ow * d.c, 4),
  };
}

test('forward, with and without bias', () => {
  for (const d of shapes) {
    rig.clear();
    const { x, w, b } = data(d);
    const y = rig.f32(d.batch * d.oh * d.ow * d.c + 4);
    const n = d.batch * d.oh * d.ow * d.c;
    const [px, pw, pb] = [rig.f32(x), rig.f32(w), rig.f32(b)];
    assert.is(rig.run(Op.Depthwise, [px, pw, pb, y, ...args(d)]), 0);
    close(rig.readF32(y, n), depthwise(d, x, w, b), 1e-6, name(d));
    assert.equal([...rig.readF32(y + n * 4, 4)], [0, 0, 0, 0], `${name(d)}: nothing after y`);
    rig.run(Op.Depthwise, [px, pw, 0, y, ...args(d)]);
    close(rig.readF32(y, n), depthwise(d, x, w), 1e-6, `${name(d)}, no bias`);
  }
});

test('backward to x', () => {
  for (const d of shapes) {
    rig.clear();
    const { w, dy } = data(d);
    const n = d.batch * d.h * d.w * d.c;
    const dx = rig.f32(new Float32Array(n + 4).fill(7));
    assert.is(rig.run(Op.DepthwiseBackwardX, [rig.f32(dy), rig.f32(w), dx, ...args(d)]), 0);
    close(rig.readF32(dx, n), depthwiseBackwardX(d, dy, w), 1e-6, name(d));
    assert.equal([...rig.readF32(dx + n * 4, 4)], [7, 7, 7, 7], `${name(d)}: nothing after dx`);
  }
});

test('backward to w accumulates', () => {
  for (const d of shapes) {
    rig.clear();
    const { x, w, dy } = data(d);
    const dw = rig.f32([...w, 7, 7, 7, 7]);
    assert.is(rig.run(Op.DepthwiseBackwardW, [rig.f32(dy), rig.f32(x), dw, ...args(d)]), 0);
    const want = depthwiseBackwardW(d, dy, x).map((g, i) => g + w[i]!);
    close(rig.readF32(dw, w.length), want, 2e-6, name(d));
    assert.equal([...rig.readF32(dw + w.length * 4, 4)], [7, 7, 7, 7], `${name(d)}: nothing after dw`);
  }
});

test('the same bits on any number of threads', () => {
  for (const d of [shape(2, 7, 6, 36, 3, 1, 1), shape(2, 9, 9, 52, 3, 2, 1), shape(1, 8, 7, 33, 5, 2, 2)]) {
    rig.clear();
    const { x, w, b, dy } = data(d);
    const [px, pw, pb, pdy] = [rig.f32(x), rig.f32(w), rig.f32(b), rig.f32(dy)];
    const results = [1, 2, 3, 5].map((threads) => {
      const [y, dx, dw] = [rig.f32(dy.length), rig.f32(x.length), rig.f32(w)];
      onThreads(rig, threads, 1 << 12, () => {
        rig.run(Op.Depthwise, [px, pw, pb, y, ...args(d)]);
        rig.run(Op.DepthwiseBackwardX, [pdy, pw, dx, ...args(d)]);
        rig.run(Op.DepthwiseBackwardW, [pdy, px, dw, ...args(d)]);
      });
      return [...rig.readI32(y, dy.length), ...rig.readI32(dx, x.length), ...rig.readI32(dw, w.length)];
    });
    for (const result of results.slice(1)) assert.equal(result, results[0], name(d));
  }
});

test('every path computes an output with the same bits', () => {
  // The interior's outputs do not change when the picture is cut out of a larger one, so borders become interior.
  for (const stride of [1, 2]) {
    rig.clear();
    const big = { ...shape(1, 16, 16, 20, 3, stride, 0) };
    const { x, w, b } = data(big);
    const cut = { ...big, oh: 1, ow: 1 };
    const [px, pw, pb, y, one] = [rig.f32(x), rig.f32(w), rig.f32(b), rig.f32(big.oh * big.ow * big.c), rig.f32(big.c)];
    rig.run(Op.Depthwise, [px, pw, pb, y, ...args(big)]);
    for (const [oy, ox] of [
      [0, 0],
      [1, 3],
      [3, 6],
      [6, 2],
    ] as const) {
      const start = px + (oy * stride * big.w + ox * stride) * big.c * 4;
      rig.run(Op.Depthwise, [start, pw, pb, one, ...args(cut)]);
      assert.equal(rig.readI32(one, big.c), rig.readI32(y + (oy * big.ow + ox) * big.c * 4, big.c));
    }
  }
});

test('the oracle is right: finite differences', () => {
  for (const d of [shape(1, 5, 4, 3, 3, 1, 1), shape(1, 6, 5, 2, 3, 2, 1), shape(1, 7, 7, 2, 5, 3, 2)]) {
    const { x, w, dy } = data(d);
    checkGradient((v) => depthwise(d, v, w), x, dy, depthwiseBackwardX(d, dy, w));
    checkGradient((v) => depthwise(d, x, v), w, dy, depthwiseBackwardW(d, dy, x));
  }
});

test.run();
