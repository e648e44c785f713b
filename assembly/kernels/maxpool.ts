import { MaxPoolArg, MaxPoolBackwardArg } from '../abi/ops/spatial';
import { address, int } from '../engine/argument';
import { first, last } from '../engine/team';

/** Bytes of the codes of one output position: 16 for every 32 channels. */
@inline function codeBytes(c: i32): usize {
  return (<usize>((c + 31) >> 5)) << 4;
}

/**
 * MaxPool: y[B,OH,OW,C] = the largest of the R·S taps x[iy,ix], iy = oy·STRIDE - TOP + r, ix = ox·STRIDE - LEFT + s. A tap outside the
 * picture counts as -∞. KEPT (0: nothing is kept) gets its number r·S + s, R·S ≤ 16: the first of equals and the last NaN, as PyTorch does.
 *
 * Y and KEPT overlap nothing. Threads share the B·OH rows. Reads x R·S/STRIDE² times, out of the cache but once.
 */
export function maxPool(p: usize): void {
  const x = address(p, MaxPoolArg.X);
  const kept = address(p, MaxPoolArg.KEPT);
  const h = int(p, MaxPoolArg.H);
  const width = int(p, MaxPoolArg.WIDTH);
  const c = int(p, MaxPoolArg.C);
  const oh = int(p, MaxPoolArg.OH);
  const ow = int(p, MaxPoolArg.OW);
  const r = int(p, MaxPoolArg.R);
  const s = int(p, MaxPoolArg.S);
  const stride = int(p, MaxPoolArg.STRIDE);
  const top = int(p, MaxPoolArg.TOP);
  const left = int(p, MaxPoolArg.LEFT);
  const cell = (<usize>c) << 2;
  const bytes = codeBytes(c);
  const until = last(int(p, MaxPoolArg.BATCH) * oh);
  const from = first(int(p, MaxPoolArg.BATCH) * oh);
  let out = address(p, MaxPoolArg.Y) + <usize>(from * ow) * cell;
  let codes = kept + <usize>(from * ow) * bytes;
  for (let row = from; row < until; row++) {
    const picture = row / oh;
    const iy = (row - picture * oh) * stride - top;
    const r0 = max(0, -iy);
    const nr = max(0, min(r, h - iy) - r0);
    const line = x + <usize>((picture * h + iy + r0) * width) * cell;
    for (let ox = 0; ox < ow; ox++) {
      const ix = ox * stride - left;
      const s0 = max(0, -ix);
      const ns = max(0, min(s, width - ix) - s0);
      pixel(line + <isize>(ix + s0) * <isize>cell, cell * width, nr, ns, r0 * s + s0, s, out, codes, c, kept != 0);
      out += cell;
      codes += bytes;
    }
  }
}

/** One output position: nr × ns taps inside the picture, the first of them number `tap`, `s` to a whole row of taps. */
function pixel(at: usize, line: usize, nr: i32, ns: i32, tap: i32, s: i32, y: usize, codes: usize, c: i32, keeps: bool): void {
  const cell = (<usize>c) << 2;
  let k = 0;
  for (; k + 32 <= c; k += 32) {
    const low = largest16(at, line, cell, nr, ns, tap, s, y);
    const high = largest16(at + 64, line, cell, nr, ns, tap, s, y + 64);
    if (keeps) v128.store(codes, v128.or(low, i8x16.shl(high, 4)));
    at += 128;
    y += 128;
    codes += 16;
  }
  if (k == c) return;
  if (keeps) v128.store(codes, i8x16.splat(0));
  for (let i = 0; k + i < c; i++) {
    const code = largest(at, line, cell, nr, ns, tap, s, y);
    if (keeps) {
      const byte = codes + (i & 15);
      store<u8>(byte, load<u8>(byte) | (code << ((i >> 4) << 2)));
    }
    at += 4;
    y += 4;
  }
}

/** The largest of sixteen channels each to y; returns their taps, a byte each. */
@inline function largest16(at: usize, line: usize, cell: usize, nr: i32, ns: i32, tap: i32, s: i32, y: usize): v128 {
  let a = f32x4.splat(-Infinity);
  let b = a;
  let c = a;
  let d = a;
  let codes = i8x16.splat(<i8>tap);
  for (let r = 0; r < nr; r++) {
    let from = at + <usize>r * line;
    for (let i = 0; i < ns; i++) {
      const va = v128.load(from);
      const vb = v128.load(from, 16);
      const vc = v128.load(from, 32);
      const vd = v128.load(from, 48);
      const ma = above(va, a);
      const mb = above(vb, b);
      const mc = above(vc, c);
      const md = above(vd, d);
      a = v128.bitselect(va, a, ma);
      b = v128.bitselect(vb, b, mb);
      c = v128.bitselect(vc, c, mc);
      d = v128.bitselect(vd, d, md);
      const mask = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(ma, mb), i16x8.narrow_i32x4_s(mc, md));
      codes = v128.bitselect(i8x16.splat(<i8>(tap + r * s + i)), codes, mask);
      from += cell;
    }
  }
  v128.store(y, a);
  v128.store(y, b, 16);
  v128.store(y, c, 32);
  v128.store(y, d, 48);
  return codes;
}

