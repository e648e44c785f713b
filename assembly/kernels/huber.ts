import { State } from '../abi/head';
import { HuberArg } from '../abi/ops/huber';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { fail } from '../engine/status';
import { thread } from '../engine/team';

/**
 * Huber, as PyTorch's HuberLoss, and with δ = DELTA = 0 as its MSELoss: a picture's loss is the mean over its N numbers, d = x - (target - mean)/std, of
 *
 *     d²/2 where |d| < δ, else δ·(|d| - δ/2);    d² for δ = 0,      dlogits = LossScale·(d between -δ and δ; 2d for δ = 0)/N.
 *
 * x[B,N]; targets f32[B,N]; a row whose first target has the bits 0xffffffff is padding (loss 0, gradient 0, not counted); scale f32[2,N]: means, stds;
 * losses f32[B]; answers f32[B,N] = x·std + mean. DLOGITS may be 0 or equal X, ANSWERS not. Adds to STATE's LossSum and Count. The first thread
 * does it all, in f64: the sum over pictures is one chain. Fails on a target that is not finite and on any row, padding too, whose loss is
 * not finite; STATE then stays as it was.
 */
export function huber(p: usize): void {
  if (thread != 0) return;
  const x = address(p, HuberArg.X);
  const targets = address(p, HuberArg.TARGETS);
  const means = address(p, HuberArg.SCALE);
  const dlogits = address(p, HuberArg.DLOGITS);
  const losses = address(p, HuberArg.LOSSES);
  const answers = address(p, HuberArg.ANSWERS);
  const state = address(p, HuberArg.STATE);
  const batch = int(p, HuberArg.BATCH);
  const n = int(p, HuberArg.N);
  const delta = <f64>float(p, HuberArg.DELTA);
  const stds = means + ((<usize>n) << 2);
  const scale = <f64>load<f32>(state, State.LossScale) / <f64>n;
  let lossSum: f64 = 0;
  let count = 0;
  for (let i = 0; i < batch; i++) {
    const row = (<usize>i * <usize>n) << 2;
    const isPadding = load<i32>(targets + row) == -1;
    let loss: f64 = 0;
    for (let j: usize = 0; j < <usize>n; j++) {
      const at = row + (j << 2);
      const mean = <f64>load<f32>(means + (j << 2));
      const std = <f64>load<f32>(stds + (j << 2));
      const v = <f64>load<f32>(x + at);
      const target = isPadding ? mean : <f64>load<f32>(targets + at);
      if (!isFinite<f64>(target)) return fail(Status.BadLabel);
      const d = v - (target - mean) / std;
      loss += delta == 0 ? d * d : abs(d) < delta ? 0.5 * d * d : delta * (abs(d) - 0.5 * delta);
      store<f32>(answers + at, <f32>(v * std + mean));
      const slope = delta == 0 ? 2.0 * d : min(max(d, -delta), delta);
      if (dlogits != 0) store<f32>(dlogits + at, isPadding ? 0 : <f32>(scale * slope));
    }
    loss /= <f64>n;
    if (!isFinite<f32>(<f32>loss)) return fail(Status.LossNotFinite);
    store<f32>(losses + ((<usize>i) << 2), isPadding ? 0 : <f32>loss);
    if (isPadding) continue;
    lossSum += loss;
    count++;
  }
  store<f64>(state, load<f64>(state, State.LossSum) + lossSum, State.LossSum);
  store<i32>(state, load<i32>(state, State.Count) + count, State.Count);
}
