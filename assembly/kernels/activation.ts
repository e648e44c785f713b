/**
 * Activation: y = f(x), keeping nothing, x itself, one bit or a 4- or 8-bit code of f′(x) for backward; ActivationBackward: dx = f′·dy.
 *
 * Shapes: x, y, dy, dx f32 [N], any N. Aliasing: Y = X and DX = DY are fine (unless x is what is kept); nothing else overlaps.
 * Threads share out blocks of 32 elements: no two touch one byte of KEPT, no sum is made, and every element goes through the same
 * instructions wherever it stands, so neither N nor the number of threads changes a bit. y does not depend on KEEP.
 * Moved per element: forward 8 bytes + the code, backward 8 bytes + the code (12 where x is kept).
 *
 * Each function is a class without fields, whose `this` is the address of the math constants: AssemblyScript's way to hand
 * inlined code to a generic loop. Infinities give the limits, NaN goes through; in `mask` a NaN lies left of every kink.
 */
import { Codebook } from '../abi/codebook';
import { ActivationArg, ActivationBackwardArg, Keep, Kind } from '../abi/ops';
import { Status } from '../abi/status';
import { address, int } from '../argument';
import { Constant, cdf4, constants, exp4, k4, madd, sigmoid4, tanh4 } from '../math';
import { fail } from '../status';
import { first, last } from '../team';
import { loadPart } from './groups';

/** A function: `this` is the address of the constants, `k` one of them. */
@unmanaged class Curve {
  @inline get t(): usize {
    return changetype<usize>(this);
  }
  @inline k(constant: Constant): v128 {
    return k4(changetype<usize>(this), constant);
  }
}

// Piecewise linear: value(x), mask(x) = which of the two slopes, pick(dy, mask) = slope·dy.

@unmanaged class Relu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmax(x, i32x4.splat(0));
  }
  @inline mask(x: v128): v128 {
    return f32x4.gt(x, i32x4.splat(0));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(dy, mask);
  }
}

@unmanaged class Relu6 extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmin(f32x4.pmax(x, i32x4.splat(0)), this.k(Constant.Six));
  }
  @inline mask(x: v128): v128 {
    return v128.and(f32x4.gt(x, i32x4.splat(0)), f32x4.lt(x, this.k(Constant.Six)));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(dy, mask);
  }
}

@unmanaged class LeakyRelu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.pmax(x, f32x4.mul(x, this.k(Constant.Leak)));
  }
  @inline mask(x: v128): v128 {
    return f32x4.gt(x, i32x4.splat(0));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.bitselect(dy, f32x4.mul(dy, this.k(Constant.Leak)), mask);
  }
}

@unmanaged class HardSigmoid extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(f32x4.pmin(f32x4.pmax(f32x4.add(x, this.k(Constant.Three)), i32x4.splat(0)), this.k(Constant.Six)), this.k(Constant.Sixth));
  }
  @inline mask(x: v128): v128 {
    return f32x4.lt(f32x4.abs(x), this.k(Constant.Three));
  }
  @inline pick(dy: v128, mask: v128): v128 {
    return v128.and(f32x4.mul(dy, this.k(Constant.Sixth)), mask);
  }
}

// Smooth: value(x), slope(x) = f′(x). Products with x take it clamped, where f or f′ has long reached its limit, so that ∞·0 never arises.

@unmanaged class Sigmoid extends Curve {
  @inline value(x: v128): v128 {
    return sigmoid4(x, this.t);
  }
  @inline slope(x: v128): v128 {
    const s = sigmoid4(x, this.t);
    return f32x4.mul(s, f32x4.sub(this.k(Constant.One), s));
  }
}

@unmanaged class Tanh extends Curve {
  @inline value(x: v128): v128 {
    return tanh4(x, this.t);
  }
  @inline slope(x: v128): v128 {
    const y = tanh4(x, this.t);
    return f32x4.mul(f32x4.sub(this.k(Constant.One), y), f32x4.add(this.k(Constant.One), y));
  }
}

@unmanaged class HardSwish extends Curve {
  @inline value(x: v128): v128 {
    const z = f32x4.pmax(x, this.k(Constant.MinusThree));
    return f32x4.mul(z, f32x4.mul(f32x4.pmin(f32x4.add(z, this.k(Constant.Three)), this.k(Constant.Six)), this.k(Constant.Sixth)));
  }
  @inline slope(x: v128): v128 {
    const inside = madd(x, this.k(Constant.Third), this.k(Constant.Half));
    const right = v128.bitselect(this.k(Constant.One), inside, f32x4.ge(x, this.k(Constant.Three)));
    return v128.andnot(right, f32x4.le(x, this.k(Constant.MinusThree)));
  }
}

