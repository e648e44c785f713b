/**
 * Group norm of maps [B, P, C]: GROUPS groups of D = C/GROUPS neighbouring channels share mean and variance over all positions of a picture.
 *
 *   x, y, dy, dx  f32 [B, P, C]       stats  f32 [B, GROUPS, 2]: mean, 1/√(variance + EPS)       gamma, beta  f32 [C]
 *   x̂             KEEP = Value: f32 [B, P, C]; Group4, Group8 as layer norm's, a row for each position (abi/groups.ts)
 *   sums, products  f32 [B, C]: Σ over positions of dy, of dy·x̂; also the gradients of beta and gamma by picture
 *
 * Four instructions, for what is summed over a picture must be whole before any of it is used: Stats → Norm, Sums → NormBackward.
 * In place: y may be x, dx may be dy. Scratch: 4 rows of C, each rounded up to 128 bytes (`groupNormScratch` in abi/ops/groupnorm.ts).
 * Source: Y. Wu, K. He, arXiv 1803.08494.
 */
import { Group } from '../abi/groups';
import { Keep } from '../abi/keep';
import { GroupNormArg as F, GroupNormBackwardArg as B, GroupStatsArg as T, GroupSumsArg as S } from '../abi/ops/groupnorm';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { madd, sum4 } from '../engine/math';
import { fail } from '../engine/status';
import { first, last, scratch } from '../engine/team';
import { decode4, decodeRow8, encode4, encodeRow8, group4RowBytes } from './quantised';

@inline function isKept(keep: i32): bool {
  return keep == Keep.Value || keep == Keep.Group4 || keep == Keep.Group8;
}

/** Bytes between the rows of scratch. */
@inline function padded(c: i32): usize {
  return (((<usize>c) << 2) + 127) & ~127;
}

/** GroupStats. Threads share the groups of all pictures. Two passes; each row's part is summed in f32, rows in f64, in their order. */
export function groupStats(p: usize): void {
  const c = int(p, T.C);
  const groups = int(p, T.GROUPS);
  const positions = int(p, T.P);
  const d = c / groups;
  const count = <f64>positions * <f64>d;
  const end = last(int(p, T.BATCH) * groups);
  for (let part = first(int(p, T.BATCH) * groups); part < end; part++) {
    const x = address(p, T.X) + ((<usize>((part / groups) * positions) * <usize>c + <usize>((part % groups) * d)) << 2);
    const mean = <f32>(total(x, positions, c, d, 0, false) / count);
    const variance = <f32>(total(x, positions, c, d, mean, true) / count);
    const stats = address(p, T.STATS) + ((<usize>part) << 3);
    store<f32>(stats, mean);
    store<f32>(stats, 1 / sqrt<f32>(variance + float(p, T.EPS)), 4);
  }
}

/** Σ x, or Σ (x - mean)², of d channels at every position. */
function total(x: usize, positions: i32, c: i32, d: i32, mean: f32, squared: bool): f64 {
  const m = f32x4.splat(mean);
  let all: f64 = 0;
  for (; positions > 0; positions--) {
    let sum = f32x4.splat(0);
    let i = 0;
    for (; i + 4 <= d; i += 4) {
      const v = f32x4.sub(v128.load(x + ((<usize>i) << 2)), m);
      sum = squared ? madd(v, v, sum) : f32x4.add(sum, v);
    }
    let part = sum4(sum);
    for (; i < d; i++) {
      const v = load<f32>(x + ((<usize>i) << 2)) - mean;
      part += squared ? v * v : v;
    }
    all += part;
    x += (<usize>c) << 2;
  }
  return all;
}

