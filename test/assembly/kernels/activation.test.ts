import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Keep } from '../../../assembly/abi/keep.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { bit1Bytes, code4Bytes } from '../../../assembly/abi/sizes.ts';
import { Kind } from '../../../assembly/generated/kinds.ts';
import { everyActivation } from '../../../src/ops/activations.ts';
import { cellOf, codebookBytes, codeOf, slopeOf } from '../../../src/passes/codebook.ts';
import { tables } from '../../../src/passes/codebooktables.ts';
import { functions } from '../../oracle/activation.ts';
import { numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const rig = openRig(8 << 20, 1 << 16);
const kindsOf = (isPiecewise: boolean) =>
  everyActivation()
    .filter((row) => (row.isPiecewise ?? false) === isPiecewise)
    .map((row) => row.kind as Kind);
const piecewise = kindsOf(true);
const smooth = kindsOf(false);
const kinds = [...piecewise, ...smooth];
/** Less, equal, more than 4, 16, 32 and their multiples. */
const sizes = [1, 3, 4, 5, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 197, 1000];
const special = [-Infinity, Infinity, Number.NaN, 0, -0, 6, 3, -3, -1e30, 1e30, 1e-40, -1e-40, -88, 88, -9, 9];
const guard = 0x5a;

/** Bits, so that -0 differs from 0; every NaN counts as the same. */
const bits = (a: Float32Array) => new Int32Array(a.map((x) => (Number.isNaN(x) ? Number.NaN : x)).buffer);
const same = (got: Float32Array, want: Float32Array) => assert.equal(bits(got), bits(want));

/** Runs the forward over a copy of x; what follows y and the kept bytes is guarded. */
function forward(kind: Kind, keep: Keep, x: ArrayLike<number>, keptBytes = 0, { table = 0, inPlace = false, threads = 1 } = {}) {
  const n = x.length;
  const at = rig.f32([...Array.from(x), 12345]);
  const y = inPlace ? at : rig.f32(new Float32Array(n + 1).fill(12345));
  const kept = rig.u8(new Uint8Array(keptBytes + 16).fill(guard));
  for (let thread = 0; thread < threads; thread++) {
    rig.kernels.setup(0, rig.scratch, 0, thread, threads);
    assert.is(rig.run(Op.Activation, [at, y, keptBytes ? kept : 0, kind, keep, n, table]), 0);
  }
  rig.kernels.setup(0, rig.scratch, 0, 0, 1);
  assert.is(rig.readF32(y + n * 4, 1)[0], 12345, 'a byte after y changed');
  assert.ok(
    rig.readU8(kept + keptBytes, 16).every((b) => b === guard),
    'a byte after the kept ones changed',
  );
  return { y: rig.readF32(y, n), x: at, kept, bytes: rig.readU8(kept, keptBytes) };
}

function backward(kind: Kind, keep: Keep, kept: number, dy: ArrayLike<number>, { table = 0, inPlace = false, threads = 1 } = {}) {
  const n = dy.length;
  const at = rig.f32([...Array.from(dy), 12345]);
  const dx = inPlace ? at : rig.f32(new Float32Array(n + 1).fill(12345));
  for (let thread = 0; thread < threads; thread++) {
    rig.kernels.setup(0, rig.scratch, 0, thread, threads);
    assert.is(rig.run(Op.ActivationBackward, [kept, at, dx, kind, keep, n, table]), 0);
  }
  rig.kernels.setup(0, rig.scratch, 0, 0, 1);
  assert.is(rig.readF32(dx + n * 4, 1)[0], 12345, 'a byte after dx changed');
  return rig.readF32(dx, n);
}

/** A dense walk over [-12, 12] and through every kink. */
const walk = Float32Array.from({ length: 9601 }, (_, i) => (i - 4800) / 400);

test('the oracle: derivatives by finite differences', () => {
  for (const kind of kinds) {
    const { f, df, kinks } = functions[kind];
    for (const x of walk.filter((v) => kinks.every((k) => Math.abs(v - k) > 1e-3)))
      assert.ok(Math.abs((f(x + 1e-5) - f(x - 1e-5)) / 2e-5 - df(x)) < 1e-8, `kind ${kind} at ${x}`);
  }
});

test('forward and exact backward against the oracle', () => {
  for (const kind of kinds) {
    rig.clear();
    const { f, df } = functions[kind];
    const run = forward(kind, Keep.Value, walk);
    const slope = backward(kind, Keep.Value, run.x, new Float32Array(walk.length).fill(1));
    walk.forEach((x, i) => {
      assert.ok(Math.abs(run.y[i]! - f(x)) <= 4e-7 * Math.max(1, Math.abs(x)), `kind ${kind}: f(${x}) = ${run.y[i]}, expected ${f(x)}`);
      assert.ok(Math.abs(slope[i]! - df(x)) <= 2e-6, `kind ${kind}: f′(${x}) = ${slope[i]}, expected ${df(x)}`);
    });
  }
});

test('infinities give the limits, NaN stays NaN', () => {
  /** What f or f′ has come to, far out. */
  const limit = (y: number) => (Math.abs(y) > 1e20 ? Math.sign(y) * Infinity : Math.fround(y));
  for (const kind of kinds) {
    rig.clear();
    const run = forward(kind, Keep.Value, [-Infinity, Infinity, Number.NaN, -1e30, 1e30]);
    const { f, df } = functions[kind];
    assert.ok(Math.abs(run.y[0]! + 0 - limit(f(-1e30))) < 1e-6 || run.y[0] === limit(f(-1e30)), `kind ${kind} at -∞: ${run.y[0]}`);
    assert.is(run.y[1]!, limit(f(1e30)), `kind ${kind} at ∞: ${run.y[1]}`);
    assert.ok(Number.isNaN(run.y[2]), `kind ${kind} of NaN: ${run.y[2]}`);
    const slope = backward(kind, Keep.Value, run.x, [1, 1, 1, 1, 1]);
    assert.is(slope[0], limit(df(-1e30)), `kind ${kind}: slope at -∞`);
    assert.is(slope[1], limit(df(1e30)), `kind ${kind}: slope at ∞`);
    assert.is(Number.isNaN(slope[2]), !piecewise.includes(kind), `kind ${kind}: slope at NaN`);
    assert.is(slope[3], slope[0]);
    assert.is(slope[4], slope[1]);
  }
});

test('y is the same for every N, encoding, aliasing and number of threads', () => {
  for (const kind of kinds)
    for (const n of sizes) {
      rig.clear();
      const x = numbers(n, n + kind, 3);
      special.slice(0, n >> 2).forEach((v, i) => {
        x[i * 3] = v;
      });
      const want = forward(kind, Keep.Nothing, x).y;
      same(forward(kind, Keep.Value, x, 0, { threads: 3 }).y, want);
      same(forward(kind, Keep.Nothing, x, 0, { inPlace: true }).y, want);
      if (piecewise.includes(kind)) same(forward(kind, Keep.Bit1, x, bit1Bytes(n), { inPlace: true, threads: 2 }).y, want);
      x.forEach((v, i) => {
        if (Number.isFinite(v)) assert.ok(Math.abs(want[i]! - functions[kind].f(v)) <= 1e-6 * Math.max(1, Math.abs(v)));
      });
    }
});

test('one bit gives the exact gradient, byte for byte that of keeping x', () => {
  for (const kind of piecewise)
    for (const n of sizes) {
      rig.clear();
      const x = numbers(n, n + kind, 4);
      special.slice(0, n).forEach((v, i) => {
        x[i] = v;
      });
      const dy = numbers(n, 77 + n);
      const exact = backward(kind, Keep.Value, forward(kind, Keep.Value, x).x, dy);
      const run = forward(kind, Keep.Bit1, x, bit1Bytes(n));
      same(backward(kind, Keep.Bit1, run.kept, dy), exact);
      same(backward(kind, Keep.Bit1, run.kept, dy, { inPlace: true, threads: 3 }), exact);
      const split = forward(kind, Keep.Bit1, x, bit1Bytes(n), { threads: 3, inPlace: true });
      assert.equal(split.bytes, run.bytes);
      x.forEach((v, i) => {
        if (!Number.isNaN(v))
          assert.ok(Math.abs(exact[i]! - dy[i]! * functions[kind].df(v)) <= 1e-7 * Math.abs(dy[i]!), `kind ${kind} at ${v}`);
      });
    }
});

test('a 4-bit code gives level·dy exactly, and leaves y alone', () => {
  for (const kind of smooth)
    for (const n of sizes) {
      rig.clear();
      const book = tables[kind]!;
      const table = rig.u8(codebookBytes(book));
      const x = numbers(n, n + kind, 2);
      special.slice(0, n).forEach((v, i) => {
        x[i] = v;
      });
      const dy = numbers(n, 5 + n);
      const run = forward(kind, Keep.Code4, x, code4Bytes(n), { table });
      same(run.y, forward(kind, Keep.Nothing, x).y);
      x.forEach((v, i) => {
        const byte = run.bytes[(i >> 5) * 16 + (i & 15)]!;
        assert.is(i & 16 ? byte >> 4 : byte & 15, codeOf(book, v), `kind ${kind}: code of ${v}`);
      });
      const want = dy.map((d, i) => d * slopeOf(book, x[i]!));
      same(backward(kind, Keep.Code4, run.kept, dy, { table }), want);
      same(backward(kind, Keep.Code4, run.kept, dy, { table, inPlace: true, threads: 3 }), want);
      const split = forward(kind, Keep.Code4, x, code4Bytes(n), { table, inPlace: true, threads: 3 });
      same(split.y, run.y);
      for (let i = n; i < code4Bytes(n) * 2; i++) {
        const byte = run.bytes[(i >> 5) * 16 + (i & 15)]!;
        assert.is(i & 16 ? byte >> 4 : byte & 15, codeOf(book, 0), 'past N the code of 0');
      }
      assert.equal(split.bytes, run.bytes);
    }
});

test('x on a break and its neighbours get the codes that the host computes', () => {
  for (const kind of smooth) {
    rig.clear();
    const book = tables[kind]!;
    const table = rig.u8(codebookBytes(book));
    const word = new Int32Array(1);
    const float = (bits: number) => {
      word[0] = bits;
      return new Float32Array(word.buffer)[0]!;
    };
    // Every cell's first float, found by bisection, and the one before it.
    const edges: number[] = [];
    for (let c = 1; c < 32; c++) {
      let [low, high] = [0, 0x7f800000];
      while (high - low > 1) {
        const mid = Math.floor((low + high) / 2);
        if (cellOf(book, float(mid)) >= c) high = mid;
        else low = mid;
      }
      for (const bits of [low, high]) edges.push(float(bits), -float(bits));
    }
    const all = Float32Array.from([...walk, ...edges]);
    const run = forward(kind, Keep.Code4, all, code4Bytes(all.length), { table });
    all.forEach((v, i) => {
      const byte = run.bytes[(i >> 5) * 16 + (i & 15)]!;
      if ((i & 16 ? byte >> 4 : byte & 15) !== codeOf(book, v)) assert.unreachable(`kind ${kind}: code of ${v}`);
    });
  }
});

test('encodings that a kind does not have are refused', () => {
  rig.clear();
  const x = rig.f32(4);
  assert.is.not(rig.run(Op.Activation, [x, x, x, Kind.Gelu, Keep.Bit1, 4, 0]), 0);
  assert.is.not(rig.run(Op.Activation, [x, x, x, Kind.Relu, Keep.Code4, 4, x]), 0);
  assert.is.not(rig.run(Op.ActivationBackward, [x, x, x, Kind.Gelu, Keep.Nothing, 4, 0]), 0);
  assert.is.not(rig.run(Op.Activation, [x, x, 0, 99, Keep.Nothing, 4, 0]), 0);
});

test.run();
