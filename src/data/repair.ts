/** A cache that is used again is read once before the run: what the disk has spoilt is decoded anew, into its place. */
import { closeSync, fsyncSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, Interrupted } from '../base/error.ts';
import { codeOf, meaningOf, openOrdinary } from '../base/reading.ts';
import type { Decoder, DecoderFile } from '../input/decoder.ts';
import { inputOf, type Preparation } from '../input/index.ts';
import type { Cache, Listing } from './cache.ts';
import { listed } from './folder.ts';

/** Milliseconds of reading after which others get a turn: a signal among them. */
const TURN_MS = 20;

export type Repaired = { bytes: number; decoderPeakBytes: number };

/** As for preparing them (prepare.ts). */
export interface Repairs {
  root: string;
  preprocess: Preparation;
  limit: number;
  vanished?: readonly string[];
  signal?: AbortSignal;
  start?(file: DecoderFile): Decoder;
  warn?(sentence: string): void;
}

/** Reads every picture of the cache and mends those that are damaged; undefined where one can no longer be decoded to what it was. */
export async function repair(cache: Cache, { pictureBytes }: Listing, options: Repairs): Promise<Repaired | undefined> {
  const { root, warn, vanished = [] } = options;
  const spoilt = await damagedIn(cache, options.signal);
  if (spoilt.length === 0) return { bytes: 0, decoderPeakBytes: 0 };
  const names = spoilt.map((index) => cache.pictures[index]!.path);
  const gone = names.find((name) => vanished.includes(name));
  if (gone !== undefined)
    throw new InputError({
      where: join(root, gone),
      what: `gone since the run began, and its prepared copy in ${cache.path} is damaged`,
      hint: 'put it back, or start anew without --resume',
    });
  warn?.(`${cache.path}: damaged copies are prepared anew: ${listed(names)}`);
  return await decodeInPlace(cache, spoilt, { ...options, pictureBytes });
}

/** Indices of the pictures that are not what was written. */
async function damagedIn(cache: Cache, signal: AbortSignal | undefined): Promise<number[]> {
  const found: number[] = [];
  let began = performance.now();
  for (let index = 0; index < cache.pictures.length; index++) {
    if (!cache.isWhole(index)) found.push(index);
    if (performance.now() - began < TURN_MS) continue;
    await new Promise(setImmediate);
    if (signal?.aborted) throw new Interrupted('interrupted while reading prepared pictures');
    began = performance.now();
  }
  return found;
}

async function decodeInPlace(
  { path, pictures, digests }: Cache,
  spoilt: readonly number[],
  { root, preprocess, limit, signal, start = inputOf(preprocess).start, pictureBytes }: Repairs & { pictureBytes: number },
): Promise<Repaired | undefined> {
  const fd = openOrdinary(path, 'r+');
  const decoder = start({ fd, path });
  const stop = () => void decoder.close();
  signal?.addEventListener('abort', stop);
  let decoderPeakBytes = 0;
  try {
    for (const index of spoilt) {
      const request = { path: join(root, pictures[index]!.path), spec: preprocess, limit, offset: index * pictureBytes };
      const reply = await decoder.decode(request);
      if (signal?.aborted) throw new Interrupted('interrupted while preparing pictures');
      decoderPeakBytes = Math.max(decoderPeakBytes, reply.peakBytes ?? 0);
      if ('failed' in reply)
        throw new InputError({ where: path, what: `cannot be written: ${meaningOf(reply.failed)}` }, codeOf(reply.failed));
      if ('reason' in reply || reply.digest !== digests[index]) return undefined;
    }
    fsyncSync(fd);
    return { bytes: spoilt.length * pictureBytes, decoderPeakBytes };
  } finally {
    signal?.removeEventListener('abort', stop);
    await decoder.close();
    closeSync(fd);
  }
}
