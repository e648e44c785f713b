import { State } from '../abi/head';
import { CrossEntropyArg, SoftCrossEntropyArg } from '../abi/ops/crossentropy';
import { Status } from '../abi/status';
import { address, int } from '../engine/argument';
import { exp64, log64 } from '../engine/math';
import { fail } from '../engine/status';
import { thread } from '../engine/team';

/**
 * CrossEntropy with label smoothing ε = STATE.Smoothing, as PyTorch's: the target is 1-ε at the label plus ε/N everywhere,
 *
 *     loss = -Σ target·log softmax(x) = lse(x) - (1-ε)·x[label] - ε·mean(x),      dlogits = LossScale·(softmax(x) - target).
 *
 * x[B,N]; labels i32[B], -1 for a padding row (loss 0, gradient 0, not counted); losses f32[B]; choices i32[B], the first largest logit.
 * DLOGITS may be 0 or equal X. Adds to STATE's LossSum, Correct and Count. The first thread does it all, in f64: the sum over pictures is
 * one chain and the logits are few. Fails on a label outside -1 … N-1 and on any row, padding too, whose loss is not finite; STATE then
 * stays as it was.
 */
export function crossEntropy(p: usize): void {
  if (thread != 0) return;
  crossEntropyRows(
    address(p, CrossEntropyArg.X),
    address(p, CrossEntropyArg.LABELS),
    0,
    0,
    0,
    address(p, CrossEntropyArg.DLOGITS),
    address(p, CrossEntropyArg.LOSSES),
    address(p, CrossEntropyArg.CHOICES),
    address(p, CrossEntropyArg.STATE),
    int(p, CrossEntropyArg.BATCH),
    int(p, CrossEntropyArg.N),
  );
}

/**
 * SoftCrossEntropy: as CrossEntropy, the target of row i being t = (1-ε)·(s·label + (1-s)·other) + ε/N, s = SHARES[i], other = OTHERS[i], and classes weighing
 * w = WEIGHTS, as PyTorch's cross_entropy(weight=w) has it:
 *
 *     loss = -Σ w·t·log softmax(x) = W·lse(x) - Σ w·t·x,      dlogits = LossScale·(W·softmax(x) - w·t),      W = Σ w·t.
 *
 * Correct is counted by the row's own label. DLOGITS may be 0 or equal X. The first thread does it all, in f64.
 */
export function softCrossEntropy(p: usize): void {
  if (thread != 0) return;
  crossEntropyRows(
    address(p, SoftCrossEntropyArg.X),
    address(p, SoftCrossEntropyArg.LABELS),
    address(p, SoftCrossEntropyArg.OTHERS),
    address(p, SoftCrossEntropyArg.SHARES),
    address(p, SoftCrossEntropyArg.WEIGHTS),
    address(p, SoftCrossEntropyArg.DLOGITS),
    address(p, SoftCrossEntropyArg.LOSSES),
    address(p, SoftCrossEntropyArg.CHOICES),
    address(p, SoftCrossEntropyArg.STATE),
    int(p, SoftCrossEntropyArg.BATCH),
    int(p, SoftCrossEntropyArg.N),
  );
}

