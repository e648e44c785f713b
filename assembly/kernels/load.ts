/**
 * Weights from a file's bytes into the arena, chunk by chunk, in f32. Not an instruction: the host calls it while it loads.
 */

/** f32 bits of infinity: an exponent of all ones means not finite. */
const INFINITE: u32 = 0x7f800000;
/** 2¹¹²: the difference between the exponent biases of f32 and f16. */
const HALF_SCALE: u32 = 0x77800000;

/** Bytes of one element: dtype 0 f32, 1 f16, 2 bf16. */
@inline function sizeOfType(dtype: i32): usize {
  return dtype == 0 ? 4 : 2;
}

/**
 * Places `count` elements of a weight, converting to f32: element `start + j` of the file's row-major [n0,n1,n2] tensor goes to
 * dst[i0·s0 + i1·s1 + i2·s2], strides in elements. `dtype` 0 f32, 1 f16, 2 bf16. Returns how many were not finite (they are placed as
 * they are).
 *
 * `src` holds the chunk, of any alignment; `src` and `dst` are addresses in this memory and do not overlap. The caller has checked sizes.
 */
export function place(src: usize, dtype: i32, start: u32, count: u32, dst: usize, n1: u32, n2: u32, s0: u32, s1: u32, s2: u32): u32 {
  if (s2 == 1 && (n1 == 1 || s1 == n2) && s0 == n1 * n2) return convertRun(src, dtype, count, dst + ((<usize>start) << 2));
  const step = sizeOfType(dtype);
  let bad: u32 = 0;
  let i2 = start % n2;
  let i1 = (start / n2) % n1;
  let i0 = start / n2 / n1;
  for (let j: u32 = 0; j < count; j++) {
    const bits = convert(src, dtype);
    bad += u32((bits & INFINITE) == INFINITE);
    store<u32>(dst + ((<usize>(i0 * s0 + i1 * s1 + i2 * s2)) << 2), bits);
    src += step;
    if (++i2 == n2) {
      i2 = 0;
      if (++i1 == n1) {
        i1 = 0;
        i0++;
      }
    }
  }
  return bad;
}

/** The f32 bits of one element. */
@inline function convert(src: usize, dtype: i32): u32 {
  if (dtype == 0) return load<u32>(src);
  const half = <u32>load<u16>(src);
  if (dtype == 2) return half << 16;
  // As an f32 of the same exponent field, then rebiased by an exact product: this reads subnormal halves too.
  const magnitude = half & 0x7fff;
  const value = reinterpret<u32>(reinterpret<f32>(magnitude << 13) * reinterpret<f32>(HALF_SCALE));
  return ((half & 0x8000) << 16) | value | (magnitude >= 0x7c00 ? INFINITE : 0);
}

/** The same for `count` neighbours, four at a time. */
function convertRun(src: usize, dtype: i32, count: u32, dst: usize): u32 {
  const step = sizeOfType(dtype);
  const exponent = i32x4.splat(INFINITE);
  let bad = i32x4.splat(0);
  let j: u32 = 0;
  for (; j + 4 <= count; j += 4) {
    const bits = dtype == 0 ? v128.load(src) : dtype == 2 ? i32x4.shl(v128.load_ext<u16>(src), 16) : fromHalf4(v128.load_ext<u16>(src));
    bad = i32x4.sub(bad, i32x4.eq(v128.and(bits, exponent), exponent));
    v128.store(dst, bits);
    src += step << 2;
    dst += 16;
  }
  let total = i32x4.extract_lane(bad, 0) + i32x4.extract_lane(bad, 1) + i32x4.extract_lane(bad, 2) + i32x4.extract_lane(bad, 3);
  for (; j < count; j++) {
    const bits = convert(src, dtype);
    total += i32((bits & INFINITE) == INFINITE);
    store<u32>(dst, bits);
    src += step;
    dst += 4;
  }
  return total;
}

/** Four halves, each in the low 16 bits of its lane, as f32. */
@inline function fromHalf4(half: v128): v128 {
  const magnitude = v128.and(half, i32x4.splat(0x7fff));
  const value = f32x4.mul(i32x4.shl(magnitude, 13), i32x4.splat(HALF_SCALE));
  const sign = i32x4.shl(v128.and(half, i32x4.splat(0x8000)), 16);
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(INFINITE));
  return v128.or(v128.or(sign, value), special);
}
