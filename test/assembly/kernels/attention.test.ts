import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Keep } from '../../../assembly/abi/keep.ts';
import { attentionBackwardScratch, attentionScratch } from '../../../assembly/abi/ops/attention.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { group8Bytes, signed4Bytes, softmax4Bytes } from '../../../assembly/abi/sizes.ts';
import { Status } from '../../../assembly/abi/status.ts';
import * as oracle from '../../oracle/attention.ts';
import { decodeGroup8, decodeSigned4, decodeSoftmax4 } from '../../oracle/groups.ts';
import { close, distance, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const perThread = attentionBackwardScratch(197, 64, Keep.Group8);
const rig = openRig(32 << 20, 4 * perThread);
/** TABLE (and DTABLE), the sizes of windows, KP: absent. */
const NO_WINDOWS = new Array<number>(9).fill(0);
/** Rows of a tile of scores at most. */
const QUERIES = 64;

/** T below, at, over and far over the tile; D below, at and between vectors. */
const shapes: oracle.Shape[] = [
  { t: 1, d: 8, batch: 2, heads: 2 },
  { t: 5, d: 5, batch: 2, heads: 3 },
  { t: 17, d: 16, batch: 1, heads: 2 },
  { t: 64, d: 32, batch: 1, heads: 3 },
  { t: 65, d: 33, batch: 1, heads: 2 },
  { t: 130, d: 20, batch: 1, heads: 1 },
  { t: 197, d: 64, batch: 1, heads: 2 },
].map(({ t, d, batch, heads }) => ({ batch, t, c: d * heads, heads, scale: 1 / Math.sqrt(d) }));

interface Operands {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
}

const name = ({ t, c, heads }: oracle.Shape): string => `T ${t}, D ${c / heads}`;

function operands({ batch, t, c }: oracle.Shape, size = 1): Operands {
  const n = batch * t * c;
  return { q: numbers(n, 1, size), k: numbers(n, 2, size), v: numbers(n, 3) };
}

/** The same instruction for one thread after the other, each with its own patterned scratch; none may write past it. */
function each(threads: number, bytes: number, work: () => void): void {
  for (let t = 0; t < threads; t++) {
    const area = new Uint8Array(rig.memory.buffer, rig.scratch, bytes * (threads + 1)).fill(0xff);
    rig.kernels.setup(0, rig.scratch, bytes, t, threads);
    work();
    assert.ok(
      area.subarray(0, bytes * t).every((b) => b === 0xff) && area.subarray(bytes * (t + 1)).every((b) => b === 0xff),
      'scratch overrun',
    );
  }
}

function forward(x: Operands, shape: oracle.Shape, keep: Keep, { inPlace = false, threads = 1, queries = QUERIES } = {}) {
  rig.clear();
  const { batch, t, c, heads, scale } = shape;
  const n = batch * t * c;
  const bytes = keep === Keep.Group8 ? group8Bytes(batch * t, c, heads) : keep === Keep.Signed4 ? signed4Bytes(batch * t, c, heads) : 0;
  const [q, k, v] = [rig.f32(x.q), rig.f32(x.k), rig.f32(x.v)];
  const o = inPlace ? q : rig.f32(n);
  const kept = [0, 1, 2].map(() => (bytes ? rig.u8(new Uint8Array(bytes + 16).fill(0xa5)) : 0));
  each(threads, attentionScratch(t, queries), () =>
    assert.is(rig.run(Op.Attention, [q, k, v, o, ...kept, batch, t, c, heads, rig.float(scale), keep, ...NO_WINDOWS.slice(1), queries]), 0),
  );
  if (bytes)
    for (const at of kept)
      assert.ok(
        rig.readU8(at + bytes, 16).every((b) => b === 0xa5),
        `${name(shape)}: wrote past the copy`,
      );
  return { o: rig.readF32(o, n), kept: kept.map((at) => rig.readU8(at, bytes)) };
}

function backward(
  kept: ArrayLike<number>[],
  dO: Float32Array,
  shape: oracle.Shape,
  keep: Keep,
  { inPlace = false, threads = 1, queries = QUERIES } = {},
) {
  rig.clear();
  const { batch, t, c, heads, scale } = shape;
  const n = batch * t * c;
  const [q, k, v] = kept.map((x) => (keep === Keep.Value ? rig.f32(x) : rig.u8(x))) as [number, number, number];
  const given = rig.f32(dO);
  const junk = new Float32Array(n).fill(Number.NaN);
  const outputs = [inPlace ? given : rig.f32(junk), rig.f32(junk), rig.f32(junk)];
  each(threads, attentionBackwardScratch(t, c / heads, keep, queries), () =>
    assert.is(
      rig.run(Op.AttentionBackward, [q, k, v, given, ...outputs, batch, t, c, heads, rig.float(scale), keep, ...NO_WINDOWS, queries]),
      0,
    ),
  );
  const [dq, dk, dv] = outputs.map((at) => rig.readF32(at, n)) as [Float32Array, Float32Array, Float32Array];
  return { dq, dk, dv };
}

const gradients = ['dq', 'dk', 'dv'] as const;

test('the height of the tiles changes no bit', () => {
  const shape = { batch: 2, t: 37, c: 16, heads: 2, scale: 0.4 };
  const x = operands(shape);
  const dO = numbers(2 * 37 * 16, 4);
  for (const keep of [Keep.Value, Keep.Group8, Keep.Signed4]) {
    const whole = forward(x, shape, keep);
    const kept = keep === Keep.Value ? [x.q, x.k, x.v] : whole.kept;
    const back = backward(kept, dO, shape, keep);
    for (const queries of [1, 4, 16]) {
      assert.equal(forward(x, shape, keep, { queries }), whole, `${queries}`);
      assert.equal(backward(kept, dO, shape, keep, { queries }), back, `${queries}`);
    }
  }
});

test('the oracle: finite differences', () => {
  const shape = { batch: 1, t: 4, c: 6, heads: 2, scale: 0.6 };
  const { q, k, v } = operands(shape);
  const dO = numbers(24, 4);
  const want = oracle.attentionBackward(q, k, v, dO, shape);
  const loss = (q: ArrayLike<number>, k: ArrayLike<number>, v: ArrayLike<number>) =>
    oracle.attention(q, k, v, shape).reduce((sum, o, i) => sum + o * dO[i]!, 0);
  const slope = (x: Float32Array, f: (x: Float64Array) => number) =>
    Float64Array.from(x, (_, i) => {
      const nudged = (h: number) => f(Float64Array.from(x, (v, j) => (i === j ? v + h : v)));
      return (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
    });
  close(
    slope(q, (x) => loss(x, k, v)),
    want.dq,
    1e-7,
    'dq',
  );
  close(
    slope(k, (x) => loss(q, x, v)),
    want.dk,
    1e-7,
    'dk',
  );
  close(
    slope(v, (x) => loss(q, k, x)),
    want.dv,
    1e-7,
    'dv',
  );
});

test('forward: the same bits under every keep, in place and with any threads', () => {
  for (const shape of shapes) {
    const x = operands(shape);
    const { o } = forward(x, shape, Keep.Nothing);
    close(o, oracle.attention(x.q, x.k, x.v, shape), 1e-6, name(shape));
    assert.equal(forward(x, shape, Keep.Value, { threads: 3 }).o, o, `${name(shape)}: value, three threads`);
    assert.equal(forward(x, shape, Keep.Group8).o, o, `${name(shape)}: group8`);
    const shared = forward(x, shape, Keep.Group8, { inPlace: true, threads: 2 });
    assert.equal(shared, forward(x, shape, Keep.Group8, { threads: 1 }), `${name(shape)}: in place, two threads`);
  }
});

test('group8: within half a step, and the step is the smallest bf16 that reaches the largest', () => {
  for (const shape of shapes) {
    const { batch, t, c, heads } = shape;
    const x = operands(shape);
    const { kept } = forward(x, shape, Keep.Group8);
    for (const [i, values] of [x.q, x.k, x.v].entries()) {
      const got = decodeGroup8(kept[i]!, batch * t, c, heads);
      values.forEach((v, j) => {
        assert.ok(Math.abs(got.values[j]! - v) <= 0.5001 * got.scale[j]!, `${name(shape)}: ${v} became ${got.values[j]}`);
      });
      const d = c / heads;
      for (let group = 0; group < values.length; group += d) {
        const largest = values.subarray(group, group + d).reduce((a, v) => Math.max(a, Math.abs(v)), 0);
        const ratio = (got.scale[group]! * 127) / largest;
        assert.ok(ratio >= 1 - 1e-6 && ratio <= 1 + 1 / 128, `${name(shape)}: scale`);
      }
    }
  }
});

test('backward: the oracle on the operands, f32 or decoded; in place and with any threads', () => {
  for (const shape of shapes) {
    const { batch, t, c, heads } = shape;
    const x = operands(shape);
    const dO = numbers(x.q.length, 4);
    const exact = oracle.attentionBackward(x.q, x.k, x.v, dO, shape);
    const fromValue = backward([x.q, x.k, x.v], dO, shape, Keep.Value);
    const { kept } = forward(x, shape, Keep.Group8);
    const fromGroup = backward(kept, dO, shape, Keep.Group8);
    const [q, k, v] = kept.map((bytes) => decodeGroup8(bytes, batch * t, c, heads).values) as [Float64Array, Float64Array, Float64Array];
    const decoded = oracle.attentionBackward(q, k, v, dO, shape);
    // With one token dq and dk are zero but for rounding: the error is held against the size of dv.
    const size = Math.hypot(...exact.dv);
    const error = (a: ArrayLike<number>, b: Float64Array) =>
      Math.hypot(...b.map((w, i) => a[i]! - w)) / Math.max(Math.hypot(...b), 0.05 * size);
    for (const g of gradients) {
      assert.ok(error(fromValue[g], exact[g]) < 1e-5, `${name(shape)}: ${g}, ${error(fromValue[g], exact[g])}`);
      assert.ok(error(fromGroup[g], decoded[g]) < 1e-5, `${name(shape)}: ${g} from int8, ${error(fromGroup[g], decoded[g])}`);
      if (t > 1) assert.ok(cosine(fromGroup[g], exact[g]) >= 0.999, `${name(shape)}: cosine of ${g} ${cosine(fromGroup[g], exact[g])}`);
    }
    for (const [keep, operands, want] of [
      [Keep.Value, [x.q, x.k, x.v], fromValue],
      [Keep.Group8, kept, fromGroup],
    ] as const)
      assert.equal(
        backward(operands as ArrayLike<number>[], dO, shape, keep, { inPlace: true, threads: 3 }),
        want,
        `${name(shape)}, keep ${keep}: in place`,
      );
  }
});

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

test('logits of ±80 and more stay finite and right', () => {
  const shape = { batch: 1, t: 21, c: 16, heads: 1, scale: 1 };
  for (const size of [4.5, 30]) {
    const x = operands(shape, size);
    const want = oracle.attention(x.q, x.k, x.v, shape);
    // f32 logits this large are off by 1e-5 of themselves, probabilities with them.
    const { o } = forward(x, shape, Keep.Nothing);
    assert.ok(distance(o, want) < 1e-3, `size ${size}: ${distance(o, want)}`);
    const got = backward([x.q, x.k, x.v], numbers(x.q.length, 4), shape, Keep.Value);
    const exact = oracle.attentionBackward(x.q, x.k, x.v, numbers(x.q.length, 4), shape);
    close(got.dv, exact.dv, 1e-3);
    for (const g of gradients) assert.ok(got[g].every(Number.isFinite), `${g} at size ${size}`);
  }
});

test('equal rows: uniform probabilities, and zero rows have scale 0', () => {
  const shape = { batch: 1, t: 13, c: 8, heads: 1, scale: 0.5 };
  const x = { q: new Float32Array(13 * 8).fill(2), k: new Float32Array(13 * 8), v: numbers(13 * 8, 3) };
  const { o, kept } = forward(x, shape, Keep.Group8);
  close(o, oracle.attention(x.q, x.k, x.v, shape), 1e-6);
  assert.ok(decodeGroup8(kept[1]!, 13, 8, 1).scale.every((s) => s === 0));
  const dO = numbers(13 * 8, 4);
  const got = backward(kept, dO, shape, Keep.Group8);
  const want = oracle.attentionBackward(x.q, x.k, x.v, dO, shape);
  assert.ok(got.dq.every((v) => v === 0));
  // v was rounded to 8 bits.
  close(got.dk, want.dk, 0.01, 'dk');
  close(got.dv, want.dv, 0.01, 'dv');
});

test('NaN and infinity in a head reach its gradients, and no other head', () => {
  const shape = { batch: 1, t: 6, c: 40, heads: 2, scale: 0.2 };
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const x = operands(shape);
    x.q[2 * 40 + 17] = bad;
    const dO = numbers(240, 4);
    const { o, kept } = forward(x, shape, Keep.Group8);
    for (let row = 0; row < 6; row++)
      for (let i = 0; i < 40; i++) assert.is(Number.isNaN(o[row * 40 + i]), row === 2 && i < 20, `${bad}: o at ${row}, ${i}`);
    for (const got of [backward([x.q, x.k, x.v], dO, shape, Keep.Value), backward(kept, dO, shape, Keep.Group8)]) {
      for (let i = 0; i < 240; i++) assert.is(Number.isNaN(got.dv[i]), i % 40 < 20, `${bad}: dv at ${i}`);
      assert.ok(got.dq.subarray(80, 100).every(Number.isNaN), `${bad}: dq`);
    }
  }
});

/** Forward and backward with the probabilities kept, operands as f32. */
function withProbabilities(x: Operands, dO: Float32Array, { batch, t, c, heads, scale }: oracle.Shape) {
  rig.clear();
  const n = batch * t * c;
  const [q, k, v, o, given, dq, dk, dv] = [
    rig.f32(x.q),
    rig.f32(x.k),
    rig.f32(x.v),
    rig.f32(n),
    rig.f32(dO),
    rig.f32(n),
    rig.f32(n),
    rig.f32(n),
  ];
  const bytes = batch * heads * softmax4Bytes(t);
  const kp = rig.u8(new Uint8Array(bytes));
  const rest = [batch, t, c, heads, rig.float(scale), Keep.Value, ...NO_WINDOWS.slice(2), kp, QUERIES];
  const scratch = attentionBackwardScratch(t, c / heads, Keep.Value, QUERIES, false, true);
  each(1, scratch, () => assert.is(rig.run(Op.Attention, [q, k, v, o, 0, 0, 0, ...rest]), 0));
  each(1, scratch, () =>
    assert.is(rig.run(Op.AttentionBackward, [q, k, v, given, dq, dk, dv, ...rest.slice(0, 6), 0, ...rest.slice(6)]), 0),
  );
  return {
    p: decodeSoftmax4(rig.readU8(kp, bytes), batch * heads, t),
    dq: rig.readF32(dq, n),
    dk: rig.readF32(dk, n),
    dv: rig.readF32(dv, n),
  };
}

test('probabilities at 4 bits: rows sum to 1, equal ones stay equal, NaN reaches the gradients of its head alone', () => {
  const shape = { batch: 1, t: 70, c: 8, heads: 2, scale: 0.5 };
  const x = operands(shape);
  const dO = numbers(560, 4);
  const { p } = withProbabilities({ ...x, k: new Float32Array(560) }, dO, shape);
  assert.ok(p.every((v) => Math.abs(v - 1 / 70) < 1e-12));
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const q = x.q.slice();
    q[2 * 8 + 1] = bad;
    const got = withProbabilities({ ...x, q }, dO, shape);
    for (let i = 0; i < 560; i++) assert.is(Number.isNaN(got.dv[i]), i % 8 < 4, `${bad}: dv at ${i}`);
    assert.ok(got.dq.subarray(16, 20).every(Number.isNaN), `${bad}: dq`);
    assert.ok(got.dq.subarray(0, 16).every((v, i) => Number.isNaN(v) === false || i % 8 < 4));
  }
});

