/**
 * How sums of products in f32 are computed: multiplied and then added, which gives the same bits on every machine (`plain`); or by one fused multiply-add (`fast`), which
 * gives other last bits, on all machines that fuse the same ones. WebAssembly's relaxed SIMD leaves it to the machine which of the two its instruction does, so
 * that is tried, and `fast` refused where it would not fuse. Sums over coded weights are of whole numbers and the same under both.
 *
 * `lossy` is of those: what weights in 8 bits are multiplied with is rounded to 7 bits instead of 14, which is quicker where the runtime has dot products of
 * bytes, and gives the same bits everywhere. f32 sums are plain.
 */
import { InputError } from './error.ts';

export type Arithmetic = 'plain' | 'fast' | 'lossy';
export const ARITHMETICS: readonly Arithmetic[] = ['plain', 'fast', 'lossy'];
/** `auto`: the faster of plain and fast that this machine proves; what is lossy is never chosen. */
export type ArithmeticWish = Arithmetic | 'auto';

/** (f32, f32, f32) → f32 as `f`: the first lane of f32x4.relaxed_madd of three splats. */
const MADD = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 125, 125, 125, 1, 125, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0],
  ...[10, 22, 1, 20, 0, 32, 0, 253, 19, 32, 1, 253, 19, 32, 2, 253, 19, 253, 133, 2, 253, 31, 0, 11],
]);

/** What relaxed multiply-add does here: there is none, it rounds twice, or once. */
export function relaxedMadd(): 'none' | 'separate' | 'fused' {
  if (!WebAssembly.validate(MADD)) return 'none';
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(MADD)).exports as { f(a: number, b: number, c: number): number };
  // (1 + 2^-12)² = 1 + 2^-11 + 2^-24, whose last bit f32 does not hold.
  const a = 1 + 2 ** -12;
  return f(a, a, -(1 + 2 ** -11)) === 0 ? 'separate' : 'fused';
}

/** (i32, i32, i32) → i32 as `f`: the first lane of i32x4.relaxed_dot_i8x16_i7x16_add_s of three splats. */
const DOT = Uint8Array.from([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 127, 127, 127, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0],
  ...[10, 22, 1, 20, 0, 32, 0, 253, 17, 32, 1, 253, 17, 32, 2, 253, 17, 253, 147, 2, 253, 27, 0, 11],
]);

/**
 * Whether this runtime has dot products of bytes, by which products over weights in 8 bits are quicker and give the same bits. Tried on the extremes: sums of
 * pairs that come nearest to 2¹⁵, of both signs.
 */
export function hasByteDots(): boolean {
  if (!WebAssembly.validate(DOT)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(DOT)).exports as { f(w: number, x: number, sum: number): number };
  const most = 4 * 127 * 127;
  return f(0x7f7f7f7f, 0x7f7f7f7f, 5) === most + 5 && f(0x81818181 | 0, 0x7f7f7f7f, -5) === -most - 5;
}

/** What a wish comes to on this machine. Throws InputError for `fast` where nothing is fused. */
export function settleArithmetic(wish: ArithmeticWish = 'plain', madd = relaxedMadd): Arithmetic {
  if (wish === 'plain' || wish === 'lossy') return wish;
  const found = madd();
  if (found === 'fused') return 'fast';
  if (wish === 'auto') return 'plain';
  throw new InputError({
    where: '--arithmetic',
    what:
      found === 'none'
        ? 'this runtime has no relaxed SIMD, which fast is computed by'
        : 'this processor has no fused multiply-add, so fast would be no faster',
    got: wish,
    expected: found === 'none' ? 'Node 22 or newer, or Deno' : 'plain',
    hint: 'leave it out, or say auto: an adapter is as good without it',
  });
}
