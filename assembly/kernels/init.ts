/** What happens to weights once, after loading and before the first step. */
import { State } from '../abi/head';
import { FoldBatchNormArg, MergeBranchArg, NormalArg, ResizePositionsArg, StandardiseArg } from '../abi/ops/init';
import { Stream } from '../abi/random';
import { Encoding } from '../abi/weights';
import { address, float, int } from '../engine/argument';
import { normalAt } from '../engine/random';
import { first, last, scratch } from '../engine/team';
import { scaleRowBytes } from './codedgemm';

/**
 * FoldBatchNorm, in place: f = gamma/√(var+EPS); w ·= f, b = beta + (b - mean)·f, in f64, rounded once.
 *
 * w is [O,K] (DEPTHWISE = 0) or [K,O] (DEPTHWISE = 1); b, mean, var [O]; GAMMA [O] may be 0 (ones), BETA [O] too (zeros). Nothing overlaps.
 * Without statistics (MEAN and VAR 0) it folds a scale: f = gamma. Of a coded weight the scales of the channel take the factor.
 * Threads share O.
 */
export function foldBatchNorm(p: usize): void {
  const w = address(p, FoldBatchNormArg.W);
  const b = address(p, FoldBatchNormArg.B);
  const gamma = address(p, FoldBatchNormArg.GAMMA);
  const beta = address(p, FoldBatchNormArg.BETA);
  const means = address(p, FoldBatchNormArg.MEAN);
  const variances = address(p, FoldBatchNormArg.VAR);
  const outputs = int(p, FoldBatchNormArg.O);
  const encoding = int(p, FoldBatchNormArg.ENCODING);
  const coded = encoding != Encoding.F32;
  // What the factor multiplies: a channel's weights, or its scales, which come first.
  const k = coded ? <i32>(scaleRowBytes(encoding, int(p, FoldBatchNormArg.K)) >> 2) : int(p, FoldBatchNormArg.K);
  const epsilon = <f64>float(p, FoldBatchNormArg.EPS);
  const byColumn = !coded && int(p, FoldBatchNormArg.DEPTHWISE) != 0;
  const step: usize = byColumn ? (<usize>outputs) << 2 : 4;
  const until = last(outputs);
  for (let o = first(outputs); o < until; o++) {
    const at = (<usize>o) << 2;
    const scale = gamma != 0 ? <f64>load<f32>(gamma + at) : 1;
    const shift = beta != 0 ? <f64>load<f32>(beta + at) : 0;
    const mean = means != 0 ? <f64>load<f32>(means + at) : 0;
    const factor = variances != 0 ? scale / sqrt<f64>(<f64>load<f32>(variances + at) + epsilon) : scale;
    if (b != 0) store<f32>(b + at, <f32>(shift + (<f64>load<f32>(b + at) - mean) * factor));
    let entry = byColumn ? w + at : w + at * k;
    for (let i = 0; i < k; i++) {
      store<f32>(entry, <f32>(<f64>load<f32>(entry) * factor));
      entry += step;
    }
  }
}

/**
 * MergeBranch: f = gamma/√(var+EPS); w[o,t,i] += g·f·x[o,t,i], b[o] += g·(beta - mean·f), g = ±SCALE, in f64, rounded once a branch (abi/ops/init.ts).
 * Nothing overlaps. Threads share O.
 */
