/**
 * Frozen weights that stay in a file and pass through memory (src/passes/streaming.ts). The engine has no files: each of these instructions asks
 * its host, which does it and calls `resume` (assembly/engine/ask.ts).
 *
 *     init     PlaceWeight (host: checkpoint → Y) ─► what init does to it ─► StoreWeight (host: X → file; its sum is kept)
 *     later    FetchWeight (host: may begin to read into Y) ─► … ─► AwaitWeight (host: it is there; its sum is compared) ─► who uses it
 *
 * PLACE: where in the file, in units of 16 bytes. SUM: 16 bytes, of which 8 are in use.
 */
import { between, MOST_PRODUCT, reads, size, writes } from '../bounds.ts';

/** Bytes that a sum takes, and the units of a place in the file. */
export const enum Stored {
  SumBytes = 16,
  Unit = 16,
}

/** PlaceWeight: weight number WEIGHT of the program's list is put in its BYTES at Y. */
export const enum PlaceWeightArg {
  Y,
  BYTES,
  WEIGHT,
}
export function placeWeight(): void {
  writes(PlaceWeightArg.Y, size(PlaceWeightArg.BYTES));
  between(PlaceWeightArg.WEIGHT, 0, MOST_PRODUCT);
}

/** StoreWeight: BYTES at X go to PLACE of the file, their sum to SUM. */
export const enum StoreWeightArg {
  X,
  BYTES,
  PLACE,
  SUM,
}
export function storeWeight(): void {
  reads(StoreWeightArg.X, size(StoreWeightArg.BYTES));
  between(StoreWeightArg.PLACE, 0, MOST_PRODUCT);
  writes(StoreWeightArg.SUM, Stored.SumBytes);
}

/** FetchWeight: BYTES from PLACE of the file may be read into Y from now on. */
export const enum FetchWeightArg {
  Y,
  BYTES,
  PLACE,
}
export function fetchWeight(): void {
  writes(FetchWeightArg.Y, size(FetchWeightArg.BYTES));
  between(FetchWeightArg.PLACE, 0, MOST_PRODUCT);
}

/** AwaitWeight: BYTES from PLACE of the file are in Y, and have the sum at SUM. */
export const enum AwaitWeightArg {
  Y,
  BYTES,
  PLACE,
  SUM,
}
export function awaitWeight(): void {
  writes(AwaitWeightArg.Y, size(AwaitWeightArg.BYTES));
  between(AwaitWeightArg.PLACE, 0, MOST_PRODUCT);
  reads(AwaitWeightArg.SUM, Stored.SumBytes);
}
