/**
 * PNG of any depth and colour type; alpha is dropped and 16 bits lose their low byte, as Pillow's convert('RGB') does.
 * Rows are inflated and unfiltered as they are asked for, so a large screenshot takes little more than its file; an interlaced
 * picture, which has no rows until its end, goes through fast-png whole.
 */
import { type DecodedPng, decode } from 'fast-png';
import { Unzlib } from 'fflate';
import { type Header, Unreadable } from './header.ts';
import type { Pixels } from './resample.ts';
import { packageName } from './version.ts';

export const pngName = (): string => `${packageName('fast-png')}, ${packageName('fflate')}`;

/** Inflated in pieces: deflate grows at most about a thousandfold, so a piece stays below 8 MiB. */
const pieceBytes = 8 << 10;

/** Samples as they are stored: rows of whole bytes, big-endian where they have 16 bits. */
interface Stored {
  width: number;
  height: number;
  channels: number;
  depth: number;
  palette: ArrayLike<ArrayLike<number>> | undefined;
  /** Row y, valid until the next call; rows are asked for in order. */
  row(y: number): ArrayLike<number>;
}

export function decodePng(bytes: Uint8Array, header: Header): Pixels {
  return rgbRows(header.progressive ? whole(bytes) : streamed(bytes, header));
}

function whole(bytes: Uint8Array): Stored {
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (error) {
    throw new Unreadable(`a damaged or truncated PNG: ${(error as Error).message}`);
  }
  const { width, height, channels, depth, data } = png;
  const stride = depth < 8 ? Math.ceil((width * channels * depth) / 8) : width * channels;
  if (data.length !== stride * height) throw new Unreadable('a damaged PNG: wrong amount of data');
  const row = (y: number) => data.subarray(y * stride, (y + 1) * stride);
  return { width, height, channels, depth, palette: channels === 1 ? png.palette : undefined, row };
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

function streamed(bytes: Uint8Array, { width, height, components: channels, depth }: Header): Stored {
  let colours: number[][] | undefined;
  const source = pieces(bytes, (plte) => {
    colours = Array.from({ length: Math.floor(plte.length / 3) }, (_, i) => [...plte.subarray(3 * i, 3 * i + 3)]);
  });
  const ready: Uint8Array[] = [];
  const inflator = new Unzlib((piece) => {
    if (piece.length > 0) ready.push(piece);
  });
  let ended = false;
  const more = () => {
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
  const stride = Math.ceil((width * channels * depth) / 8);
  const step = Math.max(1, (channels * depth) >> 3);
  const filter = new Uint8Array(1);
  let above = new Uint8Array(stride);
  let line = new Uint8Array(stride);
  const wide = depth === 16 ? new Uint16Array(stride >> 1) : undefined;
  // The palette is known once the first data are.
  more();
  const palette = bytes[25] === 3 ? colours : undefined;
  if (bytes[25] === 3 && !palette) throw new Unreadable('a damaged PNG: no palette');
  return {
    width,
    height,
    channels,
    depth,
    palette,
    row() {
      [above, line] = [line, above];
      fill(filter);
      fill(line);
      unfilter(filter[0]!, line, above, step);
      if (!wide) return line;
      for (let i = 0; i < wide.length; i++) wide[i] = (line[2 * i]! << 8) | line[2 * i + 1]!;
      return wide;
    },
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

function rgbRows({ width, height, channels, depth, palette, row: stored }: Stored): Pixels {
  const shift = depth === 16 ? 8 : 0;
  // Grey below 8 bits spans 0 to 255; a palette's index stays as it is.
  const stretch = depth < 8 && !palette ? 255 / ((1 << depth) - 1) : 1;
  const sample = (data: ArrayLike<number>, i: number): number => {
    if (depth >= 8) return data[i]! >> shift;
    const bit = i * depth;
    return ((data[bit >> 3]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)) * stretch;
  };
  return {
    width,
    height,
    readRow(y, row) {
      const data = stored(y);
      for (let x = 0, to = 0; x < width; x++, to += 3) {
        if (palette) {
          const colour = palette[sample(data, x)];
          if (!colour) throw new Unreadable('a damaged PNG: a colour outside its palette');
          row[to] = colour[0]!;
          row[to + 1] = colour[1]!;
          row[to + 2] = colour[2]!;
        } else {
          const grey = channels < 3;
          const i = x * channels;
          row[to] = sample(data, i);
          row[to + 1] = sample(data, grey ? i : i + 1);
          row[to + 2] = sample(data, grey ? i : i + 2);
        }
      }
    },
  };
}