@unmanaged class Silu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(f32x4.pmax(x, this.k(Constant.Low)), sigmoid4(x, this.t));
  }
  @inline slope(x: v128): v128 {
    const s = sigmoid4(x, this.t);
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High));
    return f32x4.mul(s, madd(z, f32x4.sub(this.k(Constant.One), s), this.k(Constant.One)));
  }
}

@unmanaged class Gelu extends Curve {
  @inline value(x: v128): v128 {
    return f32x4.mul(f32x4.pmax(x, this.k(Constant.CdfLow)), f32x4.add(this.k(Constant.Half), cdf4(x, this.t)));
  }
  @inline slope(x: v128): v128 {
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High));
    const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(z, this.k(Constant.MinusHalf)), z), this.t), this.k(Constant.Density));
    return madd(z, density, f32x4.add(this.k(Constant.Half), cdf4(x, this.t)));
  }
}

/** x·σ(2u), u = √(2/π)·(x + 0.044715·x³): the same as x/2·(1 + tanh u). */
@unmanaged class GeluTanh extends Curve {
  @inline value(x: v128): v128 {
    const z = f32x4.pmax(x, this.k(Constant.Low));
    const w = f32x4.mul(z, madd(f32x4.mul(z, z), this.k(Constant.GeluCubic), this.k(Constant.GeluLinear)));
    return f32x4.mul(z, sigmoid4(w, this.t));
  }
  @inline slope(x: v128): v128 {
    const z = f32x4.pmin(f32x4.pmax(x, this.k(Constant.Low)), this.k(Constant.High));
    const s = f32x4.mul(z, z);
    const w = f32x4.mul(z, madd(s, this.k(Constant.GeluCubic), this.k(Constant.GeluLinear)));
    const g = sigmoid4(w, this.t);
    // z·dw/dz
    const zdw = f32x4.mul(z, madd(s, this.k(Constant.GeluCubic3), this.k(Constant.GeluLinear)));
    return f32x4.mul(g, madd(zdw, f32x4.sub(this.k(Constant.One), g), this.k(Constant.One)));
  }
}

/** |x| → cell + the cell of `shift`, still as i32. The shift without sign sends every NaN to the last cell. */
@inline function cell4(x: v128, scale: v128, shift: v128): v128 {
  return i32x4.shr_u(madd(f32x4.abs(x), scale, shift), Codebook.CellBits);
}

/** All ones where x < 0, as 16 bytes. */
@inline function negative16(a: v128, b: v128, c: v128, d: v128): v128 {
  const zero = i32x4.splat(0);
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(f32x4.lt(a, zero), f32x4.lt(b, zero)),
    i16x8.narrow_i32x4_s(f32x4.lt(c, zero), f32x4.lt(d, zero)),
  );
}

/** The codes of 16 elements, a byte each. */
@inline function code16(
  a: v128, b: v128, c: v128, d: v128,
  scale: v128, shift: v128, origin: v128, cells0: v128, cells1: v128, flip: v128,
): v128 {
  const cell = i8x16.min_u(
    i8x16.narrow_i16x8_u(
      i16x8.sub(i16x8.narrow_i32x4_s(cell4(a, scale, shift), cell4(b, scale, shift)), origin),
      i16x8.sub(i16x8.narrow_i32x4_s(cell4(c, scale, shift), cell4(d, scale, shift)), origin),
    ),
    i8x16.splat(<i8>(Codebook.CellCount - 1)),
  );
  // A swizzle gives 0 for an index outside 0..15, so two of them, one of them 16 further, cover 32 cells.
  const code = v128.or(i8x16.swizzle(cells0, cell), i8x16.swizzle(cells1, i8x16.sub(cell, i8x16.splat(16))));
  return v128.xor(code, v128.and(negative16(a, b, c, d), flip));
}