/** CrossEntropy and SoftCrossEntropy. `others`, `shares`, `weights` may be 0: a row is its label alone, and every class weighs 1, to the bit. */
function crossEntropyRows(
  x: usize,
  labels: usize,
  others: usize,
  shares: usize,
  weights: usize,
  dlogits: usize,
  losses: usize,
  choices: usize,
  state: usize,
  batch: i32,
  n: i32,
): void {
  const row = (<usize>n) << 2;
  const smoothing = <f64>load<f32>(state, State.Smoothing);
  const lossScale = <f64>load<f32>(state, State.LossScale);
  let lossSum: f64 = 0;
  let correct = 0;
  let count = 0;
  for (let i = 0; i < batch; i++) {
    const at = (<usize>i) << 2;
    const logits = x + <usize>i * row;
    const label = load<i32>(labels + at);
    if (label < -1 || label >= n) return fail(Status.BadLabel);
    const beside = others == 0 ? -1 : load<i32>(others + at);
    if (beside >= n) return fail(Status.BadLabel);
    const other = beside < 0 ? label : beside;
    const own: f64 = beside < 0 ? 1 : <f64>load<f32>(shares + at);
    const choice = largest(logits, n);
    const lse = logSumExp(logits, n, load<f32>(logits + ((<usize>choice) << 2)));
    // One NaN anywhere makes the sum NaN, also in a row that has no label.
    let loss = lse;
    let whole: f64 = 1;
    if (label >= 0) {
      const mine = own * weightOf(weights, label);
      const its = (1 - own) * weightOf(weights, other);
      if (weights != 0) whole = (1 - smoothing) * (mine + its) + smoothing * meanWeight(weights, n);
      const wanted = mine * <f64>load<f32>(logits + ((<usize>label) << 2)) + its * <f64>load<f32>(logits + ((<usize>other) << 2));
      loss = whole * lse - (1 - smoothing) * wanted;
      if (smoothing != 0) loss -= smoothing * mean(logits, weights, n);
    }
    if (!isFinite<f32>(<f32>loss)) return fail(Status.LossNotFinite);
    store<i32>(choices + at, choice);
    store<f32>(losses + at, label < 0 ? 0 : <f32>loss);
    if (label >= 0) {
      lossSum += loss;
      correct += i32(choice == label);
      count++;
    }
    if (dlogits == 0) continue;
    const out = dlogits + <usize>i * row;
    if (label < 0) memory.fill(out, 0, row);
    else gradient(logits, out, weights, n, label, other, own, whole, lse, lossScale, smoothing);
  }
  store<f64>(state, load<f64>(state, State.LossSum) + lossSum, State.LossSum);
  store<i32>(state, load<i32>(state, State.Correct) + correct, State.Correct);
  store<i32>(state, load<i32>(state, State.Count) + count, State.Count);
}

@inline function weightOf(weights: usize, i: i32): f64 {
  return weights == 0 ? 1 : <f64>load<f32>(weights + ((<usize>i) << 2));
}
function meanWeight(weights: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += weightOf(weights, i);
  return sum / <f64>n;
}

/** The first position of the largest of n logits. */
function largest(x: usize, n: i32): i32 {
  let best = 0;
  let value = load<f32>(x);
  for (let i = 1; i < n; i++) {
    const candidate = load<f32>(x + ((<usize>i) << 2));
    if (candidate > value) {
      value = candidate;
      best = i;
    }
  }
  return best;
}

/** log Σ exp(x), given the largest x. */
function logSumExp(x: usize, n: i32, top: f32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += exp64(<f64>load<f32>(x + ((<usize>i) << 2)) - <f64>top);
  return <f64>top + log64(sum);
}

/** Of n logits, each times its class's weight. */
function mean(x: usize, weights: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++) sum += weightOf(weights, i) * <f64>load<f32>(x + ((<usize>i) << 2));
  return sum / <f64>n;
}

function gradient(
  x: usize,
  dx: usize,
  weights: usize,
  n: i32,
  label: i32,
  other: i32,
  own: f64,
  whole: f64,
  lse: f64,
  scale: f64,
  smoothing: f64,
): void {
  const everywhere = smoothing / <f64>n;
  const rest = 1 - own;
  const atLabel = (1 - smoothing) * (label == other ? own + rest : own) + everywhere;
  const atOther = (1 - smoothing) * rest + everywhere;
  for (let i = 0; i < n; i++) {
    const at = (<usize>i) << 2;
    const target = i == label ? atLabel : i == other ? atOther : everywhere;
    store<f32>(dx + at, <f32>(scale * (whole * exp64(<f64>load<f32>(x + at) - lse) - weightOf(weights, i) * target)));
  }
}
