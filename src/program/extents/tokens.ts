/** Extents of attention, embeddings and windows. */
import {
  AttentionArg,
  AttentionBackwardArg,
  EmbedArg,
  EmbedBackwardArg,
  Keep,
  Op,
  WindowPartitionArg,
  WindowReverseArg,
} from '../../../assembly/abi/ops.ts';
import { keptBytes, signed4Bytes, softmax4Bytes } from '../../groups.ts';
import { attentionBackwardScratch, attentionScratch } from '../../scratch.ts';
import { between, demand, groups, MOST_TILE, mayRead, mayWrite, reads, size, takesScratch, whole, writes } from './touch.ts';

/** Copies of queries, keys or values. */
export function headsKept(keep: number, rows: number, c: number, heads: number): number {
  demand(keep === Keep.Value || keep === Keep.Group8 || keep === Keep.Signed4);
  return keep === Keep.Signed4 ? signed4Bytes(rows, c, heads) : keptBytes(keep, rows, c, heads);
}

/** The table of relative positions, where attention has one; `at`: its WH, after which the other sizes of windows follow. */
export function relativeBytes(at: i32, b: number, t: number, heads: number): number {
  const wh = size(at);
  const ww = size(at + 1);
  demand(wh * ww === t);
  const windows = size(at + 2) * size(at + 3);
  demand(b % windows === 0);
  between(at + 4, 0, wh - 1);
  between(at + 5, 0, ww - 1);
  return 4 * (2 * wh - 1) * (2 * ww - 1) * heads;
}

export function attention(op: Op): void {
  if (op === Op.Attention) {
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
  } else {
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
}

/** Rows of the position embedding: with the extra tokens, or without. */
export function positions(argument: i32, t: number, p: number): number {
  const rows = size(argument);
  demand(rows === t || rows === p);
  return rows;
}

export function embed(op: Op): void {
  if (op === Op.Embed) {
    const b = size(EmbedArg.BATCH);
    const p = size(EmbedArg.P);
    const c = size(EmbedArg.C);
    const t = p + (whole(EmbedArg.CLS) !== 0 ? 1 : 0) + (whole(EmbedArg.DIST) !== 0 ? 1 : 0);
    reads(EmbedArg.X, 4 * b * p * c);
    mayRead(EmbedArg.CLS, 4 * c);
    mayRead(EmbedArg.DIST, 4 * c);
    mayRead(EmbedArg.POS, 4 * positions(EmbedArg.POSROWS, t, p) * c);
    writes(EmbedArg.Y, 4 * b * t * c);
  } else {
    const b = size(EmbedBackwardArg.BATCH);
    const p = size(EmbedBackwardArg.P);
    const c = size(EmbedBackwardArg.C);
    const t = p + between(EmbedBackwardArg.HASCLS, 0, 1) + between(EmbedBackwardArg.HASDIST, 0, 1);
    reads(EmbedBackwardArg.DY, 4 * b * t * c);
    mayWrite(EmbedBackwardArg.DX, 4 * b * p * c);
    mayWrite(EmbedBackwardArg.DCLS, 4 * c);
    mayWrite(EmbedBackwardArg.DDIST, 4 * c);
    mayWrite(EmbedBackwardArg.DPOS, 4 * positions(EmbedBackwardArg.POSROWS, t, p) * c);
  }
}

export function windows(op: Op): void {
  const isPartition = op === Op.WindowPartition;
  const at: i32 = isPartition ? WindowPartitionArg.BATCH : WindowReverseArg.BATCH;
  const b = size(at);
  const c = size(at + 3);
  const map = 4 * b * size(at + 1) * size(at + 2) * c;
  const cut = 4 * b * size(at + 4) * size(at + 5) * size(at + 6) * size(at + 7) * c;
  between(at + 8, 0, size(at + 10));
  between(at + 9, 0, size(at + 11));
  between(at + 12, 0, 1);
  if (isPartition) {
    reads(WindowPartitionArg.X, map);
    writes(WindowPartitionArg.Y, cut);
  } else {
    reads(WindowReverseArg.X, cut);
    writes(WindowReverseArg.Y, map);
  }
}
