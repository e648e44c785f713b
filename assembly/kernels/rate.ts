/**
 * Relative learning rates. A step is sized by what it changes: AdamW moves every number by about its rate, so a bias whose rate is a hundredth
 * of the standard deviation of the output that it is added to moves that output by a hundredth of a deviation in a step, in whatever units the
 * network computes. With y[m,n] a layer's output over the measured pictures and x its input:
 *
 *     Added      a bias, a norm's scale or shift, an embedding      rate_n = FRACTION·σ_n(y)
 *     Product    a weight, a low-rank factor                        rate_n = FRACTION·σ_n(y) / ‖x‖
 *     Logit      the head's weight, F features                      rate   = FRACTION / (√F·‖x - E[x]‖)
 *     Constant   what joins numbers of known size                   rate   = FRACTION
 *
 * σ_n² = E[y_n²] - E[y_n]², at least a millionth of its mean over n (a channel that hardly moves is not frozen by that); where a layer puts out
 * nothing at all σ is a thousandth. ‖x‖² = SPREAD·E[Σ_k x_k²], 1 where the input is zero.
 *
 * The head: its gradient sums over classes to nothing, so what all pictures have in common cancels, and √F·‖x - E[x]‖ is about Σ_k |x_k - E[x_k]|, by
 * which a logit moves when all weights step as they should. With Sgd, whose step is the gradient's, F has no part: FRACTION / ‖x - E[x]‖².
 *
 * Example: a layer whose channels have deviations 0.1 and 2, FRACTION 0.01: their biases move by 0.001 and by 0.02 a step.
 */
import { State } from '../abi/head';
import { ObserveArg, Rule, SetRatesArg } from '../abi/ops/rate';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { fail } from '../engine/status';
import { firstBy, lastBy, thread } from '../engine/team';

/** Least variance of a channel, as a share of the layer's mean variance. */
const LEAST_SHARE: f64 = 1e-6;
/** Deviation of a layer that puts out one number. */
const NO_OUTPUT: f64 = 1e-3;

/** Observe: see the contract. Threads share the channels in blocks of 16; a total is the first thread's alone. Sums are f32, row by row. */
export function observe(p: usize): void {
  if (load<i32>(address(p, ObserveArg.STATE), State.Measured) == 0) return;
  const M = int(p, ObserveArg.M);
  const N = int(p, ObserveArg.N);
  const x = address(p, ObserveArg.X);
  const squares = address(p, ObserveArg.SQUARES);
  if (int(p, ObserveArg.TOTAL) != 0) {
    if (thread == 0) total(x, M, N, squares);
    return;
  }
  const sum = address(p, ObserveArg.SUM);
  const until = lastBy(N, 16);
  let n = firstBy(N, 16);
  for (; n + 4 <= until; n += 4) {
    const at = (<usize>n) << 2;
    let s = sum != 0 ? v128.load(sum + at) : f32x4.splat(0);
    let q = v128.load(squares + at);
    let row = x + at;
    for (let m = 0; m < M; m++) {
      const v = v128.load(row);
      s = f32x4.add(s, v);
      q = f32x4.add(q, f32x4.mul(v, v));
      row += (<usize>N) << 2;
    }
    if (sum != 0) v128.store(sum + at, s);
    v128.store(squares + at, q);
  }
  for (; n < until; n++) {
    const at = (<usize>n) << 2;
    let s: f32 = sum != 0 ? load<f32>(sum + at) : 0;
    let q = load<f32>(squares + at);
    let row = x + at;
    for (let m = 0; m < M; m++) {
      const v = load<f32>(row);
      s += v;
      q += v * v;
      row += (<usize>N) << 2;
    }
    if (sum != 0) store<f32>(sum + at, s);
    store<f32>(squares + at, q);
  }
}

/** to += Σ x², the sum of each row in f64, rows in order. */
function total(x: usize, M: i32, N: i32, to: usize): void {
  let sum = load<f32>(to);
  for (let m = 0; m < M; m++) {
    let row: f64 = 0;
    for (let n = 0; n < N; n++) {
      const v = <f64>load<f32>(x);
      row += v * v;
      x += 4;
    }
    sum += <f32>row;
  }
  store<f32>(to, sum);
}

/** SetRates: the formulas above. The first thread's alone. */
export function setRates(p: usize): void {
  if (thread != 0) return;
  const scale = address(p, SetRatesArg.SCALE);
  const sum = address(p, SetRatesArg.SUM);
  const input = address(p, SetRatesArg.INPUT);
  const N = int(p, SetRatesArg.N);
  const rule = int(p, SetRatesArg.RULE);
  const squared = int(p, SetRatesArg.POWER) == 2;
  const rate = <f64>float(p, SetRatesArg.FRACTION);
  const passes = <f64>load<i32>(address(p, SetRatesArg.STATE), State.Measured);
  const rows = passes * <f64>int(p, SetRatesArg.ROWS);

  let norm: f64 = 1;
  if (rule == Rule.Logit) {
    const features = int(p, SetRatesArg.FEATURES);
    const differs = sumOfVariances(input, sum, features, passes * <f64>int(p, SetRatesArg.INPUT_ROWS));
    norm = sqrt<f64>(differs * (squared ? 1 : <f64>features));
    if (norm == 0) norm = 1;
    memory.fill(input, 0, (<usize>features) << 2);
    memory.fill(sum, 0, (<usize>features) << 2);
  } else if (rule == Rule.Product) {
    norm = sqrt<f64>((<f64>float(p, SetRatesArg.SPREAD) * <f64>load<f32>(input)) / (passes * <f64>int(p, SetRatesArg.INPUT_ROWS)));
    if (norm == 0) norm = 1;
    store<f32>(input, 0);
  }
  const measured = rule == Rule.Added || rule == Rule.Product;
  const least = measured ? leastVariance(scale, sum, N, rows) : 1;
  const range = address(p, SetRatesArg.STATE) + ((<usize>int(p, SetRatesArg.GROUP)) << 3);
  for (let n = 0; n < N; n++) {
    const at = (<usize>n) << 2;
    const deviation = measured ? sqrt<f64>(max<f64>(variance(scale + at, sum + at, rows), least)) : 1;
    const unit = deviation / norm;
    const value = <f32>(rate * (squared ? unit * unit : unit));
    if (!isFinite<f32>(value)) return fail(Status.OutputNotFinite);
    store<f32>(scale + at, value);
    const most = load<f32>(range, State.Rates + 4);
    if (most == 0 || value < load<f32>(range, State.Rates)) store<f32>(range, value, State.Rates);
    if (value > most) store<f32>(range, value, State.Rates + 4);
    if (measured) store<f32>(sum + at, 0);
  }
}

/** Σ of the variances of `n` channels. Rounding may take one that is zero below it; NaN where one is not finite. */
function sumOfVariances(squares: usize, sum: usize, n: i32, rows: f64): f64 {
  let all: f64 = 0;
  for (let i = 0; i < n; i++) {
    const at = (<usize>i) << 2;
    const one = variance(squares + at, sum + at, rows);
    all += one < 0 ? 0 : one;
  }
  return all;
}

@inline function variance(squares: usize, sum: usize, rows: f64): f64 {
  const mean = <f64>load<f32>(sum) / rows;
  return <f64>load<f32>(squares) / rows - mean * mean;
}

/** What no channel's variance falls below. */
function leastVariance(squares: usize, sum: usize, N: i32, rows: f64): f64 {
  const all = sumOfVariances(squares, sum, N, rows);
  return all == 0 ? NO_OUTPUT * NO_OUTPUT : (LEAST_SHARE * all) / <f64>N;
}