/** Codes of elements [from, to) to `kept`; `from` is a multiple of 32. */
function encode(x: usize, kept: usize, from: i32, to: i32, table: usize): void {
  const scale = v128.load32_splat(table + Codebook.Scale);
  const shift = v128.load32_splat(table + Codebook.Shift);
  const flip = v128.load8_splat(table + Codebook.Flip);
  const origin = i16x8.splat(<i16>(load<i32>(table + Codebook.Shift) >> Codebook.CellBits));
  const cells0 = v128.load(table, Codebook.Cells);
  const cells1 = v128.load(table, Codebook.Cells + 16);
  let i = from;
  for (; i + 32 <= to; i += 32) {
    const at = x + (<usize>i << 2);
    const low = code16(
      v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48),
      scale, shift, origin, cells0, cells1, flip,
    );
    const high = code16(
      v128.load(at, 64), v128.load(at, 80), v128.load(at, 96), v128.load(at, 112),
      scale, shift, origin, cells0, cells1, flip,
    );
    v128.store(kept + (<usize>i >> 1), v128.or(low, i16x8.shl(high, 4)));
  }
  if (i == to) return;
  // The last block: elements past N are coded as x = 0.
  const at = x + (<usize>i << 2);
  const n = to - i;
  const low = code16(
    loadPart(at, n), loadPart(at + 16, n - 4), loadPart(at + 32, n - 8), loadPart(at + 48, n - 12),
    scale, shift, origin, cells0, cells1, flip,
  );
  const high = code16(
    loadPart(at + 64, n - 16), loadPart(at + 80, n - 20), loadPart(at + 96, n - 24), loadPart(at + 112, n - 28),
    scale, shift, origin, cells0, cells1, flip,
  );
  v128.store(kept + (<usize>i >> 1), v128.or(low, i16x8.shl(high, 4)));
}

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
  let i = <usize>from << 2;
  const end = <usize>to << 2;
  if (kind == Kind.Gelu) for (; i + 64 <= end; i += 64) gelu16(x + i, y + i, constants());
  for (; i + 16 <= end; i += 16) v128.store(y + i, f.value(v128.load(x + i)));
  for (; i < end; i += 4) v128.store32_lane(y + i, f.value(v128.load32_splat(x + i)), 0);
}

/** y = f(x), one bit of each element's slope to `kept`. `from` is a multiple of 32. */
function forwardBit1<F>(x: usize, y: usize, kept: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = from;
  for (; i + 16 <= to; i += 16) {
    const at = <usize>i << 2;
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
    const v = v128.load32_splat(x + (<usize>j << 2));
    bits |= (i32x4.bitmask(f.mask(v)) & 1) << (j & 15);
    v128.store32_lane(y + (<usize>j << 2), f.value(v), 0);
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

/** 128·f′ + 64 of four elements, rounded, as i32. */
@inline function code8(slope: v128): v128 {
  return i32x4.trunc_sat_f32x4_u(madd(slope, f32x4.splat(128), f32x4.splat(64.5)));
}

/** y = f(x) and a byte for each f′, chunk by chunk as above. Four at a time: longer, the code of every function would be. */
function forwardCode8<F>(x: usize, y: usize, kept: usize, kind: i32, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  for (let i = from; i < to; i += 1024) {
    const end = min(i + 1024, to);
    for (let j = i; j < end; j += 4) {
      const at = x + (<usize>j << 2);
      const codes = code8(f.slope(end - j >= 4 ? v128.load(at) : loadPart(at, end - j)));
      const packed = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(codes, codes), codes);
      if (end - j >= 4) v128.store32_lane(kept + <usize>j, packed, 0);
      else for (let k = j; k < end; k++) store<u8>(kept + <usize>k, i32x4.extract_lane(packed, 0) >> ((k - j) << 3));
    }
    forward<F>(x, y, kind, i, end);
  }
}

/** dx = (code/128 - ½)·dy. */
function backwardCode8(kept: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const unit = f32x4.splat(<f32>(1.0 / 128.0));
  const low = f32x4.splat(-0.5);
  let i = from;
  for (; i + 8 <= to; i += 8) {
    const at = <usize>i << 2;
    const codes = v128.load8x8_u(kept + <usize>i);
    v128.store(dx + at, f32x4.mul(v128.load(dy + at), madd(f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(codes)), unit, low)));
    v128.store(dx + at, f32x4.mul(v128.load(dy + at, 16), madd(f32x4.convert_i32x4_u(i32x4.extend_high_i16x8_u(codes)), unit, low)), 16);
  }
  for (; i < to; i++) {
    const at = <usize>i << 2;
    store<f32>(dx + at, load<f32>(dy + at) * (<f32>load<u8>(kept + <usize>i) * <f32>(1.0 / 128.0) - 0.5));
  }
}

