/** By what logits are divided so that probabilities mean what they say: the judged pictures' likelihood is largest there. */

const LEAST = 1 / 16;
const MOST = 16;
/**
 * How firmly 1 is held to, as the loss's curvature by the sharpness. A hundred pictures have about as much, so they go half of their way: all of it made
 * calibration on other pictures worse (docs/unknown.md).
 */
const FIRMNESS = 100;
const ROUNDS = 40;

/** eˣ to within a few units of the last place, from sums and products alone: Math.exp is each runtime's own. */
export function expOf(x: number): number {
  if (!(x > -700)) return Number.isNaN(x) ? x : 0;
  if (x > 700) return Number.POSITIVE_INFINITY;
  const k = Math.round(x * Math.LOG2E);
  const r = x - k * 0.6931471803691238 - k * 1.9082149292705877e-10;
  let sum = 1;
  for (let i = 14; i > 0; i--) sum = 1 + (sum * r) / i;
  const half = k >> 1;
  return sum * powerOfTwo(half) * powerOfTwo(k - half);
}
const bits = new DataView(new ArrayBuffer(8));
function powerOfTwo(k: number): number {
  bits.setInt32(0, (k + 1023) << 20);
  bits.setInt32(4, 0);
  return bits.getFloat64(0);
}

/** The temperature for these pictures: `logits` [n, classes], `labels` [n]; the fewer they are, the nearer to 1. */
export function temperatureOf(logits: Float32Array, labels: ArrayLike<number>, classes: number): number {
  const n = labels.length;
  /** Slope of the loss by the sharpness 1/T: what is expected of the logits, less what was wanted. It rises, for the loss is convex. */
  const slope = (sharpness: number): number => {
    let sum = FIRMNESS * (sharpness - 1);
    for (let i = 0; i < n; i++) {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      let top = row[0]!;
      for (const x of row) if (x > top) top = x;
      let [weights, expected] = [0, 0];
      for (const x of row) {
        const w = expOf(sharpness * (x - top));
        weights += w;
        expected += w * x;
      }
      sum += expected / weights - row[labels[i]!]!;
    }
    return sum;
  };
  let [low, high] = [1 / MOST, 1 / LEAST];
  for (let i = 0; i < ROUNDS; i++) {
    const middle = (low + high) / 2;
    if (slope(middle) > 0) high = middle;
    else low = middle;
  }
  return 2 / (low + high);
}
