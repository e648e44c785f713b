import { AdaptivePoolArg, AdaptivePoolBackwardArg } from '../abi/ops/module';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/** First row (column) of window `i` where `out` windows cover `size` rows: ⌊i·size/out⌋. */
@inline function start(i: i32, size: i32, out: i32): i32 {
  return (i * size) / out;
}

/** One past its last: ⌈(i+1)·size/out⌉. */
@inline function end(i: i32, size: i32, out: i32): i32 {
  return ((i + 1) * size + out - 1) / out;
}

/**
 * AdaptivePool: y[B,OH,OW,C] = means of x[B,H,W,C] over windows that cover it evenly (they overlap where OH does not divide H).
 *
 * Y overlaps nothing. Threads share the B·OH rows of windows; a window is summed row by row. Source: PyTorch's adaptive_avg_pool2d.
 */
export function adaptivePool(p: usize): void {
  const x = address(p, AdaptivePoolArg.X);
  const y = address(p, AdaptivePoolArg.Y);
  const h = int(p, AdaptivePoolArg.H);
  const w = int(p, AdaptivePoolArg.WIDTH);
  const oh = int(p, AdaptivePoolArg.OH);
  const ow = int(p, AdaptivePoolArg.OW);
  const pixel = (<usize>int(p, AdaptivePoolArg.C)) << 2;
  const rows = int(p, AdaptivePoolArg.BATCH) * oh;
  const until = last(rows);
  let out = y + <usize>(first(rows) * ow) * pixel;
  for (let r = first(rows); r < until; r++) {
    const picture = r / oh;
    const i = r - picture * oh;
    const top = start(i, h, oh);
    const height = end(i, h, oh) - top;
    for (let j = 0; j < ow; j++, out += pixel) {
      const left = start(j, w, ow);
      const width = end(j, w, ow) - left;
      mean(x + <usize>((picture * h + top) * w + left) * pixel, height, width, <usize>w * pixel, pixel, out);
    }
  }
}

/** The mean over `height` rows, `row` bytes apart, of `width` pixels of `pixel` bytes. */
@inline function mean(corner: usize, height: i32, width: i32, row: usize, pixel: usize, out: usize): void {
  const factor: f32 = 1 / <f32>(height * width);
  let q: usize = 0;
  for (; q + 16 <= pixel; q += 16) {
    let sum = f32x4.splat(0);
    for (let a = 0, line = corner + q; a < height; a++, line += row)
      for (let b = 0, at = line; b < width; b++, at += pixel) sum = f32x4.add(sum, v128.load(at));
    v128.store(out + q, f32x4.mul(sum, f32x4.splat(factor)));
  }
  for (; q < pixel; q += 4) {
    let sum: f32 = 0;
    for (let a = 0, line = corner + q; a < height; a++, line += row)
      for (let b = 0, at = line; b < width; b++, at += pixel) sum += load<f32>(at);
    store<f32>(out + q, sum * factor);
  }
}

/**
 * AdaptivePoolBackward: dx[B,H,W,C] = Σ dy / (pixels of the window) over the windows that hold the pixel, in order.
 *
 * Window i holds row a where ⌊iH/OH⌋ ≤ a < ⌈(i+1)H/OH⌉; a being whole, that is iH/OH < a+1 and (i+1)H/OH > a, or
 * ⌊a·OH/H⌋ ≤ i < ⌈(a+1)·OH/H⌉: the same two functions with the sizes exchanged.
 *
 * DX overlaps nothing. Threads share the B·H rows of pixels.
 */
export function adaptivePoolBackward(p: usize): void {
  const dy = address(p, AdaptivePoolBackwardArg.DY);
  const dx = address(p, AdaptivePoolBackwardArg.DX);
  const h = int(p, AdaptivePoolBackwardArg.H);
  const w = int(p, AdaptivePoolBackwardArg.WIDTH);
  const oh = int(p, AdaptivePoolBackwardArg.OH);
  const ow = int(p, AdaptivePoolBackwardArg.OW);
  const pixel = (<usize>int(p, AdaptivePoolBackwardArg.C)) << 2;
  const rows = int(p, AdaptivePoolBackwardArg.BATCH) * h;
  const until = last(rows);
  let out = dx + <usize>(first(rows) * w) * pixel;
  for (let r = first(rows); r < until; r++) {
    const picture = r / h;
    const a = r - picture * h;
    const bottom = end(a, oh, h);
    for (let b = 0; b < w; b++, out += pixel) {
      const right = end(b, ow, w);
      memory.fill(out, 0, pixel);
      for (let i = start(a, oh, h); i < bottom; i++) {
        const height = end(i, h, oh) - start(i, h, oh);
        for (let j = start(b, ow, w); j < right; j++) {
          const factor: f32 = 1 / <f32>(height * (end(j, w, ow) - start(j, w, ow)));
          addScaled(dy + <usize>((picture * oh + i) * ow + j) * pixel, factor, pixel, out);
        }
      }
    }
  }
}

/** Adds `factor` times the `bytes` of f32 at `from` to those at `to`. */
@inline function addScaled(from: usize, factor: f32, bytes: usize, to: usize): void {
  let q: usize = 0;
  for (; q + 16 <= bytes; q += 16) v128.store(to + q, f32x4.add(v128.load(to + q), f32x4.mul(v128.load(from + q), f32x4.splat(factor))));
  for (; q < bytes; q += 4) store<f32>(to + q, load<f32>(to + q) + load<f32>(from + q) * factor);
}
