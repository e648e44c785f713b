/**
 * The update: SumSquares over every gradient, Schedule once, then AdamW or Sgd over every tensor. The first two are the first thread's
 * alone and leave Rate, ClipFactor and the beta powers in STATE, which all threads read afterwards: a barrier belongs after Schedule.
 */
import { State } from '../abi/head';
import { AdamWArg, ProximalArg, ScheduleArg, SgdArg, SumSquaresArg } from '../abi/ops/update';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { cosPi } from '../engine/math';
import { fail } from '../engine/status';
import { firstBy, lastBy, thread } from '../engine/team';

/** Elements that SumSquares sums by themselves. */
const BLOCK: i32 = 4096;

/** SumSquares: STATE.SumSquares += Σ g², f64: blocks of 4,096 elements in index order, within one four chains by i mod 4. */
export function sumSquares(p: usize): void {
  if (thread != 0) return;
  const state = address(p, SumSquaresArg.STATE);
  const n = int(p, SumSquaresArg.N);
  let g = address(p, SumSquaresArg.G);
  let total = load<f64>(state, State.SumSquares);
  for (let i = 0; i < n; i += BLOCK) {
    total += blockSquares(g, min(BLOCK, n - i));
    g += (<usize>BLOCK) << 2;
  }
  store<f64>(state, total, State.SumSquares);
}

