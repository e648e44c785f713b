/**
 * Damaged and forged files of prepared pictures: each is refused by a sentence, or opened, and then a picture is refused or has exactly the bytes
 * that its digest names. Of a file whose checksum was not made again, these are the bytes that were written.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../src/base/error.ts';
import { type Listing, type Outcome, openCache, type Picture } from '../../src/data/cache.ts';

const PICTURES = 6;
const SIZE = { height: 4, width: 5 };
const PIXEL_BYTES = SIZE.height * SIZE.width * 3;
const TAIL = 4 + 32 + 8;

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Numbers below n. */
function randomOf(seed: number): (n: number) => number {
  let state = Math.imul(seed, 2654435761) | 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * n);
  };
}

const listing: Listing = {
  digest: 'ab'.repeat(32),
  size: SIZE,
  pictureBytes: PIXEL_BYTES,
  pictures: Array.from(
    { length: PICTURES },
    (_, i): Picture => ({ path: `${i}.png`, label: i % 2, bytes: 9, modifiedMs: 7, part: 'train' }),
  ),
  skipped: [],
};

/** A whole file, byte by byte as it is described; one of its pictures was unreadable. */
function sound(): { bytes: Buffer; pixels: Buffer[] } {
  const pixels = Array.from({ length: PICTURES - 1 }, (_, i) =>
    Buffer.from(Uint8Array.from({ length: PIXEL_BYTES }, (_, k) => k * 7 + i * 31)),
  );
  const json = Buffer.from(JSON.stringify({ digest: listing.digest, outcomes: outcomesOf(pixels) }));
  return { bytes: signed(Buffer.concat(pixels), json), pixels };
}

function outcomesOf(pixels: readonly Buffer[]): Outcome[] {
  const left = [...pixels];
  return listing.pictures.map((_, i) =>
    i === 2
      ? { modifiedMs: 7, reason: 'words' }
      : { modifiedMs: 7, content: 'cd'.repeat(32), digest: sha256(left.shift()!).toString('hex') },
  );
}

function signed(pixels: Uint8Array, json: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([pixels, json, length, sha256(json), Buffer.from('S2APICT2')]);
}

/** Values that stand where a number, a text or a list should. */
const ODD: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  2 ** 53,
  '',
  'x',
  '\u0000',
  [],
  {},
  [[]],
  { digest: 1 },
  'f'.repeat(64),
  Number.MAX_VALUE,
];

type Way = (bytes: Buffer, random: (n: number) => number) => Buffer;

/** Another value somewhere in the JSON, and its checksum made again. */
const forge: Way = (bytes, random) => {
  const length = bytes.readUInt32LE(bytes.length - TAIL);
  const start = bytes.length - TAIL - length;
  const found = JSON.parse(bytes.subarray(start, start + length).toString()) as { digest: unknown; outcomes: Record<string, unknown>[] };
  const odd = () => ODD[random(ODD.length)];
  const which = random(6);
  const outcome = found.outcomes[random(PICTURES)]!;
  if (which === 0) found.digest = odd();
  else if (which === 1) outcome[['digest', 'reason', 'modifiedMs', 'content'][random(4)]!] = odd();
  else if (which === 2) found.outcomes.splice(random(PICTURES), 1 + random(2));
  else if (which === 3) found.outcomes.push(...found.outcomes.slice(0, 1 + random(3)));
  else if (which === 4) (found as { outcomes: unknown }).outcomes = odd();
  else delete outcome[['digest', 'modifiedMs'][random(2)]!];
  const json = Buffer.from(random(8) === 0 ? JSON.stringify(odd()) : JSON.stringify(found));
  return signed(bytes.subarray(0, start), random(16) === 0 ? json.subarray(0, random(json.length)) : json);
};

const WAYS: Readonly<Record<string, Way>> = {
  'a bit of a cache': (bytes, random) => {
    bytes[random(bytes.length)]! ^= 1 << random(8);
    return bytes;
  },
  'bytes of a cache': (bytes, random) => {
    for (let n = 1 + random(9); n > 0; n--) bytes[random(bytes.length)] = random(256);
    return bytes;
  },
  'the end of a cache': (bytes, random) => {
    for (let n = 1 + random(4); n > 0; n--) bytes[bytes.length - 1 - random(TAIL)] = random(256);
    return bytes;
  },
  'a cut cache': (bytes, random) => bytes.subarray(0, random(bytes.length)),
  'a cache with a hole': (bytes, random) => {
    const from = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random(90))]);
  },
  'a longer cache': (bytes, random) => {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1), at + random(99)), bytes.subarray(at)]);
  },
  'a forged cache': forge,
};

export interface FuzzResult {
  readers: Record<string, { refused: number; passed: number }>;
  failures: string[];
}

export async function fuzzCaches(options: { count: number; seed: number; onInput(n: number): void }): Promise<FuzzResult> {
  const { count, seed, onInput } = options;
  const folder = mkdtempSync(join(tmpdir(), 's2a-caches-'));
  const path = join(folder, 'x.pictures');
  const { bytes: whole, pixels } = sound();
  const names = Object.keys(WAYS);
  const readers: FuzzResult['readers'] = Object.fromEntries(names.map((name) => [name, { refused: 0, passed: 0 }]));
  const failures: string[] = [];
  const random = randomOf(seed);
  try {
    for (let n = 0; n < count; n++) {
      onInput(n);
      const name = names[n % names.length]!;
      writeFileSync(path, WAYS[name]!(Buffer.from(whole), random));
      try {
        const isForged = name === 'a forged cache';
        readers[name]![judge(path, isForged ? undefined : pixels) ? 'passed' : 'refused']++;
      } catch (error) {
        failures.push(
          `${name}, input ${n}, seed ${seed}: ${(error as Error).stack} ${readFileSync(path).toString('base64').slice(0, 4000)}`,
        );
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { readers, failures };
}

/** Whether the file opens and all of it is read; throws what is neither that nor a sentence. `pixels`: what was written, where that is known. */
function judge(path: string, pixels: readonly Buffer[] | undefined): boolean {
  const refusedBy = (action: () => void): boolean => {
    try {
      action();
      return false;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return true;
    }
  };
  let isWhole = true;
  const isRefused = refusedBy(() => {
    const cache = openCache(path, listing);
    try {
      const target = Buffer.alloc(PIXEL_BYTES);
      for (const [i, digest] of cache.digests.entries()) {
        if (refusedBy(() => cache.readInto(i, target))) isWhole = false;
        else if (sha256(target).toString('hex') !== digest) throw new Error(`picture ${i} is not what its digest names`);
        else if (pixels && !target.equals(pixels[i]!)) throw new Error(`picture ${i} is not what was written`);
      }
    } finally {
      cache.close();
    }
  });
  return !isRefused && isWhole;
}
