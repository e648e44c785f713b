import { State } from '../abi/head';
import { BinaryCrossEntropyArg } from '../abi/ops/binarycrossentropy';
import { Status } from '../abi/status';
import { address, int } from '../engine/argument';
import { exp64, log1p64 } from '../engine/math';
import { fail } from '../engine/status';
import { thread } from '../engine/team';

/**
 * BinaryCrossEntropy, as PyTorch's BCEWithLogitsLoss: a picture's loss is the mean over its N labels of
 *
 *     max(x,0) - x·t + log(1 + e^-|x|),      dlogits = LossScale·(σ(x) - t)/N,      t = (1-ε)·target + ε/2, ε = STATE.Smoothing.
 *
 * x[B,N]; targets f32[B,N], 0 … 1; a row whose first target has the bits 0xffffffff is padding (loss 0, gradient 0, not counted); thresholds f32[N];
 * losses f32[B]; choices i32[B,N], 1 where σ(x) ≥ threshold. DLOGITS may be 0 or equal X. Adds to STATE's LossSum, Count, and to Correct the pictures
 * all of whose labels are right. The first thread does it all, in f64: the sum over pictures is one chain. Fails on a target outside 0 … 1
 * and on any row, padding too, whose loss is not finite; STATE then stays as it was.
 */
export function binaryCrossEntropy(p: usize): void {
  if (thread != 0) return;
  const x = address(p, BinaryCrossEntropyArg.X);
  const targets = address(p, BinaryCrossEntropyArg.TARGETS);
  const thresholds = address(p, BinaryCrossEntropyArg.THRESHOLDS);
  const dlogits = address(p, BinaryCrossEntropyArg.DLOGITS);
  const losses = address(p, BinaryCrossEntropyArg.LOSSES);
  const choices = address(p, BinaryCrossEntropyArg.CHOICES);
  const state = address(p, BinaryCrossEntropyArg.STATE);
  const batch = int(p, BinaryCrossEntropyArg.BATCH);
  const n = int(p, BinaryCrossEntropyArg.N);
  const smoothing = <f64>load<f32>(state, State.Smoothing);
  const scale = <f64>load<f32>(state, State.LossScale) / <f64>n;
  let lossSum: f64 = 0;
  let correct = 0;
  let count = 0;
  for (let i = 0; i < batch; i++) {
    const row = (<usize>i * <usize>n) << 2;
    const isPadding = load<i32>(targets + row) == -1;
    let loss: f64 = 0;
    let isRight = true;
    for (let j: usize = 0; j < <usize>n; j++) {
      const at = row + (j << 2);
      const logit = load<f32>(x + at);
      const v = <f64>logit;
      const target = isPadding ? <f32>0 : load<f32>(targets + at);
      if (!(target >= 0 && target <= 1)) return fail(Status.BadLabel);
      const small = exp64(-Math.abs(v));
      const probability = (v < 0 ? small : 1.0) / (1.0 + small);
      const wanted = (1.0 - smoothing) * <f64>target + 0.5 * smoothing;
      loss += (v > 0 ? v : 0.0) - v * wanted + log1p64(small);
      const isAnswered = probability >= <f64>load<f32>(thresholds + (j << 2));
      store<i32>(choices + at, i32(isAnswered));
      if (isAnswered != target >= 0.5) isRight = false;
      if (dlogits != 0) store<f32>(dlogits + at, isPadding ? 0 : <f32>(scale * (probability - wanted)));
    }
    loss /= <f64>n;
    if (!isFinite<f32>(<f32>loss)) return fail(Status.LossNotFinite);
    store<f32>(losses + ((<usize>i) << 2), isPadding ? 0 : <f32>loss);
    if (isPadding) continue;
    lossSum += loss;
    correct += i32(isRight);
    count++;
  }
  store<f64>(state, load<f64>(state, State.LossSum) + lossSum, State.LossSum);
  store<i32>(state, load<i32>(state, State.Correct) + correct, State.Correct);
  store<i32>(state, load<i32>(state, State.Count) + count, State.Count);
}
