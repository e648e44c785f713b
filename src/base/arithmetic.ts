/**
 * How sums of products in f32 are computed: multiplied and then added, which gives the same bits on every machine (`plain`); or by one fused multiply-add (`fast`), which
 * gives other last bits, on all machines that fuse the same ones. WebAssembly's relaxed SIMD leaves it to the machine which of the two its instruction does, so
 * that is tried, and `fast` refused where it would not fuse. Sums over coded weights are of whole numbers and the same under both.
 */
import { InputError } from './error.ts';

export type Arithmetic = 'plain' | 'fast';
export const ARITHMETICS: readonly Arithmetic[] = ['plain', 'fast'];
/** `auto`: the fastest that this machine proves. */
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

/** What a wish comes to on this machine. Throws InputError for `fast` where nothing is fused. */
export function settleArithmetic(wish: ArithmeticWish = 'plain', madd = relaxedMadd): Arithmetic {
  if (wish === 'plain') return wish;
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
