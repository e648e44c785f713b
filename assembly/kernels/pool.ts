import { PoolArg, PoolBackwardArg } from '../abi/ops/spatial';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/** Channels that one thread takes at a time: a cache line. */
const BLOCK: i32 = 16;

/**
 * Pool: y[B,C] = 1/COUNT · Σ x[B,P,C] over positions FIRST … FIRST+COUNT-1, summed in ascending order. COUNT = 1 copies one position.
 *
 * Y overlaps nothing. Threads share (picture, 16 channels). Reads COUNT·C, writes C floats a picture.
 */
export function pool(p: usize): void {
  const x = address(p, PoolArg.X);
  const y = address(p, PoolArg.Y);
  const positions = int(p, PoolArg.P);
  const c = int(p, PoolArg.C);
  const from = int(p, PoolArg.FIRST);
  const count = int(p, PoolArg.COUNT);
  const row = (<usize>c) << 2;
  const blocks = (c + BLOCK - 1) / BLOCK;
  const all = int(p, PoolArg.BATCH) * blocks;
  const until = last(all);
  for (let unit = first(all); unit < until; unit++) {
    const picture = unit / blocks;
    const channel = (unit - picture * blocks) * BLOCK;
    const at = (<usize>channel) << 2;
    mean(x + <usize>(picture * positions + from) * row + at, y + <usize>picture * row + at, min(BLOCK, c - channel), count, row);
  }
}

/** y[0…n) = mean of `count` rows of x, `row` bytes apart. */
function mean(x: usize, y: usize, n: i32, count: i32, row: usize): void {
  const factor: f32 = 1 / <f32>count;
  let c = 0;
  for (; c + 4 <= n; c += 4) {
    let a = x;
    let sum = f32x4.splat(0);
    for (let i = 0; i < count; i++) {
      sum = f32x4.add(sum, v128.load(a));
      a += row;
    }
    v128.store(y, f32x4.mul(sum, f32x4.splat(factor)));
    x += 16;
    y += 16;
  }
  for (; c < n; c++) {
    let a = x;
    let sum: f32 = 0;
    for (let i = 0; i < count; i++) {
      sum += load<f32>(a);
      a += row;
    }
    store<f32>(y, sum * factor);
    x += 4;
    y += 4;
  }
}

/**
 * PoolBackward: dx[B,P,C] = dy[B,C]/COUNT in positions FIRST … FIRST+COUNT-1 and 0 elsewhere, + acc[B,P,C].
 *
 * ACC may be 0 (absent) or equal DX; DY overlaps neither. Threads share the B·P rows. Writes B·P·C floats.
 */
export function poolBackward(p: usize): void {
  const dy = address(p, PoolBackwardArg.DY);
  const acc = address(p, PoolBackwardArg.ACC);
  const dx = address(p, PoolBackwardArg.DX);
  const positions = int(p, PoolBackwardArg.P);
  const c = int(p, PoolBackwardArg.C);
  const from = int(p, PoolBackwardArg.FIRST);
  const count = int(p, PoolBackwardArg.COUNT);
  const row = (<usize>c) << 2;
  const factor: f32 = 1 / <f32>count;
  const rows = int(p, PoolBackwardArg.BATCH) * positions;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / positions;
    const position = r - picture * positions;
    const out = dx + <usize>r * row;
    if (position >= from && position < from + count) {
      spread(dy + <usize>picture * row, acc == 0 ? 0 : acc + <usize>r * row, out, c, factor);
    } else if (acc == 0) {
      memory.fill(out, 0, row);
    } else if (acc != dx) {
      memory.copy(out, acc + <usize>r * row, row);
    }
  }
}

/** dx[0…n) = factor·dy + acc; acc may be 0. */
function spread(dy: usize, acc: usize, dx: usize, n: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  let c = 0;
  for (; c + 4 <= n; c += 4) {
    let g = f32x4.mul(v128.load(dy), factors);
    if (acc != 0) {
      g = f32x4.add(g, v128.load(acc));
      acc += 16;
    }
    v128.store(dx, g);
    dy += 16;
    dx += 16;
  }
  for (; c < n; c++) {
    let g = load<f32>(dy) * factor;
    if (acc != 0) {
      g += load<f32>(acc);
      acc += 4;
    }
    store<f32>(dx, g);
    dy += 4;
    dx += 4;
  }
}
