import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Augment } from '../../../assembly/abi/ops/pixels.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { philox } from '../../oracle/random.ts';
import { close } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(8 << 20, 1 << 12);
const SEED = 4021;
const table = [1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225), -0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225];

interface View {
  sh: number;
  sw: number;
  h: number;
  w: number;
  augment: number;
  pad: number;
}

const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 89 + (i >> 3) * 31) & 255);

/** The window by its definition: random bits from the JavaScript twin. */
function oracle(x: Uint8Array, v: View, samples: number[]): Float64Array {
  const y = new Float64Array(samples.length * v.h * v.w * 3);
  samples.forEach((counter, b) => {
    const [low, high] = philox(SEED, Stream.Augment, counter);
    let top = Math.floor((v.sh - v.h) / 2);
    let left = Math.floor((v.sw - v.w) / 2);
    if (v.augment & Augment.Crop) {
      top += Math.floor(((low & 0xffff) * (2 * v.pad + 1)) / 65536) - v.pad;
      left += Math.floor(((low >>> 16) * (2 * v.pad + 1)) / 65536) - v.pad;
    }
    const flip = (v.augment & Augment.Flip) !== 0 && high >= 0x80000000;
    for (let i = 0; i < v.h; i++)
      for (let j = 0; j < v.w; j++) {
        const iy = Math.min(v.sh - 1, Math.max(0, top + i));
        const ix = Math.min(v.sw - 1, Math.max(0, left + (flip ? v.w - 1 - j : j)));
        for (let c = 0; c < 3; c++)
          y[((b * v.h + i) * v.w + j) * 3 + c] = x[((b * v.sh + iy) * v.sw + ix) * 3 + c]! * table[c]! + table[3 + c]!;
      }
  });
  return y;
}

function run(x: Uint8Array, v: View, samples: number[], threads = 1): Float32Array {
  rig.clear();
  const state = rig.u8(State.Bytes);
  new DataView(rig.memory.buffer).setUint32(state + State.Seed, SEED, true);
  const n = samples.length * v.h * v.w * 3;
  const [px, pt, ps, y] = [rig.u8(x), rig.f32(table), rig.i32(samples), rig.f32(n + 4)];
  const args = [px, y, pt, ps, state, samples.length, v.sh, v.sw, v.h, v.w, v.augment, v.pad];
  onThreads(rig, threads, 1024, () => assert.is(rig.run(Op.Pixels, args), 0));
  assert.equal([...rig.readF32(y + n * 4, 4)], [0, 0, 0, 0], 'nothing after y');
  return rig.readF32(y, n);
}

const views: View[] = [];
for (const [sh, sw, h, w] of [
  [8, 8, 8, 8],
  [9, 12, 6, 7],
  [8, 8, 5, 4],
  [16, 15, 16, 15],
  [5, 6, 1, 1],
  [20, 20, 14, 13],
] as const)
  for (const [augment, pad] of [
    [0, 0],
    [1, 2],
    [2, 0],
    [3, 3],
    [3, 20],
    [1, 0],
  ] as const)
    views.push({ sh, sw, h, w, augment, pad });

test('every window, on threads', () => {
  for (const v of views) {
    const samples = [0, 1, 77, 123456789, 4];
    const x = bytes(samples.length * v.sh * v.sw * 3);
    const want = oracle(x, v, samples);
    for (const threads of [1, 3]) close(run(x, v, samples, threads), want, 1e-6, JSON.stringify(v));
  }
});

test('a window larger than the picture repeats its edge', () => {
  const v = { sh: 3, sw: 4, h: 7, w: 9, augment: Augment.None, pad: 0 };
  const x = bytes(3 * 4 * 3);
  close(run(x, v, [0]), oracle(x, v, [0]), 1e-6);
});

test('a picture is augmented the same at any place in any batch', () => {
  const v: View = { sh: 10, sw: 10, h: 8, w: 8, augment: Augment.Crop | Augment.Flip, pad: 2 };
  const one = bytes(300);
  const many = new Uint8Array(1200);
  for (let i = 0; i < 4; i++) many.set(one, i * 300);
  const size = 8 * 8 * 3;
  for (const counter of [3, 9, 1000]) {
    const alone = run(one, v, [counter]);
    assert.equal(run(many, v, [5, 6, counter, 7]).slice(2 * size, 3 * size), alone);
  }
});

test('half of the pictures are flipped, every shift occurs, neither depends on the other', () => {
  let flips = 0;
  const shifts = new Map<string, number>();
  for (let counter = 0; counter < 2000; counter++) {
    const [low, high] = philox(SEED, Stream.Augment, counter);
    if (high >= 0x80000000) flips++;
    const key = `${((low & 0xffff) * 3) >> 16},${((low >>> 16) * 3) >> 16}`;
    shifts.set(key, (shifts.get(key) ?? 0) + 1);
  }
  assert.ok(Math.abs(flips - 1000) < 90);
  assert.is(shifts.size, 9);
  for (const n of shifts.values()) assert.ok(Math.abs(n - 222) < 60);
});

test.run();
