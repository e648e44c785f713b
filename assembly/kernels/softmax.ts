/** Softmax of rows of scores, in place, and its derivative: P = softmax(SCALE·S), dS = SCALE·P∘(dP - rowsum(P∘dP)). Rows are padded to 16 bytes. */
import { Constant, constants, exp4, k4, madd, sum4 } from '../engine/math';
import { encodeRow } from './softmax4';

/** Each of `m` rows of `n` scores becomes softmax(scale·s), with its codes at `codes` unless that is 0. The padding of a row becomes 0. */
export function softmax(s: usize, m: i32, n: i32, stride: usize, scale: f32, codes: usize): void {
  for (; m > 0; m--) {
    for (let i = (<usize>n) << 2; i < stride; i += 4) store<f32>(s + i, -Infinity);
    const largest = rowMaximum(s, s + stride);
    const total = exponentials(s, s + stride, largest, scale);
    if (codes != 0) {
      encodeRow(s, n, total, codes);
      codes += n;
    }
    scaleRow(s, s + stride, 1 / total);
    s += stride;
  }
}

/** A NaN may or may not be the result; its own exponential is NaN in any case, and with it the sum. */
function rowMaximum(s: usize, end: usize): f32 {
  let a = v128.load(s);
  let b = a;
  for (; s + 32 <= end; s += 32) {
    a = f32x4.pmax(a, v128.load(s));
    b = f32x4.pmax(b, v128.load(s, 16));
  }
  if (s < end) a = f32x4.pmax(a, v128.load(s));
  a = f32x4.pmax(a, b);
  a = f32x4.pmax(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1));
}

/** s = exp(scale·(s - largest)), sixteen at a time. */
function raise(s: usize, end: usize, largest: f32, scale: f32): void {
  const t = constants();
  const top = f32x4.splat(largest);
  const factor = f32x4.splat(scale);
  for (; s < end; s += 64) {
    // Four at once for each constant: e^x of engine/math.ts, in its order.
    let c = k4(t, Constant.ExpHigh);
    let d = k4(t, Constant.ExpLow);
    const x0 = f32x4.pmax(f32x4.pmin(f32x4.mul(f32x4.sub(v128.load(s, 0), top), factor), c), d);
    const x1 = f32x4.pmax(f32x4.pmin(f32x4.mul(f32x4.sub(v128.load(s, 16), top), factor), c), d);
    const x2 = f32x4.pmax(f32x4.pmin(f32x4.mul(f32x4.sub(v128.load(s, 32), top), factor), c), d);
    const x3 = f32x4.pmax(f32x4.pmin(f32x4.mul(f32x4.sub(v128.load(s, 48), top), factor), c), d);
    c = k4(t, Constant.Log2E);
    d = k4(t, Constant.Round);
    const bits0 = madd(x0, c, d);
    const bits1 = madd(x1, c, d);
    const bits2 = madd(x2, c, d);
    const bits3 = madd(x3, c, d);
    c = k4(t, Constant.Ln2High);
    let r0 = f32x4.sub(x0, f32x4.mul(f32x4.sub(bits0, d), c));
    let r1 = f32x4.sub(x1, f32x4.mul(f32x4.sub(bits1, d), c));
    let r2 = f32x4.sub(x2, f32x4.mul(f32x4.sub(bits2, d), c));
    let r3 = f32x4.sub(x3, f32x4.mul(f32x4.sub(bits3, d), c));
    c = k4(t, Constant.Ln2Low);
    r0 = f32x4.sub(r0, f32x4.mul(f32x4.sub(bits0, d), c));
    r1 = f32x4.sub(r1, f32x4.mul(f32x4.sub(bits1, d), c));
    r2 = f32x4.sub(r2, f32x4.mul(f32x4.sub(bits2, d), c));
    r3 = f32x4.sub(r3, f32x4.mul(f32x4.sub(bits3, d), c));
    c = k4(t, Constant.Exp);
    d = k4(t, Constant.Exp + 4);
    let p0 = madd(c, r0, d);
    let p1 = madd(c, r1, d);
    let p2 = madd(c, r2, d);
    let p3 = madd(c, r3, d);
    c = k4(t, Constant.Exp + 8);
    p0 = madd(p0, r0, c);
    p1 = madd(p1, r1, c);
    p2 = madd(p2, r2, c);
    p3 = madd(p3, r3, c);
    c = k4(t, Constant.Exp + 12);
    p0 = madd(p0, r0, c);
    p1 = madd(p1, r1, c);
    p2 = madd(p2, r2, c);
    p3 = madd(p3, r3, c);
    c = k4(t, Constant.Exp + 16);
    p0 = madd(p0, r0, c);
    p1 = madd(p1, r1, c);
    p2 = madd(p2, r2, c);
    p3 = madd(p3, r3, c);
    c = k4(t, Constant.One);
    p0 = f32x4.mul(f32x4.add(madd(p0, f32x4.mul(r0, r0), r0), c), i32x4.shl(bits0, 23));
    p1 = f32x4.mul(f32x4.add(madd(p1, f32x4.mul(r1, r1), r1), c), i32x4.shl(bits1, 23));
    p2 = f32x4.mul(f32x4.add(madd(p2, f32x4.mul(r2, r2), r2), c), i32x4.shl(bits2, 23));
    p3 = f32x4.mul(f32x4.add(madd(p3, f32x4.mul(r3, r3), r3), c), i32x4.shl(bits3, 23));
    v128.store(s, p0);
    v128.store(s, p1, 16);
    v128.store(s, p2, 32);
    v128.store(s, p3, 48);
  }
}

