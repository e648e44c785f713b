/**
 * Layer norm over rows: x̂ = (x - mean)·rstd, rstd = 1/√(variance + EPS), y = x̂·gamma + beta.
 *
 *   x, y, dy, dx, acc  f32 [M, C]         gamma, beta, dgamma  f32 [C]         rstd  f32 [M]
 *   x̂                  KEEP = Value: f32 [M, C]; Group4: M rows of group4RowBytes(C); Group8: a group8 tensor (abi/groups.ts)
 *
 * In place: y may be x; dx may be dy or acc. Threads share rows; in BackwardW columns, 64 (or a group) at a time, so that a group has one owner.
 * Mean and variance are two passes in f32, sixteen partial sums each, added in one order whatever KEEP and the number of threads are.
 * Scratch (backward; forward of Group8: one of them): 4·C rounded up to 128 bytes, twice (`layerNormScratch` in abi/ops/norm.ts).
 * A row that holds a NaN or an infinity becomes NaN, kept x̂ and gradients too: nothing hides it.
 */
import { Group } from '../abi/groups';
import { Keep } from '../abi/keep';
import { LayerNormArg as F, LayerNormBackwardArg as B, LayerNormBackwardWArg as W } from '../abi/ops/norm';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { madd, sum4 } from '../engine/math';
import { fail } from '../engine/status';
import { first, last, scratch } from '../engine/team';
import { block4, code4, codes4, decode4, decodeRow8, encodeRow8, group4HeadBytes, group4RowBytes } from './quantised';
import { inverse4, mask4, minimum4, offset4, writeHeaders4 } from './quantised';

export function layerNorm(p: usize): void {
  const c = int(p, F.C);
  const keep = int(p, F.KEEP);
  const gamma = address(p, F.GAMMA);
  const beta = address(p, F.BETA);
  const row = (<usize>c) << 2;
  const keptRow = keep == Keep.Group4 ? group4RowBytes(c) : keep == Keep.Value ? row : 0;
  if (keep != Keep.Nothing && keep != Keep.Group8 && keptRow == 0) return fail(Status.BadEncoding);
  const begin = first(int(p, F.M));
  const end = last(int(p, F.M));
  let x = address(p, F.X) + <usize>begin * row;
  let y = address(p, F.Y) + <usize>begin * row;
  let kept = address(p, F.XHAT) + <usize>begin * keptRow;
  let rstds = address(p, F.RSTD) + ((<usize>begin) << 2);
  for (let m = begin; m < end; m++) {
    const mean = sum(x, c) / <f32>c;
    const rstd: f32 = 1 / sqrt<f32>(squares(x, c, mean) / <f32>c + float(p, F.EPS));
    if (keep == Keep.Group4) normaliseGroup4(x, c, mean, rstd, gamma, beta, y, kept);
    else if (keep == Keep.Value) normaliseValue(x, c, mean, rstd, gamma, beta, y, kept);
    else if (keep == Keep.Group8) {
      normaliseValue(x, c, mean, rstd, gamma, beta, y, scratch);
      encodeRow8(scratch, m, int(p, F.M), c, int(p, F.GROUPS), address(p, F.XHAT));
    } else normalise(x, c, mean, rstd, gamma, beta, y);
    if (keep != Keep.Nothing) store<f32>(rstds, rstd);
    x += row;
    y += row;
    kept += keptRow;
    rstds += 4;
  }
}

/** Σ x[c] of one row. */
function sum(x: usize, c: i32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let i = 0;
  for (; i + 16 <= c; i += 16) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    s2 = f32x4.add(s2, v128.load(x, 32));
    s3 = f32x4.add(s3, v128.load(x, 48));
    x += 64;
  }
  for (; i + 4 <= c; i += 4) {
    s0 = f32x4.add(s0, v128.load(x));
    x += 16;
  }
  let total = sum4(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (; i < c; i++) {
    total += load<f32>(x);
    x += 4;
  }
  return total;
}

