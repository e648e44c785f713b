/** Damaged pictures of every kind that is read: each is decoded or refused with one sentence, within the memory that was planned. */
import { readdirSync, readFileSync } from 'node:fs';
import { resident } from '../../src/base/processmemory.ts';
import { decodePicture } from '../../src/input/decode.ts';
import { Unreadable } from '../../src/pictures/unreadable.ts';
import { type FuzzReport, generator, type Random } from '../wasi/fuzz.ts';
import { asIs } from './pattern.ts';
import { oriented } from './photo.ts';
import { kinds, png } from './pngs.ts';

const folder = 'test/golden/pictures';
const LIMIT = 16 * 2 ** 20;
/** What the process may have beyond its start: the limit, the codecs, the runtime's garbage. */
const MOST = LIMIT + 96 * 2 ** 20;

function sources(): Uint8Array[] {
  const files = readdirSync(folder).filter((name) => !name.endsWith('.json'));
  const golden = files.map((name) => new Uint8Array(readFileSync(`${folder}/${name}`)));
  const jpegs = golden.filter((bytes) => bytes[0] === 0xff).map((bytes, i) => oriented(bytes, 1 + (i & 7), i % 2 === 0, 3 + (i & 1)));
  return [...golden, ...jpegs, ...kinds.map((kind) => png(kind, true, { clear: true }))];
}

/** A few bytes changed, cut, doubled, filled or put elsewhere. */
function harmed(random: Random, good: Uint8Array): Uint8Array {
  // Not slice(): a Buffer would share its bytes.
  let bytes: Uint8Array = Uint8Array.from(good);
  for (let i = 1 + random(4); i > 0 && bytes.length > 0; i--) {
    const at = random(bytes.length);
    const n = 1 + random(Math.min(64, bytes.length - at));
    const kind = random(6);
    if (kind === 0) bytes[at]! ^= 1 << random(8);
    else if (kind === 1) bytes[at] = [0, 255, 127, 128, 1][random(5)]!;
    else if (kind === 2) bytes = bytes.slice(0, at);
    else if (kind === 3) bytes.fill(random(256), at, at + n);
    else if (kind === 4) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + n), bytes.subarray(at)]);
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + n)]);
  }
  return bytes;
}

/** PNG's checksums are made right again, so that damage comes past them. */
function mended(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x89) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    let crc = -1;
    for (let i = at + 4; i < end; i++) {
      crc ^= bytes[i]!;
      for (let k = 0; k < 8; k++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    }
    view.setUint32(end, ~crc >>> 0);
    at = end + 4;
  }
  return bytes;
}

export async function fuzzPictures({
  count,
  seed,
  onInput,
}: {
  count: number;
  seed: number;
  onInput(n: number): void;
}): Promise<FuzzReport> {
  const random = generator(seed);
  const good = sources();
  const readers = { JPEG: { refused: 0, passed: 0 }, PNG: { refused: 0, passed: 0 }, WebP: { refused: 0, passed: 0 } };
  const failures: string[] = [];
  const before = resident().now;
  for (let n = 0; n < count; n++) {
    onInput(n);
    const source = good[random(good.length)]!;
    const tally = readers[source[0] === 0xff ? 'JPEG' : source[0] === 0x89 ? 'PNG' : 'WebP'];
    const damaged = harmed(random, source);
    try {
      await decodePicture(random(4) > 0 ? mended(damaged) : damaged, asIs(8, 8), LIMIT);
      tally.passed++;
    } catch (error) {
      if (error instanceof Unreadable && !error.message.includes('\n')) tally.refused++;
      else failures.push(`pictures ${n}: ${(error as Error).stack}`);
    }
    const extra = resident().now - before;
    if (extra > MOST) {
      failures.push(`pictures ${n}: ${(extra / 2 ** 20).toFixed(0)} MiB more than at the start`);
      break;
    }
  }
  return { readers, failures };
}
