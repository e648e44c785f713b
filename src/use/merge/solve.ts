/** The smallest x with W·x = b: how a bias behind a linear layer that has none moves in front of it. */

/**
 * W [n, k] row-major, n <= k; b [n]. By Cholesky of W·Wᵀ in f64: x = Wᵀ·(W·Wᵀ)⁻¹·b. Returns undefined where the rows of W depend on each
 * other so much that W·x, with x in f32, misses b by more than a part in 10⁵ of its largest element.
 */
export function leastNorm(w: ArrayLike<number>, b: ArrayLike<number>): Float32Array<ArrayBuffer> | undefined {
  const n = b.length;
  const k = w.length / n;
  const low = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < k; c++) sum += w[i * k + c]! * w[j * k + c]!;
      low[i * n + j] = sum;
    }
  const y = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = low[i * n + j]!;
      for (let c = 0; c < j; c++) sum -= low[i * n + c]! * low[j * n + c]!;
      if (i === j && !(sum > 0)) return undefined;
      low[i * n + j] = i === j ? Math.sqrt(sum) : sum / low[j * n + j]!;
    }
    let sum = b[i]!;
    for (let c = 0; c < i; c++) sum -= low[i * n + c]! * y[c]!;
    y[i] = sum / low[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = y[i]!;
    for (let c = i + 1; c < n; c++) sum -= low[c * n + i]! * y[c]!;
    y[i] = sum / low[i * n + i]!;
  }
  const x = Float32Array.from({ length: k }, (_, c) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += w[i * k + c]! * y[i]!;
    return sum;
  });
  const largest = Array.from(b).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  for (let i = 0; i < n; i++) {
    let sum = -b[i]!;
    for (let c = 0; c < k; c++) sum += w[i * k + c]! * x[c]!;
    if (Math.abs(sum) > 1e-5 * largest) return undefined;
  }
  return x;
}
