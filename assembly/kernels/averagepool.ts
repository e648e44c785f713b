/**
 * Means of windows of maps in NHWC; which pixels count: abi/ops/averagepool.ts. A window is summed row by row, dx's terms in the order of the
 * windows. Nothing overlaps. Threads share the rows of pixels of what is written. Source: PyTorch's avg_pool2d.
 */
import { AveragePoolArg, AveragePoolBackwardArg } from '../abi/ops/averagepool';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

let height: i32 = 0;
let width: i32 = 0;
let outHeight: i32 = 0;
let outWidth: i32 = 0;
let R: i32 = 0;
let S: i32 = 0;
let stepY: i32 = 0;
let stepX: i32 = 0;
let top: i32 = 0;
let left: i32 = 0;
let bottom: i32 = 0;
let right: i32 = 0;
let padded: bool = false;
/** Bytes of a pixel. */
let pixel: usize = 0;

/** Reads the shape, whose arguments follow each other from H on, at `at`, in both instructions. */
function readShape(p: usize, at: i32): void {
  height = int(p, at);
  width = int(p, at + 1);
  pixel = (<usize>int(p, at + 2)) << 2;
  outHeight = int(p, at + 3);
  outWidth = int(p, at + 4);
  R = int(p, at + 5);
  S = int(p, at + 6);
  stepY = int(p, at + 7);
  stepX = int(p, at + 8);
  top = int(p, at + 9);
  left = int(p, at + 10);
  bottom = int(p, at + 11);
  right = int(p, at + 12);
  padded = int(p, at + 13) != 0;
}

/** Of `n` taps from `start` on, how many count along an axis of `size` with so much padding before and after. */
@inline function counted(start: i32, n: i32, size: i32, before: i32, after: i32): i32 {
  return padded ? min(start + n, size + after) - max(start, -before) : min(start + n, size) - max(start, 0);
}

/** What the window at row i, column j divides by, turned over. */
@inline function factorOf(i: i32, j: i32): f32 {
  const rows = counted(i * stepY - top, R, height, top, bottom);
  const columns = counted(j * stepX - left, S, width, left, right);
  return 1 / <f32>(rows * columns);
}

export function averagePool(p: usize): void {
  readShape(p, AveragePoolArg.H);
  const rows = int(p, AveragePoolArg.BATCH) * outHeight;
  let y = address(p, AveragePoolArg.Y) + <usize>(first(rows) * outWidth) * pixel;
  for (let row = first(rows), end = last(rows); row < end; row++) {
    const i = row % outHeight;
    const from = max(i * stepY - top, 0);
    const until = min(i * stepY - top + R, height);
    const picture = address(p, AveragePoolArg.X) + <usize>((row / outHeight) * height * width) * pixel;
    for (let j = 0; j < outWidth; j++, y += pixel) {
      const v0 = max(j * stepX - left, 0);
      const v1 = min(j * stepX - left + S, width);
      const factor = factorOf(i, j);
      memory.fill(y, 0, pixel);
      for (let h = from; h < until; h++) for (let v = v0; v < v1; v++) addScaled(picture + <usize>(h * width + v) * pixel, 1, y);
      scale(y, factor);
    }
  }
}

export function averagePoolBackward(p: usize): void {
  readShape(p, AveragePoolBackwardArg.H);
  const rows = int(p, AveragePoolBackwardArg.BATCH) * height;
  let dx = address(p, AveragePoolBackwardArg.DX) + <usize>(first(rows) * width) * pixel;
  for (let row = first(rows), end = last(rows); row < end; row++) {
    const h = (row % height) + top;
    const i0 = firstWindow(h, R, stepY);
    const i1 = min(h / stepY + 1, outHeight);
    const picture = address(p, AveragePoolBackwardArg.DY) + <usize>((row / height) * outHeight * outWidth) * pixel;
    for (let v = left; v < width + left; v++, dx += pixel) {
      const j0 = firstWindow(v, S, stepX);
      const j1 = min(v / stepX + 1, outWidth);
      memory.fill(dx, 0, pixel);
      for (let i = i0; i < i1; i++)
        for (let j = j0; j < j1; j++) addScaled(picture + <usize>(i * outWidth + j) * pixel, factorOf(i, j), dx);
    }
  }
}

/** The first window of `n` taps, `step` apart, that holds position `at`, both counted from the first window's begin. */
@inline function firstWindow(at: i32, n: i32, step: i32): i32 {
  return at < n ? 0 : (at - n) / step + 1;
}

/** y += factor·x, one pixel. */
function addScaled(x: usize, factor: f32, y: usize): void {
  const f = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= pixel; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(v128.load(x + i), f)));
  for (; i < pixel; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i) * factor);
}

function scale(y: usize, factor: f32): void {
  const f = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= pixel; i += 16) v128.store(y + i, f32x4.mul(v128.load(y + i), f));
  for (; i < pixel; i += 4) store<f32>(y + i, load<f32>(y + i) * factor);
}