@inline function deviation(x: usize, mean: v128): v128 {
  return f32x4.sub(v128.load(x), mean);
}

/** Σ (x[c] - mean)² of one row. */
function squares(x: usize, c: i32, mean: f32): f32 {
  const m = f32x4.splat(mean);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let i = 0;
  for (; i + 16 <= c; i += 16) {
    const d0 = deviation(x, m);
    const d1 = deviation(x + 16, m);
    const d2 = deviation(x + 32, m);
    const d3 = deviation(x + 48, m);
    s0 = madd(d0, d0, s0);
    s1 = madd(d1, d1, s1);
    s2 = madd(d2, d2, s2);
    s3 = madd(d3, d3, s3);
    x += 64;
  }
  for (; i + 4 <= c; i += 4) {
    const d = deviation(x, m);
    s0 = madd(d, d, s0);
    x += 16;
  }
  let total = sum4(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (; i < c; i++) {
    const d = load<f32>(x) - mean;
    total += d * d;
    x += 4;
  }
  return total;
}

@inline function normal4(x: v128, mean: v128, rstd: v128): v128 {
  return f32x4.mul(f32x4.sub(x, mean), rstd);
}

/** Four x̂ from x; their y is written. */
@inline function affine4(x: usize, mean: v128, rstd: v128, gamma: usize, beta: usize, y: usize): v128 {
  const xhat = normal4(v128.load(x), mean, rstd);
  v128.store(y, madd(xhat, v128.load(gamma), v128.load(beta)));
  return xhat;
}

/** One x̂ from x; its y is written. */
@inline function affine1(x: usize, mean: f32, rstd: f32, gamma: usize, beta: usize, y: usize): f32 {
  const xhat = (load<f32>(x) - mean) * rstd;
  store<f32>(y, xhat * load<f32>(gamma) + load<f32>(beta));
  return xhat;
}

function normalise(x: usize, c: i32, mean: f32, rstd: f32, gamma: usize, beta: usize, y: usize): void {
  const m = f32x4.splat(mean);
  const r = f32x4.splat(rstd);
  const end = x + ((<usize>c) << 2);
  for (; x + 16 <= end; x += 16, gamma += 16, beta += 16, y += 16) affine4(x, m, r, gamma, beta, y);
  for (; x < end; x += 4, gamma += 4, beta += 4, y += 4) affine1(x, mean, rstd, gamma, beta, y);
}

function normaliseValue(x: usize, c: i32, mean: f32, rstd: f32, gamma: usize, beta: usize, y: usize, kept: usize): void {
  const m = f32x4.splat(mean);
  const r = f32x4.splat(rstd);
  const end = x + ((<usize>c) << 2);
  for (; x + 16 <= end; x += 16, gamma += 16, beta += 16, y += 16, kept += 16) v128.store(kept, affine4(x, m, r, gamma, beta, y));
  for (; x < end; x += 4, gamma += 4, beta += 4, y += 4, kept += 4) store<f32>(kept, affine1(x, mean, rstd, gamma, beta, y));
}

/** x̂ is coded as it passes, against headers that are written first: so the chain of one group's extremes does not hold up its codes. */
function normaliseGroup4(x: usize, c: i32, mean: f32, rstd: f32, gamma: usize, beta: usize, y: usize, kept: usize): void {
  writeHeaders4(x, c, mean, rstd, kept);
  const m = f32x4.splat(mean);
  const r = f32x4.splat(rstd);
  const mask = mask4();
  let codes = kept + group4HeadBytes(c);
  let inverse = m;
  let offset = m;
  let i = 0;
  for (; i + 32 <= c; i += 32) {
    if ((i & (Group.Size4 - 1)) == 0) {
      const scalar = inverse4(kept);
      inverse = f32x4.splat(scalar);
      offset = f32x4.splat(offset4(minimum4(kept), scalar));
      kept += 4;
    }
    // Written out, for the offsets to be constants of the loads.
    let u = normal4(v128.load(x), m, r);
    let v = normal4(v128.load(x, 16), m, r);
    v128.store(y, madd(u, v128.load(gamma), v128.load(beta)));
    v128.store(y, madd(v, v128.load(gamma, 16), v128.load(beta, 16)), 16);
    const low0 = codes4(u, v, inverse, offset, mask);
    u = normal4(v128.load(x, 32), m, r);
    v = normal4(v128.load(x, 48), m, r);
    v128.store(y, madd(u, v128.load(gamma, 32), v128.load(beta, 32)), 32);
    v128.store(y, madd(v, v128.load(gamma, 48), v128.load(beta, 48)), 48);
    const low1 = codes4(u, v, inverse, offset, mask);
    u = normal4(v128.load(x, 64), m, r);
    v = normal4(v128.load(x, 80), m, r);
    v128.store(y, madd(u, v128.load(gamma, 64), v128.load(beta, 64)), 64);
    v128.store(y, madd(v, v128.load(gamma, 80), v128.load(beta, 80)), 80);
    const high0 = codes4(u, v, inverse, offset, mask);
    u = normal4(v128.load(x, 96), m, r);
    v = normal4(v128.load(x, 112), m, r);
    v128.store(y, madd(u, v128.load(gamma, 96), v128.load(beta, 96)), 96);
    v128.store(y, madd(v, v128.load(gamma, 112), v128.load(beta, 112)), 112);
    const high1 = codes4(u, v, inverse, offset, mask);
    v128.store(codes, block4(low0, low1, high0, high1));
    x += 128;
    gamma += 128;
    beta += 128;
    y += 128;
    codes += 16;
  }
  if (i == c) return;
  // The last block is short; it opens a group of its own or closes one.
  if (i & (Group.Size4 - 1)) kept -= 4;
  const scalar = inverse4(kept);
  const shift = offset4(minimum4(kept), scalar);
  v128.store(codes, i64x2.splat(0));
  for (let j = 0; j < c - i; j++) {
    const code = code4(affine1(x, mean, rstd, gamma, beta, y), scalar, shift);
    const at = codes + <usize>(j & 15);
    store<u8>(at, load<u8>(at) | (code << ((j >> 4) << 2)));
    x += 4;
    gamma += 4;
    beta += 4;
    y += 4;
  }
}

export function layerNormBackward(p: usize): void {
  const c = int(p, B.C);
  const keep = int(p, B.KEEP);
  if (keep != Keep.Value && keep != Keep.Group4 && keep != Keep.Group8) return fail(Status.BadEncoding);
  const gamma = address(p, B.GAMMA);
  const row = (<usize>c) << 2;
  const keptRow = keep == Keep.Group4 ? group4RowBytes(c) : row;
  const begin = first(int(p, B.M));
  const end = last(int(p, B.M));
  const kept = address(p, B.XHAT);
  const rstds = address(p, B.RSTD);
  const dy = address(p, B.DY);
  const acc = address(p, B.ACC);
  const dx = address(p, B.DX);
  for (let m = begin; m < end; m++) {
    let xhat = kept + <usize>m * keptRow;
    if (keep == Keep.Group4) {
      decode4(xhat, c, 0, c, scratch);
      xhat = scratch;
    } else if (keep == Keep.Group8) {
      const groups = int(p, B.GROUPS);
      decodeRow8(kept, m, int(p, B.M), c, groups, 0, groups, scratch);
      xhat = scratch;
    }
    const at = <usize>m * row;
    const rstd = load<f32>(rstds + ((<usize>m) << 2));
    backwardRow(xhat, rstd, gamma, dy + at, acc == 0 ? 0 : acc + at, dx + at, c);
  }
}

/** dx = rstd·(g - mean(g) - x̂·mean(g·x̂)) + acc, g = dy·gamma. */
function backwardRow(xhat: usize, rstd: f32, gamma: usize, dy: usize, acc: usize, dx: usize, c: i32): void {
  let g0 = f32x4.splat(0);
  let g1 = g0;
  let x0 = g0;
  let x1 = g0;
  let i: usize = 0;
  const bytes = (<usize>c) << 2;
  for (; i + 32 <= bytes; i += 32) {
    const a = f32x4.mul(v128.load(dy + i), v128.load(gamma + i));
    const b = f32x4.mul(v128.load(dy + i, 16), v128.load(gamma + i, 16));
    g0 = f32x4.add(g0, a);
    g1 = f32x4.add(g1, b);
    x0 = madd(a, v128.load(xhat + i), x0);
    x1 = madd(b, v128.load(xhat + i, 16), x1);
  }
  let sumG = sum4(f32x4.add(g0, g1));
  let sumX = sum4(f32x4.add(x0, x1));
  for (; i < bytes; i += 4) {
    const g = load<f32>(dy + i) * load<f32>(gamma + i);
    sumG += g;
    sumX += g * load<f32>(xhat + i);
  }
  const meanG = sumG / <f32>c;
  const meanX = sumX / <f32>c;

  const mg = f32x4.splat(meanG);
  const mx = f32x4.splat(meanX);
  const r = f32x4.splat(rstd);
  for (i = 0; i + 16 <= bytes; i += 16) {
    const g = f32x4.mul(v128.load(dy + i), v128.load(gamma + i));
    const d = f32x4.sub(f32x4.sub(g, mg), f32x4.mul(v128.load(xhat + i), mx));
    v128.store(dx + i, acc == 0 ? f32x4.mul(d, r) : madd(d, r, v128.load(acc + i)));
  }
  for (; i < bytes; i += 4) {
    const d = load<f32>(dy + i) * load<f32>(gamma + i) - meanG - load<f32>(xhat + i) * meanX;
    store<f32>(dx + i, acc == 0 ? d * rstd : d * rstd + load<f32>(acc + i));
  }
}

export function layerNormBackwardW(p: usize): void {
  const c = int(p, W.C);
  const keep = int(p, W.KEEP);
  if (keep != Keep.Value && keep != Keep.Group4 && keep != Keep.Group8) return fail(Status.BadEncoding);
  const groups = keep == Keep.Group8 ? int(p, W.GROUPS) : (c + Group.Size4 - 1) / Group.Size4;
  const width = keep == Keep.Group8 ? c / groups : Group.Size4;
  const from = first(groups) * width;
  const to = min(last(groups) * width, c);
  if (from >= to) return;
  const row = (<usize>c) << 2;
  const keptRow = keep == Keep.Group4 ? group4RowBytes(c) : row;
  const offset = (<usize>from) << 2;
  const bytes = (<usize>(to - from)) << 2;
  const decoded = scratch;
  // Summed apart and added once: the small terms of this batch do not drown in what has gathered in dgamma.
  const total = scratch + ((row + 127) & ~127);
  memory.fill(total, 0, bytes);
  let kept = address(p, W.XHAT);
  let dy = address(p, W.DY) + offset;
  const rows = int(p, W.M);
  for (let m = 0; m < rows; m++) {
    let xhat = kept + offset;
    if (keep == Keep.Group4) {
      decode4(kept, c, from, to, decoded);
      xhat = decoded;
    } else if (keep == Keep.Group8) {
      decodeRow8(address(p, W.XHAT), m, rows, c, groups, first(groups), last(groups), decoded);
      xhat = decoded;
    }
    addProduct(dy, xhat, total, bytes);
    kept += keptRow;
    dy += row;
  }
  addTo(address(p, W.DGAMMA) + offset, total, bytes);
}

/** total += a·b over `bytes`. */
function addProduct(a: usize, b: usize, total: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(total + i, madd(v128.load(a + i), v128.load(b + i), v128.load(total + i)));
  for (; i < bytes; i += 4) store<f32>(total + i, load<f32>(total + i) + load<f32>(a + i) * load<f32>(b + i));
}

/** y += x over `bytes`. */
function addTo(y: usize, x: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(x + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) + load<f32>(x + i));
}
