/** Softmax attention in f64: q, k, v, o are [B, T, C], a head is C/heads neighbouring channels. */

export interface Shape {
  batch: number;
  t: number;
  c: number;
  heads: number;
  scale: number;
}

type Numbers = ArrayLike<number>;

/** Rows are windows of a map: rows × columns of them, wh × ww each, the map rolled by sy, sx. */
export interface Windows {
  wh: number;
  ww: number;
  rows: number;
  columns: number;
  sy: number;
  sx: number;
}

/** What is added to the score of i → j, and the entry of the table [(2·wh-1)·(2·ww-1), heads] that it comes from. */
interface Relative {
  table: Numbers;
  windows: Windows;
}

/** Calls `work` for every (batch, head) with the index of (row, channel of the head). */
function eachHead(
  { batch, t, c, heads }: Shape,
  work: (at: (row: number, i: number) => number, d: number, window: number, head: number) => void,
): void {
  const d = c / heads;
  for (let b = 0; b < batch; b++) for (let h = 0; h < heads; h++) work((row, i) => (b * t + row) * c + h * d + i, d, b, h);
}

/** Entry of the table for i → j of a head. */
function entry({ wh, ww }: Windows, heads: number, head: number, i: number, j: number): number {
  const [dy, dx] = [Math.floor(i / ww) - Math.floor(j / ww), (i % ww) - (j % ww)];
  return ((dy + wh - 1) * (2 * ww - 1) + dx + ww - 1) * heads + head;
}

/** Region of a position on one axis of the rolled map, as Swin's slices (0, -w), (-w, -s), (-s, end) number them. */
const region = (at: number, size: number, w: number, s: number): number => (s === 0 || at < size - w ? 0 : at < size - s ? 1 : 2);

/** -100 between positions that were not neighbours before the map was rolled. */
function mask({ wh, ww, rows, columns, sy, sx }: Windows, window: number, i: number, j: number): number {
  const at = window % (rows * columns);
  const of = (p: number): string => {
    const [y, x] = [Math.floor(at / columns) * wh + Math.floor(p / ww), (at % columns) * ww + (p % ww)];
    return `${region(y, rows * wh, wh, sy)} ${region(x, columns * ww, ww, sx)}`;
  };
  return of(i) === of(j) ? 0 : -100;
}

/** softmax(scale·q·kᵀ + bias + mask) of one head and one query row. */
function probabilities(
  q: Numbers,
  k: Numbers,
  { t, scale, heads }: Shape,
  at: (row: number, i: number) => number,
  d: number,
  row: number,
  window: number,
  head: number,
  relative: Relative | undefined,
): Float64Array {
  const s = new Float64Array(t);
  for (let j = 0; j < t; j++) for (let i = 0; i < d; i++) s[j]! += scale * q[at(row, i)]! * k[at(j, i)]!;
  if (relative)
    for (let j = 0; j < t; j++)
      s[j]! += relative.table[entry(relative.windows, heads, head, row, j)]! + mask(relative.windows, window, row, j);
  const largest = Math.max(...s);
  const e = s.map((v) => Math.exp(v - largest));
  const total = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / total);
}

export function attention(q: Numbers, k: Numbers, v: Numbers, shape: Shape, relative?: Relative): Float64Array {
  const o = new Float64Array(q.length);
  eachHead(shape, (at, d, window, head) => {
    for (let row = 0; row < shape.t; row++) {
      const p = probabilities(q, k, shape, at, d, row, window, head, relative);
      for (let j = 0; j < shape.t; j++) for (let i = 0; i < d; i++) o[at(row, i)]! += p[j]! * v[at(j, i)]!;
    }
  });
  return o;
}

/** Gradients of Σ dO·o; `kept`: probabilities [B, heads, T, T] to take instead of those of q and k. */
export function attentionBackward(q: Numbers, k: Numbers, v: Numbers, dO: Numbers, shape: Shape, relative?: Relative, kept?: Float64Array) {
  const dq = new Float64Array(q.length);
  const dk = new Float64Array(q.length);
  const dv = new Float64Array(q.length);
  const dtable = new Float64Array(relative?.table.length ?? 0);
  eachHead(shape, (at, d, window, head) => {
    for (let row = 0; row < shape.t; row++) {
      const from = ((window * shape.heads + head) * shape.t + row) * shape.t;
      const p = kept?.subarray(from, from + shape.t) ?? probabilities(q, k, shape, at, d, row, window, head, relative);
      const dp = p.map((_, j) => {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += dO[at(row, i)]! * v[at(j, i)]!;
        return sum;
      });
      const mean = p.reduce((sum, x, j) => sum + x * dp[j]!, 0);
      for (let j = 0; j < shape.t; j++) {
        const dScore = p[j]! * (dp[j]! - mean);
        if (relative) dtable[entry(relative.windows, shape.heads, head, row, j)]! += dScore;
        const ds = shape.scale * dScore;
        for (let i = 0; i < d; i++) {
          dv[at(j, i)]! += p[j]! * dO[at(row, i)]!;
          dq[at(row, i)]! += ds * k[at(j, i)]!;
          dk[at(j, i)]! += ds * q[at(row, i)]!;
        }
      }
    }
  });
  return { dq, dk, dv, dtable };
}
