/** Weights in 12, 8 and 4 bits: coded as drawn, whatever the file's type and order; read with the bits of the decoded f32 weight. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Op } from '../../../assembly/abi/ops.ts';
import { codedBytes } from '../../../assembly/abi/sizes.ts';
import { Patch } from '../../../assembly/abi/tiles.ts';
import { Encoding } from '../../../assembly/abi/weights.ts';
import { specials, TAILS } from '../../ops/cases/tails.ts';
import { decodeWeight, encodeWeight } from '../../oracle/weights.ts';
import { numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(32 << 20, 1 << 20);
const ENCODINGS = [Encoding.Int8, Encoding.Int4, Encoding.Int12];
const NAMES = ['f32', 'int8', 'int4', 'int12'];

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

/** The product with the coded weight has the bits of the product with the decoded one, on 1, 2, 3 and 5 threads. */
function same(
  what: string,
  op: number,
  n: number,
  args: (w: number, encoding: number, out: number) => number[],
  coded: number,
  plain: number,
  encoding: Encoding,
): void {
  const want = run(op, n, 1, (out) => args(plain, Encoding.F32, out));
  for (const threads of [1, 2, 3, 5])
    assert.ok(
      Buffer.compare(
        run(op, n, threads, (out) => args(coded, encoding, out)),
        want,
      ) === 0,
      `${what}, ${threads} threads`,
    );
}

function weights(encoding: Encoding, o: number, k: number, data: Float32Array): { coded: number; plain: number } {
  const bytes = encodeWeight(encoding, o, k, data);
  return { coded: rig.u8(bytes), plain: rig.f32(decodeWeight(encoding, o, k, bytes)) };
}

for (const [m, n, k] of [
  [1, 1, 1],
  [3, 10, 17],
  [130, 100, 65],
  [33, 300, 24],
  [9, 129, 470],
  [5, 16, 300],
] as const)
  for (const encoding of ENCODINGS)
    test(`${NAMES[encoding]}: linear and its gradient, ${m}×${n}×${k}`, () => {
      for (const data of [awkward(n, k), specials(n * k, 1)]) {
        rig.clear();
        const { coded, plain } = weights(encoding, n, k, data);
        const [x, dy, b, acc] = [
          rig.f32(numbers(m * k, 1)),
          rig.f32(numbers(m * n, 2)),
          rig.f32(numbers(n, 3)),
          rig.f32(numbers(m * k, 4)),
        ];
        for (const bias of [b, 0]) same('forward', Op.Linear, m * n, (w, e, y) => [x, w, bias, y, m, n, k, e], coded, plain, encoding);
        for (const sum of [acc, 0])
          same('dx', Op.LinearBackwardX, m * k, (w, e, dx) => [dy, w, sum, dx, m, n, k, e], coded, plain, encoding);
      }
    });

/** batch, side, c, o, kernel, stride, padding. */
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
    test(`${NAMES[encoding]}: convolution and its gradient, ${h}×${h}×${c} → ${o}, window ${r}/${stride}`, () => {
      rig.clear();
      const { coded, plain } = weights(encoding, o, r * r * c, awkward(o, r * r * c));
      const [x, dy, b] = [rig.f32(numbers(batch * h * h * c, 1)), rig.f32(numbers(batch * out * out * o, 2)), rig.f32(numbers(o, 3))];
      const shape = [batch, h, h, c, out, out, o, r, r, stride, pad, pad];
      same('forward', Op.Conv, batch * out * out * o, (w, e, y) => [x, w, b, y, ...shape, e, Patch.Rows], coded, plain, encoding);
      same('dx', Op.ConvBackwardX, batch * h * h * c, (w, e, dx) => [dy, w, dx, ...shape, e, Patch.Rows], coded, plain, encoding);
    });
}

test.run();