/** GroupNorm: x̂ = (x - mean)·rstd, y = x̂·gamma + beta. Threads share the rows. */
export function groupNorm(p: usize): void {
  const c = int(p, F.C);
  const positions = int(p, F.P);
  const rows = int(p, F.BATCH) * positions;
  const keep = int(p, F.KEEP);
  if (keep != Keep.Nothing && !isKept(keep)) return fail(Status.BadEncoding);
  const row = (<usize>c) << 2;
  const means = scratch;
  const rstds = means + padded(c);
  const kept = address(p, F.XHAT);
  let picture = -1;
  for (let m = first(rows), end = last(rows); m < end; m++) {
    if (m / positions != picture) {
      picture = m / positions;
      spread(address(p, F.STATS) + ((<usize>(picture * int(p, F.GROUPS))) << 3), int(p, F.GROUPS), c, means, rstds);
    }
    const at = <usize>m * row;
    const xhat = keep == Keep.Value ? kept + at : rstds + padded(c);
    normalise(address(p, F.X) + at, means, rstds, xhat, address(p, F.GAMMA), address(p, F.BETA), address(p, F.Y) + at, row);
    if (keep == Keep.Group4) encode4(xhat, c, kept + <usize>m * group4RowBytes(c));
    else if (keep == Keep.Group8) encodeRow8(xhat, m, rows, c, int(p, F.CODES), kept);
  }
}

/** Mean and rstd of each channel's group. */
function spread(stats: usize, groups: i32, c: i32, means: usize, rstds: usize): void {
  const d = c / groups;
  for (let i = 0; i < c; i++) {
    const from = stats + ((<usize>(i / d)) << 3);
    store<f32>(means + ((<usize>i) << 2), load<f32>(from));
    store<f32>(rstds + ((<usize>i) << 2), load<f32>(from, 4));
  }
}

function normalise(x: usize, means: usize, rstds: usize, xhat: usize, gamma: usize, beta: usize, y: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const v = f32x4.mul(f32x4.sub(v128.load(x + i), v128.load(means + i)), v128.load(rstds + i));
    v128.store(xhat + i, v);
    v128.store(y + i, madd(v, v128.load(gamma + i), v128.load(beta + i)));
  }
  for (; i < bytes; i += 4) {
    const v = (load<f32>(x + i) - load<f32>(means + i)) * load<f32>(rstds + i);
    store<f32>(xhat + i, v);
    store<f32>(y + i, v * load<f32>(gamma + i) + load<f32>(beta + i));
  }
}

/** GroupSums. Threads share the channels of each picture, 64 (or a group of codes) at a time, so that a group of codes has one owner. */
export function groupSums(p: usize): void {
  const c = int(p, S.C);
  const positions = int(p, S.P);
  const batch = int(p, S.BATCH);
  const keep = int(p, S.KEEP);
  if (!isKept(keep)) return fail(Status.BadEncoding);
  const parts = keep == Keep.Group8 ? int(p, S.CODES) : (c + Group.Size4 - 1) / Group.Size4;
  const width = keep == Keep.Group8 ? c / parts : Group.Size4;
  const row = (<usize>c) << 2;
  const kept = address(p, S.XHAT);
  const end = last(batch * parts);
  for (let part = first(batch * parts); part < end; part++) {
    const picture = part / parts;
    const index = part - picture * parts;
    const from = index * width;
    const to = min(from + width, c);
    const offset = (<usize>from) << 2;
    const bytes = (<usize>(to - from)) << 2;
    const sums = address(p, S.SUMS) + <usize>picture * row + offset;
    const products = address(p, S.PRODUCTS) + <usize>picture * row + offset;
    memory.fill(sums, 0, bytes);
    memory.fill(products, 0, bytes);
    for (let i = 0, m = picture * positions; i < positions; i++, m++) {
      let xhat = kept + <usize>m * row + offset;
      if (keep != Keep.Value) {
        if (keep == Keep.Group4) decode4(kept + <usize>m * group4RowBytes(c), c, from, to, scratch);
        else decodeRow8(kept, m, batch * positions, c, parts, index, index + 1, scratch);
        xhat = scratch;
      }
      gather(address(p, S.DY) + <usize>m * row + offset, xhat, sums, products, bytes);
    }
  }
}

