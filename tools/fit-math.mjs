// Fits the approximations of assembly/engine/math.ts and prints their coefficients: near-minimax polynomials and rationals by Lawson's
// iteration (least squares, reweighted by the error itself), in Chebyshev bases so that f64 is enough. Run by hand: node tools/fit-math.mjs

/** erf to f64 accuracy for 0 <= x <= 6: a series of positive terms. */
function erf(x) {
  let term = x;
  let sum = x;
  for (let n = 1; n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Monomial coefficients of T_0 … T_n at u = scale·s - 1, lowest power first. */
function chebyshev(n, scale) {
  const rows = [[1], [-1, scale]];
  for (let k = 2; k <= n; k++) {
    const row = new Array(k + 1).fill(0);
    rows[k - 1].forEach((c, i) => {
      row[i] -= 2 * c;
      row[i + 1] += 2 * scale * c;
    });
    rows[k - 2].forEach((c, i) => {
      row[i] -= c;
    });
    rows.push(row);
  }
  return rows.slice(0, n + 1);
}

/** min ‖A·z - b‖ by Householder reflections. */
function leastSquares(A, b) {
  const m = A.length;
  const n = A[0].length;
  for (let k = 0; k < n; k++) {
    let norm = 0;
    for (let i = k; i < m; i++) norm += A[i][k] ** 2;
    norm = Math.sqrt(norm) * (A[k][k] > 0 ? -1 : 1);
    const v = A.slice(k).map((row) => row[k]);
    v[0] -= norm;
    const vv = v.reduce((s, x) => s + x * x, 0);
    const reflect = (get, set) => {
      let dot = 0;
      for (let i = k; i < m; i++) dot += v[i - k] * get(i);
      for (let i = k; i < m; i++) set(i, get(i) - (2 * dot * v[i - k]) / vv);
    };
    for (let j = k; j < n; j++)
      reflect(
        (i) => A[i][j],
        (i, x) => {
          A[i][j] = x;
        },
      );
    reflect(
      (i) => b[i],
      (i, x) => {
        b[i] = x;
      },
    );
  }
  const z = new Array(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    let s = b[k];
    for (let j = k + 1; j < n; j++) s -= A[k][j] * z[j];
    z[k] = s / A[k][k];
  }
  return z;
}

const horner = (c, s) => c.reduceRight((sum, x) => sum * s + x, 0);

/**
 * p/q of degrees n and m in s (q(0) = 1), making max |factor(x)·p/q - f(x)| · weight(x) small over [from, to]; s = s(x).
 * Returns coefficients, lowest power first, and that maximum.
 */
function fit({ f, factor, s, weight, from, to, n, m }) {
  const points = Array.from({ length: 400 }, (_, i) => from + ((to - from) * (1 - Math.cos((Math.PI * (i + 0.5)) / 400))) / 2);
  const low = Math.min(...points.map(s), s(from));
  const top = Math.max(...points.map(s), s(to));
  const shift = low < 0 ? -low : 0; // symmetric ranges: shifted back below
  const T = chebyshev(Math.max(n, m), 2 / (top + shift));
  const at = (row, x) => horner(row, s(x) + shift);
  let w = points.map(() => 1);
  let q = points.map(() => 1);
  let best;
  for (let round = 0; round < 300; round++) {
    const A = [];
    const b = [];
    points.forEach((x, i) => {
      const k = (Math.sqrt(w[i]) * weight(x)) / q[i];
      const row = [];
      for (let j = 0; j <= n; j++) row.push(k * factor(x) * at(T[j], x));
      for (let j = 1; j <= m; j++) row.push(-k * f(x) * (at(T[j], x) - T[j][0]));
      A.push(row);
      b.push(k * f(x));
    });
    const z = leastSquares(A, b);
    const p = new Array(n + 1).fill(0);
    for (let j = 0; j <= n; j++)
      T[j].forEach((c, i) => {
        p[i] += z[j] * c;
      });
    const d = new Array(m + 1).fill(0);
    d[0] = 1;
    for (let j = 1; j <= m; j++)
      T[j].forEach((c, i) => {
        if (i > 0) d[i] += z[n + j] * c;
      });
    q = points.map((x) => horner(d, s(x) + shift));
    const error = points.map((x, i) => Math.abs((factor(x) * horner(p, s(x) + shift)) / q[i] - f(x)) * weight(x));
    const worst = Math.max(...error);
    if (!best || worst < best.worst) best = { worst, p: shifted(p, shift), q: d };
    w = w.map((x, i) => x * (error[i] + worst * 1e-3));
    const total = w.reduce((a, x) => a + x, 0);
    w = w.map((x) => (x / total) * points.length);
  }
  return best;
}

/** Coefficients in s of a polynomial given in s + shift. */
function shifted(c, shift) {
  const out = c.slice();
  for (let i = 0; i < out.length; i++) for (let j = out.length - 2; j >= i; j--) out[j] += shift * out[j + 1];
  return out;
}

const show = (name, { worst, p, q }) => {
  const list = (c) =>
    c
      .map((x) => Math.fround(x).toPrecision(9))
      .reverse()
      .join(', ');
  console.log(`${name}: error ${worst.toExponential(2)}\n  p ${list(p)}\n  q ${list(q)}`);
};

const half = Math.LN2 / 2 + 1e-4;
let factorial = 1;
const inverse = Array.from({ length: 18 }, (_, k) => {
  factorial *= k + 1;
  return 1 / (factorial * (k + 2)); // 1/(k+2)!
});
show(
  'exp(r) = 1 + r + r²·p(r)',
  fit({
    f: (r) => r * r * horner(inverse, r),
    factor: (r) => r * r,
    s: (r) => r,
    weight: (r) => Math.exp(-r),
    from: -half,
    to: half,
    n: 4,
    m: 0,
  }),
);
const odd = { factor: (x) => x, s: (x) => x * x, weight: () => 1, from: 0 };
show('Φ(x) - 1/2 = x·p(x²)/q(x²)', fit({ ...odd, f: (x) => erf(x * Math.SQRT1_2) / 2, to: 5.6, n: 5, m: 5 }));
show('tanh(x) = x·p(x²)/q(x²)', fit({ ...odd, f: Math.tanh, to: 8.9, n: 4, m: 4 }));
