/** Norms without a mean in f64, rows of `c`. */
type Numbers = ArrayLike<number>;

export interface Shape {
  c: number;
  eps: number;
  unit: number;
}

/** x̂ and r. */
export function rms({ c, eps, unit }: Shape, x: Numbers): { xhat: Float64Array; r: Float64Array } {
  const rows = x.length / c;
  const out = { xhat: new Float64Array(x.length), r: new Float64Array(rows) };
  for (let m = 0; m < rows; m++) {
    let squares = 0;
    for (let i = 0; i < c; i++) squares += x[m * c + i]! ** 2;
    out.r[m] = unit ? 1 / Math.max(Math.sqrt(squares), eps) : 1 / Math.sqrt(squares / c + eps);
    for (let i = 0; i < c; i++) out.xhat[m * c + i] = x[m * c + i]! * out.r[m]!;
  }
  return out;
}

/** Gradients of Σ dy·x̂·gamma, from what is kept. */
export function rmsBackward({ c, eps, unit }: Shape, xhat: Numbers, r: Numbers, gamma: Numbers | null, dy: Numbers) {
  const [dx, dgamma] = [new Float64Array(dy.length), new Float64Array(c)];
  for (let m = 0; m < r.length; m++) {
    let sum = 0;
    for (let i = m * c; i < (m + 1) * c; i++) sum += dy[i]! * (gamma?.[i % c] ?? 1) * xhat[i]!;
    const mean = !unit ? sum / c : r[m]! >= Math.fround(1 / Math.fround(eps)) ? 0 : sum;
    for (let i = m * c; i < (m + 1) * c; i++) {
      dx[i] = r[m]! * (dy[i]! * (gamma?.[i % c] ?? 1) - xhat[i]! * mean);
      dgamma[i % c]! += dy[i]! * xhat[i]!;
    }
  }
  return { dx, dgamma };
}
