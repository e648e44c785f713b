/** Layer norm in f64, rows of `c`. */

export interface Normal {
  y: Float64Array;
  xhat: Float64Array;
  rstd: Float64Array;
}

export function layerNorm(x: ArrayLike<number>, gamma: ArrayLike<number>, beta: ArrayLike<number>, c: number, eps: number): Normal {
  const m = x.length / c;
  const out = { y: new Float64Array(m * c), xhat: new Float64Array(m * c), rstd: new Float64Array(m) };
  for (let r = 0; r < m; r++) {
    let mean = 0;
    for (let i = 0; i < c; i++) mean += x[r * c + i]! / c;
    let variance = 0;
    for (let i = 0; i < c; i++) variance += (x[r * c + i]! - mean) ** 2 / c;
    const rstd = 1 / Math.sqrt(variance + eps);
    out.rstd[r] = rstd;
    for (let i = 0; i < c; i++) {
      const xhat = (x[r * c + i]! - mean) * rstd;
      out.xhat[r * c + i] = xhat;
      out.y[r * c + i] = xhat * gamma[i]! + beta[i]!;
    }
  }
  return out;
}

/** Gradients of Σ dy·y, from what is kept. */
export function layerNormBackward(
  xhat: ArrayLike<number>,
  rstd: ArrayLike<number>,
  gamma: ArrayLike<number>,
  dy: ArrayLike<number>,
  c: number,
): { dx: Float64Array; dgamma: Float64Array } {
  const m = rstd.length;
  const dx = new Float64Array(m * c);
  const dgamma = new Float64Array(c);
  for (let r = 0; r < m; r++) {
    let meanG = 0;
    let meanX = 0;
    for (let i = 0; i < c; i++) {
      const g = dy[r * c + i]! * gamma[i]!;
      meanG += g / c;
      meanX += (g * xhat[r * c + i]!) / c;
      dgamma[i]! += dy[r * c + i]! * xhat[r * c + i]!;
    }
    for (let i = 0; i < c; i++) dx[r * c + i] = rstd[r]! * (dy[r * c + i]! * gamma[i]! - meanG - xhat[r * c + i]! * meanX);
  }
  return { dx, dgamma };
}
