/** Depthwise convolution in f64, written as its definition. */
export interface DepthwiseShape {
  batch: number;
  h: number;
  w: number;
  c: number;
  oh: number;
  ow: number;
  r: number;
  s: number;
  stride: number;
  top: number;
  left: number;
}

type Visit = (x: number, w: number, y: number, channel: number) => void;

/** Calls `visit` with the indices of every product x·w that takes part in some y. */
function eachProduct(d: DepthwiseShape, visit: Visit): void {
  for (let n = 0; n < d.batch; n++)
    for (let oy = 0; oy < d.oh; oy++)
      for (let ox = 0; ox < d.ow; ox++)
        for (let r = 0; r < d.r; r++)
          for (let s = 0; s < d.s; s++) {
            const iy = oy * d.stride - d.top + r;
            const ix = ox * d.stride - d.left + s;
            if (iy < 0 || iy >= d.h || ix < 0 || ix >= d.w) continue;
            for (let c = 0; c < d.c; c++)
              visit(((n * d.h + iy) * d.w + ix) * d.c + c, (r * d.s + s) * d.c + c, ((n * d.oh + oy) * d.ow + ox) * d.c + c, c);
          }
}

const at = (a: ArrayLike<number>, i: number): number => a[i] as number;

export function depthwise(d: DepthwiseShape, x: ArrayLike<number>, w: ArrayLike<number>, b?: ArrayLike<number>): Float64Array {
  const y = new Float64Array(d.batch * d.oh * d.ow * d.c);
  if (b) for (let i = 0; i < y.length; i++) y[i] = at(b, i % d.c);
  eachProduct(d, (ix, iw, iy) => {
    y[iy]! += at(x, ix) * at(w, iw);
  });
  return y;
}

export function depthwiseBackwardX(d: DepthwiseShape, dy: ArrayLike<number>, w: ArrayLike<number>): Float64Array {
  const dx = new Float64Array(d.batch * d.h * d.w * d.c);
  eachProduct(d, (ix, iw, iy) => {
    dx[ix]! += at(dy, iy) * at(w, iw);
  });
  return dx;
}

export function depthwiseBackwardW(d: DepthwiseShape, dy: ArrayLike<number>, x: ArrayLike<number>): Float64Array {
  const dw = new Float64Array(d.r * d.s * d.c);
  eachProduct(d, (ix, iw, iy) => {
    dw[iw]! += at(dy, iy) * at(x, ix);
  });
  return dw;
}
