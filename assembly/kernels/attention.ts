/**
 * Softmax attention: for each of HEADS heads of D = C/HEADS channels, S = SCALE·Q·Kᵀ, P = softmax of S by row, O = P·V. With a TABLE the
 * rows are windows of a map: S = SCALE·Q·Kᵀ + relative position bias + mask (abi/ops/attention.ts).
 *
 *   q, k, v, o, dq, dk, dv, do   f32 [B, T, C]; a head is a block of D neighbouring channels, used in place with C as row stride
 *   KEEP = Group8, Signed4       8- and 4-bit copies of q, k, v, one scale a head and row (abi/groups.ts)
 *   KP                           the probabilities as softmax4, or 0
 *
 * Backward decodes P, or recomputes it with its own row sums (a saved sum does not fit rounded Q and K), then
 *
 *   dP = dO·Vᵀ, dS = SCALE·P∘(dP - rowsum(P∘dP)), dV = Pᵀ·dO, dQ = dS·K, dK = dSᵀ·Q, dbias = Σ over windows of dS/SCALE.
 *
 * Queries pass in tiles of at most QUERIES rows, each with whole rows of S: no online softmax, so o is the same under every KEEP.
 * O may be Q; DQ may be DO; else no output may be an input. Threads share the HEADS·B pairs, head by head; whole heads where the table
 * learns, so that each of its entries is summed by one thread, window by window.
 *
 * Scratch (`attentionScratch`, `attentionBackwardScratch` in abi/ops/attention.ts), S = 4·T rounded up to 16, R = rows of a tile:
 *
 *     | gemm panel | R·S scores | T·S bias (TABLE) | R·S dS | T·S dbias (DTABLE) | 3 × T·row decoded Q, K, V | R·T + 32 codes (KP) |
 *                                                    └────────── backward alone ──────────┘
 *
 * row = 4·D rounded up to 16 bytes (Group8) or 128 bytes (Signed4).
 */
import { Keep } from '../abi/keep';
import { AttentionArg as F, AttentionBackwardArg as B } from '../abi/ops/attention';
import { Status } from '../abi/status';
import { address, float, int } from '../engine/argument';
import { fail } from '../engine/status';
import { first, last, scratch } from '../engine/team';
import { Gemm } from '../abi/tiles';
import { GEMM_SCRATCH, gemmTN, packColumns, packRows } from './gemm';
import { packedMatrixBytes, productNN, productNT } from './packed';
import { decode8, decodeSigned4, encode8, encodeSigned4, group8CodeBytes, signed4CodeBytes } from './quantised';
import { softmax, softmaxBackward } from './softmax';
import { decodeRows, packCodes, packedBytes } from './softmax4';
import { addBias, addScores, expandBias, foldBias, maskRegions } from './window';

/** Rows of a tile: T in as few tiles of at most `most` as possible, all about as high, a multiple of four. */
@inline export function tileRows(t: i32, most: i32): i32 {
  const tiles = (t + most - 1) / most;
  return ((t + tiles - 1) / tiles + 3) & ~3;
}

/** Bytes of the codes of one matrix of probabilities before row `i`, the first of a tile or T. */
function codesBefore(i: i32, t: i32, tile: i32): usize {
  return <usize>(i / tile) * packedBytes(tile * t) + packedBytes((i % tile) * t);
}

@inline export function padded(floats: i32): usize {
  return (((<usize>floats) << 2) + 15) & ~15;
}

