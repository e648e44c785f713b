/** Attention of any shape and bias by its definition, in f64. */
type Numbers = ArrayLike<number>;

export interface CrossShape {
  batch: number;
  tq: number;
  tk: number;
  heads: number;
  pairs: number;
  dk: number;
  dv: number;
  scale: number;
}

/** The entry of a bias for the score of query i and key j; undefined: nothing is added. */
export type BiasAt = (picture: number, head: number, i: number, j: number) => number | undefined;

interface Head {
  b: number;
  h: number;
  q: (i: number, d: number) => number;
  k: (j: number, d: number) => number;
  v: (j: number, d: number) => number;
  o: (i: number, d: number) => number;
}

function* headsOf({ batch, tq, tk, heads, pairs, dk, dv }: CrossShape): Generator<Head> {
  const share = heads / pairs;
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const pair = Math.floor(h / share);
      yield {
        b,
        h,
        q: (i, d) => ((b * tq + i) * heads + h) * dk + d,
        k: (j, d) => ((b * tk + j) * pairs + pair) * dk + d,
        v: (j, d) => ((b * tk + j) * pairs + pair) * dv + d,
        o: (i, d) => ((b * tq + i) * heads + h) * dv + d,
      };
    }
}

function probabilities(s: CrossShape, head: Head, i: number, q: Numbers, k: Numbers, bias: Numbers | null, at: BiasAt): number[] {
  const scores = Array.from({ length: s.tk }, (_, j) => {
    let sum = 0;
    for (let d = 0; d < s.dk; d++) sum += q[head.q(i, d)]! * k[head.k(j, d)]!;
    const entry = bias && at(head.b, head.h, i, j);
    return s.scale * sum + (typeof entry === 'number' ? bias![entry]! : 0);
  });
  const most = Math.max(...scores);
  const e = scores.map((v) => Math.exp(v - most));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
}

export function crossAttention(s: CrossShape, q: Numbers, k: Numbers, v: Numbers, bias: Numbers | null, at: BiasAt): Float64Array {
  const o = new Float64Array(s.batch * s.tq * s.heads * s.dv);
  for (const head of headsOf(s))
    for (let i = 0; i < s.tq; i++)
      probabilities(s, head, i, q, k, bias, at).forEach((p, j) => {
        for (let d = 0; d < s.dv; d++) o[head.o(i, d)]! += p * v[head.v(j, d)]!;
      });
  return o;
}

export function crossAttentionBackward(
  s: CrossShape,
  [q, k, v, bias]: readonly [Numbers, Numbers, Numbers, Numbers | null],
  at: BiasAt,
  dy: Numbers,
): Float64Array[] {
  const [dq, dk, dv, db] = [q, k, v, bias ?? []].map((x) => new Float64Array(x.length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (const head of headsOf(s))
    for (let i = 0; i < s.tq; i++) {
      const p = probabilities(s, head, i, q, k, bias, at);
      const dp = p.map((_, j) => {
        let sum = 0;
        for (let d = 0; d < s.dv; d++) sum += dy[head.o(i, d)]! * v[head.v(j, d)]!;
        return sum;
      });
      const mean = p.reduce((sum, x, j) => sum + x * dp[j]!, 0);
      p.forEach((x, j) => {
        const ds = x * (dp[j]! - mean);
        const entry = bias && at(head.b, head.h, i, j);
        if (typeof entry === 'number') db[entry]! += ds;
        for (let d = 0; d < s.dv; d++) dv[head.v(j, d)]! += x * dy[head.o(i, d)]!;
        for (let d = 0; d < s.dk; d++) {
          dq[head.q(i, d)]! += s.scale * ds * k[head.k(j, d)]!;
          dk[head.k(j, d)]! += s.scale * ds * q[head.q(i, d)]!;
        }
      });
    }
  return [dq, dk, dv, db];
}
