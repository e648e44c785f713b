/**
 * PNG of any depth and colour type; alpha and a transparent colour are dropped as Pillow's convert('RGB') does, and 16 bits lose
 * their low byte (also in grey, where Pillow would cut off at 255 and leave a white picture).
 * Rows are inflated and unfiltered as they are asked for, so a large screenshot takes little more than its file. An interlaced
 * picture has no rows until its end: its samples are held, a byte each. Chunks that say nothing about the pixels are passed over.
 */
import { Unzlib } from 'fflate';
import { collectGarbage } from '../base/processmemory.ts';
import { type Header, Unreadable } from './header.ts';
import type { Pixels } from './resample.ts';
import { packageName } from './version.ts';

/** The number is of this file: raised where the same PNG gives other pixels, or one more kind is read. */
export const pngName = (): string => `png 2, ${packageName('fflate')}`;

/** Inflated in pieces: deflate grows at most about a thousandfold, so a piece stays below 8 MiB. */
const pieceBytes = 8 << 10;

/** Pieces between two collections, where the host lets a program ask for one. */
const COLLECT_PIECES = 128;

/** A picture's stored bytes, inflated in order. */
interface Inflated {
  palette: ArrayLike<ArrayLike<number>> | undefined;
  fill(target: Uint8Array): void;
}

/** The interlaced picture's seven parts (PNG, section 8.2): first column and row, steps between columns and rows. */
const PARTS = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Bytes held of each pixel of an interlaced picture: its index, its grey, or its three colours. */
export const heldBytes = (channels: number): number => (channels < 3 ? 1 : 3);

export function decodePng(bytes: Uint8Array, header: Header): Pixels {
  const { width, height, components: channels } = header;
  const source = inflated(bytes);
  const held = heldBytes(channels);
  const take = taker(header, source.palette !== undefined, held);
  const show = (samples: Uint8Array, from: number, row: Uint8Array) => expand(samples, from, held, source.palette, row, width);
  if (!header.progressive) {
    const next = rows(source, header, width);
    const samples = new Uint8Array(width * held);
    return {
      width,
      height,
      readRow(_, row) {
        take(next(), width, samples, 0, held);
        show(samples, 0, row);
      },
    };
  }
  const samples = new Uint8Array(width * height * held);
  for (const [left, top, dx, dy] of PARTS) {
    const across = Math.ceil((width - left) / dx);
    if (across <= 0) continue;
    const next = rows(source, header, across);
    for (let y = top; y < height; y += dy) take(next(), across, samples, (y * width + left) * held, dx * held);
  }
  return { width, height, readRow: (y, row) => show(samples, y * width * held, row) };
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc(bytes: Uint8Array): number {
  let c = -1;
  for (let i = 0; i < bytes.length; i++) c = crcTable[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}

/** The picture data's compressed pieces in order; `onPalette` gets the palette, which stands before them. */
function* pieces(bytes: Uint8Array, onPalette: (colours: Uint8Array) => void): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return;
    const type = view.getUint32(at + 4);
    const isData = type === 0x49444154;
    if (isData || type === 0x504c5445) {
      if (crc(bytes.subarray(at + 4, end)) !== view.getUint32(end)) throw new Unreadable('a damaged PNG: wrong checksum');
      if (!isData) onPalette(bytes.subarray(at + 8, end));
      else for (let from = at + 8; from < end; from += pieceBytes) yield bytes.subarray(from, Math.min(end, from + pieceBytes));
    }
    at = end + 4;
  }
}

