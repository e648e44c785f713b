import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(4 << 20, 1 << 12);
const [F32, F16, BF16] = [0, 1, 2];

/** Bytes of numbers in one of the file's types; only values that the type holds exactly survive unchanged. */
function encode(bits: number[], dtype: number): Uint8Array {
  const size = dtype === F32 ? 4 : 2;
  const bytes = new Uint8Array(bits.length * size);
  const view = new DataView(bytes.buffer);
  for (const [i, b] of bits.entries()) {
    if (size === 4) view.setUint32(i * 4, b, true);
    else view.setUint16(i * 2, b, true);
  }
  return bytes;
}

const f32Bits = (x: number) => new Uint32Array(new Float32Array([x]).buffer)[0]!;

/** The value of a half by its definition. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

test('every half and every bfloat, in runs and one by one, from any alignment', () => {
  const all = Array.from({ length: 65536 }, (_, i) => i);
  const bfloats = new Float32Array(Uint32Array.from(all, (b) => b << 16).buffer);
  for (const dtype of [F16, BF16])
    for (const offset of [0, 2, 5])
      for (const strided of [false, true]) {
        rig.clear();
        const source = rig.u8(65536 * 2 + 16) + offset;
        new Uint8Array(rig.memory.buffer, source, 131072).set(encode(all, dtype));
        const to = rig.f32(65536 * (strided ? 2 : 1));
        const bad = rig.kernels.place(source, dtype, 0, 65536, to, 1, 65536, 65536, 65536, strided ? 2 : 1);
        const got = rig.readF32(to, 65536 * (strided ? 2 : 1));
        const bits = new Uint32Array(got.buffer);
        let want = 0;
        for (const b of all) {
          const value = dtype === F16 ? half(b) : bfloats[b]!;
          if (!Number.isFinite(value)) want++;
          const at = strided ? 2 * b : b;
          const same = Object.is(got[at]!, value) || (Number.isNaN(value) && Number.isNaN(got[at]!));
          if (!same || (dtype === BF16 && bits[at] !== (b << 16) >>> 0)) assert.unreachable(`${b}: ${got[at]}, expected ${value}`);
        }
        assert.is(bad, want);
      }
});

test('f32 keeps its bits; what is not finite is counted', () => {
  const values = [1, -0, 1e-45, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5, Number.NaN];
  rig.clear();
  const source = rig.u8(encode(values.map(f32Bits), F32));
  for (const stride of [1, 3]) {
    const to = rig.f32(9 * 3);
    assert.is(rig.kernels.place(source, F32, 0, 9, to, 1, 9, 9, 9, stride), 4);
    const got = values.map((_, i) => rig.readI32(to + i * stride * 4, 1)[0]! >>> 0);
    assert.equal(got, values.map(f32Bits));
  }
});

test('permuted strides, in chunks of any size', () => {
  const cases: [number[], number[]][] = [
    [
      [3, 4, 5],
      [20, 5, 1],
    ], // as it is
    [
      [3, 4, 5],
      [1, 3, 12],
    ], // turned round
    [
      [6, 3, 4],
      [12, 1, 3],
    ], // O,I,RS → O,RS,I
    [
      [7, 1, 9],
      [1, 1, 7],
    ], // depthwise C,1,RS → RS,C
    [
      [1, 1, 10],
      [10, 10, 1],
    ],
    [
      [1, 6, 4],
      [24, 1, 6],
    ],
    [
      [2, 1, 5],
      [5, 99, 1],
    ], // contiguous whatever the stride of an axis of one
    [
      [2, 3, 4],
      [16, 5, 1],
    ], // with gaps
  ];
  for (const [shape, strides] of cases)
    for (const chunk of [1, 2, 7, 1000]) {
      rig.clear();
      const [n0, n1, n2] = shape as [number, number, number];
      const [s0, s1, s2] = strides as [number, number, number];
      const n = n0 * n1 * n2;
      const x = numbers(n, 1);
      const to = rig.f32(new Float32Array(200).fill(-7));
      const source = rig.f32(x);
      for (let start = 0; start < n; start += chunk) {
        const count = Math.min(chunk, n - start);
        assert.is(rig.kernels.place(source + start * 4, F32, start, count, to, n1, n2, s0, s1, s2), 0);
      }
      const want = new Float32Array(200).fill(-7);
      for (let i = 0; i < n0; i++)
        for (let j = 0; j < n1; j++) for (let k = 0; k < n2; k++) want[i * s0 + j * s1 + k * s2] = x[(i * n1 + j) * n2 + k]!;
      assert.equal(rig.readF32(to, 200), want, `${shape} by ${strides}, chunks of ${chunk}`);
    }
});

test.run();
