import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convBackwardXScratch, convScratch } from '../../../assembly/abi/ops/spatial.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { Patch } from '../../../assembly/abi/tiles.ts';
import { type ConvShape, conv, convBackwardW, convBackwardX } from '../../oracle/conv.ts';
import { differences } from '../../oracle/linear.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(32 << 20, 1 << 20);

/** Output size from the paddings of all four sides; 'same' pads as TensorFlow does, the odd one after the last. */
function shape(
  batch: number,
  [h, width, c]: [number, number, number],
  o: number,
  [r, s]: [number, number],
  stride: number,
  pad: number | 'same',
): ConvShape {
  if (pad === 'same') {
    const oh = Math.ceil(h / stride);
    const ow = Math.ceil(width / stride);
    const top = Math.max(0, (oh - 1) * stride + r - h) >> 1;
    const left = Math.max(0, (ow - 1) * stride + s - width) >> 1;
    return { batch, h, width, c, oh, ow, o, r, s, stride, top, left };
  }
  const oh = Math.floor((h + 2 * pad - r) / stride) + 1;
  const ow = Math.floor((width + 2 * pad - s) / stride) + 1;
  return { batch, h, width, c, oh, ow, o, r, s, stride, top: pad, left: pad };
}

const SHAPES: [string, ConvShape][] = [
  ['1×1', shape(2, [5, 4, 19], 21, [1, 1], 1, 0)],
  ['1×1 stride 2', shape(2, [7, 6, 5], 18, [1, 1], 2, 0)],
  ['1×1 padded', shape(1, [3, 3, 4], 5, [1, 1], 1, 1)],
  ['3×3 on three channels, stride 2, padded', shape(2, [17, 15, 3], 8, [3, 3], 2, 1)],
  ['3×3 on three channels, stride 2, SAME', shape(1, [16, 14, 3], 8, [3, 3], 2, 'same')],
  ['3×3', shape(2, [13, 12, 6], 17, [3, 3], 1, 1)],
  ['3×3, more patch than a tile is wide', shape(1, [9, 9, 33], 20, [3, 3], 1, 1)],
  ['3×3, more channels out than a tile is wide', shape(1, [4, 5, 3], 261, [3, 3], 2, 1)],
  ['patches', shape(2, [12, 16, 3], 10, [4, 4], 4, 0)],
  ['7×7 stride 2', shape(1, [11, 13, 3], 4, [7, 7], 2, 3)],
  ['2×5 stride 3, no padding', shape(1, [9, 12, 5], 3, [2, 5], 3, 0)],
  ['filter larger than the picture', shape(1, [2, 2, 3], 4, [5, 5], 1, 2)],
];

const list = (a: ConvShape) => [a.batch, a.h, a.width, a.c, a.oh, a.ow, a.o, a.r, a.s, a.stride, a.top, a.left] as const;
const sizes = (a: ConvShape) => ({
  x: a.batch * a.h * a.width * a.c,
  w: a.o * a.r * a.s * a.c,
  y: a.batch * a.oh * a.ow * a.o,
});

/** What `op` leaves in an output that held `before`: equal for 1, 2, 3 and 5 threads, nothing written past it or past `scratch`. */
function results(op: number, before: Float32Array, scratch: number, args: (out: number) => number[]): Float32Array {
  const run = (threads: number) => {
    const out = rig.f32([...before, 77, 77, 77, 77]);
    const list = args(out);
    const guard = new Uint8Array(rig.memory.buffer, rig.scratch + scratch, 4096).fill(0xa5);
    for (let t = 0; t < threads; t++) {
      rig.kernels.setup(0, rig.scratch, 0, t, threads);
      assert.is(rig.run(op, list), 0);
    }
    assert.equal(rig.readF32(out + before.length * 4, 4), new Float32Array(4).fill(77), 'past the output');
    assert.ok(
      guard.every((v) => v === 0xa5),
      'past the scratch',
    );
    return rig.readF32(out, before.length);
  };
  const one = run(1);
  for (const threads of [2, 3, 5]) assert.equal(run(threads), one, `${threads} threads`);
  return one;
}

test('the oracle is its own derivative', () => {
  for (const a of [shape(2, [4, 3, 2], 3, [3, 3], 2, 'same'), shape(1, [5, 5, 2], 2, [3, 2], 1, 1)]) {
    const n = sizes(a);
    const x = Float64Array.from(numbers(n.x, 1));
    const w = Float64Array.from(numbers(n.w, 2));
    const dy = numbers(n.y, 3);
    close(
      convBackwardX(a, dy, w),
      differences(x, dy, (v) => conv(a, v, w, null)),
      1e-8,
    );
    close(
      convBackwardW(a, dy, x),
      differences(w, dy, (v) => conv(a, x, v, null)),
      1e-8,
    );
  }
});

for (const [name, a] of SHAPES) {
  const n = sizes(a);
  const x = numbers(n.x, 1);
  const w = numbers(n.w, 2);
  const b = numbers(a.o, 3);
  const dy = numbers(n.y, 4);

  test(`conv ${name}`, () => {
    rig.clear();
    const garbage = new Float32Array(n.y).fill(Number.NaN);
    for (const bias of [b, null])
      close(
        results(Op.Conv, garbage, convScratch(...list(a)), (out) => [
          rig.f32(x),
          rig.f32(w),
          bias ? rig.f32(bias) : 0,
          out,
          ...list(a),
          0,
          Patch.Rows,
        ]),
        conv(a, x, w, bias),
        3e-6,
      );
  });

  test(`convBackwardX ${name}`, () => {
    rig.clear();
    const garbage = new Float32Array(n.x).fill(Number.NaN);
    close(
      results(Op.ConvBackwardX, garbage, convBackwardXScratch(...list(a)), (out) => [
        rig.f32(dy),
        rig.f32(w),
        out,
        ...list(a),
        0,
        Patch.Rows,
      ]),
      convBackwardX(a, dy, w),
      3e-6,
    );
  });

  test(`${name}: tiles of few pixels change no bit`, () => {
    rig.clear();
    const nothing = (n: number) => new Float32Array(n);
    const all = (pixels: number) => [
      results(Op.Conv, nothing(n.y), convScratch(...list(a), pixels), (out) => [
        rig.f32(x),
        rig.f32(w),
        rig.f32(b),
        out,
        ...list(a),
        0,
        pixels,
      ]),
      results(Op.ConvBackwardX, nothing(n.x), convBackwardXScratch(...list(a), pixels), (out) => [
        rig.f32(dy),
        rig.f32(w),
        out,
        ...list(a),
        0,
        pixels,
      ]),
      results(Op.ConvBackwardW, nothing(n.w), convScratch(...list(a), pixels), (out) => [rig.f32(dy), rig.f32(x), out, ...list(a), pixels]),
    ];
    assert.equal(all(5), all(Patch.Rows));
  });

  test(`convBackwardW ${name} accumulates`, () => {
    rig.clear();
    const before = numbers(n.w, 5);
    const want = convBackwardW(a, dy, x).map((v, i) => v + before[i]!);
    close(
      results(Op.ConvBackwardW, before, convScratch(...list(a)), (out) => [rig.f32(dy), rig.f32(x), out, ...list(a), Patch.Rows]),
      want,
      3e-6,
    );
  });
}

test.run();
