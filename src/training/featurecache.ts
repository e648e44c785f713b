/**
 * What the part of the network that never changes made of each picture, in a file: from the second epoch on a pass begins there (src/budget/featurecut.ts
 * says where that is), with the same bytes as from the pixels.
 *
 *     head, 64 bytes │ pictures to learn from │ pictures to judge by     a record: values · CRC-32 · its number + 1 (0: not there yet)
 *
 * A record is believed only whole and a file only with the digest of this run; whatever else is there is computed anew. Nothing is synced: what
 * a power cut takes is computed again. A disk that fills up ends the cache, not the run.
 */

import { rmSync } from 'node:fs';
import { type Bytes, mebibytes, parseBytes } from '../base/bytes.ts';
import { crc32 } from '../base/crc.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { digest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import { fileExists, freeBytes, openStore, type Store } from '../base/files.ts';
import { type Cut, type Cuts, cutsOf } from '../budget/featurecut.ts';
import type { Engine } from '../engine/engine.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import { type Features, rangeOf } from './train.ts';

/** Most bytes that the cache may take on disk: 512 MiB where nothing is said, 0: there is none. */
export const featureLimit = (said: Bytes = DEFAULTS.featureCache): number => (Number(said) === 0 ? 0 : parseBytes(said, '--feature-cache'));

/** What the disk keeps free beside the cache. */
const SPARE_BYTES = 16 << 20;
const MAGIC = 'S2AFEAT1';
const HEAD_BYTES = 64;
const TAIL_BYTES = 8;

export interface FeatureOptions {
  path: string;
  /** Of all that the numbers depend on: program, weights, pictures. */
  belongs: string;
  train: number;
  val: number;
  /** Most bytes on disk. */
  limit: number;
  warn(sentence: string): void;
}

export interface FeatureCache {
  bytes: number;
  /** The last node that is not run again. */
  node: string;
  train: Features;
  val: Features;
  /** `keep`: the run goes on another time. */
  close(keep: boolean): void;
}

/** Bytes of the whole file. */
export const featureBytes = (cuts: Cuts, train: number, val: number): number =>
  HEAD_BYTES + train * (cuts.train.bytes + TAIL_BYTES) + val * (cuts.eval.bytes + TAIL_BYTES);

/** Opens the cache of a run; undefined, said through `warn` where someone may wonder, where there is to be none. */
export function openFeatures(compiled: Compiled, options: FeatureOptions): FeatureCache | undefined {
  const { path, limit, train, val, warn } = options;
  const cuts = cutsOf(compiled);
  const bytes = cuts ? featureBytes(cuts, train, val) : 0;
  const unused = (why?: string): undefined => {
    if (why !== undefined) warn(`features are computed anew in every epoch: ${why}`);
    rmSync(path, { force: true });
  };
  if (cuts === undefined || limit === 0) return unused();
  if (bytes > limit) return unused(`kept they would take ${mebibytes(bytes)}, more than the ${mebibytes(limit)} of --feature-cache`);
  const shape = [cuts.train, cuts.eval].map((cut) => cut.values.map((v) => v.bytes));
  const head = headOf(digest(options.belongs, JSON.stringify([shape, train, val])));
  let store: Store | undefined;
  try {
    store = openExisting(path, head, bytes, warn);
    if (store === undefined) {
      const free = freeBytes(path);
      if (free !== undefined && free < bytes + SPARE_BYTES)
        return unused(`kept they would take ${mebibytes(bytes)}, and the disk has ${mebibytes(free)}`);
      store = openStore(path, bytes);
      store.writeAt(0, head);
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    store?.close();
    return unused(error.message);
  }
  const file = storeOf(store, path, warn);
  const base = HEAD_BYTES + train * (cuts.train.bytes + TAIL_BYTES);
  // Evaluation reads the same of a picture to learn from where the same lies across its line.
  const same = shape[0]!.join() === shape[1]!.join();
  return {
    bytes,
    node: cuts.train.node,
    train: featuresOf(file, HEAD_BYTES, train, same ? cuts : { train: cuts.train }),
    val: featuresOf(file, base, val, { eval: cuts.eval }),
    close(keep) {
      file.close();
      if (!keep) rmSync(path, { force: true });
    },
  };
}

function headOf(belongs: string): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head.set(new TextEncoder().encode(MAGIC));
  head.set(Buffer.from(belongs, 'hex'), MAGIC.length);
  return head;
}

