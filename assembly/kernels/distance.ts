import { DistanceArg, DistanceTable } from '../abi/ops/distance';
import { address, int } from '../engine/argument';
import { thread } from '../engine/team';

/**
 * Distance: with u = x/|x| (0 where x is), d = u - mean of a class and p = directions·d,
 *
 *     y = the least over the classes of  Σ p_k²/variance_k + (|d|² - Σ p_k²)/variance of the rest.
 *
 * x[B,F], y[B] f32; the table's parts are abi/ops/distance.ts's. All sums are f64, one chain each; the first thread does it all: N + K rows of F are few
 * beside a network. src/training/known/distance.ts is the same, number by number.
 */
export function distance(p: usize): void {
  if (thread != 0) return;
  const batch = int(p, DistanceArg.BATCH);
  const f = <usize>int(p, DistanceArg.F);
  const n = <usize>int(p, DistanceArg.N);
  const k = <usize>int(p, DistanceArg.K);
  const inverses = address(p, DistanceArg.TABLE) + ((<usize>DistanceTable.Lists) << 2);
  const placed = inverses + ((k + 1) << 2);
  const means = placed + ((n * k) << 2);
  const directions = means + ((n * f) << 2);
  for (let i = 0; i < batch; i++) {
    const x = address(p, DistanceArg.X) + ((<usize>i * f) << 2);
    const length = sqrt<f64>(product(x, x, f));
    const scale = length > 0 ? 1.0 / length : 0.0;
    let least: f64 = Infinity;
    for (let c: usize = 0; c < n; c++) {
      let rest = squareFrom(x, means + ((c * f) << 2), f, scale);
      let sum: f64 = 0;
      for (let j: usize = 0; j < k; j++) {
        const along = scale * product(x, directions + ((j * f) << 2), f) - <f64>load<f32>(placed + ((c * k + j) << 2));
        sum += along * along * <f64>load<f32>(inverses + (j << 2));
        rest -= along * along;
      }
      if (rest > 0) sum += rest * <f64>load<f32>(inverses + (k << 2));
      if (sum < least) least = sum;
    }
    store<f32>(address(p, DistanceArg.Y) + ((<usize>i) << 2), <f32>least);
  }
}

function product(a: usize, b: usize, n: usize): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) sum += <f64>load<f32>(a + (i << 2)) * <f64>load<f32>(b + (i << 2));
  return sum;
}

/** |scale·x - mean|². */
function squareFrom(x: usize, mean: usize, n: usize, scale: f64): f64 {
  let sum: f64 = 0;
  for (let i: usize = 0; i < n; i++) {
    const d = scale * <f64>load<f32>(x + (i << 2)) - <f64>load<f32>(mean + (i << 2));
    sum += d * d;
  }
  return sum;
}
