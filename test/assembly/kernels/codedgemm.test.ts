/** Weights in 12, 8 and 4 bits: coded as drawn, whatever the file's type and order; read by products of whole numbers, whose bits the oracle's are. */
import { setFlagsFromString } from 'node:v8';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { codedBytes } from '../../../assembly/abi/sizes.ts';
import { Patch } from '../../../assembly/abi/tiles.ts';
import { Encoding } from '../../../assembly/abi/weights.ts';
import { hasByteDots } from '../../../src/base/arithmetic.ts';
import { specials, TAILS } from '../../ops/cases/tails.ts';
import { decodeWeight, encodeWeight } from '../../oracle/weights.ts';
import { type WholeWeight, wholeConv, wholeConvBackwardX, wholeLinear, wholeLinearBackwardX, wholeWeight } from '../../oracle/whole.ts';
import { numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

// Node 20 and 21 have relaxed SIMD behind a flag, which is read whenever a module is compiled.
if (!hasByteDots() && process.versions.deno === undefined) setFlagsFromString('--experimental-wasm-relaxed-simd');

const plain = openRig(32 << 20, 1 << 20);
let rig = plain;
/** The engine in the builds whose bits are to be the same: by pairs of words, and by dot products of bytes. */
const BUILDS = [['words', plain], ...(hasByteDots() ? [['bytes', openRig(32 << 20, 1 << 20, 'build/engine.dots.wasm')]] : [])] as [
  string,
  typeof plain,
][];

const ENCODINGS = [Encoding.Int8, Encoding.Int4, Encoding.Int12, Encoding.Int8By7];
const NAMES = ['f32', 'int8', 'int4', 'int12', 'int8 by 7 bits'];

/** Halfway cases, a row of zeros, one of numbers too small to count, both signs of the extreme. */
function awkward(o: number, k: number): Float32Array {
  const data = numbers(o * k, o + k);
  data.fill(0, 0, k);
  if (o > 1) data.fill(1e-32, k, 2 * k);
  if (o > 2) for (let i = 0; i < k; i++) data[2 * k + i] = (i % 16) - 7.5;
  if (o > 3) for (let i = 0; i < k; i++) data[3 * k + i] = 7.5 - (i % 16);
  return data;
}

/** Codes a tensor in chunks of `rows` channels from the file's order. */
function place(
  encoding: Encoding,
  o: number,
  file: Uint8Array,
  dtype: number,
  rows: number,
  [n1, n2, s1, s2]: readonly [number, number, number, number],
): { bytes: Uint8Array; bad: number } {
  rig.clear();
  const k = n1 * n2;
  const size = dtype === 0 ? 4 : 2;
  const total = codedBytes(encoding, o, k);
  const to = rig.u8(new Uint8Array(total + 16).fill(0xaa));
  new Uint8Array(rig.memory.buffer, to, total).fill(0);
  const source = rig.u8(rows * k * size);
  const staging = rig.f32(rows * k);
  let bad = 0;
  for (let row = 0; row < o; row += rows) {
    const n = Math.min(rows, o - row);
    new Uint8Array(rig.memory.buffer, source, n * k * size).set(file.subarray(row * k * size, (row + n) * k * size));
    bad += rig.kernels.placeCoded(source, dtype, row, n, to, encoding, o, n1, n2, s1, s2, staging);
  }
  assert.equal(rig.readU8(to + total, 16), new Uint8Array(16).fill(0xaa), 'past the weight');
  return { bytes: rig.readU8(to, total), bad };
}

const bytesOf = (a: Float32Array | Uint16Array): Uint8Array => new Uint8Array(a.buffer);

test('rows of every length, in chunks of any number of channels', () => {
  for (const encoding of ENCODINGS)
    for (const k of [...TAILS, 130, 200])
      for (const rows of [1, 3, 100]) {
        const data = awkward(7, k);
        const { bytes, bad } = place(encoding, 7, bytesOf(data), 0, rows, [1, k, k, 1]);
        assert.is(bad, 0);
        assert.equal(bytes, encodeWeight(encoding, 7, k, data), `${NAMES[encoding]}, rows of ${k}, ${rows} at a time`);
      }
});

test('filters: O,I,RS of the file becomes O,RS,I', () => {
  for (const [o, c, taps] of [
    [5, 3, 9],
    [4, 32, 4],
    [3, 70, 1],
  ] as const) {
    const file = awkward(o, c * taps);
    const dense = Float32Array.from(
      file,
      (_, i) => file[Math.floor(i / (c * taps)) * c * taps + (i % c) * taps + (Math.floor(i / c) % taps)]!,
    );
    for (const encoding of ENCODINGS)
      assert.equal(
        place(encoding, o, bytesOf(file), 0, 2, [c, taps, 1, c]).bytes,
        encodeWeight(encoding, o, c * taps, dense),
        `${NAMES[encoding]} ${o}, ${c}, ${taps}`,
      );
  }
});

test('halves and bfloats give the code of their f32 value; what is not finite is counted', () => {
  const [o, k] = [4, 40];
  const bfloat = Uint16Array.from(new Uint32Array(awkward(o, k).buffer), (bits) => bits >>> 16);
  const values = new Float32Array(Uint32Array.from(bfloat, (bits) => bits << 16).buffer);
  // A half of exponent 15 + e and fraction f is (1 + f/1024)·2^e.
  const half = Uint16Array.from({ length: o * k }, (_, i) => ((i % 2) << 15) | ((10 + (i % 7)) << 10) | ((i * 37) % 1024));
  const halves = Float32Array.from(half, (bits) => (bits >> 15 ? -1 : 1) * (1 + (bits & 1023) / 1024) * 2 ** (((bits >> 10) & 31) - 15));
  for (const encoding of ENCODINGS) {
    assert.equal(place(encoding, o, bytesOf(bfloat), 2, 3, [1, k, k, 1]), { bytes: encodeWeight(encoding, o, k, values), bad: 0 });
    assert.equal(place(encoding, o, bytesOf(half), 1, 3, [1, k, k, 1]), { bytes: encodeWeight(encoding, o, k, halves), bad: 0 });
    const broken = awkward(o, k);
    broken[3] = Number.NaN;
    broken[k * 3] = Number.POSITIVE_INFINITY;
    assert.is(place(encoding, o, bytesOf(broken), 0, 1, [1, k, k, 1]).bad, 2);
  }
});

test('the errors of a channel, or of a group of 64, sum to less than half a code; none is more than one', () => {
  for (const [encoding, group] of [
    [Encoding.Int8, 200],
    [Encoding.Int12, 200],
    [Encoding.Int4, 64],
  ] as const) {
    const [o, k] = [20, 200];
    // All on one side of zero, and many near a half: rounding each to the nearest would err the same way by tens of codes.
    const data = numbers(o * k, 5).map((v, i) => (i % k === 0 ? 1 : 0.5 + 0.3 * Math.abs(v)));
    const got = decodeWeight(encoding, o, k, place(encoding, o, bytesOf(data), 0, 4, [1, k, k, 1]).bytes);
    for (let c = 0; c < o; c++)
      for (let at = 0; at < k; at += group) {
        const range = Array.from({ length: Math.min(group, k - at) }, (_, i) => c * k + at + i);
        const far = Math.max(...range.map((i) => data[i]!));
        const unit = far / (encoding === Encoding.Int4 ? 8 : encoding === Encoding.Int12 ? 2047 : 127);
        const errors = range.map((i) => (got[i]! - data[i]!) / unit);
        assert.ok(Math.abs(errors.reduce((a, b) => a + b, 0)) < 0.501, `${NAMES[encoding]}, channel ${c}`);
        assert.ok(errors.every((e) => Math.abs(e) < 1.001));
      }
  }
});

/** One instruction as each of `threads` threads in turn; the output held garbage. */
function run(op: number, n: number, threads: number, args: (out: number) => number[]): Uint8Array {
  const out = rig.f32(new Float32Array(n + 4).fill(Number.NaN));
  for (let t = 0; t < threads; t++) {
    rig.kernels.setup(0, rig.scratch, 0, t, threads);
    assert.is(rig.run(op, args(out)), 0);
  }
  rig.kernels.setup(0, rig.scratch, 0, 0, 1);
  assert.ok(rig.readF32(out + 4 * n, 4).every(Number.isNaN), 'past the output');
  return bytesOf(rig.readF32(out, n));
}

/** The instruction has the oracle's bits on 1, 2, 3 and 5 threads. */
function same(what: string, op: number, want: Float32Array, args: (out: number) => number[]): void {
  for (const threads of [1, 2, 3, 5]) {
    const got = new Float32Array(run(op, want.length, threads, args).buffer);
    const at = got.findIndex((v, i) => !Object.is(v, want[i]));
    assert.is(at, -1, `${what}, ${threads} threads: number ${at} is ${got[at]}, expected ${want[at]}`);
  }
}

/** The weight in the rig, and as the oracle reads it. */
function weights(encoding: Encoding, o: number, k: number, data: Float32Array): { coded: number; whole: WholeWeight; f32: Float32Array } {
  const bytes = encodeWeight(encoding, o, k, data);
  return { coded: rig.u8(bytes), whole: wholeWeight(encoding, o, k, bytes), f32: decodeWeight(encoding, o, k, bytes) };
}

for (const [build, engine] of BUILDS)
  for (const [m, n, k] of [
    [1, 1, 1],
    [3, 10, 17],
    [130, 100, 65],
    [33, 300, 24],
    [9, 129, 470],
    [5, 16, 300],
  ] as const)
    for (const encoding of ENCODINGS)
      test(`${build}, ${NAMES[encoding]}: linear and its gradient, ${m}×${n}×${k}`, () => {
        rig = engine;
        for (const data of [awkward(n, k), specials(n * k, 1)]) {
          rig.clear();
          const { coded, whole } = weights(encoding, n, k, data);
          const [x, dy, b, acc] = [numbers(m * k, 1), numbers(m * n, 2), numbers(n, 3), numbers(m * k, 4)];
          // A row of zeros, the last of a tile among them, and one too small to count.
          for (const row of [0, 63])
            for (const [v, width] of [
              [x, k],
              [dy, n],
            ] as const)
              v.fill(0, row * width, (row + 1) * width);
          if (m > 1) dy.fill(1e-38, n, 2 * n);
          const [atX, atDy, atB, atAcc] = [x, dy, b, acc].map((v) => rig.f32(v)) as [number, number, number, number];
          for (const bias of [b, null])
            same('forward', Op.Linear, wholeLinear(whole, m, x, bias), (y) => [atX, coded, bias ? atB : 0, y, m, n, k, encoding]);
          for (const sum of [acc, null])
            same('dx', Op.LinearBackwardX, wholeLinearBackwardX(whole, m, dy, sum), (dx) => [
              atDy,
              coded,
              sum ? atAcc : 0,
              dx,
              m,
              n,
              k,
              encoding,
            ]);
        }
      });

/** batch, side, c, o, kernel, stride, padding. */
for (const [build, engine] of BUILDS)
  for (const [batch, h, c, o, r, stride, pad] of [
    [1, 7, 5, 18, 3, 1, 1],
    [2, 6, 40, 33, 3, 2, 1],
    [1, 8, 16, 300, 2, 2, 0],
    [1, 5, 70, 20, 1, 1, 0],
    [1, 5, 70, 20, 1, 2, 0],
    [2, 17, 30, 3, 3, 1, 1],
  ] as const) {
    const out = Math.floor((h + 2 * pad - r) / stride) + 1;
    for (const encoding of ENCODINGS)
      test(`${build}, ${NAMES[encoding]}: convolution and its gradient, ${h}×${h}×${c} → ${o}, window ${r}/${stride}`, () => {
        rig = engine;
        rig.clear();
        const { coded, whole } = weights(encoding, o, r * r * c, awkward(o, r * r * c));
        const [x, dy, b] = [numbers(batch * h * h * c, 1), numbers(batch * out * out * o, 2), numbers(o, 3)];
        const [atX, atDy, atB] = [x, dy, b].map((v) => rig.f32(v)) as [number, number, number];
        const square = { batch, h, c, out, r, stride, pad };
        const shape = [batch, h, h, c, out, out, o, r, r, stride, pad, pad, encoding];
        const [y, dx] = [wholeConv(whole, square, x, b), wholeConvBackwardX(whole, square, dy)];
        for (const pixels of [Patch.Rows, 7]) {
          same('forward', Op.Conv, y, (to) => [atX, coded, atB, to, ...shape, pixels]);
          same('dx', Op.ConvBackwardX, dx, (to) => [atDy, coded, to, ...shape, pixels]);
        }
      });
  }

test('the error against f64 stays within half a step of every rounded number', () => {
  rig = plain;
  const [m, n, k] = [20, 70, 700];
  const spread = (count: number, seed: number): Float32Array => numbers(count, seed).map((v, i) => v * 4 ** (i % 7));
  for (const encoding of ENCODINGS) {
    rig.clear();
    const { coded, f32 } = weights(encoding, n, k, numbers(n * k, 9));
    const [x, dy] = [spread(m * k, 1), spread(m * n, 2)];
    const [atX, atDy] = [rig.f32(x), rig.f32(dy)];
    const check = (
      what: string,
      got: Float32Array,
      rows: Float32Array,
      inner: number,
      columns: number,
      w: (i: number, j: number) => number,
    ) => {
      for (let r = 0; r < m; r++)
        for (let j = 0; j < columns; j++) {
          let [want, bound] = [0, 0];
          for (let at = 0; at < inner; at += 256) {
            let [most, sum] = [0, 0];
            for (let i = at; i < Math.min(inner, at + 256); i++) {
              want += rows[r * inner + i]! * w(i, j);
              sum += Math.abs(w(i, j));
              most = Math.max(most, Math.abs(rows[r * inner + i]!));
              // What 4 bits lose by the parts of the row's largest scale (here below a half), and f32's own.
              bound += Math.abs(rows[r * inner + i]!) * (encoding === Encoding.Int4 ? 0.5 / 127 / 2 : Math.abs(w(i, j)) * 1e-5);
            }
            bound += (most / (encoding === Encoding.Int8By7 ? 63 : 8191) / 2) * sum;
          }
          assert.ok(
            Math.abs(got[r * columns + j]! - want) <= bound,
            `${NAMES[encoding]} ${what}: ${got[r * columns + j]}, ${want} ± ${bound}`,
          );
        }
    };
    const y = new Float32Array(run(Op.Linear, m * n, 1, (out) => [atX, coded, 0, out, m, n, k, encoding]).buffer);
    check('y', y, x, k, n, (i, j) => f32[j * k + i]!);
    const dx = new Float32Array(run(Op.LinearBackwardX, m * k, 1, (out) => [atDy, coded, 0, out, m, n, k, encoding]).buffer);
    // Rows of dy are rounded times their units, which here differ by less than two.
    check(
      'dx',
      dx,
      dy.map((v) => 1.6 * v),
      n,
      k,
      (i, j) => f32[i * k + j]! / 1.6,
    );
  }
});

for (const [build, engine] of BUILDS)
  test(`${build}: the largest sums do not overflow: every number the largest of its piece`, () => {
    const [m, n, k] = [2, 520, 520];
    rig = engine;
    for (const encoding of ENCODINGS) {
      rig.clear();
      // In 4 bits the code furthest from zero is -8, whatever the sign.
      const { coded, f32 } = weights(encoding, n, k, new Float32Array(n * k).fill(-0.75));
      const x = rig.f32(new Float32Array(m * Math.max(n, k)).fill(3));
      for (const op of [Op.Linear, Op.LinearBackwardX]) {
        const got = new Float32Array(run(op, m * n, 1, (out) => [x, coded, 0, out, m, n, k, encoding]).buffer);
        const want = 3 * f32[0]! * k;
        assert.ok(
          got.every((v) => Math.abs(v / want - 1) < 1e-5),
          `${NAMES[encoding]}: ${got[0]}, expected ${want}`,
        );
      }
    }
  });

test('a row with an infinity or NaN puts out NaN, the others what they would', () => {
  const [m, n, k] = [70, 40, 300];
  for (const encoding of ENCODINGS)
    for (const broken of [Number.NaN, Number.POSITIVE_INFINITY]) {
      rig.clear();
      const { coded, whole } = weights(encoding, n, k, numbers(n * k, 9));
      const x = numbers(m * k, 1);
      const want = wholeLinear(whole, m, x, null);
      x[66 * k + 299] = broken;
      const at = rig.f32(x);
      const got = new Float32Array(run(Op.Linear, m * n, 1, (out) => [at, coded, 0, out, m, n, k, encoding]).buffer);
      const wrong = got.findIndex((v, i) => !(Math.floor(i / n) === 66 ? Number.isNaN(v) : v === want[i]));
      assert.is(wrong, -1, `${NAMES[encoding]}: number ${wrong} is ${got[wrong]}`);
    }
});

test.run();