/** The file that an earlier part of this run left. One of another run is no news; one that is damaged is. */
function openExisting(path: string, head: Uint8Array, bytes: number, warn: (sentence: string) => void): Store | undefined {
  if (!fileExists(path)) return undefined;
  const store = openStore(path);
  const found = new Uint8Array(HEAD_BYTES);
  if (store.size >= HEAD_BYTES) store.readAt(0, found);
  if (store.size === bytes && found.every((byte, i) => byte === head[i])) return store;
  store.close();
  rmSync(path, { force: true });
  const isWhole = new TextDecoder().decode(found.subarray(0, MAGIC.length)) === MAGIC;
  if (!isWhole || found.every((byte, i) => byte === head[i])) warn(`${path}: is damaged; features are computed anew`);
  return undefined;
}

/** The open file, until something goes wrong with it. */
interface Records {
  /** Fills the values of a record that is whole. */
  read(at: number, number: number, values: readonly Uint8Array[]): boolean;
  write(at: number, number: number, values: readonly Uint8Array[]): void;
  readonly isOpen: boolean;
  close(): void;
}

function storeOf(store: Store, path: string, warn: (sentence: string) => void): Records {
  let isOpen = true;
  let isDamaged = false;
  const tail = new Uint8Array(TAIL_BYTES);
  const words = new DataView(tail.buffer);
  const close = (): void => {
    if (isOpen) store.close();
    isOpen = false;
  };
  /** Ends the cache. */
  const giveUp = (error: unknown): void => {
    if (!(error instanceof InputError)) throw error;
    warn(`${error.message}; features are computed anew in every epoch`);
    close();
    rmSync(path, { force: true });
  };
  const bytesOf = (values: readonly Uint8Array[]): number => values.reduce((sum, v) => sum + v.length, 0);
  const checksum = (values: readonly Uint8Array[]): number => values.reduce((sum, v) => Math.imul(sum, 31) ^ crc32(v), 0) >>> 0;
  return {
    get isOpen() {
      return isOpen;
    },
    close,
    read(at, number, values) {
      try {
        store.readAt(at + bytesOf(values), tail);
        if (words.getUint32(4, true) === 0) return false;
        let from = at;
        for (const value of values) {
          store.readAt(from, value);
          from += value.length;
        }
      } catch (error) {
        giveUp(error);
        return false;
      }
      if (words.getUint32(4, true) === number + 1 && words.getUint32(0, true) === checksum(values)) return true;
      if (!isDamaged) warn(`${path}: the features of a picture are damaged; they are computed anew`);
      isDamaged = true;
      return false;
    },
    write(at, number, values) {
      try {
        let from = at;
        for (const value of values) {
          store.writeAt(from, value);
          from += value.length;
        }
        words.setUint32(0, checksum(values), true);
        words.setUint32(4, number + 1, true);
        store.writeAt(from, tail);
      } catch (error) {
        giveUp(error);
      }
    },
  };
}

/** The features of a list of pictures, whose records stand from `base` on. */
function featuresOf(file: Records, base: number, count: number, cuts: Partial<Cuts>): Features {
  /** Records that were there when last looked at. */
  const isThere = new Uint8Array(count).fill(1);
  return {
    async run(engine, what, indices, pictures) {
      const cut = cuts[what.phase];
      const { start, end } = rangeOf(engine, what);
      if (cut === undefined || cut.at > end || !file.isOpen) {
        pictures();
        return engine.runAsync({ start, end });
      }
      const place = (index: number): number => base + index * (cut.bytes + TAIL_BYTES);
      const readAll = (): boolean =>
        indices.every((index) => isThere[index]) &&
        indices.every((index, row) => {
          const whole = file.read(place(index), index, rowsOf(engine, cut, row));
          if (!whole) isThere[index] = 0;
          return whole;
        });
      if (readAll()) padRows(engine, cut, indices.length);
      else {
        pictures();
        await engine.runAsync({ start, end: cut.at });
        for (const [row, index] of indices.entries())
          if (file.isOpen) {
            file.write(place(index), index, rowsOf(engine, cut, row));
            isThere[index] = 1;
          }
      }
      await engine.runAsync({ start: cut.at, end });
    },
  };
}

/** A picture's part of each value across the line. */
const rowsOf = (engine: Engine, { values }: Cut, row: number): Uint8Array[] =>
  values.map(({ offset, bytes }) => new Uint8Array(engine.memory.buffer, offset + row * bytes, bytes));

/** Rows without a picture count nothing, but must be numbers. */
function padRows(engine: Engine, cut: Cut, count: number): void {
  for (let row = count; row < engine.program.about.microBatch; row++) for (const value of rowsOf(engine, cut, row)) value.fill(0);
}
