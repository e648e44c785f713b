/** Finite differences: the judge of the oracles' own backward passes. */
import { close } from './close.ts';

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};

/**
 * Fails unless `gradient` is that of x ↦ Σ f(x)·dy by central differences, at up to `samples` positions spread over x.
 * All in f64, so `tolerance` can be small.
 */
export function checkGradient(
  f: (x: Float64Array) => ArrayLike<number>,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  gradient: ArrayLike<number>,
  tolerance = 1e-6,
  samples = 40,
): void {
  const point = Float64Array.from(x);
  const step = Math.max(1, Math.floor(point.length / samples));
  const got: number[] = [];
  const want: number[] = [];
  const h = 1e-4;
  for (let i = 0; i < point.length; i += step) {
    const value = point[i]!;
    point[i] = value + h;
    const up = dot(f(point), dy);
    point[i] = value - h;
    const down = dot(f(point), dy);
    point[i] = value;
    want.push((up - down) / (2 * h));
    got.push(gradient[i] as number);
  }
  close(got, want, tolerance, 'gradient against finite differences');
}