test('operands at 4 bits: within half a step, zeros stay zero, NaN and infinity take their group', () => {
  for (const d of [1, 5, 31, 32, 33, 64, 80]) {
    const shape = { batch: 2, t: 7, c: 2 * d, heads: 2, scale: 1 };
    const x = operands(shape);
    x.v.fill(0);
    x.k[3] = Number.NaN;
    x.k[x.k.length - 1] = Number.NEGATIVE_INFINITY;
    const { kept } = forward(x, shape, Keep.Signed4, { threads: 3 });
    const [q, k, v] = kept.map((bytes) => decodeSigned4(bytes, 14, 2 * d, 2));
    const group = Math.floor(3 / d);
    q!.values.forEach((value, i) => {
      assert.ok(Math.abs(value - x.q[i]!) <= 0.51 * q!.step[i]!, `D ${d}: q at ${i}`);
      assert.is(v!.values[i], 0);
      assert.is(Number.isNaN(k!.values[i]), [group, 27].includes(Math.floor(i / d)), `D ${d}: k at ${i}`);
    });
    assert.ok(q!.step.every((step, i) => 7.5 * step >= Math.abs(x.q[i]!)));
  }
});

test('an encoding that attention lacks stops the walk', () => {
  rig.clear();
  const x = rig.f32(64);
  assert.is(rig.run(Op.Attention, [x, x, x, x, x, x, x, 1, 4, 8, 1, 0, Keep.Group4, ...NO_WINDOWS.slice(1), QUERIES]), Status.BadEncoding);
  assert.is(rig.run(Op.AttentionBackward, [x, x, x, x, x, x, x, 1, 4, 8, 1, 0, Keep.Nothing, ...NO_WINDOWS, QUERIES]), Status.BadEncoding);
});

test.run();
