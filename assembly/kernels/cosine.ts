import { HeadFactorsArg, PositionTableArg } from '../abi/ops/cosine';
import { address, int } from '../engine/argument';
import { exp64, log64 } from '../engine/math';
import { first, last } from '../engine/team';

/** PositionTable: biases by distance, from a small network (abi/ops/cosine.ts); in f64, rounded once. Threads share the distances. */
export function positionTable(p: usize): void {
  const hidden = int(p, PositionTableArg.HIDDEN);
  const heads = int(p, PositionTableArg.HEADS);
  const wh = int(p, PositionTableArg.WH);
  const ww = int(p, PositionTableArg.WW);
  const tall = int(p, PositionTableArg.TALL);
  const wide = int(p, PositionTableArg.WIDE);
  const w1 = address(p, PositionTableArg.W1);
  const b1 = address(p, PositionTableArg.B1);
  const across = 2 * ww - 1;
  const rows = (2 * wh - 1) * across;
  for (let row = first(rows), end = last(rows); row < end; row++) {
    const dy = counted(row / across - wh + 1, tall);
    const dx = counted((row % across) - ww + 1, wide);
    for (let h = 0; h < heads; h++) {
      const w2 = address(p, PositionTableArg.W2) + ((<usize>h * <usize>hidden) << 2);
      let sum: f64 = 0;
      for (let i = 0; i < hidden; i++) {
        const at = (<usize>i) << 2;
        const unit = <f64>load<f32>(w1 + 2 * at) * dy + <f64>load<f32>(w1 + 2 * at, 4) * dx + <f64>load<f32>(b1 + at);
        if (unit > 0) sum += unit * <f64>load<f32>(w2 + at);
      }
      store<f32>(address(p, PositionTableArg.Y) + ((<usize>row * <usize>heads + <usize>h) << 2), <f32>(16 / (1 + exp64(-sum))));
    }
  }
}

/** As a distance counts in a window of `n`. */
@inline function counted(distance: i32, n: i32): f64 {
  const share = (8 * <f64>distance) / <f64>max(1, n - 1);
  const size = log64(1 + abs<f64>(share)) / 2.0794415416798357;
  return share < 0 ? -size : size;
}

/** HeadFactors: y[HEADS·D] = exp(min(x[h], ln 100)), D times for each head. Threads share the heads. */
export function headFactors(p: usize): void {
  const d = int(p, HeadFactorsArg.D);
  const heads = int(p, HeadFactorsArg.HEADS);
  for (let h = first(heads), end = last(heads); h < end; h++) {
    const x = <f64>load<f32>(address(p, HeadFactorsArg.X) + ((<usize>h) << 2));
    const factor = <f32>exp64(min(x, 4.605170185988092));
    const y = address(p, HeadFactorsArg.Y) + ((<usize>h * <usize>d) << 2);
    for (let i = 0; i < d; i++) store<f32>(y + ((<usize>i) << 2), factor);
  }
}
