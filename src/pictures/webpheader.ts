/**
 * The chunks of a WebP file, read before anything is decoded: where its one coded picture lies, how large it is, how it was held.
 * Alpha is a chunk or a channel of its own, and asked for by networks of four channels alone; of an animation the first frame is the picture.
 */
import { readOrientation } from './exif.ts';
import { Unreadable } from './unreadable.ts';

export interface WebpImage {
  /** The chunk `VP8 ` (lossy) or `VP8L` (lossless), its head included: a picture that libwebp takes by itself. */
  chunk: Uint8Array;
  /** The chunk `ALPH` before it, its head included, where there is one. */
  alpha?: Uint8Array | undefined;
  lossless: boolean;
  width: number;
  height: number;
  orientation: number;
}

const ANIMATION = 0x02;
const EXIF = 0x08;
const ALPHA = 0x10;
const FRAME_HEAD = 16;

interface Chunk {
  name: string;
  from: number;
  to: number;
}

/** Chunks from `at` on, each within `end`; one that is cut off is the last, and `to` then lies behind the end. */
function* chunks(view: DataView, at: number, end: number): Generator<Chunk> {
  while (at + 8 <= end) {
    const name = String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
    const from = at + 8;
    const to = from + view.getUint32(at + 4, true);
    yield { name, from, to };
    // Chunks have even lengths; the last one's fill byte may be missing.
    at = to + (to & 1);
  }
}

const damaged = (what: string) => new Unreadable(`a damaged WebP: ${what}`);
const truncated = () => new Unreadable('a truncated WebP: it ends before the picture does');
const three = (view: DataView, at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);

export function readWebp(bytes: Uint8Array): WebpImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(bytes.length, 8 + view.getUint32(4, true));
  let canvas: { width: number; height: number } | undefined;
  let flags = 0;
  let image: Omit<WebpImage, 'orientation'> | undefined;
  let orientation: number | undefined;
  let alpha: Uint8Array | undefined;
  for (const { name, from, to } of chunks(view, 12, end)) {
    if (to > end) {
      if (image) break;
      throw truncated();
    }
    if (name === 'VP8X' && !canvas && !image) {
      if (to - from < 10) throw damaged('wrong header');
      flags = view.getUint8(from);
      canvas = { width: three(view, from + 4) + 1, height: three(view, from + 7) + 1 };
    } else if (name === 'ALPH' && !image) alpha = bytes.subarray(from - 8, to);
    else if ((name === 'VP8 ' || name === 'VP8L') && !(flags & ANIMATION)) image ??= { ...coded(bytes, view, name, from, to), alpha };
    else if (name === 'ANMF' && flags & ANIMATION) image ??= frame(bytes, view, from, to);
    else if (name === 'EXIF' && flags & EXIF) orientation ??= exif(view, from, to);
  }
  if (!image) throw bytes.length < 8 + view.getUint32(4, true) ? truncated() : damaged('no picture in it');
  if (canvas && (canvas.width !== image.width || canvas.height !== image.height)) {
    if (flags & ANIMATION) throw new Unreadable('an animated WebP whose first frame is not the whole picture');
    throw damaged('two sizes');
  }
  return { ...image, orientation: orientation ?? 1 };
}

/** The coded picture of an animation's frame. */
function frame(bytes: Uint8Array, view: DataView, start: number, end: number): Omit<WebpImage, 'orientation'> {
  let alpha: Uint8Array | undefined;
  for (const { name, from, to } of chunks(view, start + FRAME_HEAD, end)) {
    if (to > end) break;
    if (name === 'ALPH') alpha = bytes.subarray(from - 8, to);
    if (name === 'VP8 ' || name === 'VP8L') return { ...coded(bytes, view, name, from, to), alpha };
  }
  throw damaged('a frame without a picture');
}

function coded(bytes: Uint8Array, view: DataView, name: string, from: number, to: number): Omit<WebpImage, 'orientation'> {
  const chunk = bytes.subarray(from - 8, to);
  if (name === 'VP8L') {
    if (to - from < 5 || view.getUint8(from) !== 0x2f) throw damaged('wrong header');
    const size = view.getUint32(from + 1, true);
    return { chunk, lossless: true, width: (size & 0x3fff) + 1, height: ((size >>> 14) & 0x3fff) + 1 };
  }
  // A key frame's tag of three bytes, its start code, and two sizes of 14 bits.
  if (to - from < 10 || view.getUint8(from) & 1 || three(view, from + 3) !== 0x2a019d) throw damaged('wrong header');
  const width = view.getUint16(from + 6, true) & 0x3fff;
  const height = view.getUint16(from + 8, true) & 0x3fff;
  if (width === 0 || height === 0) throw damaged('wrong header');
  return { chunk, lossless: false, width, height };
}

/** A file of a lossy picture and its alpha alone, as libwebp takes them: RIFF, VP8X, ALPH, VP8. */
export function withAlphaChunk({ chunk, alpha, width, height }: WebpImage): Uint8Array {
  if (alpha === undefined) return chunk;
  const padded = (n: number): number => n + (n & 1);
  const bytes = new Uint8Array(30 + padded(alpha.length) + padded(chunk.length));
  const view = new DataView(bytes.buffer);
  const name = (at: number, text: string): void => bytes.set(new TextEncoder().encode(text), at);
  name(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  name(8, 'WEBPVP8X');
  view.setUint32(16, 10, true);
  view.setUint8(20, ALPHA);
  for (const [at, side] of [
    [24, width - 1],
    [27, height - 1],
  ] as const) {
    view.setUint16(at, side & 0xffff, true);
    view.setUint8(at + 2, side >> 16);
  }
  bytes.set(alpha, 30);
  bytes.set(chunk, 30 + padded(alpha.length));
  return bytes;
}

/** Some programs put the block in as a JPEG has it, with a name in front. */
function exif(view: DataView, from: number, to: number): number | undefined {
  const named = to - from >= 6 && view.getUint32(from) === 0x45786966 && view.getUint16(from + 4) === 0;
  const start = named ? from + 6 : from;
  return readOrientation(new DataView(view.buffer, view.byteOffset + start, to - start));
}
