/**
 * Depthwise convolution, NHWC, one filter a channel: x[B,H,W,C], w[R,S,C], y[B,OH,OW,C], any R, S, STRIDE and C. Taps outside the picture
 * are left out: no padded copy is made. Every output is one chain, its bias first, then its taps in ascending (r, s), whichever path
 * computes it.
 *
 * `pixel` serves every size and the borders; 3×3 filters at stride 1 and 2, four channels at a time, have paths of their own in their
 * interior.
 */
import { DepthwiseArg, DepthwiseBackwardXArg } from '../abi/ops/spatial';
import { address, int } from '../engine/argument';
import { madd } from '../engine/math';
import { first, last } from '../engine/team';

/**
 * Depthwise: y = b + Σ_rs w[r,s]·x[iy,ix], iy = oy·STRIDE - TOP + r, ix = ox·STRIDE - LEFT + s. B [C] may be 0; Y overlaps nothing.
 *
 * Threads share the B·OH rows. Bytes moved: x and y once from memory while three rows fit a cache.
 */
export function depthwise(p: usize): void {
  const c = int(p, DepthwiseArg.C);
  const s = int(p, DepthwiseArg.S);
  correlate(
    address(p, DepthwiseArg.X),
    address(p, DepthwiseArg.W),
    (<isize>c) << 2,
    address(p, DepthwiseArg.B),
    address(p, DepthwiseArg.Y),
    int(p, DepthwiseArg.BATCH),
    int(p, DepthwiseArg.H),
    int(p, DepthwiseArg.WIDTH),
    c,
    int(p, DepthwiseArg.OH),
    int(p, DepthwiseArg.OW),
    int(p, DepthwiseArg.R),
    s,
    int(p, DepthwiseArg.STRIDE),
    int(p, DepthwiseArg.TOP),
    int(p, DepthwiseArg.LEFT),
  );
}

/**
 * DepthwiseBackwardX: dx[iy,ix] = Σ w[r,s]·dy[oy,ox] over the outputs that used it: STRIDE·oy = iy + TOP - r, STRIDE·ox = ix + LEFT - s.
 * DX overlaps nothing. A gather: threads share the B·H rows of dx. With STRIDE 1 it is `correlate` with the filter turned by 180°.
 */
export function depthwiseBackwardX(p: usize): void {
  const dy = address(p, DepthwiseBackwardXArg.DY);
  const dx = address(p, DepthwiseBackwardXArg.DX);
  const batch = int(p, DepthwiseBackwardXArg.BATCH);
  const h = int(p, DepthwiseBackwardXArg.H);
  const width = int(p, DepthwiseBackwardXArg.WIDTH);
  const c = int(p, DepthwiseBackwardXArg.C);
  const oh = int(p, DepthwiseBackwardXArg.OH);
  const ow = int(p, DepthwiseBackwardXArg.OW);
  const r = int(p, DepthwiseBackwardXArg.R);
  const s = int(p, DepthwiseBackwardXArg.S);
  const stride = int(p, DepthwiseBackwardXArg.STRIDE);
  const top = int(p, DepthwiseBackwardXArg.TOP);
  const left = int(p, DepthwiseBackwardXArg.LEFT);
  const w = address(p, DepthwiseBackwardXArg.W);
  const cell = (<isize>c) << 2;
  if (stride == 1) {
    const lastTap = w + <usize>(r * s - 1) * cell;
    correlate(dy, lastTap, -cell, 0, dx, batch, oh, ow, c, h, width, r, s, 1, r - 1 - top, s - 1 - left);
    return;
  }
  const rows = batch * h;
  const until = last(rows);
  for (let row = first(rows); row < until; row++) {
    const picture = row / h;
    const y = row - picture * h + top;
    // The first r whose output row is a whole number, at most OH-1; then every STRIDE-th while r < R and oy ≥ 0.
    const r0 = firstTap(y, stride, oh);
    const oy = (y - r0) / stride;
    const nr = nTaps(r0, r, stride, y);
    const from = dy + <usize>(picture * oh + oy) * ow * cell;
    for (let ix = 0; ix < width; ix++) {
      const x = ix + left;
      const s0 = firstTap(x, stride, ow);
      const ox = (x - s0) / stride;
      pixel(
        from + <isize>ox * cell,
        -cell * ow,
        -cell,
        w + <usize>(r0 * s + s0) * cell,
        cell * s * stride,
        cell * stride,
        nr,
        nTaps(s0, s, stride, x),
        0,
        dx + <usize>(row * width + ix) * cell,
        c,
      );
    }
  }
}

