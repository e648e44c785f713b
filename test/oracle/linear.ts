/** Plain f64 matrix products, the truth for gemm and linear. Every matrix is dense and row-major. */

export type Numbers = ArrayLike<number>;

/** c[M,N] = a[M,K] · b[K,N]; `ta`: a is stored [K,M]; `tb`: b is stored [N,K]. */
export function product(m: number, n: number, k: number, a: Numbers, b: Numbers, ta = false, tb = false): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += (ta ? a[l * m + i]! : a[i * k + l]!) * (tb ? b[j * k + l]! : b[l * n + j]!);
      c[i * n + j] = sum;
    }
  return c;
}

/** y[M,N] = x[M,K] · w[N,K]ᵀ + b[N]. */
export function linear(m: number, n: number, k: number, x: Numbers, w: Numbers, b: Numbers | null): Float64Array {
  return product(m, n, k, x, w, false, true).map((v, i) => v + (b ? b[i % n]! : 0));
}

/** dx[M,K] = dy[M,N] · w[N,K]. */
export const linearBackwardX = (m: number, n: number, k: number, dy: Numbers, w: Numbers): Float64Array => product(m, k, n, dy, w);

/** dw[N,K] = dy[M,N]ᵀ · x[M,K]. */
export const linearBackwardW = (m: number, n: number, k: number, dy: Numbers, x: Numbers): Float64Array => product(n, k, m, dy, x, true);

/** db[N] = Σ_m dy[m,N]. */
export function biasBackward(m: number, n: number, dy: Numbers): Float64Array {
  const db = new Float64Array(n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) db[j]! += dy[i * n + j]!;
  return db;
}

/** The gradient of Σ dy · f(x) by central differences: what an analytic backward must equal. */
export function differences(x: Float64Array, dy: Numbers, f: (x: Float64Array) => Numbers, step = 1e-4): Float64Array {
  const at = x.slice();
  const loss = (i: number, value: number) => {
    at[i] = value;
    const y = f(at);
    let sum = 0;
    for (let j = 0; j < y.length; j++) sum += y[j]! * dy[j]!;
    at[i] = x[i]!;
    return sum;
  };
  return x.map((value, i) => (loss(i, value + step) - loss(i, value - step)) / (2 * step));
}
