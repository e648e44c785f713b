/**
 * The prepared pictures in one file, read by ranges: training never holds more than its micro-batch.
 *
 *     n × H × W × C bytes │ JSON: what became of each listed picture │ its length, u32 little-endian │ its SHA-256 │ "S2APICT2"
 *
 * The JSON comes last, since which pictures are readable is known last; with it in the same file one rename is atomic. Of the file nothing is
 * believed but what its checksums say: the JSON by its own, each picture by the JSON's whenever it is read. Labels, parts, counts and sizes are
 * not in it: they are those of the run's own listing, to which the digest in the JSON belongs.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readdirSync, readSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../base/error.ts';
import { createFile, guarded, makeFolder, removeLeftovers } from '../base/files.ts';
import { openOrdinary } from '../base/reading.ts';
import type { Size } from '../input/preprocess.ts';
import type { Known } from './content.ts';
import type { Sample, Skipped } from './scan.ts';

const magic = 'S2APICT2';
const HASH_BYTES = 32;
const footerBytes = 4 + HASH_BYTES + magic.length;
/** Most bytes of the JSON, for each listed picture and beside them. */
const ENTRY_BYTES = 2048;
const REASON_CHARACTERS = 300;

export type Part = 'train' | 'val' | 'test';

/** A picture of the listing, and of the cache: where it came from. */
export interface Picture extends Sample {
  part: Part;
}

/** What a cache is for: every listed picture in order, and the digest of all that their pixels depend on (prepare.ts). */
export interface Listing {
  digest: string;
  size: Size;
  /** Bytes of a prepared picture. */
  pictureBytes: number;
  pictures: readonly Picture[];
  /** Files that were passed over before. */
  skipped: readonly Skipped[];
}

/** What became of a listed picture: its pixels' SHA-256, 64 hex digits, or why it has none. */
export type Outcome = Pick<Known, 'modifiedMs' | 'content'> & ({ digest: string } | { reason: string });