function blockSquares(g: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const four = v128.load(g);
    const a = f64x2.promote_low_f32x4(four);
    const b = f64x2.promote_low_f32x4(v128.shuffle<f64>(four, four, 1, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
    g += 16;
  }
  const sums = f64x2.add(low, high);
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  for (; i < n; i++) {
    const value = <f64>load<f32>(g);
    sum += value * value;
    g += 4;
  }
  return sum;
}

/**
 * Proximal (T. Li and others, "Federated Optimization in Heterogeneous Networks", MLSys 2020): the gradient of MU/2·‖p - anchor‖², where the anchor is
 * what p was before the run's first step:
 *
 *     anchor = p   where STATE.Step = 0;      g += MU·(p - anchor)
 *
 * p, g, anchor [N], none overlaps. Before SumSquares. Threads share N in blocks of 16 elements. Moves 16 bytes an element.
 */
export function proximal(p: usize): void {
  const n = int(p, ProximalArg.N);
  const until = (<usize>lastBy(n, 16)) << 2;
  const w = address(p, ProximalArg.P);
  const g = address(p, ProximalArg.G);
  const anchor = address(p, ProximalArg.ANCHOR);
  const mu = float(p, ProximalArg.MU);
  let i = (<usize>firstBy(n, 16)) << 2;
  if (load<i32>(address(p, ProximalArg.STATE), State.Step) == 0) {
    if (i < until) memory.copy(anchor + i, w + i, until - i);
    return;
  }
  for (; i + 16 <= until; i += 16) {
    const away = f32x4.sub(v128.load(w + i), v128.load(anchor + i));
    v128.store(g + i, f32x4.add(v128.load(g + i), f32x4.mul(f32x4.splat(mu), away)));
  }
  for (; i < until; i += 4) store<f32>(g + i, load<f32>(g + i) + mu * (load<f32>(w + i) - load<f32>(anchor + i)));
}

/**
 * Schedule, once a step, s = STATE.Step counted from 0:
 *
 *     Norm = √SumSquares, SumSquares = 0, ClipFactor = min(1, ClipNorm/(Norm + 1e-6)), 1 where ClipNorm = 0
 *     Rate = base·(s+1)/warmup                                                 while s < warmup, then
 *            final + (base - final)·½·(1 + cos(π·(s-warmup)/max(1, total-warmup)))   until s = total, final after it
 *     Beta1Power, Beta2Power ·= beta, Step = s+1
 *
 * The powers are 1 before the first step, or what an earlier run of the same moments has brought them to.
 * base = BaseRate, final = FinalFraction·base. Clipping as torch.nn.utils.clip_grad_norm_. Fails, leaving Step alone, where the norm is not finite.
 */
export function schedule(p: usize): void {
  if (thread != 0) return;
  const state = address(p, ScheduleArg.STATE);
  const norm = sqrt<f64>(load<f64>(state, State.SumSquares));
  store<f64>(state, 0, State.SumSquares);
  store<f32>(state, <f32>norm, State.Norm);
  if (!isFinite<f32>(<f32>norm)) return fail(Status.GradientNotFinite);
  const limit = <f64>load<f32>(state, State.ClipNorm);
  store<f32>(state, limit > 0 ? <f32>min<f64>(1, limit / (norm + 1e-6)) : 1, State.ClipFactor);

  const step = load<i32>(state, State.Step);
  store<f32>(state, <f32>rateAt(state, step), State.Rate);
  store<f64>(state, load<f64>(state, State.Beta1Power) * <f64>load<f32>(state, State.Beta1), State.Beta1Power);
  store<f64>(state, load<f64>(state, State.Beta2Power) * <f64>load<f32>(state, State.Beta2), State.Beta2Power);
  store<i32>(state, step + 1, State.Step);
}

function rateAt(state: usize, step: i32): f64 {
  const base = <f64>load<f32>(state, State.BaseRate);
  const warmup = load<i32>(state, State.WarmupSteps);
  if (step < warmup) return (base * <f64>(step + 1)) / <f64>warmup;
  const final = base * <f64>load<f32>(state, State.FinalFraction);
  const length = max(1, load<i32>(state, State.TotalSteps) - warmup);
  const part = min<f64>(1, <f64>(step - warmup) / <f64>length);
  return final + (base - final) * 0.5 * (1 + cosPi(part));
}

/**
 * AdamW with decoupled decay (I. Loshchilov, F. Hutter, ICLR 2019; the arithmetic of torch.optim.AdamW), t = steps done, this one included:
 *
 *     g' = ClipFactor·g;  p ·= 1 - r·WeightDecay (DECAY = 1);  m += (1-beta1)·(g' - m);  v = beta2·v + (1-beta2)·g'²
 *     p -= r/(1-beta1^t) · m / (√v/√(1-beta2^t) + Epsilon);  g = 0;      r = Rate, of element i times SCALE[(i / INNER) mod COUNT]
 *
 * p, g, m, v [N], none overlaps. Threads share N in blocks of 16 elements. Moves 32 bytes an element.
 */
export function adamW(p: usize): void {
  const state = address(p, AdamWArg.STATE);
  const beta1 = <f64>load<f32>(state, State.Beta1);
  const beta2 = <f64>load<f32>(state, State.Beta2);
  clip = load<f32>(state, State.ClipFactor);
  rate = <f32>(<f64>load<f32>(state, State.Rate) / (1 - load<f64>(state, State.Beta1Power)));
  openDecay(state, int(p, AdamWArg.DECAY));
  keepMean = <f32>beta1;
  fresh = <f32>(1 - beta1);
  keepVariance = <f32>beta2;
  freshVariance = <f32>(1 - beta2);
  root = <f32>sqrt<f64>(1 - load<f64>(state, State.Beta2Power));
  epsilon = load<f32>(state, State.Epsilon);
  const w = address(p, AdamWArg.P);
  const g = address(p, AdamWArg.G);
  const m = address(p, AdamWArg.MEAN);
  const v = address(p, AdamWArg.VARIANCE);
  const spans = openSpans(int(p, AdamWArg.N), address(p, AdamWArg.SCALE), int(p, AdamWArg.COUNT), int(p, AdamWArg.INNER));
  while (spans && nextSpan()) adamSpan(w, g, m, v);
}

function adamSpan(w: usize, g: usize, m: usize, v: usize): void {
  let i = spanFrom;
  for (; i + 4 <= spanEnd; i += 4) {
    const at = (<usize>i) << 2;
    const s4 = scale4(i);
    const g4 = f32x4.mul(v128.load(g + at), f32x4.splat(clip));
    const m4 = f32x4.add(v128.load(m + at), f32x4.mul(f32x4.splat(fresh), f32x4.sub(g4, v128.load(m + at))));
    const v4 = f32x4.add(f32x4.mul(v128.load(v + at), f32x4.splat(keepVariance)), f32x4.mul(f32x4.mul(f32x4.splat(freshVariance), g4), g4));
    const below = f32x4.add(f32x4.div(f32x4.sqrt(v4), f32x4.splat(root)), f32x4.splat(epsilon));
    const w4 = f32x4.mul(v128.load(w + at), kept4(s4));
    v128.store(w + at, f32x4.sub(w4, f32x4.div(f32x4.mul(f32x4.mul(f32x4.splat(rate), s4), m4), below)));
    v128.store(m + at, m4);
    v128.store(v + at, v4);
    v128.store(g + at, f32x4.splat(0));
  }
  for (; i < spanEnd; i++) {
    const at = (<usize>i) << 2;
    const s1 = scale1(i);
    const g1 = load<f32>(g + at) * clip;
    const m1 = load<f32>(m + at) + fresh * (g1 - load<f32>(m + at));
    const v1 = load<f32>(v + at) * keepVariance + freshVariance * g1 * g1;
    const below = sqrt<f32>(v1) / root + epsilon;
    store<f32>(w + at, load<f32>(w + at) * kept1(s1) - (rate * s1 * m1) / below);
    store<f32>(m + at, m1);
    store<f32>(v + at, v1);
    store<f32>(g + at, 0);
  }
}

/**
 * Sgd with momentum (torch.optim.SGD's, dampening 0, not Nesterov; the decay is decoupled):
 *
 *     g' = ClipFactor·g;  p ·= 1 - r·WeightDecay (DECAY = 1);  u = Beta1·u + g';  p -= r·u;  g = 0;      r as for AdamW
 *
 * p, g, u [N], none overlaps; u starts at zero. Threads share N in blocks of 16 elements. Moves 24 bytes an element.
 */
export function sgd(p: usize): void {
  const state = address(p, SgdArg.STATE);
  clip = load<f32>(state, State.ClipFactor);
  rate = load<f32>(state, State.Rate);
  openDecay(state, int(p, SgdArg.DECAY));
  keepMean = load<f32>(state, State.Beta1);
  const w = address(p, SgdArg.P);
  const g = address(p, SgdArg.G);
  const u = address(p, SgdArg.MOMENTUM);
  const spans = openSpans(int(p, SgdArg.N), address(p, SgdArg.SCALE), int(p, SgdArg.COUNT), int(p, SgdArg.INNER));
  while (spans && nextSpan()) sgdSpan(w, g, u);
}

function sgdSpan(w: usize, g: usize, u: usize): void {
  let i = spanFrom;
  for (; i + 4 <= spanEnd; i += 4) {
    const at = (<usize>i) << 2;
    const s4 = scale4(i);
    const u4 = f32x4.add(f32x4.mul(v128.load(u + at), f32x4.splat(keepMean)), f32x4.mul(v128.load(g + at), f32x4.splat(clip)));
    const w4 = f32x4.mul(v128.load(w + at), kept4(s4));
    v128.store(w + at, f32x4.sub(w4, f32x4.mul(f32x4.mul(f32x4.splat(rate), s4), u4)));
    v128.store(u + at, u4);
    v128.store(g + at, f32x4.splat(0));
  }
  for (; i < spanEnd; i++) {
    const at = (<usize>i) << 2;
    const s1 = scale1(i);
    const u1 = load<f32>(u + at) * keepMean + load<f32>(g + at) * clip;
    store<f32>(w + at, load<f32>(w + at) * kept1(s1) - rate * s1 * u1);
    store<f32>(u + at, u1);
    store<f32>(g + at, 0);
  }
}

/** Constants of the update at hand. */
let clip: f32 = 0;
let rate: f32 = 0;
/** Rate · WeightDecay, 0 where nothing decays, and what that leaves of a number whose rate is Rate. */
let decay: f32 = 0;
let kept: f32 = 1;
let keepMean: f32 = 0;
let fresh: f32 = 0;
let keepVariance: f32 = 0;
let freshVariance: f32 = 0;
let root: f32 = 0;
let epsilon: f32 = 0;

/** Decoupled decay: what is taken of a parameter in this step. */
function openDecay(state: usize, decays: i32): void {
  const share = decays != 0 ? <f64>load<f32>(state, State.Rate) * <f64>load<f32>(state, State.WeightDecay) : 0;
  decay = <f32>share;
  kept = <f32>(1 - share);
}

@inline function kept4(s4: v128): v128 {
  return scales == 0 ? f32x4.splat(kept) : f32x4.sub(f32x4.splat(1), f32x4.mul(f32x4.splat(decay), s4));
}

@inline function kept1(s1: f32): f32 {
  return scales == 0 ? kept : <f32>1 - decay * s1;
}

/**
 * This thread's elements, span by span: over a span the scales are one number (COUNT numbers of INNER elements each, over and over) or, where
 * INNER is 1, lie one after the other as the elements do.
 */
let spanFrom: i32 = 0;
let spanEnd: i32 = 0;
let until: i32 = 0;
let scales: usize = 0;
let count: i32 = 1;
let inner: i32 = 1;
/** Scale of the whole span, and the address that element 0's would have where each has its own (0: it has not). */
let uniform: f32 = 1;
let own: usize = 0;

/** False where this thread has nothing to do. */
function openSpans(n: i32, scale: usize, scaleCount: i32, scaleInner: i32): bool {
  spanEnd = firstBy(n, 16);
  until = lastBy(n, 16);
  scales = scale;
  count = scaleCount;
  inner = scaleInner;
  uniform = 1;
  own = 0;
  return spanEnd < until;
}

function nextSpan(): bool {
  if (spanEnd >= until) return false;
  spanFrom = spanEnd;
  if (scales == 0) spanEnd = until;
  else if (inner == 1) {
    const turn = spanFrom / count;
    own = scales - ((<usize>turn * <usize>count) << 2);
    spanEnd = min(until, (turn + 1) * count);
  } else {
    const group = spanFrom / inner;
    uniform = load<f32>(scales + ((<usize>(group % count)) << 2));
    spanEnd = min(until, (group + 1) * inner);
  }
  return true;
}

@inline function scale4(i: i32): v128 {
  return own != 0 ? v128.load(own + ((<usize>i) << 2)) : f32x4.splat(uniform);
}

@inline function scale1(i: i32): f32 {
  return own != 0 ? load<f32>(own + ((<usize>i) << 2)) : uniform;
}
