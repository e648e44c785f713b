/**
 * Softmax attention between TQ queries and TK keys, heads of DK channels for scores and DV for values, keys and values shared by HEADS/PAIRS
 * neighbouring heads, with a bias on the scores (abi/ops/crossattention.ts):
 *
 *   S = SCALE·Q·Kᵀ + bias, P = softmax of S by row, O = P·V
 *   dP = dO·Vᵀ, dS = P∘(dP - rowsum(P∘dP)), dV = Pᵀ·dO, dQ = SCALE·dS·K, dK = SCALE·dSᵀ·Q, dbias = Σ dS over what shares it
 *
 * Queries pass in tiles of at most QUERIES rows, each with whole rows of S. Nothing overlaps. Threads share the pairs of key head and picture; whole
 * heads where the bias learns, one thread all of them where its heads are one, so that each of its entries is summed by one thread in order.
 *
 * Scratch: | gemm panel | R·S scores | R·S dS | decoded Q, K, V | with S = 4·TK rounded up to 16, R rows of a tile; backward alone has the last two.
 */
import { Keep } from '../abi/keep';
import { CrossAttentionArg as F, CrossAttentionBackwardArg as B } from '../abi/ops/crossattention';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { fail } from '../engine/status';
import { first, last, scratch, thread } from '../engine/team';
import { decodeHead, encodeHead, padded, rowBytes, tileRows } from './attention';
import { GEMM_SCRATCH, gemmNN, gemmNT, gemmTN } from './gemm';
import { softmax, softmaxBackward } from './softmax';

/** The sizes of the instruction at work, and where its bias is. Every thread has an instance, so globals are its own. */
let batch: i32 = 0;
let TQ: i32 = 0;
let TK: i32 = 0;
let heads: i32 = 0;
let pairs: i32 = 0;
let DK: i32 = 0;
let DV: i32 = 0;
let biasBatch: i32 = 0;
let biasHeads: i32 = 0;
let biasRows: i32 = 0;
let bias: usize = 0;
let index: usize = 0;

/** Reads the sizes, whose ten arguments follow each other from `at`. */
function readSizes(p: usize, at: i32): void {
  batch = int(p, at);
  TQ = int(p, at + 1);
  TK = int(p, at + 2);
  heads = int(p, at + 3);
  pairs = int(p, at + 4);
  DK = int(p, at + 5);
  DV = int(p, at + 6);
  biasBatch = int(p, at + 7);
  biasHeads = int(p, at + 8);
  biasRows = int(p, at + 9);
}

/** Where the bias, or its gradient, of picture b and head h begins, of [BIASBATCH, BIASHEADS, TQ, TK]. */
@inline function matrixOf(start: usize, b: i32, h: i32): usize {
  const head = biasHeads == 1 ? 0 : h;
  return start + ((<usize>((b % biasBatch) * biasHeads + head) * <usize>(TQ * TK)) << 2);
}

export function crossAttention(p: usize): void {
  readSizes(p, F.BATCH);
  const keep = int(p, F.KEEP);
  if (keep != Keep.Nothing && keep != Keep.Value && keep != Keep.Group8 && keep != Keep.Signed4) return fail(Status.BadEncoding);
  bias = address(p, F.BIAS);
  index = address(p, F.INDEX);
  const q = address(p, F.Q);
  const k = address(p, F.K);
  const v = address(p, F.V);
  const qRow = (<usize>(heads * DK)) << 2;
  const kRow = (<usize>(pairs * DK)) << 2;
  const vRow = (<usize>(pairs * DV)) << 2;
  const oRow = (<usize>(heads * DV)) << 2;
  const scoreRow = padded(TK);
  const tile = tileRows(TQ, int(p, F.QUERIES));
  const scores = scratch + GEMM_SCRATCH;
  const share = heads / pairs;
  const isCoded = keep == Keep.Group8 || keep == Keep.Signed4;
  for (let unit = first(pairs * batch), end = last(pairs * batch); unit < end; unit++) {
    const b = unit % batch;
    const pair = unit / batch;
    if (isCoded) {
      encodeHead(k, address(p, F.KK), keep, batch * TK, b * TK, TK, pairs * DK, pairs, pair);
      encodeHead(v, address(p, F.KV), keep, batch * TK, b * TK, TK, pairs * DV, pairs, pair);
    }
    const keys = k + <usize>(b * TK) * kRow + ((<usize>(pair * DK)) << 2);
    const values = v + <usize>(b * TK) * vRow + ((<usize>(pair * DV)) << 2);
    for (let h = pair * share; h < (pair + 1) * share; h++) {
      if (isCoded) encodeHead(q, address(p, F.KQ), keep, batch * TQ, b * TQ, TQ, heads * DK, heads, h);
      const o = address(p, F.O) + <usize>(b * TQ) * oRow + ((<usize>(h * DV)) << 2);
      for (let i = 0; i < TQ; i += tile) {
        const m = min(tile, TQ - i);
        const at = q + <usize>(b * TQ + i) * qRow + ((<usize>(h * DK)) << 2);
        gemmNT(m, TK, DK, at, qRow, keys, kRow, scores, scoreRow, 0, 0, scratch);
        probabilities(scores, i, m, scoreRow, float(p, F.SCALE), b, h);
        gemmNN(m, DV, TK, scores, scoreRow, values, vRow, o + <usize>i * oRow, oRow, 0, scratch);
      }
    }
  }
}