/** Where v replaces the largest so far: not (v ≤ best), but for a NaN that only another NaN replaces. */
@inline function above(v: v128, best: v128): v128 {
  return v128.or(f32x4.gt(v, best), f32x4.ne(v, v));
}

/** The same for one channel; returns its tap. */
function largest(at: usize, line: usize, cell: usize, nr: i32, ns: i32, tap: i32, s: i32, y: usize): i32 {
  let best: f32 = -Infinity;
  let code = tap;
  for (let r = 0; r < nr; r++) {
    let from = at + <usize>r * line;
    for (let i = 0; i < ns; i++) {
      const v = load<f32>(from);
      if (v > best || v != v) {
        best = v;
        code = tap + r * s + i;
      }
      from += cell;
    }
  }
  store<f32>(y, best);
  return code;
}

/**
 * MaxPoolBackward: dx[iy,ix] = Σ dy[oy,ox] over the outputs whose kept tap is this very pixel, in ascending (oy, ox).
 *
 * DX overlaps nothing. A gather: threads share the B·H rows of dx, and whose largest it was is asked of each window that holds the pixel.
 */
export function maxPoolBackward(p: usize): void {
  const dy = address(p, MaxPoolBackwardArg.DY);
  const kept = address(p, MaxPoolBackwardArg.KEPT);
  const h = int(p, MaxPoolBackwardArg.H);
  const width = int(p, MaxPoolBackwardArg.WIDTH);
  const c = int(p, MaxPoolBackwardArg.C);
  const oh = int(p, MaxPoolBackwardArg.OH);
  const ow = int(p, MaxPoolBackwardArg.OW);
  const r = int(p, MaxPoolBackwardArg.R);
  const s = int(p, MaxPoolBackwardArg.S);
  const stride = int(p, MaxPoolBackwardArg.STRIDE);
  const top = int(p, MaxPoolBackwardArg.TOP);
  const left = int(p, MaxPoolBackwardArg.LEFT);
  const cell = (<usize>c) << 2;
  const bytes = codeBytes(c);
  const until = last(int(p, MaxPoolBackwardArg.BATCH) * h);
  const from = first(int(p, MaxPoolBackwardArg.BATCH) * h);
  let out = address(p, MaxPoolBackwardArg.DX) + <usize>(from * width) * cell;
  for (let row = from; row < until; row++) {
    const picture = row / h;
    const y = row - picture * h + top;
    const y1 = min(oh - 1, y / stride);
    const y0 = firstWindow(y, r, stride);
    for (let ix = 0; ix < width; ix++) {
      const xx = ix + left;
      const x1 = min(ow - 1, xx / stride);
      const x0 = firstWindow(xx, s, stride);
      memory.fill(out, 0, cell);
      for (let oy = y0; oy <= y1; oy++) {
        for (let ox = x0; ox <= x1; ox++) {
          const position = <usize>((picture * oh + oy) * ow + ox);
          addWhere((y - oy * stride) * s + xx - ox * stride, kept + position * bytes, dy + position * cell, out, c);
        }
      }
      out += cell;
    }
  }
}

/** The first window of `size` taps that holds padded coordinate `at`. */
@inline function firstWindow(at: i32, size: i32, stride: i32): i32 {
  return at < size ? 0 : (at - size) / stride + 1;
}

/** dx += dy in the channels whose code is `tap`. */
function addWhere(tap: i32, codes: usize, dy: usize, dx: usize, c: i32): void {
  const taps = i8x16.splat(<i8>tap);
  const nibble = i8x16.splat(15);
  let k = 0;
  for (; k + 32 <= c; k += 32) {
    const block = v128.load(codes);
    add16(i8x16.eq(v128.and(block, nibble), taps), dy, dx);
    add16(i8x16.eq(i8x16.shr_u(block, 4), taps), dy + 64, dx + 64);
    codes += 16;
    dy += 128;
    dx += 128;
  }
  for (let i = 0; k + i < c; i++) {
    const code = (<i32>load<u8>(codes + (i & 15)) >> ((i >> 4) << 2)) & 15;
    if (code == tap) store<f32>(dx, load<f32>(dx) + load<f32>(dy));
    dy += 4;
    dx += 4;
  }
}

/** Sixteen channels by a mask of bytes. */
@inline function add16(mask: v128, dy: usize, dx: usize): void {
  if (!v128.any_true(mask)) return;
  const low = i16x8.extend_low_i8x16_s(mask);
  const high = i16x8.extend_high_i8x16_s(mask);
  add4(i32x4.extend_low_i16x8_s(low), dy, dx);
  add4(i32x4.extend_high_i16x8_s(low), dy + 16, dx + 16);
  add4(i32x4.extend_low_i16x8_s(high), dy + 32, dx + 32);
  add4(i32x4.extend_high_i16x8_s(high), dy + 48, dx + 48);
}

@inline function add4(mask: v128, dy: usize, dx: usize): void {
  v128.store(dx, f32x4.add(v128.load(dx), v128.and(v128.load(dy), mask)));
}
