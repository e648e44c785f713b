/** f64 references of the small operators: pooling, embedding, loss, update, init. */
type Numbers = ArrayLike<number>;
const at = (a: Numbers, i: number): number => a[i] as number;

export function pool(x: Numbers, batch: number, p: number, c: number, first: number, count: number): Float64Array {
  const y = new Float64Array(batch * c);
  for (let b = 0; b < batch; b++)
    for (let i = first; i < first + count; i++) for (let k = 0; k < c; k++) y[b * c + k]! += at(x, (b * p + i) * c + k) / count;
  return y;
}

export function poolBackward(dy: Numbers, batch: number, p: number, c: number, first: number, count: number, acc?: Numbers): Float64Array {
  const dx = new Float64Array(batch * p * c);
  if (acc) dx.set(acc);
  for (let b = 0; b < batch; b++)
    for (let i = first; i < first + count; i++) for (let k = 0; k < c; k++) dx[(b * p + i) * c + k]! += at(dy, b * c + k) / count;
  return dx;
}

/** A window of `r`×`s` taps over pictures `h`×`width` of `c` channels. */
interface MaxWindow {
  batch: number;
  h: number;
  width: number;
  c: number;
  oh: number;
  ow: number;
  r: number;
  s: number;
  stride: number;
  top: number;
  left: number;
}

/** Index in x of each output's maximum, as torch.nn.functional.max_pool2d chooses it: the first of equals, the last NaN. */
export function maxPoolIndices(g: MaxWindow, x: Numbers): Int32Array {
  const indices = new Int32Array(g.batch * g.oh * g.ow * g.c);
  let o = 0;
  for (let b = 0; b < g.batch; b++)
    for (let oy = 0; oy < g.oh; oy++)
      for (let ox = 0; ox < g.ow; ox++)
        for (let k = 0; k < g.c; k++, o++) {
          let best = Number.NEGATIVE_INFINITY;
          let index = -1;
          for (let r = 0; r < g.r; r++)
            for (let s = 0; s < g.s; s++) {
              const [y, xx] = [oy * g.stride - g.top + r, ox * g.stride - g.left + s];
              if (y < 0 || y >= g.h || xx < 0 || xx >= g.width) continue;
              const i = ((b * g.h + y) * g.width + xx) * g.c + k;
              if (index >= 0 && !(at(x, i) > best) && !Number.isNaN(at(x, i))) continue;
              best = at(x, i);
              index = i;
            }
          indices[o] = index;
        }
  return indices;
}

export const maxPool = (g: MaxWindow, x: Numbers): Float64Array => Float64Array.from(maxPoolIndices(g, x), (i) => at(x, i));

export function maxPoolBackward(g: MaxWindow, x: Numbers, dy: Numbers): Float64Array {
  const dx = new Float64Array(x.length);
  maxPoolIndices(g, x).forEach((i, o) => {
    dx[i]! += at(dy, o);
  });
  return dx;
}

/** `tokens` are the class and distillation tokens that exist, in order. */
export function embed(x: Numbers, tokens: Numbers[], pos: Numbers, batch: number, p: number, c: number): Float64Array {
  const t = p + tokens.length;
  const skipped = t - pos.length / c;
  const y = new Float64Array(batch * t * c);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < t; i++)
      for (let k = 0; k < c; k++) {
        const token = tokens[i];
        const value = token ? at(token, k) : at(x, (b * p + i - tokens.length) * c + k);
        y[(b * t + i) * c + k] = value + (i >= skipped ? at(pos, (i - skipped) * c + k) : 0);
      }
  return y;
}

export function embedBackward(dy: Numbers, nTokens: number, posRows: number, batch: number, p: number, c: number) {
  const t = p + nTokens;
  const dx = new Float64Array(batch * p * c);
  const dtokens = Array.from({ length: nTokens }, () => new Float64Array(c));
  const dpos = new Float64Array(posRows * c);
  for (let b = 0; b < batch; b++)
    for (let i = 0; i < t; i++)
      for (let k = 0; k < c; k++) {
        const g = at(dy, (b * t + i) * c + k);
        const token = dtokens[i];
        if (token) token[k]! += g;
        else dx[(b * p + i - nTokens) * c + k] = g;
        if (i >= t - posRows) dpos[(i - t + posRows) * c + k]! += g;
      }
  return { dx, dtokens, dpos };
}

