/** Axes in another order. */
import { between, demand, MOST_PRODUCT, reads, size, writes } from '../bounds.ts';

/** Axes of one Rearrange, those of length 1 before the others where there are fewer. */
export const enum Axes {
  Most = 6,
}

/** Rearrange: y[D0,…,D5] at (i0,…,i5) is float Σ i·S of x; with S a permutation of x's own steps it is a transpose. */
export const enum RearrangeArg {
  X,
  Y,
  D0,
  D1,
  D2,
  D3,
  D4,
  D5,
  S0,
  S1,
  S2,
  S3,
  S4,
  S5,
}
export function rearrange(): void {
  let count: number = 1;
  let last: number = 0;
  for (let i = 0; i < Axes.Most; i++) {
    const n = size(RearrangeArg.D0 + i);
    count *= n;
    last += (n - 1) * between(RearrangeArg.S0 + i, 0, MOST_PRODUCT);
    demand(count <= MOST_PRODUCT && last <= MOST_PRODUCT);
  }
  reads(RearrangeArg.X, 4 * (last + 1));
  writes(RearrangeArg.Y, 4 * count);
}
