/**
 * Codes of f′(x): four bits by a table of 16 levels (abi/codebook.ts), a nibble each in blocks of 32 elements, or a byte by a line. What is
 * made of x in forward, and what backward multiplies dy by; the function itself is not known here.
 */
import { Codebook } from '../abi/codebook';
import { madd } from '../engine/math';
import { loadPart } from './quantised';

/**
 * x → cell + the cell of `least`, still as i32. `size` clears the sign where cells divide |x|; there v is never below `least`, which is the
 * shift. (pmax keeps a NaN that stands first, and the shift of bits without sign sends every NaN to the last cell.)
 */
@inline function cell4(x: v128, size: v128, scale: v128, shift: v128, least: v128): v128 {
  return i32x4.shr_u(f32x4.pmax(madd(v128.and(x, size), scale, shift), least), Codebook.CellBits);
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
  a: v128,
  b: v128,
  c: v128,
  d: v128,
  size: v128,
  scale: v128,
  shift: v128,
  least: v128,
  origin: v128,
  cells0: v128,
  cells1: v128,
  flip: v128,
): v128 {
  const cell = i8x16.min_u(
    i8x16.narrow_i16x8_u(
      i16x8.sub(i16x8.narrow_i32x4_s(cell4(a, size, scale, shift, least), cell4(b, size, scale, shift, least)), origin),
      i16x8.sub(i16x8.narrow_i32x4_s(cell4(c, size, scale, shift, least), cell4(d, size, scale, shift, least)), origin),
    ),
    i8x16.splat(<i8>(Codebook.CellCount - 1)),
  );
  // A swizzle gives 0 for an index outside 0..15, so two of them, one of them 16 further, cover 32 cells.
  const code = v128.or(i8x16.swizzle(cells0, cell), i8x16.swizzle(cells1, i8x16.sub(cell, i8x16.splat(16))));
  return v128.xor(code, v128.and(negative16(a, b, c, d), flip));
}

/** Codes of elements [from, to) to `kept`; `from` is a multiple of 32. */
export function encode(x: usize, kept: usize, from: i32, to: i32, table: usize): void {
  const scale = v128.load32_splat(table + Codebook.Scale);
  const shift = v128.load32_splat(table + Codebook.Shift);
  const flip = v128.load8_splat(table + Codebook.Flip);
  const isSigned = load<f32>(table + Codebook.Origin) > 0;
  const least = v128.load32_splat(table + (isSigned ? Codebook.Origin : Codebook.Shift));
  const size = i32x4.splat(isSigned ? -1 : 0x7fffffff);
  const origin = i16x8.splat(<i16>(i32x4.extract_lane(least, 0) >> Codebook.CellBits));
  const cells0 = v128.load(table, Codebook.Cells);
  const cells1 = v128.load(table, Codebook.Cells + 16);
  let i = from;
  for (; i + 32 <= to; i += 32) {
    const at = x + ((<usize>i) << 2);
    // biome-ignore format: sixteen elements in one line, what they are coded by in the next
    const low = code16(
      v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48),
      size, scale, shift, least, origin, cells0, cells1, flip,
    );
    // biome-ignore format: sixteen elements in one line, what they are coded by in the next
    const high = code16(
      v128.load(at, 64), v128.load(at, 80), v128.load(at, 96), v128.load(at, 112),
      size, scale, shift, least, origin, cells0, cells1, flip,
    );
    v128.store(kept + (<usize>i >> 1), v128.or(low, i16x8.shl(high, 4)));
  }
  if (i == to) return;
  // The last block: elements past N are coded as x = 0.
  const at = x + ((<usize>i) << 2);
  const n = to - i;
  // biome-ignore format: sixteen elements in one line, what they are coded by in the next
  const low = code16(
    loadPart(at, n), loadPart(at + 16, n - 4), loadPart(at + 32, n - 8), loadPart(at + 48, n - 12),
    size, scale, shift, least, origin, cells0, cells1, flip,
  );
  // biome-ignore format: sixteen elements in one line, what they are coded by in the next
  const high = code16(
    loadPart(at + 64, n - 16), loadPart(at + 80, n - 20), loadPart(at + 96, n - 24), loadPart(at + 112, n - 28),
    size, scale, shift, least, origin, cells0, cells1, flip,
  );
  v128.store(kept + (<usize>i >> 1), v128.or(low, i16x8.shl(high, 4)));
}

/** 128·f′ + 64 of four elements, rounded, as i32. */
@inline export function code8(slope: v128): v128 {
  return i32x4.trunc_sat_f32x4_u(madd(slope, f32x4.splat(128), f32x4.splat(64.5)));
}

/** dx = (code/128 - ½)·dy. */
export function backwardCode8(kept: usize, dy: usize, dx: usize, from: i32, to: i32): void {
  const unit = f32x4.splat(<f32>(1.0 / 128.0));
  const low = f32x4.splat(-0.5);
  let i = from;
  for (; i + 8 <= to; i += 8) {
    const at = (<usize>i) << 2;
    const codes = v128.load8x8_u(kept + <usize>i);
    v128.store(dx + at, f32x4.mul(v128.load(dy + at), madd(f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(codes)), unit, low)));
    v128.store(dx + at, f32x4.mul(v128.load(dy + at, 16), madd(f32x4.convert_i32x4_u(i32x4.extend_high_i16x8_u(codes)), unit, low)), 16);
  }
  for (; i < to; i++) {
    const at = (<usize>i) << 2;
    store<f32>(dx + at, load<f32>(dy + at) * (<f32>load<u8>(kept + <usize>i) * <f32>(1.0 / 128.0) - 0.5));
  }
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
export function backwardCode4(kept: usize, dy: usize, dx: usize, from: i32, to: i32, table: usize): void {
  const low = v128.load(table + Codebook.LevelLow);
  const high = v128.load(table + Codebook.LevelHigh);
  const nibble = i8x16.splat(15);
  let i = from;
  for (; i + 32 <= to; i += 32) {
    const at = (<usize>i) << 2;
    const codes = v128.load(kept + (<usize>i >> 1));
    scale16(v128.and(codes, nibble), low, high, dy + at, dx + at);
    scale16(v128.and(i16x8.shr_u(codes, 4), nibble), low, high, dy + at + 64, dx + at + 64);
  }
  for (let j = i; j < to; j++) {
    const byte = load<u8>(kept + (<usize>i >> 1) + <usize>(j & 15));
    const code = <usize>(j & 16 ? byte >> 4 : byte & 15);
    const bits = ((<u32>load<u8>(table + code, Codebook.LevelHigh)) << 24) | ((<u32>load<u8>(table + code, Codebook.LevelLow)) << 16);
    const at = (<usize>j) << 2;
    store<f32>(dx + at, load<f32>(dy + at) * reinterpret<f32>(bits));
  }
}