function inflated(bytes: Uint8Array): Inflated {
  let colours: number[][] | undefined;
  const indexed = bytes[25] === 3;
  const source = pieces(bytes, (plte) => {
    if (!indexed) return;
    if (plte.length > 768) throw new Unreadable('a damaged PNG: a palette of more than 256 colours');
    colours = Array.from({ length: Math.floor(plte.length / 3) }, (_, i) => [...plte.subarray(3 * i, 3 * i + 3)]);
  });
  const ready: Uint8Array[] = [];
  const inflator = new Unzlib((piece) => {
    if (piece.length > 0) ready.push(piece);
  });
  let ended = false;
  let pushed = 0;
  const more = () => {
    // The inflator leaves some ten times its input behind, which V8 alone would let grow to 64 MiB.
    if (++pushed % COLLECT_PIECES === 0) collectGarbage();
    if (ended) throw new Unreadable('a truncated PNG: it ends before the picture does');
    const { value, done } = source.next();
    ended = done === true;
    try {
      inflator.push(value ?? new Uint8Array(0), ended);
    } catch (error) {
      throw new Unreadable(`a damaged or truncated PNG: ${(error as Error).message}`);
    }
  };
  const fill = (target: Uint8Array) => {
    for (let done = 0; done < target.length; ) {
      const piece = ready[0];
      if (!piece) {
        more();
        continue;
      }
      const n = Math.min(piece.length, target.length - done);
      target.set(piece.subarray(0, n), done);
      done += n;
      if (n === piece.length) ready.shift();
      else ready[0] = piece.subarray(n);
    }
  };
  // The palette is known once the first data are.
  more();
  if (indexed && !colours) throw new Unreadable('a damaged PNG: no palette');
  return { palette: colours, fill };
}

/** The next row of `across` pixels, valid until the one after; the first has nothing above it. */
function rows({ fill }: Inflated, { components, depth }: Header, across: number): () => Uint8Array {
  const stride = Math.ceil((across * components * depth) / 8);
  const step = Math.max(1, (components * depth) >> 3);
  const filter = new Uint8Array(1);
  let above = new Uint8Array(stride);
  let line = new Uint8Array(stride);
  return () => {
    [above, line] = [line, above];
    fill(filter);
    fill(line);
    unfilter(filter[0]!, line, above, step);
    return line;
  };
}

/** Undoes a row's filter (PNG, section 9) in place; `step` is the bytes of a whole pixel. */
function unfilter(type: number, line: Uint8Array, above: Uint8Array, step: number): void {
  const n = line.length;
  if (type === 1) for (let i = step; i < n; i++) line[i]! += line[i - step]!;
  else if (type === 2) for (let i = 0; i < n; i++) line[i]! += above[i]!;
  else if (type === 3) for (let i = 0; i < n; i++) line[i]! += ((i < step ? 0 : line[i - step]!) + above[i]!) >> 1;
  else if (type === 4) {
    for (let i = 0; i < n; i++) {
      const a = i < step ? 0 : line[i - step]!;
      const b = above[i]!;
      const c = i < step ? 0 : above[i - step]!;
      const pa = Math.abs(b - c);
      const pb = Math.abs(a - c);
      const pc = Math.abs(a + b - 2 * c);
      line[i]! += pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }
  } else if (type !== 0) throw new Unreadable('a damaged PNG: an unknown filter');
}

type Take = (line: Uint8Array, across: number, out: Uint8Array, at: number, step: number) => void;

/** Takes what is held of `across` stored pixels, one byte a sample, and puts each `step` bytes behind the one before. */
function taker({ components: channels, depth }: Header, indexed: boolean, held: number): Take {
  if (depth < 8) {
    const mask = (1 << depth) - 1;
    // Grey below 8 bits spans 0 to 255; a palette's index stays as it is.
    const stretch = indexed ? 1 : 255 / mask;
    return (line, across, out, at, step) => {
      for (let x = 0, bit = 0; x < across; x++, bit += depth, at += step) {
        out[at] = ((line[bit >> 3]! >> (8 - depth - (bit & 7))) & mask) * stretch;
      }
    };
  }
  // The high byte comes first.
  const bytes = depth >> 3;
  return (line, across, out, at, step) => {
    for (let x = 0, from = 0; x < across; x++, from += channels * bytes, at += step) {
      for (let c = 0; c < held; c++) out[at + c] = line[from + c * bytes]!;
    }
  };
}

/** Held samples to RGB. */
function expand(samples: Uint8Array, at: number, held: number, palette: Inflated['palette'], row: Uint8Array, width: number): void {
  if (held === 3) {
    row.set(samples.subarray(at, at + 3 * width));
    return;
  }
  for (let x = 0, to = 0; x < width; x++, to += 3) {
    const value = samples[at + x]!;
    const colour = palette?.[value];
    if (palette && !colour) throw new Unreadable('a damaged PNG: a colour outside its palette');
    row[to] = colour ? colour[0]! : value;
    row[to + 1] = colour ? colour[1]! : value;
    row[to + 2] = colour ? colour[2]! : value;
  }
}
