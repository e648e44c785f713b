/** Comparing arrays of numbers, and making them. */
import * as assert from 'uvu/assert';

/** Relative distance ‖a-b‖ / ‖b‖ (‖a‖ where b is zero). NaN anywhere gives NaN. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    const d = (a[i] as number) - (b[i] as number);
    difference += d * d;
    norm += (b[i] as number) ** 2;
  }
  return Math.sqrt(norm > 0 ? difference / norm : difference);
}

/** Fails unless `got` is within `tolerance` of `want`, relative to want's norm; NaN always fails. */
export function close(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, what = 'arrays'): void {
  assert.is(got.length, want.length, `${what}: length`);
  const d = distance(got, want);
  assert.ok(d <= tolerance, `${what}: relative distance ${d}, expected at most ${tolerance}`);
}

/** A seeded stream of normal-ish numbers for tests (mulberry32, Box-Muller). */
export function numbers(n: number, seed = 1, scale = 1): Float32Array {
  let s = seed >>> 0;
  const uniform = () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float32Array.from({ length: n }, () => scale * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(6.283185307179586 * uniform()));
}
