/**
 * Bytes of the encodings drawn in groups.ts and weights.ts. Written in what both languages share (bounds.ts), its numbers doubles on either
 * side: no product wraps.
 */
import { Keep } from './keep.ts';
import { Scores } from './tiles.ts';
import { Coded, Encoding } from './weights.ts';

/** Multiples of `to` that hold `bytes`. */
export function align(bytes: number, to: number): number {
  return Math.ceil(bytes / to) * to;
}

/** Bytes before the codes in one group4 row of `c` channels. */
export function group4HeadBytes(c: number): number {
  return Math.ceil(c / 64) * 4;
}
/** Bytes of one group4 row of `c` channels. */
export function group4RowBytes(c: number): number {
  return group4HeadBytes(c) + Math.ceil(c / 32) * 16;
}
/** Bytes of a group8 tensor of `rows` rows of `c` channels in `heads` groups each. */
export function group8Bytes(rows: number, c: number, heads: number): number {
  return align(rows * c, 16) + rows * heads * 2;
}
/** Bytes of a signed4 tensor of `rows` rows of `c` channels in `heads` groups each. */
export function signed4Bytes(rows: number, c: number, heads: number): number {
  return rows * heads * (code4Bytes(c / heads) + 2);
}
/** Bytes of what is kept of `rows` rows of `c` channels, in f32 or in group4 or group8 of `groups` groups; 0 where nothing is. */
export function keptBytes(keep: number, rows: number, c: number, groups: number): number {
  if (keep === Keep.Group4) return rows * group4RowBytes(c);
  if (keep === Keep.Group8) return group8Bytes(rows, c, groups);
  return keep === Keep.Value ? 4 * rows * c : 0;
}
/** Rows of a tile of attention scores: T in as few tiles of at most `most` as possible, all about as high, a multiple of four. */
export function tileRows(t: number, most: number = Scores.Rows): number {
  return align(Math.ceil(t / Math.ceil(t / most)), 4);
}
/** Bytes of the softmax4 codes of one [T,T] matrix of probabilities, in tiles of at most `most` rows. */
export function softmax4Bytes(t: number, most: number = Scores.Rows): number {
  const rows = tileRows(t, most);
  return Math.floor(t / rows) * code4Bytes(rows * t) + code4Bytes((t % rows) * t);
}
/** Bytes of `n` 4-bit codes. */
export function code4Bytes(n: number): number {
  return Math.ceil(n / 32) * 16;
}
/** Bytes of `n` 1-bit codes. */
export function bit1Bytes(n: number): number {
  return Math.ceil(n / 16) * 2;
}
/** Bytes of 4-bit codes in rows of `c`, each row in blocks of its own (max-pool's taps). */
export function code4RowsBytes(rows: number, c: number): number {
  return rows * code4Bytes(c);
}

/** Bytes of a coded weight of `o` output channels with `k` numbers each. */
export function codedBytes(encoding: number, o: number, k: number): number {
  if (encoding === Encoding.F32) return 4 * o * k;
  if (encoding === Encoding.Int4) return align(4 * o * Math.ceil(k / Coded.Group4), 16) + o * code4Bytes(k);
  if (encoding === Encoding.Int12) return align(4 * o, 16) + align(o * Math.ceil(k / Coded.Block12) * Coded.Block12Bytes, 16);
  return align(4 * o, 16) + align(o * k, 16);
}
