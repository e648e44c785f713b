/**
 * Maps in NHWC at another size, and the transpose of that. A pixel lies between two rows and two columns (abi/ops/resize.ts), each a weight:
 *
 *   y = (1-a)·((1-b)·x[h0,w0] + b·x[h0,w1]) + a·((1-b)·x[h1,w0] + b·x[h1,w1])
 *
 * dx's terms come in the order of y's pixels. Nothing overlaps. Threads share the rows of pixels of what is written. Source: PyTorch's interpolate.
 */
import { ResizeArg, ResizeBackwardArg, Resizing } from '../abi/ops/resize';
import { address, int } from '../engine/argument';
import { madd } from '../engine/math';
import { first, last } from '../engine/team';

/** What `locate` found: two pixels, and the share of the second. */
let low: i32 = 0;
let high: i32 = 0;
let share: f32 = 0;

/** Where pixel i of `out` lies among `size`. */
function locate(i: i32, size: i32, out: i32, mode: i32): void {
  let at: f64 = 0;
  if (mode == Resizing.Nearest) at = <f64>((<i64>i * <i64>size) / <i64>out);
  else if (mode == Resizing.NearestCentre) at = <f64>(((((<i64>i) << 1) + 1) * <i64>size) / ((<i64>out) << 1));
  else if (mode == Resizing.Centre) at = max<f64>(((<f64>i + 0.5) * <f64>size) / <f64>out - 0.5, 0);
  else if (mode == Resizing.Edge) at = (<f64>i * <f64>size) / <f64>out;
  else if (out > 1) at = (<f64>i * <f64>(size - 1)) / <f64>(out - 1);
  low = min(<i32>at, size - 1);
  high = min(low + 1, size - 1);
  share = <f32>(at - <f64>low);
  if (high == low) share = 0;
}

export function resize(p: usize): void {
  const h = int(p, ResizeArg.H);
  const w = int(p, ResizeArg.WIDTH);
  const oh = int(p, ResizeArg.OH);
  const ow = int(p, ResizeArg.OW);
  const mode = int(p, ResizeArg.MODE);
  const pixel = (<usize>int(p, ResizeArg.C)) << 2;
  const rows = int(p, ResizeArg.BATCH) * oh;
  let y = address(p, ResizeArg.Y) + <usize>(first(rows) * ow) * pixel;
  for (let row = first(rows), end = last(rows); row < end; row++) {
    const picture = address(p, ResizeArg.X) + <usize>((row / oh) * h * w) * pixel;
    locate(row % oh, h, oh, mode);
    const top = picture + <usize>(low * w) * pixel;
    const bottom = picture + <usize>(high * w) * pixel;
    const a = share;
    for (let j = 0; j < ow; j++, y += pixel) {
      locate(j, w, ow, mode);
      const left = <usize>low * pixel;
      const right = <usize>high * pixel;
      if (a == 0 && share == 0) memory.copy(y, top + left, pixel);
      else blend(top + left, top + right, bottom + left, bottom + right, a, share, y, pixel);
    }
  }
}

function blend(x00: usize, x01: usize, x10: usize, x11: usize, a: f32, b: f32, y: usize, bytes: usize): void {
  const w00: f32 = (1 - a) * (1 - b);
  const w01: f32 = (1 - a) * b;
  const w10: f32 = a * (1 - b);
  const w11: f32 = a * b;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    let sum = f32x4.mul(v128.load(x00 + i), f32x4.splat(w00));
    sum = madd(v128.load(x01 + i), f32x4.splat(w01), sum);
    sum = madd(v128.load(x10 + i), f32x4.splat(w10), sum);
    v128.store(y + i, madd(v128.load(x11 + i), f32x4.splat(w11), sum));
  }
  for (; i < bytes; i += 4)
    store<f32>(y + i, load<f32>(x00 + i) * w00 + load<f32>(x01 + i) * w01 + load<f32>(x10 + i) * w10 + load<f32>(x11 + i) * w11);
}

export function resizeBackward(p: usize): void {
  const h = int(p, ResizeBackwardArg.H);
  const w = int(p, ResizeBackwardArg.WIDTH);
  const oh = int(p, ResizeBackwardArg.OH);
  const ow = int(p, ResizeBackwardArg.OW);
  const mode = int(p, ResizeBackwardArg.MODE);
  const pixel = (<usize>int(p, ResizeBackwardArg.C)) << 2;
  const rows = int(p, ResizeBackwardArg.BATCH) * h;
  for (let row = first(rows), end = last(rows); row < end; row++) {
    const line = address(p, ResizeBackwardArg.DX) + <usize>(row * w) * pixel;
    const picture = address(p, ResizeBackwardArg.DY) + <usize>((row / h) * oh * ow) * pixel;
    memory.fill(line, 0, <usize>w * pixel);
    for (let i = 0; i < oh; i++) {
      locate(i, h, oh, mode);
      const here = row % h;
      const a: f32 = low == here ? 1 - share : high == here ? share : 0;
      if (a == 0) continue;
      for (let j = 0, dy = picture + <usize>(i * ow) * pixel; j < ow; j++, dy += pixel) {
        locate(j, w, ow, mode);
        addScaled(dy, a * (1 - share), line + <usize>low * pixel, pixel);
        if (share != 0) addScaled(dy, a * share, line + <usize>high * pixel, pixel);
      }
    }
  }
}

/** y += factor·x over `bytes`. */
function addScaled(x: usize, factor: f32, y: usize, bytes: usize): void {
  const f = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, madd(v128.load(x + i), f, v128.load(y + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i) * factor);
}
