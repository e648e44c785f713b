import { AdaptivePoolArg, AdaptivePoolBackwardArg } from '../abi/ops';
import { address, int } from '../argument';
import { first, last } from '../team';

/** First row (column) of window `i` of `out` over `size`. */
@inline function start(i: i32, size: i32, out: i32): i32 {
  return i * size / out;
}

/** One past its last. */
@inline function end(i: i32, size: i32, out: i32): i32 {
  return ((i + 1) * size + out - 1) / out;
}

/**
 * AdaptivePool: y[B,OH,OW,C] = means of x[B,H,W,C] over windows that cover it evenly (they overlap where OH does not divide H).
 *
 * Y overlaps nothing. Threads share the B·OH rows of windows. Source: PyTorch's adaptive_avg_pool2d.
 */
export function adaptivePool(p: usize): void {
  const x = address(p, AdaptivePoolArg.X);
  const y = address(p, AdaptivePoolArg.Y);
  const h = int(p, AdaptivePoolArg.H);
  const w = int(p, AdaptivePoolArg.WIDTH);
  const c = int(p, AdaptivePoolArg.C);
  const oh = int(p, AdaptivePoolArg.OH);
  const ow = int(p, AdaptivePoolArg.OW);
  const rows = int(p, AdaptivePoolArg.BATCH) * oh;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / oh;
    const i = r - picture * oh;
    const top = start(i, h, oh);
    const bottom = end(i, h, oh);
    for (let j = 0; j < ow; j++) {
      const left = start(j, w, ow);
      const right = end(j, w, ow);
      const factor: f32 = 1 / <f32>((bottom - top) * (right - left));
      const out = y + (<usize>(r * ow + j) * <usize>c << 2);
      let q = 0;
      for (; q < c; q++) {
        let sum: f32 = 0;
        for (let a = top; a < bottom; a++)
          for (let b = left; b < right; b++) sum += load<f32>(x + (<usize>((picture * h + a) * w + b) * <usize>c + <usize>q << 2));
        store<f32>(out + (<usize>q << 2), sum * factor);
      }
    }
  }
}

/**
 * AdaptivePoolBackward: dx[B,H,W,C] = Σ dy / (pixels of the window) over the windows that hold the pixel, in order.
 *
 * DX overlaps nothing. Threads share the B·H rows of pixels.
 */
export function adaptivePoolBackward(p: usize): void {
  const dy = address(p, AdaptivePoolBackwardArg.DY);
  const dx = address(p, AdaptivePoolBackwardArg.DX);
  const h = int(p, AdaptivePoolBackwardArg.H);
  const w = int(p, AdaptivePoolBackwardArg.WIDTH);
  const c = int(p, AdaptivePoolBackwardArg.C);
  const oh = int(p, AdaptivePoolBackwardArg.OH);
  const ow = int(p, AdaptivePoolBackwardArg.OW);
  const rows = int(p, AdaptivePoolBackwardArg.BATCH) * h;
  const until = last(rows);
  for (let r = first(rows); r < until; r++) {
    const picture = r / h;
    const a = r - picture * h;
    for (let b = 0; b < w; b++) {
      const out = dx + (<usize>(r * w + b) * <usize>c << 2);
      memory.fill(out, 0, <usize>c << 2);
      // Windows are few and their rows ascend: the first that can hold row a is at most one before a·OH/H.
      for (let i = max(0, a * oh / h - 1); i < oh && start(i, h, oh) <= a; i++) {
        if (end(i, h, oh) <= a) continue;
        for (let j = max(0, b * ow / w - 1); j < ow && start(j, w, ow) <= b; j++) {
          if (end(j, w, ow) <= b) continue;
          const factor: f32 = 1 / <f32>((end(i, h, oh) - start(i, h, oh)) * (end(j, w, ow) - start(j, w, ow)));
          const from = dy + (<usize>((picture * oh + i) * ow + j) * <usize>c << 2);
          for (let q: usize = 0; q < <usize>c << 2; q += 4) store<f32>(out + q, load<f32>(out + q) + load<f32>(from + q) * factor);
        }
      }
    }
  }
}