export interface Cache {
  path: string;
  size: Size;
  /** Size of the file. */
  bytes: number;
  /** Bytes of one picture: H · W · C. */
  pictureBytes: number;
  /** The readable pictures: an index here is one into the file. */
  pictures: readonly Picture[];
  /** SHA-256 of each one's pixels: what the data's digest is made of (digest.ts). */
  digests: readonly string[];
  /** Pictures that could not be used, as they were. */
  unused: readonly Known[];
  skipped: Skipped[];
  /** What became of each listed picture. */
  outcomes: readonly Outcome[];
  /**
   * Reads picture `index` into `target`, which has `pictureBytes`; `target` may lie in the engine's memory. InputError where these are not the
   * bytes that were written.
   */
  readInto(index: number, target: Uint8Array): void;
  /** Whether picture `index` can be read as it was written. */
  isWhole(index: number): boolean;
  close(): void;
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Opens the cache of a listing: InputError where it is another's or damaged; its pictures are checked as they are read. */
export function openCache(path: string, listing: Listing): Cache {
  const file = openOrdinary(path);
  try {
    return readCache(path, file, listing);
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function readCache(path: string, file: number, { digest, size, pictureBytes, pictures: listed, skipped: before }: Listing): Cache {
  const { size: bytes } = fstatSync(file);
  const { outcomes, pixelsEnd } = readOutcomes(path, file, bytes, { digest, count: listed.length });
  const pictures: Picture[] = [];
  const digests: string[] = [];
  const unused: Known[] = [];
  const skipped = [...before];
  for (const [i, outcome] of outcomes.entries()) {
    const { content } = outcome;
    if ('digest' in outcome) {
      digests.push(outcome.digest);
      pictures.push({ ...listed[i]!, content });
    } else {
      unused.push({ ...listed[i]!, content });
      skipped.push({ path: listed[i]!.path, reason: outcome.reason });
    }
  }
  if (pixelsEnd !== pictures.length * pictureBytes) throw damaged(path);
  let trial: Uint8Array | undefined;
  const holds = (index: number, target: Uint8Array): boolean =>
    fill(path, file, target, index * pictureBytes) && sha256(target).toString('hex') === digests[index];
  return {
    path,
    size,
    bytes,
    pictureBytes,
    pictures,
    digests,
    unused,
    skipped,
    outcomes,
    readInto(index, target) {
      if (!(index >= 0 && index < pictures.length) || target.length !== pictureBytes)
        throw new RangeError(`picture ${index} of ${pictures.length}, ${target.length} of ${pictureBytes} bytes`);
      if (holds(index, target)) return;
      throw new InputError(
        {
          where: path,
          what: `the prepared copy of ${pictures[index]!.path} was damaged since the run began`,
          hint: 'start it again: damaged copies are then prepared anew, and --resume goes on from the last checkpoint',
        },
        'S2A_DISK',
      );
    },
    isWhole(index) {
      trial ??= new Uint8Array(pictureBytes);
      return holds(index, trial);
    },
    close: () => closeSync(file),
  };
}

const damaged = (path: string): InputError => new InputError({ where: path, what: 'is not the cache of these pictures, or is damaged' });

/** Reads `target`; false where the file ends before. */
function fill(path: string, file: number, target: Uint8Array, position: number): boolean {
  for (let done = 0; done < target.length; ) {
    const n = guarded(path, 'cannot be read', () => readSync(file, target, done, target.length - done, position + done));
    if (n === 0) return false;
    done += n;
  }
  return true;
}

/** What became of each of `count` listed pictures, from a whole JSON that belongs to the listing, and where the pixels before it end. */
function readOutcomes(
  path: string,
  file: number,
  bytes: number,
  { digest, count }: { digest: string; count: number },
): { outcomes: Outcome[]; pixelsEnd: number } {
  const footer = Buffer.alloc(footerBytes);
  if (bytes < footerBytes || !fill(path, file, footer, bytes - footerBytes)) throw damaged(path);
  const length = footer.readUInt32LE(0);
  if (footer.toString('latin1', 4 + HASH_BYTES) !== magic) throw damaged(path);
  if (length > Math.min(bytes - footerBytes, (count + 1) * ENTRY_BYTES)) throw damaged(path);
  const json = Buffer.alloc(length);
  if (!fill(path, file, json, bytes - footerBytes - length)) throw damaged(path);
  if (!sha256(json).equals(footer.subarray(4, 4 + HASH_BYTES))) throw damaged(path);
  let found: unknown;
  try {
    found = JSON.parse(json.toString());
  } catch {
    throw damaged(path);
  }
  const { digest: belongs, outcomes } = (found ?? {}) as { digest?: unknown; outcomes?: unknown };
  if (belongs !== digest || !Array.isArray(outcomes) || outcomes.length !== count || !outcomes.every(isOutcome)) throw damaged(path);
  return { outcomes, pixelsEnd: bytes - footerBytes - length };
}

const isHash = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

function isOutcome(value: unknown): value is Outcome {
  if (typeof value !== 'object' || value === null) return false;
  const { modifiedMs, content, digest, reason } = value as Record<string, unknown>;
  if (!Number.isSafeInteger(modifiedMs) || (content !== undefined && !isHash(content))) return false;
  return digest === undefined ? typeof reason === 'string' : reason === undefined && isHash(digest);
}

export interface CacheWriter {
  /** Where the next picture's pixels go: the decoder writes them there itself, so that they never pass through this process's heap. */
  next(): { offset: number };
  /** The file in the making: open, and under its temporary name. */
  file: { fd: number; path: string };
  /** What became of the next picture; where it has a digest, the decoder wrote its pixels. */
  add(outcome: Outcome): void;
  /** Writes the rest, syncs and renames; returns the bytes written in all. `digest`: the listing's. */
  finish(digest: string): number;
  /** Removes what was written. */
  abandon(): void;
}

/** Writes a cache; `path` appears whole or not at all. */
export function writeCache(path: string, pictureBytes: number): CacheWriter {
  const folder = dirname(path);
  makeFolder(folder);
  removeLeftovers(folder);
  const file = createFile(path);
  const outcomes: Outcome[] = [];
  let pixelBytes = 0;
  return {
    next: () => ({ offset: pixelBytes }),
    file: { fd: file.fd, path: file.temporary },
    add(outcome) {
      outcomes.push('reason' in outcome ? { ...outcome, reason: outcome.reason.slice(0, REASON_CHARACTERS) } : outcome);
      if ('reason' in outcome) return;
      file.wroteAlready(pictureBytes);
      pixelBytes += pictureBytes;
    },
    finish(digest) {
      const json = Buffer.from(JSON.stringify({ digest, outcomes }));
      const footer = Buffer.alloc(footerBytes);
      footer.writeUInt32LE(json.length, 0);
      footer.set(sha256(json), 4);
      footer.write(magic, 4 + HASH_BYTES, 'latin1');
      file.write(json);
      file.write(footer);
      file.commit();
      return pixelBytes + json.length + footerBytes;
    },
    abandon: file.discard,
  };
}

/** Removes the caches of a folder but this one. */
export function removeOtherCaches(folder: string, keep: string): void {
  for (const name of guarded(folder, 'cannot be read', () => readdirSync(folder)))
    if (/^[0-9a-f]{16}\.pictures$/.test(name) && name !== basename(keep)) rmSync(join(folder, name), { force: true });
}