/** dx = f′(x)·dy, of a piecewise linear f. */
function backwardMask<F>(x: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = <usize>from << 2;
  const end = <usize>to << 2;
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
    const at = <usize>i << 2;
    const bits = i32x4.splat(load<u16>(kept + (<usize>i >> 3)));
    v128.store(dx + at, f.pick(v128.load(dy + at), i32x4.eq(v128.and(bits, bits0), bits0)));
    v128.store(dx + at, f.pick(v128.load(dy + at, 16), i32x4.eq(v128.and(bits, bits1), bits1)), 16);
    v128.store(dx + at, f.pick(v128.load(dy + at, 32), i32x4.eq(v128.and(bits, bits2), bits2)), 32);
    v128.store(dx + at, f.pick(v128.load(dy + at, 48), i32x4.eq(v128.and(bits, bits3), bits3)), 48);
  }
  for (; i < to; i++) {
    const at = <usize>i << 2;
    const bit = (<i32>load<u16>(kept + ((<usize>i >> 4) << 1)) >> (i & 15)) & 1;
    v128.store32_lane(dx + at, f.pick(v128.load32_splat(dy + at), i32x4.splat(-bit)), 0);
  }
}

/** dx = f′(x)·dy, of a smooth f. */
function backwardSlope<F>(x: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const f = changetype<F>(constants());
  let i = <usize>from << 2;
  const end = <usize>to << 2;
  for (; i + 16 <= end; i += 16) v128.store(dx + i, f32x4.mul(v128.load(dy + i), f.slope(v128.load(x + i))));
  for (; i < end; i += 4) v128.store32_lane(dx + i, f32x4.mul(v128.load32_splat(dy + i), f.slope(v128.load32_splat(x + i))), 0);
}