/** The smallest tap t ≥ 0 with (at - t) divisible by the stride and (at - t)/stride < n. */
@inline function firstTap(at: i32, stride: i32, n: i32): i32 {
  const t = at % stride;
  return max(t, at - (n - 1) * stride);
}

/** How many of the taps t, t + stride, … lie below both `size` and `at` + 1. */
@inline function nTaps(t: i32, size: i32, stride: i32, at: i32): i32 {
  return max(0, (min(size - 1, at) - t + stride) / stride);
}

/**
 * The forward pass, and with `wStep` negative (w at the last tap) its adjoint at stride 1; `wStep` is the distance in bytes from a tap to
 * the next.
 */
function correlate(
  x: usize,
  w: usize,
  wStep: isize,
  b: usize,
  y: usize,
  batch: i32,
  h: i32,
  width: i32,
  c: i32,
  oh: i32,
  ow: i32,
  r: i32,
  s: i32,
  stride: i32,
  top: i32,
  left: i32,
): void {
  const cell = (<isize>c) << 2;
  const fast = r == 3 && s == 3 && stride <= 2 && c % 4 == 0;
  const rows = batch * oh;
  const until = last(rows);
  for (let row = first(rows); row < until; row++) {
    const picture = row / oh;
    const iy = (row - picture * oh) * stride - top;
    const r0 = max(0, -iy);
    const nr = max(0, min(r, h - iy) - r0);
    const line = x + <isize>((picture * h + iy + r0) * width) * cell;
    const tap = w + <isize>(r0 * s) * wStep;
    const out = y + <usize>(row * ow) * cell;
    for (let ox = 0; ox < ow; ox++) {
      const ix = ox * stride - left;
      if (fast && ix >= 0 && ix + 2 + stride < width) {
        // As many pairs of neighbours as see no column outside the picture.
        const pairs = min((width - 3 - ix) / stride + 1, ow - ox) >> 1;
        if (pairs > 0) {
          const from = line + <isize>ix * cell;
          if (stride == 1) pairs1(from, cell * width, tap, wStep, nr, b, out + <usize>ox * cell, cell, pairs);
          else pairs2(from, cell * width, tap, wStep, nr, b, out + <usize>ox * cell, cell, pairs);
          ox += 2 * pairs - 1;
          continue;
        }
      }
      const s0 = max(0, -ix);
      const ns = max(0, min(s, width - ix) - s0);
      pixel(
        line + <isize>(ix + s0) * cell,
        cell * width,
        cell,
        tap + <isize>s0 * wStep,
        wStep * s,
        wStep,
        nr,
        ns,
        b,
        out + <usize>ox * cell,
        c,
      );
    }
  }
}

/**
 * 2·`pairs` neighbouring outputs of a filter of `nr` rows of 3 at stride 1, all channels (a multiple of 4; a cell is their bytes), no
 * column outside: two outputs by four channels at a time share their weights and the two middle columns.
 */
function pairs1(x: usize, xRow: isize, w: usize, wStep: isize, nr: i32, b: usize, y: usize, cell: usize, pairs: i32): void {
  const zero = f32x4.splat(0);
  const cell2 = cell << 1;
  const wRow = wStep * 3;
  for (; pairs > 0; pairs--) {
    for (let at: usize = 0; at < cell; at += 16) {
      let sum0 = b != 0 ? v128.load(b + at) : zero;
      let sum1 = sum0;
      let xs = x + at;
      let ws = w + at;
      for (let i = 0; i < nr; i++) {
        const w0 = v128.load(ws);
        const w1 = v128.load(ws + wStep);
        const w2 = v128.load(ws + 2 * wStep);
        const x1 = v128.load(xs + cell);
        const x2 = v128.load(xs + cell2);
        sum0 = madd(v128.load(xs), w0, sum0);
        sum1 = madd(x1, w0, sum1);
        sum0 = madd(x1, w1, sum0);
        sum1 = madd(x2, w1, sum1);
        sum0 = madd(x2, w2, sum0);
        sum1 = madd(v128.load(xs + cell2 + cell), w2, sum1);
        xs += xRow;
        ws += wRow;
      }
      v128.store(y + at, sum0);
      v128.store(y + cell + at, sum1);
    }
    x += cell2;
    y += cell2;
  }
}

