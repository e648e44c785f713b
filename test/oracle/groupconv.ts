/** Convolution in groups with spaced taps by its definition, in f64, and its two derivatives. */
import type { Numbers } from './linear.ts';

/** The names of `GroupConvArg`. */
export interface GroupConvShape {
  batch: number;
  h: number;
  width: number;
  c: number;
  oh: number;
  ow: number;
  o: number;
  r: number;
  s: number;
  stepY: number;
  stepX: number;
  down: number;
  across: number;
  top: number;
  left: number;
  groups: number;
}

/** Calls visit(x index, w index, y index) for every product; padding has none. */
function products(a: GroupConvShape, visit: (x: number, w: number, y: number) => void): void {
  const [inside, outside] = [a.c / a.groups, a.o / a.groups];
  for (let b = 0; b < a.batch; b++)
    for (let oh = 0; oh < a.oh; oh++)
      for (let ow = 0; ow < a.ow; ow++)
        for (let o = 0; o < a.o; o++)
          for (let r = 0; r < a.r; r++)
            for (let s = 0; s < a.s; s++) {
              const h = oh * a.stepY + r * a.down - a.top;
              const w = ow * a.stepX + s * a.across - a.left;
              if (h < 0 || h >= a.h || w < 0 || w >= a.width) continue;
              for (let c = 0; c < inside; c++)
                visit(
                  ((b * a.h + h) * a.width + w) * a.c + Math.floor(o / outside) * inside + c,
                  ((o * a.r + r) * a.s + s) * inside + c,
                  ((b * a.oh + oh) * a.ow + ow) * a.o + o,
                );
            }
}

/** y[B,OH,OW,O] from x[B,H,W,C] and w[O,R,S,C/groups]. */
export function groupConv(a: GroupConvShape, x: Numbers, w: Numbers, bias: Numbers | null): Float64Array {
  const y = new Float64Array(a.batch * a.oh * a.ow * a.o).map((_, i) => (bias ? bias[i % a.o]! : 0));
  products(a, (i, j, k) => {
    y[k]! += x[i]! * w[j]!;
  });
  return y;
}

export function groupConvBackwardX(a: GroupConvShape, dy: Numbers, w: Numbers): Float64Array {
  const dx = new Float64Array(a.batch * a.h * a.width * a.c);
  products(a, (i, j, k) => {
    dx[i]! += dy[k]! * w[j]!;
  });
  return dx;
}

export function groupConvBackwardW(a: GroupConvShape, dy: Numbers, x: Numbers): Float64Array {
  const dw = new Float64Array((a.o * a.r * a.s * a.c) / a.groups);
  products(a, (i, j, k) => {
    dw[j]! += dy[k]! * x[i]!;
  });
  return dw;
}
