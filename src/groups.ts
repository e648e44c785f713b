/** Bytes of the encodings drawn in `assembly/abi/groups.ts` and `assembly/abi/weights.ts`. */
import { Scores } from '../assembly/abi/tiles.ts';
import { Coded, Encoding } from '../assembly/abi/weights.ts';

const align16 = (bytes: number): number => (bytes + 15) & ~15;

/** Bytes before the codes in one group4 row of `c` channels. */
export const group4HeadBytes = (c: number): number => Math.ceil(c / 64) * 4;
/** Bytes of one group4 row of `c` channels. */
export const group4RowBytes = (c: number): number => group4HeadBytes(c) + Math.ceil(c / 32) * 16;
/** Bytes of a group8 tensor of `rows` rows of `c` channels in `heads` groups each. */
export const group8Bytes = (rows: number, c: number, heads: number): number => align16(rows * c) + rows * heads * 2;
/** Bytes of a signed4 tensor of `rows` rows of `c` channels in `heads` groups each. */
export const signed4Bytes = (rows: number, c: number, heads: number): number => rows * heads * (code4Bytes(c / heads) + 2);
/** Rows of a tile of attention scores: T in as few tiles of at most `most` as possible, all about as high, a multiple of four. */
export const tileRows = (t: number, most: number = Scores.Rows): number => (Math.ceil(t / Math.ceil(t / most)) + 3) & ~3;
/** Bytes of the softmax4 codes of one [T,T] matrix of probabilities, in tiles of at most `most` rows. */
export function softmax4Bytes(t: number, most: number = Scores.Rows): number {
  const rows = tileRows(t, most);
  return Math.floor(t / rows) * code4Bytes(rows * t) + code4Bytes((t % rows) * t);
}
/** Bytes of `n` 4-bit codes. */
export const code4Bytes = (n: number): number => Math.ceil(n / 32) * 16;
/** Bytes of `n` 1-bit codes. */
export const bit1Bytes = (n: number): number => Math.ceil(n / 16) * 2;
/** Bytes of 4-bit codes in rows of `c`, each row in blocks of its own (max-pool's taps). */
export const code4RowsBytes = (rows: number, c: number): number => rows * code4Bytes(c);

/** Bytes of a coded weight of `o` output channels with `k` numbers each. */
export function codedBytes(encoding: Encoding, o: number, k: number): number {
  if (encoding === Encoding.F32) return 4 * o * k;
  if (encoding === Encoding.Int4) return align16(4 * o * Math.ceil(k / Coded.Group4)) + o * code4Bytes(k);
  if (encoding === Encoding.Int12) return align16(4 * o) + align16(o * Math.ceil(k / Coded.Block12) * Coded.Block12Bytes);
  return align16(4 * o) + align16(o * k);
}