/** s = exp(scale·(s - largest)), and their sum. */
function exponentials(s: usize, end: usize, largest: f32, scale: f32): f32 {
  const t = constants();
  const top = f32x4.splat(largest);
  const factor = f32x4.splat(scale);
  let a = f32x4.splat(0);
  let b = a;
  const whole = s + ((end - s) & ~63);
  raise(s, whole, largest, scale);
  for (; s < whole; s += 32) {
    a = f32x4.add(a, v128.load(s));
    b = f32x4.add(b, v128.load(s, 16));
  }
  for (; s + 32 <= end; s += 32) {
    const e = exp4(f32x4.mul(f32x4.sub(v128.load(s), top), factor), t);
    const f = exp4(f32x4.mul(f32x4.sub(v128.load(s, 16), top), factor), t);
    v128.store(s, e);
    v128.store(s, f, 16);
    a = f32x4.add(a, e);
    b = f32x4.add(b, f);
  }
  if (s < end) {
    const e = exp4(f32x4.mul(f32x4.sub(v128.load(s), top), factor), t);
    v128.store(s, e);
    a = f32x4.add(a, e);
  }
  return sum4(f32x4.add(a, b));
}

function scaleRow(s: usize, end: usize, factor: f32): void {
  const f = f32x4.splat(factor);
  for (; s < end; s += 16) v128.store(s, f32x4.mul(v128.load(s), f));
}

/** ds = scale·p∘(ds - rowsum(p∘ds)): dP arrives in `ds`, dS leaves there. */
export function softmaxBackward(p: usize, ds: usize, m: i32, n: i32, stride: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (; m > 0; m--) {
    // p is 0 in the padding; what lies there in ds must be finite for 0 to win.
    for (let i = (<usize>n) << 2; i < stride; i += 4) store<f32>(ds + i, 0);
    let sum = f32x4.splat(0);
    for (let i: usize = 0; i < stride; i += 16) sum = madd(v128.load(p + i), v128.load(ds + i), sum);
    const mean = f32x4.splat(sum4(sum));
    for (let i: usize = 0; i < stride; i += 16) {
      const d = f32x4.mul(v128.load(p + i), f32x4.sub(v128.load(ds + i), mean));
      v128.store(ds + i, f32x4.mul(d, factor));
    }
    p += stride;
    ds += stride;
  }
}
