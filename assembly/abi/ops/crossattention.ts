/** Attention of any shape, with a bias of any shape. */
import { Keep } from '../keep.ts';
import { align, keptBytes, signed4Bytes, tileRows } from '../sizes.ts';
import { Scores } from '../tiles.ts';
import { between, demand, groups, mayRead, mayWrite, MOST_TILE, reads, size, takesScratch, whole, writes } from '../bounds.ts';
import { gemmScratch } from './dense.ts';

/** One tile of scores: whole rows, at most `queries`. */
function scoreBytes(tq: number, tk: number, queries: number): number {
  return tileRows(tq, queries) * align(4 * tk, 16);
}

/** GEMM's scratch and a tile of scores. */
export function crossAttentionScratch(tq: number, tk: number, queries: number = Scores.Rows): number {
  return gemmScratch() + scoreBytes(tq, tk, queries);
}

/** Also the tile's gradients and, from coded copies, one head's q, k and v. */
export function crossAttentionBackwardScratch(
  tq: number,
  tk: number,
  dk: number,
  dv: number,
  keep: number,
  queries: number = Scores.Rows,
): number {
  return gemmScratch() + 2 * scoreBytes(tq, tk, queries) + (tq + tk) * decodedRow(dk, keep) + tk * decodedRow(dv, keep);
}

function decodedRow(d: number, keep: number): number {
  return keep === Keep.Group8 ? align(4 * d, 16) : keep === Keep.Signed4 ? 4 * align(d, 32) : 0;
}

/** What is kept of `rows` rows of so many heads of `d` channels. */
function headsKept(keep: number, rows: number, heads: number, d: number): number {
  demand(keep === Keep.Value || keep === Keep.Group8 || keep === Keep.Signed4);
  return keep === Keep.Signed4 ? signed4Bytes(rows, heads * d, heads) : keptBytes(keep, rows, heads * d, heads);
}

/** The sizes of the instruction in question, BATCH … BIASHEADS from `at` on. */
let batch: number = 0;
let queryRows: number = 0;
let keyRows: number = 0;
let heads: number = 0;
let pairs: number = 0;
let dk: number = 0;
let dv: number = 0;
let biasBytes: number = 0;

function sizes(at: i32, index: i32): void {
  batch = size(at);
  queryRows = size(at + 1);
  keyRows = size(at + 2);
  heads = size(at + 3);
  pairs = groups(at + 4, heads);
  dk = size(at + 5);
  dv = size(at + 6);
  const pictures = groups(at + 7, batch);
  const biasHeads = size(at + 8);
  demand(biasHeads === 1 || biasHeads === heads);
  const rows = size(at + 9);
  biasBytes = whole(index) !== 0 ? 4 * rows * heads : 4 * pictures * biasHeads * queryRows * keyRows;
}

/**
 * CrossAttention: o = softmax(q·kᵀ·SCALE + bias)·v by head; q[B,TQ,HEADS·DK], k[B,TK,PAIRS·DK], v[B,TK,PAIRS·DV], o[B,TQ,HEADS·DV]: HEADS/PAIRS
 * neighbouring heads share keys and values. BIAS: 0; or, with INDEX = 0, f32 [BIASBATCH, BIASHEADS, TQ, TK], of which picture b reads
 * b mod BIASBATCH and head h the first where there is one; or a table f32 [ROWS, HEADS] and INDEX i32 [TQ,TK], the row of each pair of
 * positions (none: 0 is added where it is no row of the table). KEEP and KQ, KK, KV as Attention's, in groups of a head.
 */
export const enum CrossAttentionArg {
  Q,
  K,
  V,
  O,
  KQ,
  KK,
  KV,
  BIAS,
  INDEX,
  BATCH,
  TQ,
  TK,
  HEADS,
  PAIRS,
  DK,
  DV,
  BIASBATCH,
  BIASHEADS,
  ROWS,
  SCALE,
  KEEP,
  QUERIES,
}
export function crossAttention(): void {
  sizes(CrossAttentionArg.BATCH, CrossAttentionArg.INDEX);
  const keep = whole(CrossAttentionArg.KEEP);
  const queries = between(CrossAttentionArg.QUERIES, 1, MOST_TILE);
  reads(CrossAttentionArg.Q, 4 * batch * queryRows * heads * dk);
  reads(CrossAttentionArg.K, 4 * batch * keyRows * pairs * dk);
  reads(CrossAttentionArg.V, 4 * batch * keyRows * pairs * dv);
  writes(CrossAttentionArg.O, 4 * batch * queryRows * heads * dv);
  mayRead(CrossAttentionArg.BIAS, biasBytes);
  mayRead(CrossAttentionArg.INDEX, 4 * queryRows * keyRows);
  if (keep !== Keep.Nothing && keep !== Keep.Value) {
    writes(CrossAttentionArg.KQ, headsKept(keep, batch * queryRows, heads, dk));
    writes(CrossAttentionArg.KK, headsKept(keep, batch * keyRows, pairs, dk));
    writes(CrossAttentionArg.KV, headsKept(keep, batch * keyRows, pairs, dv));
  }
  takesScratch(crossAttentionScratch(queryRows, keyRows, queries));
}

/** CrossAttentionBackward: dq, dk, dv from do, the probabilities computed again. DBIAS, as BIAS, is 0, or += (ADDS = 1), or written (ADDS = 0). */
export const enum CrossAttentionBackwardArg {
  Q,
  K,
  V,
  DO,
  DQ,
  DKEYS,
  DVALUES,
  BIAS,
  INDEX,
  DBIAS,
  BATCH,
  TQ,
  TK,
  HEADS,
  PAIRS,
  DK,
  DV,
  BIASBATCH,
  BIASHEADS,
  ROWS,
  SCALE,
  KEEP,
  QUERIES,
  ADDS,
}
export function crossAttentionBackward(): void {
  sizes(CrossAttentionBackwardArg.BATCH, CrossAttentionBackwardArg.INDEX);
  const keep = whole(CrossAttentionBackwardArg.KEEP);
  const queries = between(CrossAttentionBackwardArg.QUERIES, 1, MOST_TILE);
  reads(CrossAttentionBackwardArg.Q, headsKept(keep, batch * queryRows, heads, dk));
  reads(CrossAttentionBackwardArg.K, headsKept(keep, batch * keyRows, pairs, dk));
  reads(CrossAttentionBackwardArg.V, headsKept(keep, batch * keyRows, pairs, dv));
  reads(CrossAttentionBackwardArg.DO, 4 * batch * queryRows * heads * dv);
  writes(CrossAttentionBackwardArg.DQ, 4 * batch * queryRows * heads * dk);
  writes(CrossAttentionBackwardArg.DKEYS, 4 * batch * keyRows * pairs * dk);
  writes(CrossAttentionBackwardArg.DVALUES, 4 * batch * keyRows * pairs * dv);
  mayRead(CrossAttentionBackwardArg.BIAS, biasBytes);
  mayRead(CrossAttentionBackwardArg.INDEX, 4 * queryRows * keyRows);
  mayWrite(CrossAttentionBackwardArg.DBIAS, biasBytes);
  between(CrossAttentionBackwardArg.ADDS, 0, 1);
  takesScratch(crossAttentionBackwardScratch(queryRows, keyRows, dk, dv, keep, queries));
}
