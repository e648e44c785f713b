/**
 * The loops behind every activation, over a function of functions.ts: forward with nothing, x, a bit or a code of f′ kept, and backward from what
 * was. Each element goes through the same instructions wherever it stands.
 */
import { Keep } from '../abi/keep';
import { Kind } from '../generated/kinds';
import { Status } from '../abi/status';
import { Constant, constants, k4, madd } from '../engine/math';
import { fail } from '../engine/status';
import { backwardCode4, backwardCode8, code8, encode } from './derivative';
import { loadPart } from './quantised';

/**
 * Sixteen values of Gelu, the same operations as Gelu.value, four chains abreast: each is long, and a processor that runs its instructions
 * in order would otherwise wait for every one.
 */
function gelu16(x: usize, y: usize, t: usize): void {
  const high = k4(t, Constant.CdfHigh);
  const low = k4(t, Constant.CdfLow);
  const x0 = f32x4.pmax(f32x4.pmin(v128.load(x), high), low);
  const x1 = f32x4.pmax(f32x4.pmin(v128.load(x, 16), high), low);
  const x2 = f32x4.pmax(f32x4.pmin(v128.load(x, 32), high), low);
  const x3 = f32x4.pmax(f32x4.pmin(v128.load(x, 48), high), low);
  const s0 = f32x4.mul(x0, x0);
  const s1 = f32x4.mul(x1, x1);
  const s2 = f32x4.mul(x2, x2);
  const s3 = f32x4.mul(x3, x3);
  let c = k4(t, Constant.CdfP);
  let d = k4(t, Constant.CdfP + 4);
  let p0 = madd(c, s0, d);
  let p1 = madd(c, s1, d);
  let p2 = madd(c, s2, d);
  let p3 = madd(c, s3, d);
  for (let at: usize = Constant.CdfP + 8; at <= <usize>Constant.CdfP + 20; at += 4) {
    c = k4(t, at);
    p0 = madd(p0, s0, c);
    p1 = madd(p1, s1, c);
    p2 = madd(p2, s2, c);
    p3 = madd(p3, s3, c);
  }
  c = k4(t, Constant.CdfQ);
  d = k4(t, Constant.CdfQ + 4);
  let q0 = madd(c, s0, d);
  let q1 = madd(c, s1, d);
  let q2 = madd(c, s2, d);
  let q3 = madd(c, s3, d);
  for (let at: usize = Constant.CdfQ + 8; at <= <usize>Constant.CdfQ + 20; at += 4) {
    c = k4(t, at);
    q0 = madd(q0, s0, c);
    q1 = madd(q1, s1, c);
    q2 = madd(q2, s2, c);
    q3 = madd(q3, s3, c);
  }
  const half = k4(t, Constant.Half);
  const y0 = f32x4.add(half, f32x4.div(f32x4.mul(p0, x0), q0));
  const y1 = f32x4.add(half, f32x4.div(f32x4.mul(p1, x1), q1));
  const y2 = f32x4.add(half, f32x4.div(f32x4.mul(p2, x2), q2));
  const y3 = f32x4.add(half, f32x4.div(f32x4.mul(p3, x3), q3));
  const r0 = f32x4.mul(f32x4.pmax(v128.load(x), low), y0);
  const r1 = f32x4.mul(f32x4.pmax(v128.load(x, 16), low), y1);
  const r2 = f32x4.mul(f32x4.pmax(v128.load(x, 32), low), y2);
  const r3 = f32x4.mul(f32x4.pmax(v128.load(x, 48), low), y3);
  v128.store(y, r0);
  v128.store(y, r1, 16);
  v128.store(y, r2, 32);
  v128.store(y, r3, 48);
}

/** y = f(x) for elements [from, to): nothing kept. */
function forward<F>(x: usize, y: usize, kind: i32, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = (<usize>from) << 2;
  const end = (<usize>to) << 2;
  if (kind == Kind.Gelu) for (; i + 64 <= end; i += 64) gelu16(x + i, y + i, constants());
  for (; i + 16 <= end; i += 16) v128.store(y + i, f.value(v128.load(x + i)));
  for (; i < end; i += 4) v128.store32_lane(y + i, f.value(v128.load32_splat(x + i)), 0);
}

/** y = f(x), one bit of each element's slope to `kept`. `from` is a multiple of 32. */
function forwardBit1<F>(x: usize, y: usize, kept: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = from;
  for (; i + 16 <= to; i += 16) {
    const at = (<usize>i) << 2;
    const a = v128.load(x + at);
    const b = v128.load(x + at, 16);
    const c = v128.load(x + at, 32);
    const d = v128.load(x + at, 48);
    const mask = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(f.mask(a), f.mask(b)), i16x8.narrow_i32x4_s(f.mask(c), f.mask(d)));
    store<u16>(kept + (<usize>i >> 3), <u16>i8x16.bitmask(mask));
    v128.store(y + at, f.value(a));
    v128.store(y + at, f.value(b), 16);
    v128.store(y + at, f.value(c), 32);
    v128.store(y + at, f.value(d), 48);
  }
  if (i == to) return;
  let bits = 0;
  for (let j = i; j < to; j++) {
    const v = v128.load32_splat(x + ((<usize>j) << 2));
    bits |= (i32x4.bitmask(f.mask(v)) & 1) << (j & 15);
    v128.store32_lane(y + ((<usize>j) << 2), f.value(v), 0);
  }
  store<u16>(kept + (<usize>i >> 3), <u16>bits);
}