export function mergeBranch(p: usize): void {
  const w = address(p, MergeBranchArg.W);
  const b = address(p, MergeBranchArg.B);
  const x = address(p, MergeBranchArg.X);
  const outputs = int(p, MergeBranchArg.O);
  const inputs = int(p, MergeBranchArg.I);
  const r = int(p, MergeBranchArg.R);
  const side = int(p, MergeBranchArg.S);
  const epsilon = <f64>float(p, MergeBranchArg.EPS);
  const byColumn = int(p, MergeBranchArg.DEPTHWISE) != 0;
  const sign: f64 = int(p, MergeBranchArg.TAKEN) != 0 ? -1 : 1;
  const from = (r - side) >> 1;
  const until = last(outputs);
  for (let o = first(outputs); o < until; o++) {
    const at = (<usize>o) << 2;
    const part = sign * elementOr(address(p, MergeBranchArg.SCALE), at, 1);
    const variance = address(p, MergeBranchArg.VAR);
    const deviation: f64 = variance == 0 ? 1.0 : sqrt<f64>(<f64>load<f32>(variance + at) + epsilon);
    const factor = (part * elementOr(address(p, MergeBranchArg.GAMMA), at, 1)) / deviation;
    const beta = elementOr(address(p, MergeBranchArg.BETA), at, 0);
    const shift = part * beta - elementOr(address(p, MergeBranchArg.MEAN), at, 0) * factor;
    store<f32>(b + at, <f32>(<f64>load<f32>(b + at) + shift));
    if (x == 0) {
      const middle = (r * r) >> 1;
      const entry = w + ((<usize>(byColumn ? middle * outputs + o : (o * r * r + middle) * inputs + (o % inputs))) << 2);
      store<f32>(entry, <f32>(<f64>load<f32>(entry) + factor));
      continue;
    }
    for (let t = 0; t < side * side; t++) {
      const tap = (from + t / side) * r + from + (t % side);
      const to = byColumn ? tap * outputs + o : (o * r * r + tap) * inputs;
      const source = byColumn ? t * outputs + o : (o * side * side + t) * inputs;
      addScaled(w + ((<usize>to) << 2), x + ((<usize>source) << 2), inputs, factor);
    }
  }
}

/** The f32 at `at` behind `base`; where that is absent, `absent`. */
@inline function elementOr(base: usize, at: usize, absent: f64): f64 {
  return base == 0 ? absent : <f64>load<f32>(base + at);
}

/** y[n] += factor·x[n]. */
@inline function addScaled(y: usize, x: usize, n: i32, factor: f64): void {
  for (let i: usize = 0, end = (<usize>n) << 2; i < end; i += 4)
    store<f32>(y + i, <f32>(<f64>load<f32>(y + i) + <f64>load<f32>(x + i) * factor));
}

/** Standardise, in place: each filter w[o, K] less its mean, over √(variance + EPS), in f64, rounded once. Threads share O. */
export function standardise(p: usize): void {
  const outputs = int(p, StandardiseArg.O);
  const k = int(p, StandardiseArg.K);
  const epsilon = <f64>float(p, StandardiseArg.EPS);
  const row = (<usize>k) << 2;
  for (let o = first(outputs), until = last(outputs); o < until; o++) {
    const w = address(p, StandardiseArg.W) + <usize>o * row;
    let sum: f64 = 0;
    for (let at: usize = 0; at < row; at += 4) sum += <f64>load<f32>(w + at);
    const mean = sum / <f64>k;
    let squares: f64 = 0;
    for (let at: usize = 0; at < row; at += 4) {
      const apart = <f64>load<f32>(w + at) - mean;
      squares += apart * apart;
    }
    const factor = 1 / sqrt<f64>(squares / <f64>k + epsilon);
    for (let at: usize = 0; at < row; at += 4) store<f32>(w + at, <f32>((<f64>load<f32>(w + at) - mean) * factor));
  }
}

/**
 * ResizePositions: y[PREFIX + H·W, C] from x[PREFIX + H0·W0, C]: PREFIX rows copied, then the grid resampled bicubically, the filter of
 * each axis as in `weigh`. Sums in f64. X and Y do not overlap. Threads share the rows of y. Scratch a thread: 8·(H0 + W0) bytes.
 *
 * The numbers are those of torch.nn.functional.interpolate(mode='bicubic', align_corners=False), given an output size.
 */
