import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Keep } from '../../../assembly/abi/keep.ts';
import { layerNormScratch } from '../../../assembly/abi/ops/norm.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { group4RowBytes } from '../../../assembly/abi/sizes.ts';
import { Status } from '../../../assembly/abi/status.ts';
import { decodeGroup4 } from '../../oracle/groups.ts';
import * as oracle from '../../oracle/layernorm.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';

const EPS = 1e-6;
const widths = [1, 3, 5, 16, 31, 32, 33, 63, 64, 65, 70, 95, 96, 97, 100, 128, 192, 384, 768, 1024];
const perThread = layerNormScratch(1024);
const rig = openRig(16 << 20, 3 * perThread);
const sentinel = 0xa5;

/** Rows of different scale and offset, one of them constant. */
function inputs(m: number, c: number) {
  const x = numbers(m * c, 100 + c).map((v, i) => {
    const r = Math.floor(i / c);
    return r === 1 ? 3 : v * (1 + r) + 0.5 * r;
  });
  return { x, gamma: numbers(c, 7, 0.3).map((v) => v + 1), beta: numbers(c, 8), dy: numbers(m * c, 9) };
}

const keptBytes = (m: number, c: number, keep: Keep): number =>
  keep === Keep.Group4 ? m * group4RowBytes(c) : keep === Keep.Value ? m * c * 4 : 0;

/** Runs the forward with `keep` and looks that nothing was written outside the outputs. */
function forward(x: Float32Array, gamma: Float32Array, beta: Float32Array, c: number, keep: Keep, inPlace = false, threads = 1) {
  rig.clear();
  const m = x.length / c;
  const bytes = keptBytes(m, c, keep);
  const [ax, ag, ab] = [rig.f32(x), rig.f32(gamma), rig.f32(beta)];
  const ay = inPlace ? ax : rig.f32(m * c);
  const kept = bytes ? rig.u8(new Uint8Array(bytes + 16).fill(sentinel)) : 0;
  const rstd = bytes ? rig.f32(m) : 0;
  each(threads, () => assert.is(rig.run(Op.LayerNorm, [ax, ag, ab, ay, kept, rstd, m, c, rig.float(EPS), keep, 1]), 0));
  if (bytes)
    assert.ok(
      rig.readU8(kept + bytes, 16).every((b) => b === sentinel),
      `C ${c}: wrote past the kept rows`,
    );
  return {
    y: rig.readF32(ay, m * c),
    kept: rig.readU8(kept, bytes),
    xhat: keep === Keep.Value ? rig.readF32(kept, m * c) : new Float32Array(0),
    rstd: rig.readF32(rstd, bytes ? m : 0),
  };
}

/** One thread after the other: what the split leaves out or does twice shows in the result. */
function each(threads: number, work: () => void): void {
  for (let t = 0; t < threads; t++) {
    rig.kernels.setup(0, rig.scratch, perThread, t, threads);
    work();
  }
  rig.kernels.setup(0, rig.scratch, perThread, 0, 1);
}

function backward(
  kept: ArrayLike<number>,
  rstd: Float32Array,
  gamma: Float32Array,
  dy: Float32Array,
  c: number,
  keep: Keep,
  acc?: Float32Array,
) {
  rig.clear();
  const m = rstd.length;
  const at = keep === Keep.Group4 ? rig.u8(kept) : rig.f32(kept);
  const [ar, ag, ady] = [rig.f32(rstd), rig.f32(gamma), rig.f32(dy)];
  const adx = acc ? rig.f32(acc) : ady;
  assert.is(rig.run(Op.LayerNormBackward, [at, ar, ag, ady, acc ? adx : 0, adx, m, c, keep, 1]), 0);
  const dx = rig.readF32(adx, m * c);
  new Float32Array(rig.memory.buffer, ady, m * c).set(dy);
  const dgamma = [1, 3].map((threads) => {
    const adg = rig.f32(new Float32Array(c + 4).fill(2));
    each(threads, () => assert.is(rig.run(Op.LayerNormBackwardW, [at, ady, adg, m, c, keep, 1]), 0));
    assert.ok(
      rig.readF32(adg + c * 4, 4).every((v) => v === 2),
      `C ${c}: wrote past dgamma`,
    );
    return rig.readU8(adg, c * 4);
  });
  assert.equal(dgamma[0], dgamma[1], `C ${c}: dgamma depends on the threads`);
  return { dx, dgamma: new Float32Array(dgamma[0]!.buffer).map((v) => v - 2) };
}