/** The same at stride 2: the two outputs share their weights and one column. */
function pairs2(x: usize, xRow: isize, w: usize, wStep: isize, nr: i32, b: usize, y: usize, cell: usize, pairs: i32): void {
  const zero = f32x4.splat(0);
  const cell2 = cell << 1;
  const wRow = wStep * 3;
  for (; pairs > 0; pairs--) {
    for (let at: usize = 0; at < cell; at += 16) {
      let sum0 = b != 0 ? v128.load(b + at) : zero;
      let sum1 = sum0;
      let xs = x + at;
      let ws = w + at;
      for (let i = 0; i < nr; i++) {
        const w0 = v128.load(ws);
        const w1 = v128.load(ws + wStep);
        const w2 = v128.load(ws + 2 * wStep);
        const x2 = v128.load(xs + cell2);
        sum0 = madd(v128.load(xs), w0, sum0);
        sum1 = madd(x2, w0, sum1);
        sum0 = madd(v128.load(xs + cell), w1, sum0);
        sum1 = madd(v128.load(xs + cell2 + cell), w1, sum1);
        sum0 = madd(x2, w2, sum0);
        sum1 = madd(v128.load(xs + 2 * cell2), w2, sum1);
        xs += xRow;
        ws += wRow;
      }
      v128.store(y + at, sum0);
      v128.store(y + cell + at, sum1);
    }
    x += 2 * cell2;
    y += cell2;
  }
}

/**
 * One output position, all `c` channels: y = b + Σ_ij w[i,j]·x[i,j], i < nr, j < ns; a step of i moves `xRow` and `wRow` bytes, one of j
 * `xStep` and `wStep`.
 */
function pixel(
  x: usize,
  xRow: isize,
  xStep: isize,
  w: usize,
  wRow: isize,
  wStep: isize,
  nr: i32,
  ns: i32,
  b: usize,
  y: usize,
  c: i32,
): void {
  const zero = f32x4.splat(0);
  let n = c;
  for (; n >= 16; n -= 16) {
    let s0 = zero;
    let s1 = zero;
    let s2 = zero;
    let s3 = zero;
    if (b != 0) {
      s0 = v128.load(b);
      s1 = v128.load(b, 16);
      s2 = v128.load(b, 32);
      s3 = v128.load(b, 48);
      b += 64;
    }
    for (let i = 0; i < nr; i++) {
      let xs = x + xRow * i;
      let ws = w + wRow * i;
      for (let j = 0; j < ns; j++) {
        s0 = madd(v128.load(xs), v128.load(ws), s0);
        s1 = madd(v128.load(xs, 16), v128.load(ws, 16), s1);
        s2 = madd(v128.load(xs, 32), v128.load(ws, 32), s2);
        s3 = madd(v128.load(xs, 48), v128.load(ws, 48), s3);
        xs += xStep;
        ws += wStep;
      }
    }
    v128.store(y, s0);
    v128.store(y, s1, 16);
    v128.store(y, s2, 32);
    v128.store(y, s3, 48);
    x += 64;
    w += 64;
    y += 64;
  }
  if (n > 0) narrow(x, xRow, xStep, w, wRow, wStep, nr, ns, b, y, n);
}

/** The same for fewer than 16 channels: by four, then one by one. */
function narrow(
  x: usize,
  xRow: isize,
  xStep: isize,
  w: usize,
  wRow: isize,
  wStep: isize,
  nr: i32,
  ns: i32,
  b: usize,
  y: usize,
  c: i32,
): void {
  let n = c;
  for (; n >= 4; n -= 4) {
    let sum = f32x4.splat(0);
    if (b != 0) {
      sum = v128.load(b);
      b += 16;
    }
    for (let i = 0; i < nr; i++) {
      let xs = x + xRow * i;
      let ws = w + wRow * i;
      for (let j = 0; j < ns; j++) {
        sum = madd(v128.load(xs), v128.load(ws), sum);
        xs += xStep;
        ws += wStep;
      }
    }
    v128.store(y, sum);
    x += 16;
    w += 16;
    y += 16;
  }
  for (; n > 0; n--) {
    let sum: f32 = 0;
    if (b != 0) {
      sum = load<f32>(b);
      b += 4;
    }
    for (let i = 0; i < nr; i++) {
      let xs = x + xRow * i;
      let ws = w + wRow * i;
      for (let j = 0; j < ns; j++) {
        sum += load<f32>(xs) * load<f32>(ws);
        xs += xStep;
        ws += wStep;
      }
    }
    store<f32>(y, sum);
    x += 4;
    w += 4;
    y += 4;
  }
}
