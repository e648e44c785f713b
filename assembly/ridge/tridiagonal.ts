/**
 * A symmetric matrix as Q·T·Qᵀ, T tridiagonal, Q orthogonal (Householder's reflections, LAPACK's dsytrd and dorgtr), so that (A + λ)⁻¹ z costs a
 * handful of operations an element for every λ. All f64, in one order; no threads.
 */

/** Σ x[i]·y[i]: even and odd i apart, then their sum. */
export function dot(n: i32, x: usize, y: usize): f64 {
  let s = f64x2.splat(0);
  let t = f64x2.splat(0);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    s = f64x2.add(s, f64x2.mul(v128.load(x), v128.load(y)));
    t = f64x2.add(t, f64x2.mul(v128.load(x, 16), v128.load(y, 16)));
    x += 32;
    y += 32;
  }
  s = f64x2.add(s, t);
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (; i < n; i++) {
    sum += load<f64>(x) * load<f64>(y);
    x += 8;
    y += 8;
  }
  return sum;
}

/** y[i] += a·x[i]. */
export function addScaled(n: i32, a: f64, x: usize, y: usize): void {
  const a2 = f64x2.splat(a);
  let i: i32 = 0;
  for (; i + 2 <= n; i += 2) {
    v128.store(y, f64x2.add(v128.load(y), f64x2.mul(a2, v128.load(x))));
    x += 16;
    y += 16;
  }
  if (i < n) store<f64>(y, load<f64>(y) + a * load<f64>(x));
}

/** y[i] -= a·x[i] + b·z[i]. */
function subtractTwo(n: i32, a: f64, x: usize, b: f64, z: usize, y: usize): void {
  const a2 = f64x2.splat(a);
  const b2 = f64x2.splat(b);
  let i: i32 = 0;
  for (; i + 2 <= n; i += 2) {
    v128.store(y, f64x2.sub(v128.load(y), f64x2.add(f64x2.mul(a2, v128.load(x)), f64x2.mul(b2, v128.load(z)))));
    x += 16;
    y += 16;
    z += 16;
  }
  if (i < n) store<f64>(y, load<f64>(y) - (a * load<f64>(x) + b * load<f64>(z)));
}

/** a[m,m], both halves given, becomes Q; d[m] and e[m - 1] are T's diagonal and what stands beside it; tau and p [m] are room to work in. */
export function tridiagonalise(m: i32, a: usize, d: usize, e: usize, tau: usize, p: usize): void {
  const row = (<usize>m) << 3;
  for (let k = 0; k < m; k++) {
    const at = a + <usize>k * row + ((<usize>k) << 3);
    store<f64>(d + ((<usize>k) << 3), load<f64>(at));
    const n = m - k - 1;
    if (n == 0) break;
    // v takes the place of the row that it makes zero but for its first element.
    const v = at + 8;
    const first = load<f64>(v);
    const rest = dot(n - 1, v + 8, v + 8);
    let scale: f64 = 0;
    let beside = first;
    if (rest > 0) {
      const norm = sqrt<f64>(first * first + rest);
      beside = first > 0 ? -norm : norm;
      store<f64>(v, first - beside);
      scale = 2 / dot(n, v, v);
      const below = at + row + 8;
      for (let i = 0; i < n; i++) store<f64>(p + ((<usize>i) << 3), scale * dot(n, below + <usize>i * row, v));
      addScaled(n, -0.5 * scale * dot(n, v, p), v, p);
      for (let i = 0; i < n; i++) {
        const o = (<usize>i) << 3;
        subtractTwo(n, load<f64>(v + o), p, load<f64>(p + o), v, below + <usize>i * row);
      }
    }
    store<f64>(e + ((<usize>k) << 3), beside);
    store<f64>(tau + ((<usize>k) << 3), scale);
  }
  for (let k = m - 1; k >= 0; k--) {
    const at = a + <usize>k * row + ((<usize>k) << 3);
    const n = m - k - 1;
    const v = at + 8;
    const below = at + row + 8;
    const scale = n > 0 ? load<f64>(tau + ((<usize>k) << 3)) : 0;
    if (scale != 0) {
      memory.fill(p, 0, (<usize>n) << 3);
      for (let i = 0; i < n; i++) addScaled(n, load<f64>(v + ((<usize>i) << 3)), below + <usize>i * row, p);
      for (let i = 0; i < n; i++) addScaled(n, -scale * load<f64>(v + ((<usize>i) << 3)), p, below + <usize>i * row);
    }
    store<f64>(at, 1);
    memory.fill(v, 0, (<usize>n) << 3);
    for (let i = 0; i < n; i++) store<f64>(at + <usize>(i + 1) * row, 0);
  }
}

/** The factors of T + λ = L·D·Lᵀ: L's elements beside the diagonal to l[m], 1/D to inverse[m]. */
export function factorise(m: i32, lambda: f64, d: usize, e: usize, l: usize, inverse: usize): void {
  let pivot = load<f64>(d) + lambda;
  for (let i = 0; i < m; i++) {
    const o = (<usize>i) << 3;
    store<f64>(inverse + o, 1 / pivot);
    if (i + 1 == m) break;
    const beside = load<f64>(e + o);
    const factor = beside / pivot;
    store<f64>(l + o, factor);
    pivot = load<f64>(d + o + 8) + lambda - beside * factor;
  }
}

/** u = (T + λ)⁻¹ z. */
export function solve(m: i32, l: usize, inverse: usize, z: usize, u: usize): void {
  let last: f64 = 0;
  for (let i = 0; i < m; i++) {
    const o = (<usize>i) << 3;
    last = load<f64>(z + o) - (i > 0 ? load<f64>(l + o - 8) * last : 0);
    store<f64>(u + o, last);
  }
  last = 0;
  for (let i = m - 1; i >= 0; i--) {
    const o = (<usize>i) << 3;
    last = load<f64>(u + o) * load<f64>(inverse + o) - (i + 1 < m ? load<f64>(l + o) * last : 0);
    store<f64>(u + o, last);
  }
}
