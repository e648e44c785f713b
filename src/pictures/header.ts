/**
 * What a picture file's first bytes say, read before anything is decoded: format, size, orientation, and so the memory that
 * decoding it will take. Nothing here trusts a length it has not checked.
 */

import { readOrientation } from './exif.ts';
import { heldBytes } from './held.ts';
import { Unreadable } from './unreadable.ts';
import { readWebp } from './webpheader.ts';

export { Unreadable };

export interface Header {
  format: 'jpeg' | 'png' | 'webp';
  width: number;
  height: number;
  /** Colour components. */
  components: number;
  /** Samples per pixel on average: a JPEG of 4:2:0 has 1.5. */
  samples: number;
  /** A progressive JPEG, or one of several scans: all its coefficients are held until the last scan. An interlaced PNG. A lossless WebP. */
  progressive: boolean;
  /** Bits per sample. */
  depth: number;
  /** EXIF orientation, 1 to 8. */
  orientation: number;
}

/** A file of a few kilobytes may claim more, and take minutes. */
export const LARGEST_PIXELS = 512 * 2 ** 20;

/** The bytes that a JPEG decoded in rows takes: its file, 16-bit coefficients and two rows of samples for a row of units, and a few lines. */
export const rowsBytes = ({ width, samples }: Header, fileBytes: number): number =>
  fileBytes + Math.ceil((width + 32) * (samples * 4 * 32 + 32));

/** The bytes that decoding a PNG, or a JPEG by the codec, takes beside the resized picture, from the header alone. */
export function decodeBytes({ format, width, height, samples, progressive, depth }: Header, fileBytes: number, withAlpha = false): number {
  const pixels = width * height;
  // A piece, what inflating leaves until it is collected, two rows and their RGB; interlaced, the samples too.
  if (format === 'png') {
    const row = Math.ceil((width * samples * depth) / 8);
    return fileBytes + 4 * row + Math.min(24 << 20, 3 * row * height) + (progressive ? pixels * heldBytes(samples, withAlpha) : 0);
  }
  // RGBA, lossless a second time, alpha that is coded apart, and the file's bytes here and there.
  if (format === 'webp') return 2 * fileBytes + pixels * (progressive ? 8 : withAlpha ? 6 : 4);
  // RGBA, and the coefficients of a progressive one; the file's bytes are held here and copied into the decoder's memory.
  return 2 * fileBytes + Math.ceil(pixels * (progressive ? 4 + 2 * samples : 4));
}

export function readHeader(bytes: Uint8Array): Header {
  if (bytes.length === 0) throw new Unreadable('the file is empty');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return readJpeg(view);
  if (starts(bytes, 0, '\x89PNG\r\n\x1a\n')) return readPng(view);
  if (bytes.length >= 20 && starts(bytes, 0, 'RIFF') && starts(bytes, 8, 'WEBP')) {
    const { width, height, lossless, orientation } = readWebp(bytes);
    return { format: 'webp', width, height, components: 3, samples: 3, progressive: lossless, depth: 8, orientation };
  }
  throw new Unreadable(`${foreign(bytes)}, not a JPEG, PNG or WebP`);
}

