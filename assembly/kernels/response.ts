/**
 * Global response norm of maps [B, P, C] (ConvNeXt V2, arXiv 2301.00808): G = √Σ_p x² by picture and channel, m = mean of G over the channels,
 *
 *   n = G/(m + EPS),  y = x·(1 + gamma·n) + beta
 *   dx = dy·(1 + gamma·n) + x·k,  k = (gamma·S/(m + EPS) - Σ_j gamma_j·S_j·G_j/(C·(m + EPS)²))/G, 0 where G is,  S = Σ_p dy·x
 *   dgamma = Σ_b n·S
 *
 * Stats are an instruction of their own, for all of a picture must be summed before any of it is used; S is GroupSums'. In place: y may be x, dx may
 * be dy. Threads share the rows; of stats the channels of pictures, 64 at a time; of dgamma the channels. Scratch: three rows of C (`responseScratch`).
 */
import { Keep } from '../abi/keep';
import { ResponseNormArg as F, ResponseNormBackwardArg as B, ResponseStatsArg as T } from '../abi/ops/response';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { madd } from '../engine/math';
import { fail } from '../engine/status';
import { first, last, scratch } from '../engine/team';
import { decode4, decodeRow8, encode4, encodeRow8, group4RowBytes } from './quantised';

/** Channels that a thread takes at a time. */
const BLOCK: i32 = 64;

/** Bytes between the rows of scratch. */
@inline function padded(c: i32): usize {
  return (((<usize>c) << 2) + 127) & ~127;
}

export function responseStats(p: usize): void {
  const c = int(p, T.C);
  const positions = int(p, T.P);
  const blocks = (c + BLOCK - 1) / BLOCK;
  const all = int(p, T.BATCH) * blocks;
  const row = (<usize>c) << 2;
  for (let unit = first(all), end = last(all); unit < end; unit++) {
    const picture = unit / blocks;
    const at = (<usize>((unit % blocks) * BLOCK)) << 2;
    const bytes = min<usize>(BLOCK << 2, row - at);
    const stats = address(p, T.STATS) + <usize>picture * row + at;
    memory.fill(stats, 0, bytes);
    let x = address(p, T.X) + <usize>(picture * positions) * row + at;
    for (let i = 0; i < positions; i++, x += row) addSquares(x, stats, bytes);
    for (let i: usize = 0; i < bytes; i += 4) store<f32>(stats + i, sqrt<f32>(load<f32>(stats + i)));
  }
}

/** total += x² over `bytes`. */
function addSquares(x: usize, total: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(total + i, madd(v128.load(x + i), v128.load(x + i), v128.load(total + i)));
  for (; i < bytes; i += 4) store<f32>(total + i, load<f32>(total + i) + load<f32>(x + i) * load<f32>(x + i));
}

/** The mean of a picture's stats, and EPS. */
function divisor(stats: usize, c: i32, eps: f32): f32 {
  let sum: f64 = 0;
  for (let i = 0; i < c; i++) sum += load<f32>(stats + ((<usize>i) << 2));
  return <f32>(sum / c) + eps;
}

/** factors[C] = 1 + gamma·stats/by. */
function writeFactors(stats: usize, gamma: usize, c: i32, by: f32, factors: usize): void {
  for (let i: usize = 0, end = (<usize>c) << 2; i < end; i += 4)
    store<f32>(factors + i, 1 + load<f32>(gamma + i) * (load<f32>(stats + i) / by));
}

export function responseNorm(p: usize): void {
  const c = int(p, F.C);
  const keep = int(p, F.KEEP);
  if (keep != Keep.Nothing && keep != Keep.Value && keep != Keep.Group4 && keep != Keep.Group8) return fail(Status.BadEncoding);
  const positions = int(p, F.P);
  const rows = int(p, F.BATCH) * positions;
  const row = (<usize>c) << 2;
  const kept = address(p, F.KEPT);
  let known = -1;
  for (let m = first(rows), end = last(rows); m < end; m++) {
    const picture = m / positions;
    if (picture != known) {
      const stats = address(p, F.STATS) + <usize>picture * row;
      writeFactors(stats, address(p, F.GAMMA), c, divisor(stats, c, float(p, F.EPS)), scratch);
      known = picture;
    }
    const x = address(p, F.X) + <usize>m * row;
    if (keep == Keep.Group4) encode4(x, c, kept + <usize>m * group4RowBytes(c));
    else if (keep == Keep.Group8) encodeRow8(x, m, rows, c, int(p, F.CODES), kept);
    combine(x, scratch, address(p, F.BETA), address(p, F.Y) + <usize>m * row, row);
  }
}

