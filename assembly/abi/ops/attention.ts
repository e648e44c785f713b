/** Attention. */
import { Keep } from '../keep.ts';
import { align, keptBytes, signed4Bytes, softmax4Bytes, tileRows } from '../sizes.ts';
import { Scores } from '../tiles.ts';
import { between, demand, groups, mayRead, mayWrite, MOST_TILE, reads, size, takesScratch, whole, writes } from '../bounds.ts';
import { gemmScratch } from './dense.ts';

/** One tile of attention scores: whole rows, at most `queries`. */
function scoreBytes(t: number, queries: number): number {
  return tileRows(t, queries) * align(4 * t, 16);
}

/** The codes of one tile of probabilities, a byte each, and room for two vectors after them. */
function codeBytes(t: number, queries: number): number {
  return align(tileRows(t, queries) * t + 32, 16);
}

/** A whole [T,T] matrix of scores: the relative position bias of one head, or its gradient. */
function matrixBytes(t: number): number {
  return t * align(4 * t, 16);
}

/**
 * Attention: GEMM's scratch and a tile of scores of at most `queries` rows; the head's position bias, where there is one; the tile's codes, where
 * the probabilities are kept.
 */
export function attentionScratch(t: number, queries: number = Scores.Rows, isBiased: boolean = false, isKept: boolean = false): number {
  return gemmScratch() + scoreBytes(t, queries) + (isBiased ? matrixBytes(t) : 0) + (isKept ? codeBytes(t, queries) : 0);
}

/** AttentionBackward: also the tile's gradients, the position bias's where it learns and, from coded copies, one head's q, k and v. */
export function attentionBackwardScratch(
  t: number,
  headSize: number,
  keep: number,
  queries: number = Scores.Rows,
  isBiased: boolean = false,
  isKept: boolean = false,
  biasLearns: boolean = false,
): number {
  const row = keep === Keep.Group8 ? align(4 * headSize, 16) : keep === Keep.Signed4 ? 4 * align(headSize, 32) : 0;
  const more = scoreBytes(t, queries) + (biasLearns ? matrixBytes(t) : 0) + 3 * t * row;
  return attentionScratch(t, queries, isBiased, isKept) + more;
}

/** Copies of queries, keys or values. */
function headsKept(keep: number, rows: number, c: number, heads: number): number {
  demand(keep === Keep.Value || keep === Keep.Group8 || keep === Keep.Signed4);
  return keep === Keep.Signed4 ? signed4Bytes(rows, c, heads) : keptBytes(keep, rows, c, heads);
}

/** The table of relative positions, where attention has one; `at`: its WH, after which the other sizes of windows follow. */
function relativeBytes(at: i32, b: number, t: number, heads: number): number {
  const wh = size(at);
  const ww = size(at + 1);
  demand(wh * ww === t);
  const windows = size(at + 2) * size(at + 3);
  demand(b % windows === 0);
  between(at + 4, 0, wh - 1);
  between(at + 5, 0, ww - 1);
  return 4 * (2 * wh - 1) * (2 * ww - 1) * heads;
}

/**
 * Attention: o = softmax(q·kᵀ·SCALE)·v for each of HEADS heads; q, k, v, o are [B,T,C], a head is C/HEADS neighbouring channels.
 * KEEP = Group8: KQ, KK, KV get int8 copies of q, k, v: `group8Bytes(B·T, C, HEADS)` each (abi/groups.ts), one group a head and row.
 * KEEP = Signed4: the same in 4 bits. KP (0: absent) gets the probabilities as softmax4.
 * KEEP = Value or Nothing: KQ, KK, KV are 0 (with Value the operands themselves stay alive). O may equal Q unless KEEP = Value.
 * TABLE: 0, or f32 [(2·WH-1)·(2·WW-1), HEADS], the relative position bias of windows of T = WH·WW positions, row by row: to the score of
 * positions i → j is added row (iy-jy+WH-1)·(2·WW-1) + (ix-jx+WW-1). B then counts windows, ROWS·COLUMNS a picture, row by row. Of a map rolled
 * by SY, SX the last row of windows holds two regions (its first WH-SY lines, and the rest), the last column likewise; -100 between them.
 * QUERIES: most rows of scores at a time; of probabilities that are kept, backward's are forward's.
 */
