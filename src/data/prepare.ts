/** Pictures in, cache out: the one function that training calls before it begins. */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { mebibytes } from '../base/bytes.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError, Interrupted } from '../base/error.ts';
import { freeBytes, meaningOf } from '../base/files.ts';
import { stableJson } from '../base/json.ts';
import { codeOf } from '../base/reading.ts';
import type { Decoder, DecoderFile } from '../input/decoder.ts';
import { defaultDecoderBytes } from '../input/decoderlimit.ts';
import { inputOf, type Preparation, portOf } from '../input/index.ts';
import type { TaskName } from '../task/index.ts';
import { type Cache, type CacheWriter, type Listing, type Outcome, openCache, type Picture, writeCache } from './cache.ts';
import { isSame } from './content.ts';
import { unreadClass } from './kinds.ts';
import { repair } from './repair.ts';
import { type Folder, type Skipped, scanFolder } from './scan.ts';
import { splitSamples } from './split.ts';

export interface PrepareOptions {
  /** The folder of pictures. */
  root: string;
  /** What it holds; listed here unless given. */
  folder?: Folder;
  /** A table of labels, where it is listed here (labels.ts). */
  labels?: string | undefined;
  /** What the pictures are for, where it is listed here (targets.ts). */
  task?: TaskName | undefined;
  /** Nothing is learnt from them: one class is enough, and no part need be there. */
  isJudged?: boolean | undefined;
  /** Pictures of `folder` that are gone: only an earlier cache has them. */
  vanished?: readonly string[];
  preprocess: Preparation;
  /** Where the cache file is kept, and found again. */
  cacheFolder: string;
  /** Of the hold-out, where the folder has no `val`. */
  seed: number;
  /** Share of each class held out; 0.2 unless given. */
  holdOut?: number;
  /** The most bytes that decoding one picture may take; larger pictures are skipped. */
  decoderBytes?: number;
  /** What became of an earlier cache, where it was damaged. */
  warn?(sentence: string): void;
  onProgress?(progress: { done: number; total: number; path: string; skipped: number }): void;
  /** Stops between two pictures; nothing half-written stays. */
  signal?: AbortSignal;
  /** Another way to run the decoder. */
  start?(file: DecoderFile): Decoder;
  /** Another way to ask how many bytes the disk of a path has left. */
  space?(path: string): number | undefined;
}

export interface Prepared {
  /** What was prepared. */
  input: 'picture' | 'array';
  cache: Cache;
  /** Absent: classification. */
  task?: Folder['task'];
  classes: string[];
  /** Indices into the cache. */
  train: number[];
  val: number[];
  test: number[];
  /** True where val came from the folder, false where it was held out. */
  valGiven: boolean;
  skipped: Skipped[];
  /** What else is to be known of the folder. */
  notes: readonly string[];
  /** 0 when an earlier cache was reused. */
  bytesWritten: number;
  decoder: string;
  /** The most that the decoder's own process has had resident; 0 when nothing was decoded, or by a thread. */
  decoderPeakBytes: number;
  digest: string;
}

export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const folder = options.folder ?? scanFolder(options.root, options);
  const input = inputOf(options.preprocess);
  checkKind(options, folder);
  const limit = options.decoderBytes ?? defaultDecoderBytes;
  const pictures: Picture[] = [];
  for (const part of ['train', 'val', 'test'] as const) for (const sample of folder[part] ?? []) pictures.push({ ...sample, part });
  const identity = {
    format: 4,
    spec: options.preprocess,
    decoder: input.preparedBy(),
    limit,
    classes: folder.classes,
    // Of their contents the cache knows more than their times.
    pictures: pictures.map(({ path, label, bytes, part }) => ({ path, label, bytes, part })),
    skipped: folder.skipped,
  };
  const digest = createHash('sha256').update(stableJson(identity)).digest('hex');
  const path = join(options.cacheFolder, `${digest.slice(0, 16)}.pictures`);

  const { height, width, bytes: pictureBytes } = portOf(options.preprocess);
  const listing: Listing = { digest, size: { height, width }, pictureBytes, pictures, skipped: folder.skipped };
  let written = { bytes: 0, decoderPeakBytes: 0 };
  let cache = reusable(path, listing, options);
  if (cache) {
    const repaired = await repair(cache, listing, { ...options, limit });
    if (repaired === undefined) {
      cache.close();
      cache = undefined;
    } else written = repaired;
  }
  if (!cache) {
    const [gone] = options.vanished ?? [];
    if (gone !== undefined)
      throw new InputError({
        where: join(options.root, gone),
        what: 'gone since the run began, and its prepared copy with it',
        hint: 'put it back, or start anew without --resume',
      });
    written = await decodeAll(options, listing, { path, limit, classes: folder.task ? [''] : folder.classes });
    cache = openCache(path, listing);
  }
  return {
    input: input.name,
    cache,
    ...(folder.task ? { task: folder.task } : {}),
    classes: folder.classes,
    ...parts(cache, options, folder.val !== null),
    skipped: cache.skipped,
    notes: folder.notes,
    bytesWritten: written.bytes,
    decoderPeakBytes: written.decoderPeakBytes,
    decoder: input.preparedBy(),
    digest,
  };
}

/** Arrays where pictures are wanted, or pictures where arrays are, are refused by name. */
function checkKind({ root, preprocess }: PrepareOptions, { arrays }: Folder): void {
  const wanted = inputOf(preprocess);
  const isArrays = wanted.name === 'array';
  if ((arrays !== undefined) === isArrays) return;
  throw new InputError({
    where: root,
    what: `holds ${isArrays ? 'pictures' : 'arrays'}`,
    expected: wanted.noun.many,
    hint: `the network's input was ${wanted.noun.many}`,
  });
}