/** The loss of one row, from torch.nn.functional.cross_entropy's definition with label smoothing. */
/** `weights`: of the classes, 1 where absent. */
export function crossEntropy(x: Numbers, label: number, smoothing: number, weights?: Numbers): number {
  const n = x.length;
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < n; i++) top = Math.max(top, at(x, i));
  let sum = 0;
  for (let i = 0; i < n; i++) sum += Math.exp(at(x, i) - top);
  let loss = 0;
  for (let i = 0; i < n; i++) {
    const target = (i === label ? 1 - smoothing : 0) + smoothing / n;
    loss -= (weights === undefined ? 1 : at(weights, i)) * target * (at(x, i) - top - Math.log(sum));
  }
  return loss;
}

export function crossEntropyBackward(x: Numbers, label: number, smoothing: number): Float64Array {
  const n = x.length;
  const e = Float64Array.from({ length: n }, (_, i) => Math.exp(at(x, i)));
  const sum = e.reduce((a, b) => a + b);
  return e.map((v, i) => v / sum - (i === label ? 1 - smoothing : 0) - smoothing / n);
}

export interface Rates {
  rate: number;
  decay: number;
  clip: number;
}

/** One step of torch.optim.AdamW on p, m, v in place; `t` counts from 1. */
export function adamW(
  p: Float64Array,
  g: Numbers,
  m: Float64Array,
  v: Float64Array,
  t: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  r: Rates,
): void {
  for (let i = 0; i < p.length; i++) {
    const gi = at(g, i) * r.clip;
    p[i]! *= 1 - r.rate * r.decay;
    m[i] = beta1 * m[i]! + (1 - beta1) * gi;
    v[i] = beta2 * v[i]! + (1 - beta2) * gi * gi;
    const mHat = m[i]! / (1 - beta1 ** t);
    const vHat = v[i]! / (1 - beta2 ** t);
    p[i]! -= (r.rate * mHat) / (Math.sqrt(vHat) + epsilon);
  }
}

/** One step of torch.optim.SGD (its first step copies g, as a zero momentum buffer does), with decoupled decay. */
export function sgd(p: Float64Array, g: Numbers, u: Float64Array, momentum: number, r: Rates): void {
  for (let i = 0; i < p.length; i++) {
    p[i]! *= 1 - r.rate * r.decay;
    u[i] = momentum * u[i]! + at(g, i) * r.clip;
    p[i]! -= r.rate * u[i]!;
  }
}

export function rateAt(step: number, base: number, warmup: number, total: number, finalFraction: number): number {
  if (step < warmup) return (base * (step + 1)) / warmup;
  const final = base * finalFraction;
  const part = Math.min(1, (step - warmup) / Math.max(1, total - warmup));
  return final + (base - final) * 0.5 * (1 + Math.cos(Math.PI * part));
}

function cubic(x: number, a: number): number {
  const d = Math.abs(x);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  if (d < 2) return a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a;
  return 0;
}

/** Weights [n][n0] of one axis of a bicubic resize, half-pixel centres. */
export function cubicWeights(n0: number, n: number, antialias: boolean): Float64Array[] {
  const ratio = n0 / n;
  const stretch = antialias ? Math.max(1, ratio) : 1;
  const a = antialias ? -0.5 : -0.75;
  return Array.from({ length: n }, (_, i) => {
    const w = new Float64Array(n0);
    const centre = (i + 0.5) * ratio - 0.5;
    const reach = Math.ceil(2 * stretch) + 1;
    for (let j = Math.floor(centre) - reach; j <= centre + reach; j++) {
      const inside = j >= 0 && j < n0;
      if (antialias && !inside) continue;
      w[Math.min(n0 - 1, Math.max(0, j))]! += cubic((j - centre) / stretch, a);
    }
    const sum = w.reduce((s, v) => s + v);
    return antialias ? w.map((v) => v / sum) : w;
  });
}

/** One channel resized. */
export function resize(x: Numbers, h0: number, w0: number, h: number, w: number, antialias: boolean): Float64Array {
  const lines = cubicWeights(h0, h, antialias);
  const columns = cubicWeights(w0, w, antialias);
  const y = new Float64Array(h * w);
  for (let i = 0; i < h; i++)
    for (let j = 0; j < w; j++)
      for (let k = 0; k < h0; k++) for (let l = 0; l < w0; l++) y[i * w + j]! += lines[i]![k]! * columns[j]![l]! * at(x, k * w0 + l);
  return y;
}
