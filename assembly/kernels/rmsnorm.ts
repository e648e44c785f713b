/**
 * Norms over rows that take no mean away: x̂ = x·r, y = x̂·gamma (arXiv 1910.07467), and rows of length 1, of which r is 1/max(‖x‖, EPS).
 *
 *   x, y, dy, dx, acc  f32 [M, C]         gamma  f32 [C], or 0: ones         r  f32 [M]         x̂  as layer norm keeps it
 *
 * In place: y may be x; dx may be dy or acc. Threads share the rows. Sums of squares are f32, four partial sums, added in one order whatever KEEP
 * and the number of threads are. Scratch: 4·C rounded up to 128 bytes (`rmsNormScratch`).
 */
import { Keep } from '../abi/keep';
import { RmsNormArg as F, RmsNormBackwardArg as B } from '../abi/ops/rmsnorm';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { madd, sum4 } from '../engine/math';
import { fail } from '../engine/status';
import { first, last, scratch } from '../engine/team';
import { decode4, decodeRow8, encode4, encodeRow8, group4RowBytes } from './quantised';

@inline function isKept(keep: i32): bool {
  return keep == Keep.Value || keep == Keep.Group4 || keep == Keep.Group8;
}

export function rmsNorm(p: usize): void {
  const c = int(p, F.C);
  const keep = int(p, F.KEEP);
  if (keep != Keep.Nothing && !isKept(keep)) return fail(Status.BadEncoding);
  const row = (<usize>c) << 2;
  const kept = address(p, F.XHAT);
  const eps = float(p, F.EPS);
  for (let m = first(int(p, F.M)), end = last(int(p, F.M)); m < end; m++) {
    const at = <usize>m * row;
    const x = address(p, F.X) + at;
    const squares = product(x, x, row);
    const r: f32 = int(p, F.UNIT) ? 1 / max<f32>(sqrt<f32>(squares), eps) : 1 / sqrt<f32>(squares / <f32>c + eps);
    const xhat = keep == Keep.Value ? kept + at : scratch;
    scaleRow(x, r, xhat, row);
    if (keep == Keep.Group4) encode4(xhat, c, kept + <usize>m * group4RowBytes(c));
    else if (keep == Keep.Group8) encodeRow8(xhat, m, int(p, F.M), c, int(p, F.GROUPS), kept);
    if (keep != Keep.Nothing) store<f32>(address(p, F.RSTD) + ((<usize>m) << 2), r);
    multiplyRow(xhat, address(p, F.GAMMA), address(p, F.Y) + at, row);
  }
}

export function rmsNormBackward(p: usize): void {
  const c = int(p, B.C);
  const keep = int(p, B.KEEP);
  if (!isKept(keep)) return fail(Status.BadEncoding);
  const row = (<usize>c) << 2;
  const kept = address(p, B.XHAT);
  const acc = address(p, B.ACC);
  const unit = int(p, B.UNIT) != 0;
  const most: f32 = 1 / float(p, B.EPS);
  for (let m = first(int(p, B.M)), end = last(int(p, B.M)); m < end; m++) {
    const at = <usize>m * row;
    let xhat = kept + at;
    if (keep != Keep.Value) {
      xhat = scratch;
      if (keep == Keep.Group4) decode4(kept + <usize>m * group4RowBytes(c), c, 0, c, scratch);
      else decodeRow8(kept, m, int(p, B.M), c, int(p, B.GROUPS), 0, int(p, B.GROUPS), scratch);
    }
    const r = load<f32>(address(p, B.RSTD) + ((<usize>m) << 2));
    const cut = unit && r >= most;
    backwardRow(
      xhat,
      r,
      address(p, B.GAMMA),
      address(p, B.DY) + at,
      acc == 0 ? 0 : acc + at,
      address(p, B.DX) + at,
      row,
      cut ? 0 : unit ? 1 : <f32>c,
    );
  }
}

/** dx = r·(g - x̂·Σ(g·x̂)/count) + acc, g = dy·gamma; `count` 0: the sum is left out. */
function backwardRow(xhat: usize, r: f32, gamma: usize, dy: usize, acc: usize, dx: usize, bytes: usize, count: f32): void {
  let sum: f32 = 0;
  if (count != 0) sum = (gamma == 0 ? product(dy, xhat, bytes) : product3(dy, gamma, xhat, bytes)) / count;
  const s = f32x4.splat(sum);
  const factor = f32x4.splat(r);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    let g = v128.load(dy + i);
    if (gamma != 0) g = f32x4.mul(g, v128.load(gamma + i));
    const d = f32x4.mul(f32x4.sub(g, f32x4.mul(v128.load(xhat + i), s)), factor);
    v128.store(dx + i, acc == 0 ? d : f32x4.add(d, v128.load(acc + i)));
  }
  for (; i < bytes; i += 4) {
    let g = load<f32>(dy + i);
    if (gamma != 0) g *= load<f32>(gamma + i);
    const d = (g - load<f32>(xhat + i) * sum) * r;
    store<f32>(dx + i, acc == 0 ? d : d + load<f32>(acc + i));
  }
}

/** Σ a·b over `bytes`. */
function product(a: usize, b: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) sum = madd(v128.load(a + i), v128.load(b + i), sum);
  let total = sum4(sum);
  for (; i < bytes; i += 4) total += load<f32>(a + i) * load<f32>(b + i);
  return total;
}

/** Σ a·b·c over `bytes`. */
function product3(a: usize, b: usize, c: usize, bytes: usize): f32 {
  let sum = f32x4.splat(0);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) sum = madd(f32x4.mul(v128.load(a + i), v128.load(b + i)), v128.load(c + i), sum);
  let total = sum4(sum);
  for (; i < bytes; i += 4) total += load<f32>(a + i) * load<f32>(b + i) * load<f32>(c + i);
  return total;
}

/** y = x·factor over `bytes`. */
function scaleRow(x: usize, factor: f32, y: usize, bytes: usize): void {
  const f = f32x4.splat(factor);
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.mul(v128.load(x + i), f));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(x + i) * factor);
}

/** y = x·gamma over `bytes`; gamma may be 0: ones. */
function multiplyRow(x: usize, gamma: usize, y: usize, bytes: usize): void {
  if (gamma == 0) {
    memory.copy(y, x, bytes);
    return;
  }
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.mul(v128.load(x + i), v128.load(gamma + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(x + i) * load<f32>(gamma + i));
}
