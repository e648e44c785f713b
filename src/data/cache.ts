/**
 * The prepared pictures in one file, read by ranges: training never holds more than its micro-batch.
 *
 *     n × H × W × RGB bytes │ JSON: what they are │ JSON length, u32 little-endian │ "S2APICT1"
 *
 * The description comes last, since which pictures are readable is known last; with it in the same file one rename is atomic.
 */
import { closeSync, fstatSync, readdirSync, readSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../error.ts';
import { createFile, guarded, makeFolder, removeLeftovers } from '../files.ts';
import { openOrdinary } from '../reading.ts';
import type { Known } from './content.ts';
import type { Preprocess, Size } from './preprocess.ts';
import type { Sample, Skipped } from './scan.ts';

const magic = 'S2APICT1';
const footerBytes = 4 + magic.length;

export type Part = 'train' | 'val' | 'test';

/** A picture of the cache: where it came from. Its index here is its index in the file. */
export interface Picture extends Sample {
  part: Part;
}

export interface Description {
  /** Of everything the pixels depend on beside the files' contents: specification, decoder, list of files with sizes. */
  digest: string;
  /** SHA-256 of each picture's pixels, 64 hex digits: what the data's digest is made of (digest.ts). */
  digests: string[];
  decoder: string;
  spec: Preprocess;
  size: Size;
  classes: string[];
  pictures: Picture[];
  /** Pictures that could not be used, as they were. */
  unused: Known[];
  skipped: Skipped[];
}

export interface Cache extends Description {
  path: string;
  /** Size of the file. */
  bytes: number;
  /** Bytes of one picture: H · W · 3. */
  pictureBytes: number;
  /** Reads picture `index` into `target`, which has `pictureBytes`; `target` may lie in the engine's memory. */
  readInto(index: number, target: Uint8Array): void;
  close(): void;
}

/** Opens a cache file; every length in it is checked before it is used. */
export function openCache(path: string): Cache {
  const file = openOrdinary(path);
  try {
    const bytes = fstatSync(file).size;
    const description = describe(file, bytes, path);
    const { height, width } = description.size;
    const pictureBytes = height * width * 3;
    return {
      ...description,
      path,
      bytes,
      pictureBytes,
      readInto(index, target) {
        if (!(index >= 0 && index < description.pictures.length) || target.length !== pictureBytes) {
          throw new RangeError(`picture ${index} of ${description.pictures.length}, ${target.length} of ${pictureBytes} bytes`);
        }
        readAll(file, target, index * pictureBytes, path);
      },
      close: () => closeSync(file),
    };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function readAll(file: number, target: Uint8Array, position: number, path: string): void {
  for (let done = 0; done < target.length; ) {
    const n = readSync(file, target, done, target.length - done, position + done);
    if (n === 0) throw new InputError({ where: path, what: 'the picture cache is truncated', hint: 'delete it; it is made again' });
    done += n;
  }
}

function describe(file: number, bytes: number, path: string): Description {
  const damaged = () => new InputError({ where: path, what: 'not a picture cache, or a damaged one', hint: 'delete it; it is made again' });
  if (bytes < footerBytes) throw damaged();
  const footer = Buffer.alloc(footerBytes);
  readAll(file, footer, bytes - footerBytes, path);
  const jsonBytes = footer.readUInt32LE(0);
  if (footer.toString('latin1', 4) !== magic || jsonBytes > bytes - footerBytes) throw damaged();
  const json = Buffer.alloc(jsonBytes);
  readAll(file, json, bytes - footerBytes - jsonBytes, path);
  let description: Description;
  try {
    description = JSON.parse(json.toString()) as Description;
  } catch {
    throw damaged();
  }
  const { size, pictures, digests, unused } = description;
  if (!(size?.height > 0 && size.width > 0)) throw damaged();
  if (!Array.isArray(pictures) || pictures.length * size.height * size.width * 3 !== bytes - footerBytes - jsonBytes) throw damaged();
  const isDigest = (text: unknown): boolean => typeof text === 'string' && /^[0-9a-f]{64}$/.test(text);
  if (!Array.isArray(digests) || digests.length !== pictures.length || !digests.every(isDigest)) throw damaged();
  if (!Array.isArray(unused)) throw damaged();
  return description;
}

export interface CacheWriter {
  /** Where the next picture's pixels go: the decoder writes them there itself, so that they never pass through this process's heap. */
  next(): { offset: number };
  /** The file in the making: open, and under its temporary name. */
  file: { fd: number; path: string };
  /** The decoder wrote them; `digest` is their SHA-256. */
  add(picture: Picture, digest: string): void;
  /** Writes the description, syncs and renames; returns the bytes written in all. */
  finish(rest: Omit<Description, 'digests' | 'pictures'>): number;
  /** Removes what was written. */
  abandon(): void;
}

/** Writes a cache; `path` appears whole or not at all. */
export function writeCache(path: string, pictureBytes: number): CacheWriter {
  const folder = dirname(path);
  makeFolder(folder);
  removeLeftovers(folder);
  const file = createFile(path);
  const digests: string[] = [];
  const pictures: Picture[] = [];
  let pixelBytes = 0;
  return {
    next: () => ({ offset: pixelBytes }),
    file: { fd: file.fd, path: file.temporary },
    add(picture, digest) {
      digests.push(digest);
      file.wroteAlready(pictureBytes);
      pixelBytes += pictureBytes;
      pictures.push(picture);
    },
    finish(rest) {
      const json = Buffer.from(JSON.stringify({ ...rest, digests, pictures }));
      const footer = Buffer.alloc(footerBytes);
      footer.writeUInt32LE(json.length, 0);
      footer.write(magic, 4, 'latin1');
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
