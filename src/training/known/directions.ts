/**
 * Along which directions rows differ most: the first eigenvectors of their covariance, by subspace iteration from the rows themselves. Sums, products and
 * square roots alone, in one order, so that every runtime finds the same.
 */
import { product } from './distance.ts';

/** More than are asked for are carried along: the last ones converge slowly. */
const SPARE = 8;
const ROUNDS = 8;

/** Rows of `width` numbers that are read again for every round; each has its mean taken off. */
export interface Rows {
  count: number;
  width: number;
  /** Calls with every row in order; the array is used again for the next. */
  each(use: (row: Float64Array) => void): void;
}

/** `most` orthonormal directions or fewer, each `width` numbers, and the mean squares of the rows along them, the largest first. */
export function directionsOf(rows: Rows, most: number): { directions: Float64Array[]; variances: number[] } {
  const { count, width } = rows;
  const wanted = Math.min(most + SPARE, count, width);
  let basis = orthonormal(first(rows, wanted));
  for (let round = 0; round < ROUNDS; round++) basis = orthonormal(spread(rows, basis));
  const turned = turn(spread(rows, basis), basis);
  const kept = turned.slice(0, most).filter(({ variance }) => variance > 0);
  return { directions: kept.map(({ direction }) => direction), variances: kept.map(({ variance }) => variance) };
}

/** Rows spread over the list, to begin with. */
function first({ count, each }: Rows, wanted: number): Float64Array[] {
  const found: Float64Array[] = [];
  let i = 0;
  each((row) => {
    if (found.length < wanted && i * wanted >= found.length * count) found.push(row.slice());
    i++;
  });
  return found;
}

/** The covariance times each of the basis. */
function spread({ count, width, each }: Rows, basis: readonly Float64Array[]): Float64Array[] {
  const out = basis.map(() => new Float64Array(width));
  each((row) => {
    for (const [k, vector] of basis.entries()) {
      const along = product(row, 0, vector, 0, width) / count;
      const to = out[k]!;
      for (let i = 0; i < width; i++) to[i]! += along * row[i]!;
    }
  });
  return out;
}

/** Gram and Schmidt, twice; what depends on the others is left out. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const basis: Float64Array[] = [];
  for (const vector of vectors) {
    const before = Math.sqrt(product(vector, 0, vector, 0, vector.length));
    for (let time = 0; time < 2; time++)
      for (const other of basis) {
        const along = product(vector, 0, other, 0, vector.length);
        for (let i = 0; i < vector.length; i++) vector[i]! -= along * other[i]!;
      }
    const length = Math.sqrt(product(vector, 0, vector, 0, vector.length));
    if (!(length > 1e-9 * before)) continue;
    basis.push(vector.map((v) => v / length));
  }
  return basis;
}

/** Turns the basis so that its directions do not vary together: Jacobi's rotations of the small matrix of their covariances. */
function turn(images: readonly Float64Array[], basis: readonly Float64Array[]): { direction: Float64Array; variance: number }[] {
  const n = basis.length;
  const a = basis.map((u) => images.map((v) => product(u, 0, v, 0, u.length)));
  const vectors = basis.map((u) => u.slice());
  for (let sweep = 0; sweep < 16; sweep++)
    for (let p = 0; p < n; p++)
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p]![q]!) <= 1e-15 * Math.sqrt(Math.abs(a[p]![p]! * a[q]![q]!))) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        rotate(a, vectors, { p, q, c, s: t * c });
      }
  return vectors.map((direction, k) => ({ direction, variance: a[k]![k]! })).sort((x, y) => y.variance - x.variance);
}

function rotate(a: number[][], vectors: Float64Array[], { p, q, c, s }: { p: number; q: number; c: number; s: number }): void {
  for (const row of a) {
    const [x, y] = [row[p]!, row[q]!];
    row[p] = c * x - s * y;
    row[q] = s * x + c * y;
  }
  for (const [first, second] of [
    [a[p]!, a[q]!],
    [vectors[p]!, vectors[q]!],
  ] as const)
    for (let i = 0; i < first.length; i++) {
      const [x, y] = [first[i]!, second[i]!];
      first[i] = c * x - s * y;
      second[i] = s * x + c * y;
    }
}