/** y = x·factors + beta over `bytes`; beta may be 0. */
function combine(x: usize, factors: usize, beta: usize, y: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16)
    v128.store(y + i, madd(v128.load(x + i), v128.load(factors + i), beta == 0 ? f32x4.splat(0) : v128.load(beta + i)));
  for (; i < bytes; i += 4) store<f32>(y + i, load<f32>(x + i) * load<f32>(factors + i) + (beta == 0 ? 0 : load<f32>(beta + i)));
}

export function responseNormBackward(p: usize): void {
  const keep = int(p, B.KEEP);
  if (keep != Keep.Value && keep != Keep.Group4 && keep != Keep.Group8) return fail(Status.BadEncoding);
  if (address(p, B.DGAMMA) != 0) addGamma(p);
  if (address(p, B.DX) == 0) return;
  const c = int(p, B.C);
  const positions = int(p, B.P);
  const rows = int(p, B.BATCH) * positions;
  const row = (<usize>c) << 2;
  const kept = address(p, B.KEPT);
  const shares = scratch + padded(c);
  const decoded = shares + padded(c);
  let known = -1;
  for (let m = first(rows), end = last(rows); m < end; m++) {
    const picture = m / positions;
    if (picture != known) {
      const at = <usize>picture * row;
      const stats = address(p, B.STATS) + at;
      const by = divisor(stats, c, float(p, B.EPS));
      writeFactors(stats, address(p, B.GAMMA), c, by, scratch);
      writeShares(stats, address(p, B.GAMMA), address(p, B.PRODUCTS) + at, c, by, shares);
      known = picture;
    }
    let x = kept + <usize>m * row;
    if (keep != Keep.Value) {
      x = decoded;
      if (keep == Keep.Group4) decode4(kept + <usize>m * group4RowBytes(c), c, 0, c, decoded);
      else decodeRow8(kept, m, rows, c, int(p, B.CODES), 0, int(p, B.CODES), decoded);
    }
    const dy = address(p, B.DY) + <usize>m * row;
    const dx = address(p, B.DX) + <usize>m * row;
    let i: usize = 0;
    for (; i + 16 <= row; i += 16)
      v128.store(dx + i, madd(v128.load(dy + i), v128.load(scratch + i), f32x4.mul(v128.load(x + i), v128.load(shares + i))));
    for (; i < row; i += 4) store<f32>(dx + i, load<f32>(dy + i) * load<f32>(scratch + i) + load<f32>(x + i) * load<f32>(shares + i));
  }
}

/** k of each channel (above). */
function writeShares(stats: usize, gamma: usize, products: usize, c: i32, by: f32, shares: usize): void {
  let sum: f64 = 0;
  const end = (<usize>c) << 2;
  for (let i: usize = 0; i < end; i += 4) sum += <f64>load<f32>(gamma + i) * <f64>load<f32>(products + i) * <f64>load<f32>(stats + i);
  const all = <f32>(sum / (<f64>c * <f64>by * <f64>by));
  for (let i: usize = 0; i < end; i += 4) {
    const length = load<f32>(stats + i);
    store<f32>(shares + i, length == 0 ? 0 : ((load<f32>(gamma + i) * load<f32>(products + i)) / by - all) / length);
  }
}

/** dgamma += Σ over pictures of n·S, this thread's channels. */
function addGamma(p: usize): void {
  const c = int(p, B.C);
  const row = (<usize>c) << 2;
  const from = (<usize>first(c)) << 2;
  const until = (<usize>last(c)) << 2;
  for (let b = 0; b < int(p, B.BATCH); b++) {
    const at = <usize>b * row;
    const stats = address(p, B.STATS) + at;
    const by = divisor(stats, c, float(p, B.EPS));
    for (let i = from; i < until; i += 4) {
      const to = address(p, B.DGAMMA) + i;
      store<f32>(to, load<f32>(to) + (load<f32>(stats + i) / by) * load<f32>(address(p, B.PRODUCTS) + at + i));
    }
  }
}