/** An earlier cache of the same pictures; a damaged one is said and made again. */
function reusable(path: string, listing: Listing, { root, warn }: PrepareOptions): Cache | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const cache = openCache(path, listing);
    const isKnown = (picture: Picture, i: number): boolean => isSame(root, picture, { ...cache.outcomes[i]!, path: picture.path });
    if (listing.pictures.every(isKnown)) return cache;
    cache.close();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    warn?.(`${error.message}; pictures are prepared anew`);
  }
  return undefined;
}

/** Begins a cache; where it cannot be written, the sentence says what names another place. */
function newCache(path: string, pictureBytes: number): CacheWriter {
  try {
    return writeCache(path, pictureBytes);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError({ ...error.parts, hint: '--cache names another folder for the prepared pictures' }, error.code);
  }
}

async function decodeAll(
  { root, preprocess, isJudged, onProgress, signal, start = inputOf(preprocess).start, space = freeBytes }: PrepareOptions,
  { digest, size, pictureBytes, pictures, skipped: before }: Listing,
  { path, limit, classes }: { path: string; limit: number; classes: readonly string[] },
): Promise<{ bytes: number; decoderPeakBytes: number }> {
  let decoderPeakBytes = 0;
  let skipped = before.length;
  const writer = newCache(path, pictureBytes);
  const [free, wanted] = [space(path), pictures.length * pictureBytes];
  if (free !== undefined && free < wanted) {
    writer.abandon();
    throw new InputError(
      {
        where: dirname(path),
        what: `too little space for ${pictures.length} prepared pictures of ${size.height}x${size.width}`,
        got: `${mebibytes(free)} free`,
        expected: mebibytes(wanted),
        hint: '--cache names a folder on another disk',
      },
      'S2A_DISK',
    );
  }
  const decoder = start(writer.file);
  const stop = () => void decoder.close();
  signal?.addEventListener('abort', stop);
  const outcomes: Outcome[] = [];
  try {
    for (const [i, picture] of pictures.entries()) {
      if (signal?.aborted) throw new Interrupted('interrupted while preparing pictures');
      const reply = await decoder.decode({ path: join(root, picture.path), spec: preprocess, limit, ...writer.next() });
      if (signal?.aborted) throw new Interrupted('interrupted while preparing pictures');
      decoderPeakBytes = Math.max(decoderPeakBytes, reply.peakBytes ?? 0);
      if ('failed' in reply)
        throw new InputError({ where: path, what: `cannot be written: ${meaningOf(reply.failed)}` }, codeOf(reply.failed));
      const was = { modifiedMs: picture.modifiedMs, content: reply.content };
      if ('reason' in reply) skipped++;
      outcomes.push('reason' in reply ? { ...was, reason: reply.reason } : { ...was, digest: reply.digest });
      writer.add(outcomes.at(-1)!);
      onProgress?.({ done: i + 1, total: pictures.length, path: picture.path, skipped });
    }
    refuseEmpty(root, classes, isJudged ? pictures.map((picture) => ({ ...picture, part: 'train' as const })) : pictures, outcomes);
    return { bytes: writer.finish(digest), decoderPeakBytes };
  } finally {
    signal?.removeEventListener('abort', stop);
    writer.abandon();
    await decoder.close();
  }
}

/** InputError where a class has not one readable picture to learn from. */
function refuseEmpty(root: string, classes: readonly string[], pictures: readonly Picture[], outcomes: readonly Outcome[]): void {
  const isRead = (label: number) => pictures.some((p, i) => p.part === 'train' && p.label === label && 'digest' in outcomes[i]!);
  const empty = classes.findIndex((_, label) => !isRead(label));
  if (empty < 0) return;
  const files = pictures.flatMap(({ part, label, path }, i): Skipped[] => {
    const outcome = outcomes[i]!;
    return part === 'train' && label === empty && 'reason' in outcome ? [{ path, reason: outcome.reason }] : [];
  });
  throw unreadable(root, classes[empty]!, files);
}

/** The sentence for a class none of whose pictures to learn from can be read. */
function unreadable(root: string, label: string, files: readonly Skipped[]): InputError {
  const [first] = files;
  const folder = join(root, dirname(first!.path));
  const kind = unreadClass(
    folder,
    files.map(({ path, reason }) => ({ name: basename(path), reason })),
  );
  if (kind) return new InputError({ where: folder, ...kind }, 'S2A_PICTURE');
  return new InputError(
    {
      where: folder,
      what: label === '' ? 'no readable picture to learn from' : `no readable picture in this class (${label})`,
      hint: `${first!.path}: ${first!.reason}`,
    },
    'S2A_PICTURE',
  );
}

/** Which pictures of the cache learn and which judge. */
function parts({ pictures }: Cache, { seed, holdOut = DEFAULTS.holdOut }: PrepareOptions, valGiven: boolean) {
  const of = (part: string) => pictures.flatMap((p, i) => (p.part === part ? [i] : []));
  const train = of('train');
  const test = of('test');
  if (valGiven) return { train, val: of('val'), test, valGiven };
  const split = splitSamples(
    train.map((i) => pictures[i]!.label),
    holdOut,
    seed,
  );
  return { train: split.train.map((i) => train[i]!), val: split.val.map((i) => train[i]!), test, valGiven };
}