/** Rows [i, i + m) of q·kᵀ become probabilities. */
function probabilities(s: usize, i: i32, m: i32, stride: usize, scale: f32, b: i32, h: i32): void {
  if (bias == 0) return softmax(s, m, TK, stride, scale, 0);
  for (let r = 0; r < m; r++) {
    const row = s + <usize>r * stride;
    if (index == 0) addRow(row, scale, matrixOf(bias, b, h) + ((<usize>((i + r) * TK)) << 2));
    else
      for (let j = 0; j < TK; j++) {
        const at = row + ((<usize>j) << 2);
        const entry = load<u32>(index + ((<usize>((i + r) * TK + j)) << 2));
        const more: f32 = entry < <u32>biasRows ? load<f32>(bias + ((<usize>(entry * heads + h)) << 2)) : 0;
        store<f32>(at, load<f32>(at) * scale + more);
      }
  }
  softmax(s, m, TK, stride, 1, 0);
}

/** s = s·scale + b, one row of scores. */
function addRow(s: usize, scale: f32, b: usize): void {
  const factor = f32x4.splat(scale);
  const bytes = (<usize>TK) << 2;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(s + i, f32x4.add(f32x4.mul(v128.load(s + i), factor), v128.load(b + i)));
  for (; i < bytes; i += 4) store<f32>(s + i, load<f32>(s + i) * scale + load<f32>(b + i));
}

export function crossAttentionBackward(p: usize): void {
  readSizes(p, B.BATCH);
  const keep = int(p, B.KEEP);
  if (keep != Keep.Value && keep != Keep.Group8 && keep != Keep.Signed4) return fail(Status.BadEncoding);
  bias = address(p, B.BIAS);
  index = address(p, B.INDEX);
  const dbias = address(p, B.DBIAS);
  // A table has an entry for each head.
  const isOneHead = biasHeads == 1 && index == 0;
  let begin = first(pairs * batch);
  let end = last(pairs * batch);
  if (dbias != 0) {
    begin = isOneHead ? 0 : first(pairs) * batch;
    end = isOneHead ? (thread == 0 ? pairs * batch : 0) : last(pairs) * batch;
    if (!int(p, B.ADDS)) clear(dbias, begin / batch, end / batch, isOneHead);
  }
  const share = heads / pairs;
  for (let unit = begin; unit < end; unit++)
    for (let n = 0; n < share; n++) backwardHead(p, unit % batch, unit / batch, (unit / batch) * share + n, n > 0, dbias);
}

/** Zeros the gradient of the bias for the heads of the pairs [from, until). */
function clear(dbias: usize, from: i32, until: i32, isOneHead: bool): void {
  const share = heads / pairs;
  const matrix = (<usize>(TQ * TK)) << 2;
  if (isOneHead) {
    if (until > 0) memory.fill(dbias, 0, <usize>biasBatch * matrix);
  } else if (index == 0)
    for (let b = 0; b < biasBatch; b++) memory.fill(matrixOf(dbias, b, from * share), 0, <usize>((until - from) * share) * matrix);
  else
    for (let r = 0; r < biasRows; r++)
      memory.fill(dbias + ((<usize>(r * heads + from * share)) << 2), 0, (<usize>((until - from) * share)) << 2);
}

