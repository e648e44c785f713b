import { ChannelPoolArg, ChannelPoolBackwardArg } from '../abi/ops';
import { address, int } from '../argument';
import { first, last } from '../team';

/**
 * ChannelPool: y[B,COUNT,C/K], each the mean of K neighbouring channels of x[B,P,C], for positions FIRST … FIRST+COUNT-1.
 *
 * Y overlaps nothing; K divides C. Threads share the B·COUNT rows. Source: the side branch of arXiv 2503.08154.
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
    let a = x + (<usize>(picture * positions + from + (r - picture * count)) * <usize>c << 2);
    let o = y + (<usize>r * <usize>out << 2);
    for (let j = 0; j < out; j++) {
      let sum: f32 = 0;
      for (let i = 0; i < k; i++) {
        sum += load<f32>(a);
        a += 4;
      }
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
  const row = <usize>c << 2;
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
    let g = dy + (<usize>(picture * count + position) * <usize>small << 2);
    let o = dx + at;
    let s = acc + at;
    for (let j = 0; j < small; j++) {
      const value = load<f32>(g) * factor;
      g += 4;
      for (let i = 0; i < k; i++) {
        store<f32>(o, acc == 0 ? value : load<f32>(s) + value);
        o += 4;
        s += 4;
      }
    }
  }
}