function starts(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Names what else a file may be, so that a person knows what to convert. */
function foreign(bytes: Uint8Array): string {
  if (starts(bytes, 4, 'ftyp')) {
    if (starts(bytes, 8, 'avi')) return 'an AVIF picture';
    return ['heic', 'heix', 'hevc', 'mif1', 'msf1', 'heim', 'heis'].some((b) => starts(bytes, 8, b))
      ? 'a HEIC picture'
      : 'a video or HEIC file';
  }
  if (starts(bytes, 0, 'GIF8')) return 'a GIF picture';
  if (starts(bytes, 0, 'BM')) return 'a BMP picture';
  if (starts(bytes, 0, 'II*\0') || starts(bytes, 0, 'MM\0*')) return 'a TIFF or raw picture';
  return bytes.subarray(0, 64).every((b) => b >= 32 || b === 9 || b === 10 || b === 13) ? 'a text file' : 'unknown data';
}

/** Walks the JPEG's segments up to the first scan. */
function readJpeg(view: DataView): Header {
  let orientation: number | undefined;
  let header: Header | undefined;
  let at = 2;
  while (at + 4 <= view.byteLength) {
    if (view.getUint8(at) !== 0xff) throw new Unreadable('a damaged JPEG: no marker where a segment should begin');
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at++; // fill byte
      continue;
    }
    if (marker === 0xd9) break;
    const length = view.getUint16(at + 2);
    const body = at + 4;
    const end = at + 2 + length;
    if (length < 2 || end > view.byteLength) break;
    if (marker === 0xda) {
      if (!header) throw new Unreadable('a damaged JPEG: no frame header');
      const parted = length >= 3 && view.getUint8(body) < header.components;
      return { ...header, orientation: orientation ?? 1, progressive: header.progressive || parted };
    }
    if (marker === 0xe1 && length >= 16 && view.getUint32(body) === 0x45786966) {
      orientation ??= readOrientation(new DataView(view.buffer, view.byteOffset + body + 6, end - body - 6));
    }
    // Start of frame: C0 to CF without DHT (C4), JPG (C8) and DAC (CC).
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      if (length < 8 || length < 8 + 3 * view.getUint8(body + 5)) break;
      if (marker > 0xc2) throw new Unreadable('a JPEG of a rare kind (lossless, hierarchical or arithmetic coding)');
      const depth = view.getUint8(body);
      const components = view.getUint8(body + 5);
      if (depth !== 8) throw new Unreadable(`a JPEG of ${depth} bits per sample, not 8`);
      if (components !== 1 && components !== 3 && components !== 4)
        throw new Unreadable(`a JPEG of ${components} components, not 1, 3 or 4`);
      header = {
        format: 'jpeg',
        height: view.getUint16(body + 1),
        width: view.getUint16(body + 3),
        components,
        samples: samplesPerPixel(view, body, components),
        progressive: marker === 0xc2,
        depth,
        orientation: 1,
      };
      if (header.width === 0 || header.height === 0) throw new Unreadable('a JPEG without its size in the frame header');
    }
    at = end;
  }
  throw new Unreadable('a truncated JPEG: it ends before the picture begins');
}

/** The components' shares of the finest one's grid, summed. */
function samplesPerPixel(view: DataView, frame: number, components: number): number {
  let sum = 0;
  let across = 1;
  let down = 1;
  for (let i = 0; i < components; i++) {
    const factors = view.getUint8(frame + 7 + 3 * i);
    const h = factors >> 4;
    const v = factors & 15;
    if (h < 1 || h > 4 || v < 1 || v > 4) throw new Unreadable('a damaged JPEG: wrong sampling factors');
    sum += h * v;
    across = Math.max(across, h);
    down = Math.max(down, v);
  }
  return sum / (across * down);
}

/** Walks the PNG's chunks; EXIF may stand behind the data too. */
function readPng(view: DataView): Header {
  if (view.byteLength < 33 || view.getUint32(12) !== 0x49484452) throw new Unreadable('a truncated PNG: it ends before the picture begins');
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  const depth = view.getUint8(24);
  // Components and depths of each colour type (PNG, table 12).
  const types: Record<number, [number, number[]]> = {
    0: [1, [1, 2, 4, 8, 16]],
    2: [3, [8, 16]],
    3: [1, [1, 2, 4, 8]],
    4: [2, [8, 16]],
    6: [4, [8, 16]],
  };
  const [components, depths] = types[view.getUint8(25)] ?? [0, []];
  if (width === 0 || height === 0 || !depths.includes(depth) || view.getUint16(26) !== 0 || view.getUint8(28) > 1) {
    throw new Unreadable('a damaged PNG: wrong header');
  }
  if (width > 65535 || height > 65535) throw new Unreadable(`too large: a PNG of ${width}×${height}, the limit is 65535 a side`);
  let orientation: number | undefined;
  let at = 33;
  while (at + 12 <= view.byteLength) {
    const length = view.getUint32(at);
    const type = view.getUint32(at + 4);
    if (at + 12 + length > view.byteLength) break;
    if (type === 0x65584966) orientation ??= readOrientation(new DataView(view.buffer, view.byteOffset + at + 8, length));
    at += 12 + length;
  }
  const progressive = view.getUint8(28) !== 0;
  return { format: 'png', width, height, components, samples: components, progressive, depth, orientation: orientation ?? 1 };
}