/** One head of one picture; `more`: another head of its keys came before. */
function backwardHead(p: usize, b: i32, pair: i32, h: i32, more: bool, dbias: usize): void {
  const keep = int(p, B.KEEP);
  const scale = float(p, B.SCALE);
  const scoreRow = padded(TK);
  const tile = tileRows(TQ, int(p, B.QUERIES));
  const scores = scratch + GEMM_SCRATCH;
  const ds = scores + <usize>tile * scoreRow;
  const dkRow = (<usize>(pairs * DK)) << 2;
  const dvRow = (<usize>(pairs * DV)) << 2;
  const qStride = (<usize>(heads * DK)) << 2;
  const oRow = (<usize>(heads * DV)) << 2;
  const dq = address(p, B.DQ) + <usize>(b * TQ) * qStride + ((<usize>(h * DK)) << 2);
  const dk = address(p, B.DKEYS) + <usize>(b * TK) * dkRow + ((<usize>(pair * DK)) << 2);
  const dv = address(p, B.DVALUES) + <usize>(b * TK) * dvRow + ((<usize>(pair * DV)) << 2);
  const dO = address(p, B.DO) + <usize>(b * TQ) * oRow + ((<usize>(h * DV)) << 2);
  let q = address(p, B.Q) + <usize>(b * TQ) * qStride + ((<usize>(h * DK)) << 2);
  let k = address(p, B.K) + <usize>(b * TK) * dkRow + ((<usize>(pair * DK)) << 2);
  let v = address(p, B.V) + <usize>(b * TK) * dvRow + ((<usize>(pair * DV)) << 2);
  let qRow = qStride;
  let kRow = dkRow;
  let vRow = dvRow;
  if (keep != Keep.Value) {
    qRow = rowBytes(DK, keep);
    kRow = qRow;
    vRow = rowBytes(DV, keep);
    q = ds + <usize>tile * scoreRow;
    k = q + <usize>TQ * qRow;
    v = k + <usize>TK * kRow;
    decodeHead(address(p, B.Q), q, keep, batch * TQ, b * TQ, TQ, heads * DK, heads, h);
    decodeHead(address(p, B.K), k, keep, batch * TK, b * TK, TK, pairs * DK, pairs, pair);
    decodeHead(address(p, B.V), v, keep, batch * TK, b * TK, TK, pairs * DV, pairs, pair);
  }
  for (let i = 0; i < TQ; i += tile) {
    const m = min(tile, TQ - i);
    const adds = i32(more || i > 0);
    const qTile = q + <usize>i * qRow;
    const there = dO + <usize>i * oRow;
    gemmNT(m, TK, DK, qTile, qRow, k, kRow, scores, scoreRow, 0, 0, scratch);
    probabilities(scores, i, m, scoreRow, scale, b, h);
    gemmNT(m, TK, DV, there, oRow, v, vRow, ds, scoreRow, 0, 0, scratch);
    gemmTN(TK, DV, m, scores, scoreRow, there, oRow, dv, dvRow, adds, scratch);
    softmaxBackward(scores, ds, m, TK, scoreRow, 1);
    if (dbias != 0) addToBias(dbias, ds, i, m, scoreRow, b, h);
    for (let r = 0; r < m; r++) scaleRow(ds + <usize>r * scoreRow, scale, scoreRow);
    gemmTN(TK, DK, m, ds, scoreRow, qTile, qRow, dk, dkRow, adds, scratch);
    gemmNN(m, DK, TK, ds, scoreRow, k, kRow, dq + <usize>i * qStride, qStride, 0, scratch);
  }
}

/** dbias += dS, rows [i, i + m). */
function addToBias(dbias: usize, ds: usize, i: i32, m: i32, stride: usize, b: i32, h: i32): void {
  for (let r = 0; r < m; r++) {
    const row = ds + <usize>r * stride;
    if (index == 0) {
      const to = matrixOf(dbias, b, h) + ((<usize>((i + r) * TK)) << 2);
      for (let j: usize = 0, end = (<usize>TK) << 2; j < end; j += 4) store<f32>(to + j, load<f32>(to + j) + load<f32>(row + j));
    } else
      for (let j = 0; j < TK; j++) {
        const entry = load<u32>(index + ((<usize>((i + r) * TK + j)) << 2));
        if (entry >= <u32>biasRows) continue;
        const to = dbias + ((<usize>(entry * heads + h)) << 2);
        store<f32>(to, load<f32>(to) + load<f32>(row + ((<usize>j) << 2)));
      }
  }
}

function scaleRow(s: usize, factor: f32, bytes: usize): void {
  const f = f32x4.splat(factor);
  for (let i: usize = 0; i < bytes; i += 16) v128.store(s + i, f32x4.mul(v128.load(s + i), f));
}
