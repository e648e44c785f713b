/**
 * PNG of any depth and colour type; alpha and a transparent colour are dropped as Pillow's convert('RGB') does, or kept as its
 * convert('RGBA') does for a network that reads four channels; 16 bits lose
 * their low byte (also in grey, where Pillow would cut off at 255 and leave a white picture).
 * Rows are inflated and unfiltered as they are asked for, so a large screenshot takes little more than its file. An interlaced
 * picture has no rows until its end: its samples are held, a byte each. Chunks that say nothing about the pixels are passed over.
 */
import { Unzlib } from 'fflate';
import { collectGarbage } from '../base/processmemory.ts';
import { type Header, Unreadable } from './header.ts';
import { heldBytes } from './held.ts';
import type { Pixels } from './resample.ts';

/** Inflated in pieces: deflate grows at most about a thousandfold, so a piece stays below 8 MiB. */
const pieceBytes = 8 << 10;

/** Pieces between two collections, where the host lets a program ask for one. */
const COLLECT_PIECES = 128;

/** A picture's stored bytes, inflated in order. */
interface Inflated {
  palette: ArrayLike<ArrayLike<number>> | undefined;
  /** What tRNS says: alpha by colour of the palette, or the samples of the one colour that is not seen. */
  clear: Uint8Array | undefined;
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

/** `withAlpha`: rows are RGBA, and of an interlaced picture what is opaque is held too. */
export function decodePng(bytes: Uint8Array, header: Header, withAlpha = false): Pixels {
  const { width, height, components: channels } = header;
  const source = inflated(bytes, withAlpha);
  const held = heldBytes(channels, withAlpha);
  const take = taker(header, source.palette !== undefined, held);
  const show = (samples: Uint8Array, from: number, row: Uint8Array) => expand(samples, from, held, source.palette, row, width);
  const showRgba = withAlpha ? rgbaOf(header, source) : undefined;
  if (!header.progressive) {
    const next = rows(source, header, width);
    const samples = new Uint8Array(width * held);
    return {
      width,
      height,
      ...(showRgba ? { channels: 4 } : {}),
      readRow(_, row) {
        take(next(), width, samples, 0, held);
        (showRgba ?? show)(samples, 0, row);
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
  if (showRgba) return { width, height, channels: 4, readRow: (y, row) => showRgba(samples, y * width * held, row) };
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

const [IDAT, PLTE, TRNS] = [0x49444154, 0x504c5445, 0x74524e53];

/** The picture data's compressed pieces in order; `onColours` gets the palette and what of it is clear, which stand before them. */
function* pieces(bytes: Uint8Array, withAlpha: boolean, onColours: (type: number, data: Uint8Array) => void): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return;
    const type = view.getUint32(at + 4);
    const isData = type === IDAT;
    if (isData || type === PLTE || (withAlpha && type === TRNS)) {
      if (crc(bytes.subarray(at + 4, end)) !== view.getUint32(end)) throw new Unreadable('a damaged PNG: wrong checksum');
      if (!isData) onColours(type, bytes.subarray(at + 8, end));
      else for (let from = at + 8; from < end; from += pieceBytes) yield bytes.subarray(from, Math.min(end, from + pieceBytes));
    }
    at = end + 4;
  }
}

function inflated(bytes: Uint8Array, withAlpha: boolean): Inflated {
  let colours: number[][] | undefined;
  let clear: Uint8Array | undefined;
  const indexed = bytes[25] === 3;
  const source = pieces(bytes, withAlpha, (type, plte) => {
    if (type === TRNS) clear = plte;
    if (type === TRNS || !indexed) return;
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
  return { palette: colours, clear, fill };
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

/**
 * The colour that is not seen. It is compared with the 8 bits that are held of a sample, as Pillow does, so that of two or four bits none is clear
 * but 0; grey of 16 bits has none.
 */
function keyOf(clear: Uint8Array, rgb: boolean, depth: number): number[] | undefined {
  const count = rgb ? 3 : 1;
  if (clear.length < 2 * count || (!rgb && depth === 16)) return undefined;
  const key = Array.from({ length: count }, (_, c) => clear[2 * c]! * 256 + clear[2 * c + 1]!);
  return depth === 1 ? key.map((v) => (v > 0 ? 255 : 0)) : key;
}

/** Held samples to RGBA: what a colour type has of alpha, what a palette or the one clear colour takes away; else all is opaque. */
function rgbaOf({ components: channels, depth }: Header, { palette, clear }: Inflated) {
  const rgb = channels >= 3;
  const key = clear && !palette ? keyOf(clear, rgb, depth) : undefined;
  return (samples: Uint8Array, at: number, row: Uint8Array): void => {
    for (let to = 0; to < row.length; to += 4, at += channels) {
      const value = samples[at]!;
      const colour = palette?.[value];
      if (palette && !colour) throw new Unreadable('a damaged PNG: a colour outside its palette');
      for (let c = 0; c < 3; c++) row[to + c] = colour ? colour[c]! : rgb ? samples[at + c]! : value;
      if (palette) row[to + 3] = clear?.[value] ?? 255;
      else if (channels === 2 || channels === 4) row[to + 3] = samples[at + channels - 1]!;
      else row[to + 3] = key?.every((k, c) => k === samples[at + c]) ? 0 : 255;
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
