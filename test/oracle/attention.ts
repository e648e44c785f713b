/** Softmax attention in f64: q, k, v, o are [B, T, C], a head is C/heads neighbouring channels. */

export interface Shape {
  batch: number;
  t: number;
  c: number;
  heads: number;
  scale: number;
}

type Numbers = ArrayLike<number>;

/** Calls `work` for every (batch, head) with the index of (row, channel of the head). */
function eachHead({ batch, t, c, heads }: Shape, work: (at: (row: number, i: number) => number, d: number) => void): void {
  const d = c / heads;
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) work((row, i) => (b * t + row) * c + h * d + i, d);
}

/** softmax(scale·q·kᵀ) of one head and one query row. */
function probabilities(
  q: Numbers,
  k: Numbers,
  { t, scale }: Shape,
  at: (row: number, i: number) => number,
  d: number,
  row: number,
): Float64Array {
  const s = new Float64Array(t);
  for (let j = 0; j < t; j++) for (let i = 0; i < d; i++) s[j]! += scale * q[at(row, i)]! * k[at(j, i)]!;
  const largest = Math.max(...s);
  const e = s.map((v) => Math.exp(v - largest));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
}

export function attention(q: Numbers, k: Numbers, v: Numbers, shape: Shape): Float64Array {
  const o = new Float64Array(q.length);
  eachHead(shape, (at, d) => {
    for (let row = 0; row < shape.t; row++) {
      const p = probabilities(q, k, shape, at, d, row);
      for (let j = 0; j < shape.t; j++) for (let i = 0; i < d; i++) o[at(row, i)]! += p[j]! * v[at(j, i)]!;
    }
  });
  return o;
}

/** Gradients of Σ dO·o. */
export function attentionBackward(q: Numbers, k: Numbers, v: Numbers, dO: Numbers, shape: Shape) {
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(q.length);
  const dv = new Float64Array(q.length);
  eachHead(shape, (at, d) => {
    for (let row = 0; row < shape.t; row++) {
      const p = probabilities(q, k, shape, at, d, row);
      const dp = p.map((_, j) => {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += dO[at(row, i)]! * v[at(j, i)]!;
        return sum;
      });
      const mean = p.reduce((sum, x, j) => sum + x * dp[j]!, 0);
      for (let j = 0; j < shape.t; j++) {
        const ds = shape.scale * p[j]! * (dp[j]! - mean);
        for (let i = 0; i < d; i++) {
          dv[at(j, i)]! += p[j]! * dO[at(row, i)]!;
          dq[at(row, i)]! += ds * k[at(j, i)]!;
          dk[at(j, i)]! += ds * q[at(row, i)]!;
        }
      }
    }
  });
  return { dq, dk, dv };
}