export function resizePositions(p: usize): void {
  const x = address(p, ResizePositionsArg.X);
  const y = address(p, ResizePositionsArg.Y);
  const prefix = int(p, ResizePositionsArg.PREFIX);
  const height0 = int(p, ResizePositionsArg.H0);
  const width0 = int(p, ResizePositionsArg.W0);
  const height = int(p, ResizePositionsArg.H);
  const width = int(p, ResizePositionsArg.WIDTH);
  const c = int(p, ResizePositionsArg.C);
  const antialias = int(p, ResizePositionsArg.ANTIALIAS) != 0;
  const row = (<usize>c) << 2;
  const columns = scratch;
  const lines = scratch + ((<usize>width0) << 3);
  const rows = prefix + height * width;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const out = y + <usize>r * row;
    if (r < prefix) {
      memory.copy(out, x + <usize>r * row, row);
      continue;
    }
    const line = (r - prefix) / width;
    weigh(lines, height0, height, line, antialias);
    weigh(columns, width0, width, r - prefix - line * width, antialias);
    for (let channel: usize = 0; channel < row; channel += 4) {
      let sum: f64 = 0;
      let at = x + <usize>prefix * row + channel;
      for (let i = 0; i < height0; i++) {
        const weight = load<f64>(lines + ((<usize>i) << 3));
        if (weight == 0) {
          at += row * width0;
          continue;
        }
        let inner: f64 = 0;
        for (let j = 0; j < width0; j++) {
          inner += load<f64>(columns + ((<usize>j) << 3)) * <f64>load<f32>(at);
          at += row;
        }
        sum += weight * inner;
      }
      store<f32>(out + channel, <f32>sum);
    }
  }
}

/**
 * The weights of `n0` inputs in output `i` of `n`, half-pixel centres, f64[n0] at `to`. Plain: four taps, a = -0.75, inputs beyond the
 * edge are the edge. Antialiased: a = -0.5, the filter n0/n times wider when that is above 1, inputs beyond the edge left out and the
 * rest scaled to sum 1.
 */
function weigh(to: usize, n0: i32, n: i32, i: i32, antialias: bool): void {
  memory.fill(to, 0, (<usize>n0) << 3);
  const ratio = <f64>n0 / <f64>n;
  const centre = ratio * (<f64>i + 0.5);
  if (!antialias) {
    const start = <i32>floor<f64>(centre - 0.5);
    for (let tap = start - 1; tap <= start + 2; tap++) {
      const at = to + ((<usize>max(0, min(n0 - 1, tap))) << 3);
      store<f64>(at, load<f64>(at) + cubic(centre - 0.5 - <f64>tap, -0.75));
    }
    return;
  }
  const stretch = max(ratio, 1);
  const from = max(0, <i32>(centre - 2 * stretch + 0.5));
  const until = min(n0, <i32>(centre + 2 * stretch + 0.5));
  let sum: f64 = 0;
  for (let tap = from; tap < until; tap++) {
    const weight = cubic((<f64>tap - centre + 0.5) / stretch, -0.5);
    store<f64>(to + ((<usize>tap) << 3), weight);
    sum += weight;
  }
  for (let tap = from; tap < until; tap++) {
    const at = to + ((<usize>tap) << 3);
    store<f64>(at, load<f64>(at) / sum);
  }
}

/** Keys' cubic convolution kernel (R. Keys, "Cubic convolution interpolation for digital image processing", 1981). */
function cubic(x: f64, a: f64): f64 {
  x = abs<f64>(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/**
 * Normal: y[N] = SCALE·z, the initial values of a learnable tensor: standard normal numbers of stream (Initial, NUMBER) under the state's seed.
 *
 * Threads share N. Written once.
 */
export function normal(p: usize): void {
  const y = address(p, NormalArg.Y);
  const n = int(p, NormalArg.N);
  const seed = load<u32>(address(p, NormalArg.STATE), State.Seed);
  const stream = ((<u32>int(p, NormalArg.NUMBER)) << 4) | Stream.Initial;
  const scale = <f64>float(p, NormalArg.SCALE);
  const until = last(n);
  for (let i = first(n); i < until; i++) store<f32>(y + ((<usize>i) << 2), <f32>(scale * normalAt(seed, stream, <u32>i)));
}
