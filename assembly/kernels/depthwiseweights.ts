/** Depthwise convolution's gradient of its filters; shapes and indices as in depthwise.ts. */
import { DepthwiseBackwardWArg } from '../abi/ops/spatial';
import { address, int } from '../engine/argument';
import { madd } from '../engine/math';
import { firstBy, lastBy } from '../engine/team';

/**
 * DepthwiseBackwardW: dw[r,s] += Σ dy[oy,ox]·x[iy,ix]. DW overlaps nothing. Threads share the channels in blocks of 16, so that no sum is
 * split: each output row is summed by itself, ox ascending, and added to dw in the order of rows.
 */
export function depthwiseBackwardW(p: usize): void {
  const dy = address(p, DepthwiseBackwardWArg.DY);
  const x = address(p, DepthwiseBackwardWArg.X);
  const dw = address(p, DepthwiseBackwardWArg.DW);
  const batch = int(p, DepthwiseBackwardWArg.BATCH);
  const h = int(p, DepthwiseBackwardWArg.H);
  const width = int(p, DepthwiseBackwardWArg.WIDTH);
  const c = int(p, DepthwiseBackwardWArg.C);
  const oh = int(p, DepthwiseBackwardWArg.OH);
  const ow = int(p, DepthwiseBackwardWArg.OW);
  const r = int(p, DepthwiseBackwardWArg.R);
  const s = int(p, DepthwiseBackwardWArg.S);
  const stride = int(p, DepthwiseBackwardWArg.STRIDE);
  const top = int(p, DepthwiseBackwardWArg.TOP);
  const left = int(p, DepthwiseBackwardWArg.LEFT);
  const cell = (<isize>c) << 2;
  const from = firstBy(c, 16);
  const n = lastBy(c, 16) - from;
  const at = (<usize>from) << 2;
  const rows = batch * oh;
  for (let row = 0; row < rows; row++) {
    const picture = row / oh;
    const g = dy + <usize>(row * ow) * cell + at;
    for (let i = 0; i < r; i++) {
      const iy = (row - picture * oh) * stride - top + i;
      if (iy < 0 || iy >= h) continue;
      const line = x + <usize>((picture * h + iy) * width) * cell + at;
      for (let j = 0; j < s; j++) {
        // ix = ox·stride - left + j must lie in 0 … W-1.
        const low = max(0, (left - j + stride - 1) / stride);
        const high = min(ow, (width - 1 + left - j + stride) / stride);
        if (low >= high) continue;
        const start = line + <isize>(low * stride - left + j) * cell;
        tapRow(start, cell * stride, g + <isize>low * cell, cell, high - low, dw + <usize>(i * s + j) * cell + at, n);
      }
    }
  }
}

/** dw[0…n) += Σ x·dy over `count` positions, `xStep` and `gStep` bytes apart. */
function tapRow(x: usize, xStep: isize, g: usize, gStep: isize, count: i32, dw: usize, n: i32): void {
  const zero = f32x4.splat(0);
  for (; n >= 16; n -= 16) {
    let s0 = zero;
    let s1 = zero;
    let s2 = zero;
    let s3 = zero;
    let xs = x;
    let gs = g;
    for (let i = 0; i < count; i++) {
      s0 = madd(v128.load(xs), v128.load(gs), s0);
      s1 = madd(v128.load(xs, 16), v128.load(gs, 16), s1);
      s2 = madd(v128.load(xs, 32), v128.load(gs, 32), s2);
      s3 = madd(v128.load(xs, 48), v128.load(gs, 48), s3);
      xs += xStep;
      gs += gStep;
    }
    v128.store(dw, f32x4.add(v128.load(dw), s0));
    v128.store(dw, f32x4.add(v128.load(dw, 16), s1), 16);
    v128.store(dw, f32x4.add(v128.load(dw, 32), s2), 32);
    v128.store(dw, f32x4.add(v128.load(dw, 48), s3), 48);
    x += 64;
    g += 64;
    dw += 64;
  }
  for (; n >= 4; n -= 4) {
    let sum = zero;
    let xs = x;
    let gs = g;
    for (let i = 0; i < count; i++) {
      sum = madd(v128.load(xs), v128.load(gs), sum);
      xs += xStep;
      gs += gStep;
    }
    v128.store(dw, f32x4.add(v128.load(dw), sum));
    x += 16;
    g += 16;
    dw += 16;
  }
  for (; n > 0; n--) {
    let sum: f32 = 0;
    let xs = x;
    let gs = g;
    for (let i = 0; i < count; i++) {
      sum += load<f32>(xs) * load<f32>(gs);
      xs += xStep;
      gs += gStep;
    }
    store<f32>(dw, load<f32>(dw) + sum);
    x += 4;
    g += 4;
    dw += 4;
  }
}
