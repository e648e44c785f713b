/** Global response norm in f64 on maps [B,P,C]. */
type Numbers = ArrayLike<number>;

export interface Shape {
  batch: number;
  positions: number;
  c: number;
  eps: number;
}

const each = ({ batch, positions, c }: Shape, visit: (x: number, g: number, channel: number) => void): void => {
  for (let b = 0; b < batch; b++)
    for (let p = 0; p < positions; p++) for (let i = 0; i < c; i++) visit((b * positions + p) * c + i, b * c + i, i);
};

/** Lengths of channels, [B,C]. */
export function responseStats(shape: Shape, x: Numbers): Float64Array {
  const stats = new Float64Array(shape.batch * shape.c);
  each(shape, (i, g) => {
    stats[g]! += x[i]! ** 2;
  });
  return stats.map(Math.sqrt);
}

/** The mean of each picture's lengths, and eps. */
const divisors = ({ batch, c, eps }: Shape, stats: Numbers): number[] =>
  Array.from(
    { length: batch },
    (_, b) =>
      Array.from(stats)
        .slice(b * c, b * c + c)
        .reduce((sum, v) => sum + v, 0) /
        c +
      eps,
  );

export function responseNorm(shape: Shape, x: Numbers, stats: Numbers, gamma: Numbers, beta: Numbers | null): Float64Array {
  const by = divisors(shape, stats);
  const y = new Float64Array(x.length);
  each(shape, (i, g, c) => {
    y[i] = x[i]! * (1 + (gamma[c]! * stats[g]!) / by[Math.floor(g / shape.c)]!) + (beta?.[c] ?? 0);
  });
  return y;
}

/** Gradients of Σ dy·y, the stats being x's own but x as it was kept. */
export function responseBackward(shape: Shape, x: Numbers, stats: Numbers, gamma: Numbers, dy: Numbers) {
  const by = divisors(shape, stats);
  const { c } = shape;
  const products = new Float64Array(stats.length);
  const [dx, dgamma, dbeta] = [new Float64Array(x.length), new Float64Array(c), new Float64Array(c)];
  each(shape, (i, g, channel) => {
    products[g]! += dy[i]! * x[i]!;
    dbeta[channel]! += dy[i]!;
  });
  const shared = by.map((d, b) => {
    let sum = 0;
    for (let i = 0; i < c; i++) sum += (gamma[i]! * products[b * c + i]! * stats[b * c + i]!) / (c * d * d);
    return sum;
  });
  for (let g = 0; g < stats.length; g++) dgamma[g % c]! += (products[g]! * stats[g]!) / by[Math.floor(g / c)]!;
  each(shape, (i, g, channel) => {
    const b = Math.floor(g / c);
    const k = stats[g] === 0 ? 0 : ((gamma[channel]! * products[g]!) / by[b]! - shared[b]!) / stats[g]!;
    dx[i] = dy[i]! * (1 + (gamma[channel]! * stats[g]!) / by[b]!) + x[i]! * k;
  });
  return { dx, dgamma, dbeta };
}
