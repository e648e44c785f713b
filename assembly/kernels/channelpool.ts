import { ChannelPoolArg, ChannelPoolBackwardArg } from '../abi/ops/module';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/**
 * ChannelPool: y[B,COUNT,C/K], each the mean of K neighbouring channels of x[B,P,C], for positions FIRST … FIRST+COUNT-1.
 *
 * Y overlaps nothing; K divides C. Sums four at a time, then those four and what is left. Threads share the B·COUNT rows. Source: the side branch of arXiv 2503.08154.
 */
export function channelPool(p: usize): void {
  const x = address(p, ChannelPoolArg.X);
  const y = address(p, ChannelPoolArg.Y);
  const positions = int(p, ChannelPoolArg.P);
  const c = int(p, ChannelPoolArg.C);
  const k = int(p, ChannelPoolArg.K);
  const from = int(p, ChannelPoolArg.FIRST);
  const count = int(p, ChannelPoolArg.COUNT);
  const out = c / k;
  const factor: f32 = 1 / <f32>k;
  const rows = int(p, ChannelPoolArg.BATCH) * count;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / count;
    let a = x + ((<usize>(picture * positions + from + (r - picture * count)) * <usize>c) << 2);
    let o = y + ((<usize>r * <usize>out) << 2);
    for (let j = 0; j < out; j++) {
      let sum: f32 = 0;
      let i = 0;
      if (k >= 4) {
        let four = v128.load(a);
        for (a += 16, i = 4; i + 4 <= k; i += 4, a += 16) four = f32x4.add(four, v128.load(a));
        four = f32x4.add(four, v128.shuffle<f32>(four, four, 2, 3, 0, 1));
        sum = f32x4.extract_lane(four, 0) + f32x4.extract_lane(four, 1);
      }
      for (; i < k; i++, a += 4) sum += load<f32>(a);
      store<f32>(o, sum * factor);
      o += 4;
    }
  }
}

/**
 * ChannelPoolBackward: dx[B,P,C] = dy[B,COUNT,C/K] / K over its K channels, 0 at the other positions, + acc[B,P,C].
 *
 * ACC may be 0 (absent) or equal DX; DY overlaps neither. Threads share the B·P rows.
 */
export function channelPoolBackward(p: usize): void {
  const dy = address(p, ChannelPoolBackwardArg.DY);
  const acc = address(p, ChannelPoolBackwardArg.ACC);
  const dx = address(p, ChannelPoolBackwardArg.DX);
  const positions = int(p, ChannelPoolBackwardArg.P);
  const c = int(p, ChannelPoolBackwardArg.C);
  const k = int(p, ChannelPoolBackwardArg.K);
  const from = int(p, ChannelPoolBackwardArg.FIRST);
  const count = int(p, ChannelPoolBackwardArg.COUNT);
  const small = c / k;
  const factor: f32 = 1 / <f32>k;
  const row = (<usize>c) << 2;
  const rows = int(p, ChannelPoolBackwardArg.BATCH) * positions;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / positions;
    const position = r - picture * positions - from;
    const at = <usize>r * row;
    if (position < 0 || position >= count) {
      if (acc == 0) memory.fill(dx + at, 0, row);
      else if (acc != dx) memory.copy(dx + at, acc + at, row);
      continue;
    }
    let g = dy + ((<usize>(picture * count + position) * <usize>small) << 2);
    let o = dx + at;
    let s = acc + at;
    const end = g + ((<usize>small) << 2);
    for (; g < end; g += 4) {
      const value = load<f32>(g) * factor;
      const four = f32x4.splat(value);
      let i = 0;
      if (acc == 0) {
        for (; i + 4 <= k; i += 4, o += 16) v128.store(o, four);
        for (; i < k; i++, o += 4) store<f32>(o, value);
      } else {
        for (; i + 4 <= k; i += 4, o += 16, s += 16) v128.store(o, f32x4.add(v128.load(s), four));
        for (; i < k; i++, o += 4, s += 4) store<f32>(o, load<f32>(s) + value);
      }
    }
  }
}