export function attention(p: usize): void {
  const q = address(p, F.Q);
  const k = address(p, F.K);
  const v = address(p, F.V);
  const o = address(p, F.O);
  const t = int(p, F.T);
  const c = int(p, F.C);
  const heads = int(p, F.HEADS);
  const keep = int(p, F.KEEP);
  const d = c / heads;
  const rows = int(p, F.BATCH) * t;
  if (keep != Keep.Nothing && keep != Keep.Value && keep != Keep.Group8 && keep != Keep.Signed4) return fail(Status.BadEncoding);
  const stride = (<usize>c) << 2;
  const scoreStride = padded(t);
  const tile = tileRows(t, max(1, int(p, F.QUERIES)));
  const scores = scratch + GEMM_SCRATCH;
  const table = address(p, F.TABLE);
  const geometry = p + (F.WH << 2);
  const bias = scores + <usize>tile * scoreStride;
  const kp = address(p, F.KP);
  const codes = table != 0 ? bias + <usize>t * scoreStride : bias;
  const batch = int(p, F.BATCH);
  const pairs = heads * batch;
  // Where a head passes in several tiles, its keys and values are packed once for all of them.
  const shares = tile < t && packedMatrixBytes(d, t) + packedMatrixBytes(t, d) <= <usize>Gemm.TileOffset;
  const keys = shares ? scratch : 0;
  const values = shares ? scratch + packedMatrixBytes(d, t) : 0;
  const begin = first(pairs);
  for (let pair = begin, end = last(pairs); pair < end; pair++) {
    const row = (pair % batch) * t;
    const head = pair / batch;
    if (table != 0 && (pair == begin || row == 0)) expandBias(table, heads, head, int(geometry, 0), int(geometry, 1), bias, scoreStride);
    if (keep == Keep.Group8 || keep == Keep.Signed4) {
      encodeHead(q, address(p, F.KQ), keep, rows, row, t, c, heads, head);
      encodeHead(k, address(p, F.KK), keep, rows, row, t, c, heads, head);
      encodeHead(v, address(p, F.KV), keep, rows, row, t, c, heads, head);
    }
    const matrix = kp + <usize>((pair % batch) * heads + head) * codesBefore(t, t, tile);
    const at = <usize>row * stride + ((<usize>(head * d)) << 2);
    if (shares) {
      packRows(d, t, k + at, stride, keys);
      packColumns(t, d, v + at, stride, values);
    }
    for (let i = 0; i < t; i += tile) {
      const m = min(tile, t - i);
      const there = at + <usize>i * stride;
      productNT(m, t, d, q + there, stride, k + at, stride, keys, scores, scoreStride, scratch);
      probabilities(scores, i, m, t, scoreStride, float(p, F.SCALE), table != 0 ? bias : 0, geometry, pair % batch, kp != 0 ? codes : 0);
      if (kp != 0) packCodes(codes, m * t, matrix + codesBefore(i, t, tile));
      productNN(m, d, t, scores, scoreStride, v + at, stride, values, o + there, stride, scratch);
    }
  }
}

/** Where backward's parts lie in scratch, and the row strides of scores and of operands: `layOut` sets them. */
let scoreStride: usize = 0;
let operandStride: usize = 0;
let bias: usize = 0;
let ds: usize = 0;
let dbias: usize = 0;
let operands: usize = 0;
let codes: usize = 0;
/** Where the keys and values of a head lie packed for all its tiles, and the keys for the other product for one; 0: they do not. */
let keys: usize = 0;
let values: usize = 0;
let turned: usize = 0;

/** They lie at the end of the panel's block, before which gemmTN packs a tile; what is packed for one tile lies where gemmTN turns A. */
function placePacked(t: i32, d: i32, tile: i32): void {
  const bytes = packedMatrixBytes(d, t);
  const shares =
    tile < t &&
    bytes + bytes + packedMatrixBytes(tile, d) <= <usize>Gemm.TransposedOffset &&
    packedMatrixBytes(t, d) <= <usize>(Gemm.TileOffset - Gemm.TransposedOffset);
  turned = shares ? scratch + Gemm.TransposedOffset : 0;
  keys = shares ? turned - bytes : 0;
  values = shares ? keys - bytes : 0;
}

/**
 * scores │ bias, with a table │ ds │ dbias, with a table that learns │ q, k and v of a head, where they are coded │ codes. Scores and ds have `tile`
 * rows, both kinds of bias T.
 */