/** y = f(x) and the codes, chunk by chunk: the second pass over a chunk finds it in the first-level cache, and both loops keep their registers. */
function forwardCode4<F>(x: usize, y: usize, kept: usize, kind: i32, from: i32, to: i32, table: usize): void {
  for (let i = from; i < to; i += 1024) {
    const end = min(i + 1024, to);
    encode(x, kept, i, end, table);
    forward<F>(x, y, kind, i, end);
  }
}

/** y = f(x) and a byte for each f′, chunk by chunk as above. Four at a time: longer, the code of every function would be. */
function forwardCode8<F>(x: usize, y: usize, kept: usize, kind: i32, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  for (let i = from; i < to; i += 1024) {
    const end = min(i + 1024, to);
    for (let j = i; j < end; j += 4) {
      const at = x + ((<usize>j) << 2);
      const codes = code8(f.slope(end - j >= 4 ? v128.load(at) : loadPart(at, end - j)));
      const packed = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(codes, codes), codes);
      if (end - j >= 4) v128.store32_lane(kept + <usize>j, packed, 0);
      else for (let k = j; k < end; k++) store<u8>(kept + <usize>k, i32x4.extract_lane(packed, 0) >> ((k - j) << 3));
    }
    forward<F>(x, y, kind, i, end);
  }
}

/** dx = f′(x)·dy, of a piecewise linear f. */
function backwardMask<F>(x: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = (<usize>from) << 2;
  const end = (<usize>to) << 2;
  for (; i + 16 <= end; i += 16) v128.store(dx + i, f.pick(v128.load(dy + i), f.mask(v128.load(x + i))));
  for (; i < end; i += 4) v128.store32_lane(dx + i, f.pick(v128.load32_splat(dy + i), f.mask(v128.load32_splat(x + i))), 0);
}

/** dx = slope·dy, the slope by its bit. */
function backwardBit1<F>(kept: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  const bits0 = i32x4(1, 2, 4, 8);
  const bits1 = i32x4(16, 32, 64, 128);
  const bits2 = i32x4(256, 512, 1024, 2048);
  const bits3 = i32x4(4096, 8192, 16384, 32768);
  let i = from;
  for (; i + 16 <= to; i += 16) {
    const at = (<usize>i) << 2;
    const bits = i32x4.splat(load<u16>(kept + (<usize>i >> 3)));
    v128.store(dx + at, f.pick(v128.load(dy + at), i32x4.eq(v128.and(bits, bits0), bits0)));
    v128.store(dx + at, f.pick(v128.load(dy + at, 16), i32x4.eq(v128.and(bits, bits1), bits1)), 16);
    v128.store(dx + at, f.pick(v128.load(dy + at, 32), i32x4.eq(v128.and(bits, bits2), bits2)), 32);
    v128.store(dx + at, f.pick(v128.load(dy + at, 48), i32x4.eq(v128.and(bits, bits3), bits3)), 48);
  }
  for (; i < to; i++) {
    const at = (<usize>i) << 2;
    const bit = (<i32>load<u16>(kept + ((<usize>i >> 4) << 1)) >> (i & 15)) & 1;
    v128.store32_lane(dx + at, f.pick(v128.load32_splat(dy + at), i32x4.splat(-bit)), 0);
  }
}

/** dx = f′(x)·dy, of a smooth f. */
function backwardSlope<F>(x: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = (<usize>from) << 2;
  const end = (<usize>to) << 2;
  for (; i + 16 <= end; i += 16) v128.store(dx + i, f32x4.mul(v128.load(dy + i), f.slope(v128.load(x + i))));
  for (; i < end; i += 4) v128.store32_lane(dx + i, f32x4.mul(v128.load32_splat(dy + i), f.slope(v128.load32_splat(x + i))), 0);
}

export function forwardPiecewise<F>(x: usize, y: usize, kept: usize, kind: i32, keep: i32, from: i32, to: i32): void {
  if (keep == Keep.Bit1) forwardBit1<F>(x, y, kept, from, to);
  else if (keep <= Keep.Value) forward<F>(x, y, kind, from, to);
  else fail(Status.BadEncoding);
}

export function forwardSmooth<F>(x: usize, y: usize, kept: usize, kind: i32, keep: i32, from: i32, to: i32, table: usize): void {
  if (keep == Keep.Code4) forwardCode4<F>(x, y, kept, kind, from, to, table);
  else if (keep == Keep.Code8) forwardCode8<F>(x, y, kept, kind, from, to);
  else if (keep <= Keep.Value) forward<F>(x, y, kind, from, to);
  else fail(Status.BadEncoding);
}

export function backwardPiecewise<F>(kept: usize, dy: usize, dx: usize, keep: i32, from: i32, to: i32): void {
  if (keep == Keep.Bit1) backwardBit1<F>(kept, dy, dx, from, to);
  else if (keep == Keep.Value) backwardMask<F>(kept, dy, dx, from, to);
  else fail(Status.BadEncoding);
}

export function backwardSmooth<F>(kept: usize, dy: usize, dx: usize, keep: i32, from: i32, to: i32, table: usize): void {
  if (keep == Keep.Code4) backwardCode4(kept, dy, dx, from, to, table);
  else if (keep == Keep.Code8) backwardCode8(kept, dy, dx, from, to);
  else if (keep == Keep.Value) backwardSlope<F>(kept, dy, dx, from, to);
  else fail(Status.BadEncoding);
}