/** sums += dy, products += dy·x̂. */
function gather(dy: usize, xhat: usize, sums: usize, products: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const g = v128.load(dy + i);
    v128.store(sums + i, f32x4.add(v128.load(sums + i), g));
    v128.store(products + i, madd(g, v128.load(xhat + i), v128.load(products + i)));
  }
  for (; i < bytes; i += 4) {
    const g = load<f32>(dy + i);
    store<f32>(sums + i, load<f32>(sums + i) + g);
    store<f32>(products + i, load<f32>(products + i) + g * load<f32>(xhat + i));
  }
}

/** GroupNormBackward: dx = rstd·(g - mean(g) - x̂·mean(g·x̂)) over the group, g = dy·gamma. Threads share the rows. */
export function groupNormBackward(p: usize): void {
  const c = int(p, B.C);
  const positions = int(p, B.P);
  const rows = int(p, B.BATCH) * positions;
  const keep = int(p, B.KEEP);
  if (!isKept(keep)) return fail(Status.BadEncoding);
  const row = (<usize>c) << 2;
  const meansG = scratch;
  const meansX = meansG + padded(c);
  const rstds = meansX + padded(c);
  const decoded = rstds + padded(c);
  const kept = address(p, B.XHAT);
  let picture = -1;
  for (let m = first(rows), end = last(rows); m < end; m++) {
    if (m / positions != picture) {
      picture = m / positions;
      prepare(p, picture, meansG, meansX, rstds);
    }
    const at = <usize>m * row;
    let xhat = kept + at;
    if (keep != Keep.Value) {
      if (keep == Keep.Group4) decode4(kept + <usize>m * group4RowBytes(c), c, 0, c, decoded);
      else decodeRow8(kept, m, rows, c, int(p, B.CODES), 0, int(p, B.CODES), decoded);
      xhat = decoded;
    }
    differentiate(address(p, B.DY) + at, xhat, address(p, B.GAMMA), meansG, meansX, rstds, address(p, B.DX) + at, row);
  }
}

/** What a picture's rows share: rstd, mean(g) and mean(g·x̂) of each channel's group. */
function prepare(p: usize, picture: i32, meansG: usize, meansX: usize, rstds: usize): void {
  const c = int(p, B.C);
  const groups = int(p, B.GROUPS);
  const d = c / groups;
  spread(address(p, B.STATS) + ((<usize>(picture * groups)) << 3), groups, c, meansG, rstds);
  const gamma = address(p, B.GAMMA);
  const sums = address(p, B.SUMS) + ((<usize>(picture * c)) << 2);
  const products = address(p, B.PRODUCTS) + ((<usize>(picture * c)) << 2);
  const share: f32 = 1 / <f32>(d * int(p, B.P));
  for (let group = 0; group < groups; group++) {
    let g: f32 = 0;
    let x: f32 = 0;
    for (let i = group * d; i < (group + 1) * d; i++) {
      const scale = load<f32>(gamma + ((<usize>i) << 2));
      g += scale * load<f32>(sums + ((<usize>i) << 2));
      x += scale * load<f32>(products + ((<usize>i) << 2));
    }
    for (let i = group * d; i < (group + 1) * d; i++) {
      store<f32>(meansG + ((<usize>i) << 2), g * share);
      store<f32>(meansX + ((<usize>i) << 2), x * share);
    }
  }
}

function differentiate(dy: usize, xhat: usize, gamma: usize, meansG: usize, meansX: usize, rstds: usize, dx: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const g = f32x4.sub(f32x4.mul(v128.load(dy + i), v128.load(gamma + i)), v128.load(meansG + i));
    v128.store(dx + i, f32x4.mul(f32x4.sub(g, f32x4.mul(v128.load(xhat + i), v128.load(meansX + i))), v128.load(rstds + i)));
  }
  for (; i < bytes; i += 4) {
    const g = load<f32>(dy + i) * load<f32>(gamma + i) - load<f32>(meansG + i);
    store<f32>(dx + i, (g - load<f32>(xhat + i) * load<f32>(meansX + i)) * load<f32>(rstds + i));
  }
}