function layOut(p: usize, tile: i32, stride: usize): void {
  const t = int(p, B.T);
  const keep = int(p, B.KEEP);
  scoreStride = padded(t);
  const all = <usize>t * scoreStride;
  bias = scratch + GEMM_SCRATCH + <usize>tile * scoreStride;
  ds = address(p, B.TABLE) != 0 ? bias + all : bias;
  dbias = ds + <usize>tile * scoreStride;
  operands = address(p, B.DTABLE) != 0 ? dbias + all : dbias;
  operandStride = keep == Keep.Value ? stride : rowBytes(int(p, B.C) / int(p, B.HEADS), keep);
  codes = operands + (keep == Keep.Value ? 0 : 3 * <usize>t * operandStride);
  placePacked(t, int(p, B.C) / int(p, B.HEADS), tile);
}

/** Packs the keys and values of one head. */
function packHead(t: i32, d: i32, k: usize, v: usize): void {
  packRows(d, t, k, operandStride, keys);
  packRows(d, t, v, operandStride, values);
}

/** Decodes q, k and v of one head, one after the other. */
function decodeOperands(p: usize, row: i32, head: i32): void {
  const t = int(p, B.T);
  const keep = int(p, B.KEEP);
  const rows = int(p, B.BATCH) * t;
  const c = int(p, B.C);
  const heads = int(p, B.HEADS);
  const bytes = <usize>t * operandStride;
  decodeHead(address(p, B.Q), operands, keep, rows, row, t, c, heads, head);
  decodeHead(address(p, B.K), operands + bytes, keep, rows, row, t, c, heads, head);
  decodeHead(address(p, B.V), operands + 2 * bytes, keep, rows, row, t, c, heads, head);
}

export function attentionBackward(p: usize): void {
  const dO = address(p, B.DO);
  const dq = address(p, B.DQ);
  const dk = address(p, B.DK);
  const dv = address(p, B.DV);
  const t = int(p, B.T);
  const c = int(p, B.C);
  const heads = int(p, B.HEADS);
  const keep = int(p, B.KEEP);
  const scale = float(p, B.SCALE);
  const d = c / heads;
  if (keep != Keep.Value && keep != Keep.Group8 && keep != Keep.Signed4) return fail(Status.BadEncoding);
  const stride = (<usize>c) << 2;
  const tile = tileRows(t, max(1, int(p, B.QUERIES)));
  layOut(p, tile, stride);
  const scores = scratch + GEMM_SCRATCH;
  const table = address(p, B.TABLE);
  const dtable = address(p, B.DTABLE);
  const geometry = p + (B.WH << 2);
  const kp = address(p, B.KP);
  const batch = int(p, B.BATCH);
  const begin = dtable != 0 ? first(heads) * batch : first(heads * batch);
  const end = dtable != 0 ? last(heads) * batch : last(heads * batch);
  for (let pair = begin; pair < end; pair++) {
    const row = (pair % batch) * t;
    const head = pair / batch;
    if (table != 0 && (pair == begin || row == 0)) expandBias(table, heads, head, int(geometry, 0), int(geometry, 1), bias, scoreStride);
    if (dtable != 0 && row == 0) memory.fill(dbias, 0, <usize>t * scoreStride);
    const at = <usize>row * stride + ((<usize>(head * d)) << 2);
    // The operands of one head: in place, or decoded, with a row stride of their own.
    const coded = keep != Keep.Value;
    if (coded) decodeOperands(p, row, head);
    const bytes = <usize>t * operandStride;
    const q = coded ? operands : address(p, B.Q) + at;
    const k = coded ? operands + bytes : address(p, B.K) + at;
    const v = coded ? operands + 2 * bytes : address(p, B.V) + at;
    if (keys != 0) packHead(t, d, k, v);
    const matrix = kp + <usize>((pair % batch) * heads + head) * codesBefore(t, t, tile);
    for (let i = 0; i < t; i += tile) {
      const m = min(tile, t - i);
      const more = i > 0 ? 1 : 0;
      const qTile = q + <usize>i * operandStride;
      const there = at + <usize>i * stride;
      if (kp != 0) decodeRows(matrix + codesBefore(i, t, tile), m, t, codes, scores, scoreStride);
      else {
        productNT(m, t, d, qTile, operandStride, k, operandStride, keys, scores, scoreStride, scratch);
        probabilities(scores, i, m, t, scoreStride, scale, table != 0 ? bias : 0, geometry, pair % batch, 0);
      }
      productNT(m, t, d, dO + there, stride, v, operandStride, values, ds, scoreStride, scratch);
      gemmTN(t, d, m, scores, scoreStride, dO + there, stride, dv + at, stride, more, scratch);
      softmaxBackward(scores, ds, m, t, scoreStride, scale);
      if (dtable != 0) addScores(dbias + <usize>i * scoreStride, ds, <usize>m * scoreStride);
      gemmTN(t, d, m, ds, scoreStride, qTile, operandStride, dk + at, stride, more, scratch);
      if (turned != 0) packColumns(t, d, k, operandStride, turned);
      productNN(m, d, t, ds, scoreStride, k, operandStride, turned, dq + there, stride, scratch);
    }
    if (dtable != 0 && pair % batch == batch - 1)
      foldBias(dbias, scoreStride, 1 / scale, heads, head, int(geometry, 0), int(geometry, 1), dtable);
  }
}

