/** x[B,P,C] · g[B,C] and its gradients, in f64. */
type Numbers = ArrayLike<number>;

export interface Shape {
  batch: number;
  positions: number;
  c: number;
}

/** Calls `work` with the index of every element of x and of its factor. */
function each({ batch, positions, c }: Shape, work: (x: number, g: number) => void): void {
  for (let b = 0; b < batch; b++)
    for (let p = 0; p < positions; p++) for (let i = 0; i < c; i++) work((b * positions + p) * c + i, b * c + i);
}

export function gate(shape: Shape, x: Numbers, g: Numbers): Float64Array {
  const y = new Float64Array(x.length);
  each(shape, (i, j) => {
    y[i] = x[i]! * g[j]!;
  });
  return y;
}

/** Σ over positions of dy·x. */
export function gateBackwardG(shape: Shape, x: Numbers, dy: Numbers): Float64Array {
  const dg = new Float64Array(shape.batch * shape.c);
  each(shape, (i, j) => {
    dg[j]! += dy[i]! * x[i]!;
  });
  return dg;
}