/** dx = level·dy for 16 elements whose codes are the bytes of `code`. */
@inline function scale16(code: v128, low: v128, high: v128, dy: usize, dx: usize): void {
  const zero = i8x16.splat(0);
  const l = i8x16.swizzle(low, code);
  const h = i8x16.swizzle(high, code);
  // bf16 = the upper half of an f32: bytes to u16, then zeros below.
  const ab = i8x16.shuffle(l, h, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const cd = i8x16.shuffle(l, h, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  v128.store(dx, f32x4.mul(v128.load(dy), i16x8.shuffle(zero, ab, 0, 8, 1, 9, 2, 10, 3, 11)));
  v128.store(dx, f32x4.mul(v128.load(dy, 16), i16x8.shuffle(zero, ab, 4, 12, 5, 13, 6, 14, 7, 15)), 16);
  v128.store(dx, f32x4.mul(v128.load(dy, 32), i16x8.shuffle(zero, cd, 0, 8, 1, 9, 2, 10, 3, 11)), 32);
  v128.store(dx, f32x4.mul(v128.load(dy, 48), i16x8.shuffle(zero, cd, 4, 12, 5, 13, 6, 14, 7, 15)), 48);
}

/** dx = level·dy, whatever the function was. */
function backwardCode4(kept: usize, dy: usize, dx: usize, from: i32, to: i32, table: usize): void {
  const low = v128.load(table + Codebook.LevelLow);
  const high = v128.load(table + Codebook.LevelHigh);
  const nibble = i8x16.splat(15);
  let i = from;
  for (; i + 32 <= to; i += 32) {
    const at = <usize>i << 2;
    const codes = v128.load(kept + (<usize>i >> 1));
    scale16(v128.and(codes, nibble), low, high, dy + at, dx + at);
    scale16(v128.and(i16x8.shr_u(codes, 4), nibble), low, high, dy + at + 64, dx + at + 64);
  }
  for (let j = i; j < to; j++) {
    const byte = load<u8>(kept + (<usize>i >> 1) + <usize>(j & 15));
    const code = <usize>(j & 16 ? byte >> 4 : byte & 15);
    const bits = (<u32>load<u8>(table + code, Codebook.LevelHigh) << 24) | (<u32>load<u8>(table + code, Codebook.LevelLow) << 16);
    const at = <usize>j << 2;
    store<f32>(dx + at, load<f32>(dy + at) * reinterpret<f32>(bits));
  }
}

function forwardLinear<F>(x: usize, y: usize, kept: usize, kind: i32, keep: i32, from: i32, to: i32): void {
  if (keep == Keep.Bit1) forwardBit1<F>(x, y, kept, from, to);
  else if (keep <= Keep.Value) forward<F>(x, y, kind, from, to);
  else fail(Status.BadEncoding);
}

function forwardSmooth<F>(x: usize, y: usize, kept: usize, kind: i32, keep: i32, from: i32, to: i32, table: usize): void {
  if (keep == Keep.Code4) forwardCode4<F>(x, y, kept, kind, from, to, table);
  else if (keep == Keep.Code8) forwardCode8<F>(x, y, kept, kind, from, to);
  else if (keep <= Keep.Value) forward<F>(x, y, kind, from, to);
  else fail(Status.BadEncoding);
}

function backwardLinear<F>(kept: usize, dy: usize, dx: usize, keep: i32, from: i32, to: i32): void {
  if (keep == Keep.Bit1) backwardBit1<F>(kept, dy, dx, from, to);
  else if (keep == Keep.Value) backwardMask<F>(kept, dy, dx, from, to);
  else fail(Status.BadEncoding);
}

function backwardSmooth<F>(kept: usize, dy: usize, dx: usize, keep: i32, from: i32, to: i32, table: usize): void {
  if (keep == Keep.Code4) backwardCode4(kept, dy, dx, from, to, table);
  else if (keep == Keep.Code8) backwardCode8(kept, dy, dx, from, to);
  else if (keep == Keep.Value) backwardSlope<F>(kept, dy, dx, from, to);
  else fail(Status.BadEncoding);
}

export function activation(p: usize): void {
  const x = address(p, ActivationArg.X);
  const y = address(p, ActivationArg.Y);
  const kept = address(p, ActivationArg.KEPT);
  const keep = int(p, ActivationArg.KEEP);
  const table = address(p, ActivationArg.TABLE);
  const n = int(p, ActivationArg.N);
  const from = first((n + 31) >> 5) << 5;
  const to = min(last((n + 31) >> 5) << 5, n);
  const kind = int(p, ActivationArg.KIND);
  switch (kind) {
    case Kind.Relu: { forwardLinear<Relu>(x, y, kept, kind, keep, from, to); break; }
    case Kind.Relu6: { forwardLinear<Relu6>(x, y, kept, kind, keep, from, to); break; }
    case Kind.LeakyRelu: { forwardLinear<LeakyRelu>(x, y, kept, kind, keep, from, to); break; }
    case Kind.HardSigmoid: { forwardLinear<HardSigmoid>(x, y, kept, kind, keep, from, to); break; }
    case Kind.Sigmoid: { forwardSmooth<Sigmoid>(x, y, kept, kind, keep, from, to, table); break; }
    case Kind.Tanh: { forwardSmooth<Tanh>(x, y, kept, kind, keep, from, to, table); break; }
    case Kind.HardSwish: { forwardSmooth<HardSwish>(x, y, kept, kind, keep, from, to, table); break; }
    case Kind.Silu: { forwardSmooth<Silu>(x, y, kept, kind, keep, from, to, table); break; }
    case Kind.Gelu: { forwardSmooth<Gelu>(x, y, kept, kind, keep, from, to, table); break; }
    case Kind.GeluTanh: { forwardSmooth<GeluTanh>(x, y, kept, kind, keep, from, to, table); break; }
    default: fail(Status.BadEncoding);
  }
}

export function activationBackward(p: usize): void {
  const kept = address(p, ActivationBackwardArg.KEPT);
  const dy = address(p, ActivationBackwardArg.DY);
  const dx = address(p, ActivationBackwardArg.DX);
  const keep = int(p, ActivationBackwardArg.KEEP);
  const table = address(p, ActivationBackwardArg.TABLE);
  const n = int(p, ActivationBackwardArg.N);
  const from = first((n + 31) >> 5) << 5;
  const to = min(last((n + 31) >> 5) << 5, n);
  switch (int(p, ActivationBackwardArg.KIND)) {
    case Kind.Relu: { backwardLinear<Relu>(kept, dy, dx, keep, from, to); break; }
    case Kind.Relu6: { backwardLinear<Relu6>(kept, dy, dx, keep, from, to); break; }
    case Kind.LeakyRelu: { backwardLinear<LeakyRelu>(kept, dy, dx, keep, from, to); break; }
    case Kind.HardSigmoid: { backwardLinear<HardSigmoid>(kept, dy, dx, keep, from, to); break; }
    case Kind.Sigmoid: { backwardSmooth<Sigmoid>(kept, dy, dx, keep, from, to, table); break; }
    case Kind.Tanh: { backwardSmooth<Tanh>(kept, dy, dx, keep, from, to, table); break; }
    case Kind.HardSwish: { backwardSmooth<HardSwish>(kept, dy, dx, keep, from, to, table); break; }
    case Kind.Silu: { backwardSmooth<Silu>(kept, dy, dx, keep, from, to, table); break; }
    case Kind.Gelu: { backwardSmooth<Gelu>(kept, dy, dx, keep, from, to, table); break; }
    case Kind.GeluTanh: { backwardSmooth<GeluTanh>(kept, dy, dx, keep, from, to, table); break; }
    default: fail(Status.BadEncoding);
  }
}