/** Bytes of one decoded row of `d` channels. */
@inline export function rowBytes(d: i32, keep: i32): usize {
  return keep == Keep.Signed4 ? (<usize>((d + 31) & ~31)) << 2 : padded(d);
}

/** Writes the coded copy of one head: `t` rows of x[rows, C] from `row` on. */
export function encodeHead(x: usize, kept: usize, keep: i32, rows: i32, row: i32, t: i32, c: i32, heads: i32, head: i32): void {
  const d = c / heads;
  const scales = kept + (keep == Keep.Signed4 ? signed4CodeBytes(rows * heads, d) : group8CodeBytes(rows, c));
  for (let r = row; r < row + t; r++) {
    const at = <usize>r * <usize>c + <usize>(head * d);
    const group = r * heads + head;
    if (keep == Keep.Signed4) encodeSigned4(x + (at << 2), d, kept + signed4CodeBytes(group, d), scales + ((<usize>group) << 1));
    else encode8(x + (at << 2), d, kept + at, scales + ((<usize>(r * heads + head)) << 1));
  }
}

/** One head of a coded copy as f32 rows of D, each padded to `rowBytes`. */
export function decodeHead(kept: usize, out: usize, keep: i32, rows: i32, row: i32, t: i32, c: i32, heads: i32, head: i32): void {
  const d = c / heads;
  const scales = kept + (keep == Keep.Signed4 ? signed4CodeBytes(rows * heads, d) : group8CodeBytes(rows, c));
  for (let r = row; r < row + t; r++) {
    const group = r * heads + head;
    if (keep == Keep.Signed4) decodeSigned4(kept + signed4CodeBytes(group, d), d, scales + ((<usize>group) << 1), out);
    else decode8(kept + <usize>r * <usize>c + <usize>(head * d), d, scales + ((<usize>(r * heads + head)) << 1), out);
    out += rowBytes(d, keep);
  }
}

/** Rows [i, i + m) of q·kᵀ of one head and window become probabilities. `geometry`: WH, WW, ROWS, COLUMNS, SY, SX, read where `bias` is not 0. */
function probabilities(
  s: usize,
  i: i32,
  m: i32,
  t: i32,
  stride: usize,
  scale: f32,
  bias: usize,
  geometry: usize,
  window: i32,
  codes: usize,
): void {
  if (bias != 0) {
    addBias(s, <usize>m * stride, scale, bias + <usize>i * stride);
    const wh = int(geometry, 0);
    const ww = int(geometry, 1);
    const columns = int(geometry, 3);
    const at = window % (int(geometry, 2) * columns);
    const cutY = at / columns == int(geometry, 2) - 1 ? wh - int(geometry, 4) : wh;
    const cutX = at % columns == columns - 1 ? ww - int(geometry, 5) : ww;
    maskRegions(s, i, m, stride, wh, ww, cutY, cutX);
    scale = 1;
  }
  softmax(s, m, t, stride, scale, codes);
}