export const enum AttentionArg {
  Q,
  K,
  V,
  O,
  KQ,
  KK,
  KV,
  BATCH,
  T,
  C,
  HEADS,
  SCALE,
  KEEP,
  TABLE,
  WH,
  WW,
  ROWS,
  COLUMNS,
  SY,
  SX,
  KP,
  QUERIES,
}
export function attention(): void {
  const b = size(AttentionArg.BATCH);
  const t = size(AttentionArg.T);
  const c = size(AttentionArg.C);
  const heads = groups(AttentionArg.HEADS, c);
  const queries = between(AttentionArg.QUERIES, 1, MOST_TILE);
  const keep = whole(AttentionArg.KEEP);
  const bytes = 4 * b * t * c;
  reads(AttentionArg.Q, bytes);
  reads(AttentionArg.K, bytes);
  reads(AttentionArg.V, bytes);
  writes(AttentionArg.O, bytes);
  if (keep !== Keep.Nothing) {
    const kept = headsKept(keep, b * t, c, heads);
    if (keep !== Keep.Value) {
      writes(AttentionArg.KQ, kept);
      writes(AttentionArg.KK, kept);
      writes(AttentionArg.KV, kept);
    }
  }
  const isBiased = whole(AttentionArg.TABLE) !== 0;
  if (isBiased) reads(AttentionArg.TABLE, relativeBytes(AttentionArg.WH, b, t, heads));
  mayWrite(AttentionArg.KP, b * heads * softmax4Bytes(t, queries));
  takesScratch(attentionScratch(t, queries, isBiased, whole(AttentionArg.KP) !== 0));
}

/**
 * AttentionBackward: dq, dk, dv [B,T,C] from do [B,T,C]; the probabilities are KP's or, where that is 0, recomputed from Q, K as
 * they were kept, with row sums of their own. DQ may equal DO. With KP TABLE is 0.
 * DTABLE (f32, as TABLE) += Σ of the scores' gradients, or 0.
 */
export const enum AttentionBackwardArg {
  Q,
  K,
  V,
  DO,
  DQ,
  DK,
  DV,
  BATCH,
  T,
  C,
  HEADS,
  SCALE,
  KEEP,
  TABLE,
  DTABLE,
  WH,
  WW,
  ROWS,
  COLUMNS,
  SY,
  SX,
  KP,
  QUERIES,
}
export function attentionBackward(): void {
  const b = size(AttentionBackwardArg.BATCH);
  const t = size(AttentionBackwardArg.T);
  const c = size(AttentionBackwardArg.C);
  const heads = groups(AttentionBackwardArg.HEADS, c);
  const queries = between(AttentionBackwardArg.QUERIES, 1, MOST_TILE);
  const keep = whole(AttentionBackwardArg.KEEP);
  const bytes = 4 * b * t * c;
  const kept = headsKept(keep, b * t, c, heads);
  reads(AttentionBackwardArg.Q, kept);
  reads(AttentionBackwardArg.K, kept);
  reads(AttentionBackwardArg.V, kept);
  reads(AttentionBackwardArg.DO, bytes);
  writes(AttentionBackwardArg.DQ, bytes);
  writes(AttentionBackwardArg.DK, bytes);
  writes(AttentionBackwardArg.DV, bytes);
  const isBiased = whole(AttentionBackwardArg.TABLE) !== 0;
  const learns = whole(AttentionBackwardArg.DTABLE) !== 0;
  if (isBiased) reads(AttentionBackwardArg.TABLE, relativeBytes(AttentionBackwardArg.WH, b, t, heads));
  if (learns) writes(AttentionBackwardArg.DTABLE, relativeBytes(AttentionBackwardArg.WH, b, t, heads));
  mayRead(AttentionBackwardArg.KP, b * heads * softmax4Bytes(t, queries));
  const isKept = whole(AttentionBackwardArg.KP) !== 0;
  takesScratch(attentionBackwardScratch(t, c / heads, keep, queries, isBiased, isKept, learns));
}