test('the oracle: finite differences', () => {
  const c = 7;
  const { x, gamma, beta, dy } = inputs(3, c);
  const input = Float64Array.from(x, (v, i) => (Math.floor(i / c) === 1 ? v + 0.1 * (i % 3) : v));
  const loss = (x: Float64Array, gamma: ArrayLike<number>) =>
    oracle.layerNorm(x, gamma, beta, c, EPS).y.reduce((sum, y, i) => sum + y * dy[i]!, 0);
  const { xhat, rstd } = oracle.layerNorm(input, gamma, beta, c, EPS);
  const { dx, dgamma } = oracle.layerNormBackward(xhat, rstd, gamma, dy, c);
  const slope = (values: Float64Array, f: (v: Float64Array) => number) =>
    values.map((_, i) => {
      const nudged = (h: number) => f(values.map((v, j) => (i === j ? v + h : v)));
      return (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
    });
  close(
    slope(input, (v) => loss(v, gamma)),
    dx,
    1e-7,
    'dx',
  );
  close(
    slope(Float64Array.from(gamma), (v) => loss(input, v)),
    dgamma,
    1e-7,
    'dgamma',
  );
});

test('forward: every width and keep, in place or not, any threads', () => {
  for (const c of widths) {
    const m = 5;
    const { x, gamma, beta } = inputs(m, c);
    const want = oracle.layerNorm(x, gamma, beta, c, EPS);
    const plain = forward(x, gamma, beta, c, Keep.Nothing);
    close(plain.y, want.y, 2e-6, `C ${c}`);
    for (const keep of [Keep.Nothing, Keep.Value, Keep.Group4]) {
      const one = forward(x, gamma, beta, c, keep, true);
      assert.equal(one.y, plain.y, `C ${c}, keep ${keep}: y in place`);
      assert.equal(forward(x, gamma, beta, c, keep, false, 3), one, `C ${c}, keep ${keep}: three threads`);
      if (keep !== Keep.Nothing) close(one.rstd, want.rstd, 1e-5, `C ${c}: rstd`);
      if (keep === Keep.Value) close(one.xhat, want.xhat, 2e-6, `C ${c}: xhat`);
    }
  }
});

test('group4: within half a step of x̂ (and 1/256), both ends reached, padding zero', () => {
  for (const c of widths) {
    const m = 5;
    const { x, gamma, beta } = inputs(m, c);
    const { xhat } = forward(x, gamma, beta, c, Keep.Value);
    const { kept } = forward(x, gamma, beta, c, Keep.Group4);
    const { values, step, minimum } = decodeGroup4(kept, m, c);
    for (let i = 0; i < m * c; i++) {
      const x = xhat[i]!;
      assert.ok(Math.abs(values[i]! - x) <= 0.505 * step[i]! + 1e-6, `C ${c}, ${i}: ${x} became ${values[i]}, step ${step[i]}`);
      assert.ok(minimum[i]! <= x && x <= minimum[i]! + 15 * step[i]! + 1e-6, `C ${c}, ${i}: ${x} is out of reach`);
    }
    // The range is used: the step is no larger than bf16 rounding of both ends makes it.
    for (let r = 0; r < m; r++)
      for (let from = 0; from < c; from += 64) {
        const group = xhat.subarray(r * c + from, r * c + Math.min(c, from + 64));
        const spread = Math.max(...group) - Math.min(...group);
        assert.ok(step[r * c + from]! * 15 <= (spread + Math.abs(minimum[r * c + from]!) / 128) * 1.01, `C ${c}: step too large`);
      }
    const blocks = Math.ceil(c / 32) * 16;
    for (let r = 0; r < m; r++) {
      const codes = kept.subarray((r + 1) * group4RowBytes(c) - blocks, (r + 1) * group4RowBytes(c));
      for (let i = c; i < blocks * 2; i++)
        assert.is((codes[(i >> 5) * 16 + (i & 15)]! >> ((i & 31) < 16 ? 0 : 4)) & 15, 0, `C ${c}: padding`);
    }
  }
});

test('backward from f32 and from groups equals the oracle on the same x̂', () => {
  for (const c of widths) {
    const m = 5;
    const { x, gamma, beta, dy } = inputs(m, c);
    for (const keep of [Keep.Value, Keep.Group4]) {
      const kept = forward(x, gamma, beta, c, keep);
      const xhat = keep === Keep.Value ? kept.xhat : decodeGroup4(kept.kept, m, c).values;
      const want = oracle.layerNormBackward(xhat, kept.rstd, gamma, dy, c);
      const acc = numbers(m * c, 10);
      const from = keep === Keep.Value ? kept.xhat : kept.kept;
      // The constant row has rstd 1000: its cancelling terms set the scale of the error.
      const plain = backward(from, kept.rstd, gamma, dy, c, keep);
      const added = backward(from, kept.rstd, gamma, dy, c, keep, acc);
      const scale = Math.hypot(...dy) * Math.max(...kept.rstd);
      const error = (got: Float32Array, off: (i: number) => number) => Math.hypot(...got.map((v, i) => v - want.dx[i]! - off(i))) / scale;
      assert.ok(error(plain.dx, () => 0) < 1e-6, `C ${c}, keep ${keep}: dx`);
      assert.ok(error(added.dx, (i) => acc[i]!) < 1e-6, `C ${c}, keep ${keep}: dx + acc`);
      const largest = Math.hypot(...want.dgamma) + Math.sqrt(c);
      assert.ok(Math.hypot(...plain.dgamma.map((v, i) => v - want.dgamma[i]!)) < 1e-5 * largest, `C ${c}, keep ${keep}: dgamma`);
    }
  }
});

test('group4 gradients are close to exact ones', () => {
  const c = 192;
  const m = 16;
  const [x, gamma, beta, dy] = [numbers(m * c, 1), numbers(c, 2, 0.2).map((v) => v + 1), numbers(c, 3), numbers(m * c, 4)];
  const exact = oracle.layerNorm(x, gamma, beta, c, EPS);
  const { kept, rstd } = forward(x, gamma, beta, c, Keep.Group4);
  close(backward(kept, rstd, gamma, dy, c, Keep.Group4).dx, oracle.layerNormBackward(exact.xhat, exact.rstd, gamma, dy, c).dx, 0.02);
});

test('a constant group has step 0 and decodes to its minimum', () => {
  const c = 128;
  const x = numbers(c, 5).map((v, i) => (i < 64 ? 4 : v));
  const ones = new Float32Array(c).fill(1);
  const { step, values, code } = decodeGroup4(forward(x, ones, ones, c, Keep.Group4).kept, 1, c);
  const { xhat } = forward(x, ones, ones, c, Keep.Value);
  for (let i = 0; i < 64; i++) {
    assert.ok(step[i]! * 15 <= Math.abs(xhat[i]!) / 64);
    assert.ok(Math.abs(values[i]! - xhat[i]!) <= 0.5 * step[i]! + 1e-6);
  }
  const constant = decodeGroup4(forward(ones, ones, ones, c, Keep.Group4).kept, 1, c);
  assert.ok(constant.step.every((s) => s === 0) && constant.code.every((q) => q === 0) && constant.values.every((v) => v === 0));
  assert.ok(code.every((q) => q <= 15));
});

test('NaN and infinity make their own row NaN, kept and gradients too', () => {
  const c = 100;
  const ones = new Float32Array(c).fill(1);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const x = numbers(3 * c, 6);
    x[c + 70] = bad;
    for (const keep of [Keep.Value, Keep.Group4]) {
      const { y, xhat, kept, rstd } = forward(x, ones, ones, c, keep);
      const values = keep === Keep.Value ? xhat : decodeGroup4(kept, 3, c).values;
      const { dx } = backward(keep === Keep.Value ? xhat : kept, rstd, ones, numbers(3 * c, 7), c, keep);
      for (let i = 0; i < 3 * c; i++)
        for (const v of [y[i], values[i], dx[i]]) assert.is(Number.isNaN(v), Math.floor(i / c) === 1, `${bad}, element ${i}`);
    }
  }
});

test('huge rows overflow to zero, not to nonsense', () => {
  const c = 64;
  const ones = new Float32Array(c).fill(1);
  const x = numbers(c, 8, 1e30);
  const { values, step } = decodeGroup4(forward(x, ones, ones, c, Keep.Group4).kept, 1, c);
  assert.ok(values.every((v) => v === 0) && step.every((s) => s === 0));
});

test('an encoding that layer norm lacks stops the walk', () => {
  rig.clear();
  const x = rig.f32(32);
  assert.is(rig.run(Op.LayerNorm, [x, x, x, x, x, x, 1, 32, rig.float(EPS), Keep.Code4, 1]), Status.BadEncoding);
  assert.is(rig.run(Op.LayerNormBackward, [x, x, x, x, 0, x, 1, 32, Keep.Nothing]), Status.BadEncoding);
  assert.is(rig.run(Op.LayerNormBackwardW, [x, x, x, 1, 32, Keep.Nothing]), Status.BadEncoding);
});

test('scratch: two padded rows', () => {
  assert.is(layerNormScratch(33), 512);
  assert.is(layerNormScratch(64), 512);
});

test.run();
