/** Axes in another order: transposes, shuffled channels, pixels from channels, windows. */
import { type Forward, type Numbers, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** For each element of y the element of x that it is. */
function places(dims: readonly number[], perm: readonly number[]): number[] {
  const from = perm.map((i) => size(dims.slice(i + 1)));
  const to = perm.map((i) => dims[i]!);
  return Array.from({ length: size(dims) }, (_, at) =>
    to.reduce((sum, n, i) => sum + (Math.floor(at / size(to.slice(i + 1))) % n) * from[i]!, 0),
  );
}

function rearranged(given: readonly number[], perm: readonly number[], shape: readonly number[], dims = given, special = false): Forward {
  const at = places(dims, perm);
  return {
    op: 'Rearrange',
    name: `Rearrange [${given}] as [${dims}] by [${perm}] to [${shape}]${special ? ', special values' : ''}`,
    inputs: [x(given, special ? specials(size(given), 1) : undefined)],
    attributes: { dims, perm, shape },
    shape,
    f: (v) => Float64Array.from(at, (i) => v[0]![i]!),
    analytic: (_v: readonly Numbers[], dy: Numbers) => {
      const dx = new Float64Array(at.length);
      at.forEach((i, k) => {
        dx[i] = dy[k]!;
      });
      return [dx];
    },
    kept: [0, 0],
  };
}

export const rearrangeCases: readonly Forward[] = [
  ...TAILS.map((n) => rearranged([2, 3, n], [0, 2, 1], [2, n, 3])),
  rearranged([3, 5], [1, 0], [5, 3]),
  rearranged([2, 3, 4], [0, 1, 2], [6, 4]),
  rearranged([2, 3, 4, 5], [0, 2, 1, 3], [2, 4, 15]),
  // Channels of two groups shuffled; pixels from channels; windows of 2 × 3.
  rearranged([2, 3, 4, 6], [0, 2, 1], [2, 3, 4, 6], [24, 2, 3]),
  rearranged([2, 3, 2, 8], [0, 1, 3, 2, 4, 5], [2, 6, 4, 2], [2, 3, 2, 2, 2, 2]),
  rearranged([2, 4, 6, 5], [0, 1, 3, 2, 4, 5], [8, 6, 5], [2, 2, 2, 2, 3, 5]),
  rearranged([2, 1, 3, 1, 4, 1, 2, 2], [7, 5, 4, 2, 0, 1, 3, 6], [2, 4, 3, 2, 2], [2, 1, 3, 1, 4, 1, 2, 2]),
  rearranged([2, 3, 4, 2, 3, 2], [5, 3, 1, 4, 2, 0], [2, 2, 3, 3, 4, 2]),
  rearranged([3, 7], [1, 0], [7, 3], [3, 7], true),
];
