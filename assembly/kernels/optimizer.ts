/**
 * The update: SumSquares over every gradient, Schedule once, then AdamW or Sgd over every tensor. The first two are the first thread's
 * alone and leave Rate, ClipFactor and the beta powers in STATE, which all threads read afterwards: a barrier belongs after Schedule.
 */
import { State } from '../abi/head';
import { AdamWArg, ScheduleArg, SgdArg, SumSquaresArg } from '../abi/ops/update';
import { Status } from '../abi/status';
import { address, int } from '../argument';
import { cosPi } from '../math';
import { fail } from '../status';
import { firstBy, lastBy, thread } from '../team';

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
    g += <usize>BLOCK << 2;
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
 * Schedule, once a step, s = STATE.Step counted from 0:
 *
 *     Norm = √SumSquares, SumSquares = 0, ClipFactor = min(1, ClipNorm/(Norm + 1e-6)), 1 where ClipNorm = 0
 *     Rate = base·(s+1)/warmup                                                 while s < warmup, then
 *            final + (base - final)·½·(1 + cos(π·(s-warmup)/max(1, total-warmup)))   until s = total, final after it
 *     Beta1Power, Beta2Power = beta^(s+1), Step = s+1
 *
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
  const first = step == 0;
  store<f64>(state, (first ? 1 : load<f64>(state, State.Beta1Power)) * <f64>load<f32>(state, State.Beta1), State.Beta1Power);
  store<f64>(state, (first ? 1 : load<f64>(state, State.Beta2Power)) * <f64>load<f32>(state, State.Beta2), State.Beta2Power);
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
 *     g' = ClipFactor·g;  p ·= 1 - Rate·WeightDecay (DECAY = 1);  m += (1-beta1)·(g' - m);  v = beta2·v + (1-beta2)·g'²
 *     p -= Rate/(1-beta1^t) · m / (√v/√(1-beta2^t) + Epsilon);  g = 0
 *
 * p, g, m, v [N], none overlaps. Threads share N in blocks of 16 elements. Moves 32 bytes an element.
 */
export function adamW(p: usize): void {
  const state = address(p, AdamWArg.STATE);
  const n = int(p, AdamWArg.N);
  const rate = <f64>load<f32>(state, State.Rate);
  const beta1 = <f64>load<f32>(state, State.Beta1);
  const beta2 = load<f32>(state, State.Beta2);
  const clip = load<f32>(state, State.ClipFactor);
  const keep = keepFactor(state, int(p, AdamWArg.DECAY));
  const fresh1 = <f32>(1 - beta1);
  const fresh2 = <f32>(1 - <f64>beta2);
  const size = <f32>(rate / (1 - load<f64>(state, State.Beta1Power)));
  const root = <f32>sqrt<f64>(1 - load<f64>(state, State.Beta2Power));
  const epsilon = load<f32>(state, State.Epsilon);
  const from = firstBy(n, 16);
  const until = lastBy(n, 16);
  const start = <usize>from << 2;
  let w = address(p, AdamWArg.P) + start;
  let g = address(p, AdamWArg.G) + start;
  let m = address(p, AdamWArg.MEAN) + start;
  let v = address(p, AdamWArg.VARIANCE) + start;
  let i = from;
  for (; i + 4 <= until; i += 4) {
    const g4 = f32x4.mul(v128.load(g), f32x4.splat(clip));
    const m4 = f32x4.add(v128.load(m), f32x4.mul(f32x4.splat(fresh1), f32x4.sub(g4, v128.load(m))));
    const v4 = f32x4.add(f32x4.mul(v128.load(v), f32x4.splat(beta2)), f32x4.mul(f32x4.mul(f32x4.splat(fresh2), g4), g4));
    const below = f32x4.add(f32x4.div(f32x4.sqrt(v4), f32x4.splat(root)), f32x4.splat(epsilon));
    const kept = f32x4.mul(v128.load(w), f32x4.splat(keep));
    v128.store(w, f32x4.sub(kept, f32x4.div(f32x4.mul(f32x4.splat(size), m4), below)));
    v128.store(m, m4);
    v128.store(v, v4);
    v128.store(g, f32x4.splat(0));
    w += 16;
    g += 16;
    m += 16;
    v += 16;
  }
  for (; i < until; i++) {
    const g1 = load<f32>(g) * clip;
    const m1 = load<f32>(m) + fresh1 * (g1 - load<f32>(m));
    const v1 = load<f32>(v) * beta2 + fresh2 * g1 * g1;
    const below = sqrt<f32>(v1) / root + epsilon;
    store<f32>(w, load<f32>(w) * keep - (size * m1) / below);
    store<f32>(m, m1);
    store<f32>(v, v1);
    store<f32>(g, 0);
    w += 4;
    g += 4;
    m += 4;
    v += 4;
  }
}

/** What decoupled decay leaves of a parameter. */
@inline function keepFactor(state: usize, decay: i32): f32 {
  return decay != 0 ? <f32>(1 - <f64>load<f32>(state, State.Rate) * <f64>load<f32>(state, State.WeightDecay)) : 1;
}

/**
 * Sgd with momentum (torch.optim.SGD's, dampening 0, not Nesterov; the decay is decoupled):
 *
 *     g' = ClipFactor·g;  p ·= 1 - Rate·WeightDecay (DECAY = 1);  u = Beta1·u + g';  p -= Rate·u;  g = 0
 *
 * p, g, u [N], none overlaps; u starts at zero. Threads share N in blocks of 16 elements. Moves 24 bytes an element.
 */
export function sgd(p: usize): void {
  const state = address(p, SgdArg.STATE);
  const n = int(p, SgdArg.N);
  const rate = load<f32>(state, State.Rate);
  const momentum = load<f32>(state, State.Beta1);
  const clip = load<f32>(state, State.ClipFactor);
  const keep = keepFactor(state, int(p, SgdArg.DECAY));
  const from = firstBy(n, 16);
  const until = lastBy(n, 16);
  const start = <usize>from << 2;
  let w = address(p, SgdArg.P) + start;
  let g = address(p, SgdArg.G) + start;
  let u = address(p, SgdArg.MOMENTUM) + start;
  let i = from;
  for (; i + 4 <= until; i += 4) {
    const u4 = f32x4.add(f32x4.mul(v128.load(u), f32x4.splat(momentum)), f32x4.mul(v128.load(g), f32x4.splat(clip)));
    v128.store(w, f32x4.sub(f32x4.mul(v128.load(w), f32x4.splat(keep)), f32x4.mul(f32x4.splat(rate), u4)));
    v128.store(u, u4);
    v128.store(g, f32x4.splat(0));
    w += 16;
    g += 16;
    u += 16;
  }
  for (; i < until; i++) {
    const u1 = load<f32>(u) * momentum + load<f32>(g) * clip;
    store<f32>(w, load<f32>(w) * keep - rate * u1);
    store<f32>(u, u1);
    store<f32>(g, 0);
    w += 4;
    g += 4;
    u += 4;
  }
}
