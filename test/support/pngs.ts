/** PNG files of every colour type, depth and order of rows, written here byte by byte: nothing of them comes from a library. */
import { deflateSync } from 'node:zlib';

export interface Kind {
  /** Of the standard's table 12. */
  type: 0 | 2 | 3 | 4 | 6;
  depth: 1 | 2 | 4 | 8 | 16;
  width: number;
  height: number;
}

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const DEPTHS = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] } as const;
/** Sizes of which the smaller leave some of the seven interlaced parts empty. */
const SIZES = [
  [1, 1],
  [3, 2],
  [5, 9],
  [33, 29],
] as const;

export const kinds: Kind[] = ([0, 2, 3, 4, 6] as const).flatMap((type) =>
  DEPTHS[type].flatMap((depth) => SIZES.map(([width, height]) => ({ type, depth, width, height }))),
);
export const nameOf = ({ type, depth, width, height }: Kind): string => `type ${type}, ${depth} bits, ${width}×${height}`;

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return ~crc >>> 0;
}

export function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), out.length - 4);
  return out;
}

/** A sample of `depth` bits that depends on all its indices. */
const sampleAt = (x: number, y: number, c: number, depth: number): number =>
  ((x * 2657 + y * 4099 + c * 911 + x * y * 37) >> 2) & ((1 << depth) - 1);

/** Rows of the pixels (left + i·dx, top + j·dy), packed, each behind its filter. */
function rows({ type, depth, width, height }: Kind, [left, top, dx, dy]: readonly number[]): Uint8Array[] {
  const channels = CHANNELS[type];
  const step = Math.max(1, (channels * depth) >> 3);
  const across = Math.max(0, Math.ceil((width - left!) / dx!));
  const out: Uint8Array[] = [];
  let above = new Uint8Array(Math.ceil((across * channels * depth) / 8));
  for (let y = top!; y < height && across > 0; y += dy!) {
    const line = new Uint8Array(above.length);
    for (let i = 0; i < across * channels; i++) {
      const value = sampleAt(left! + Math.floor(i / channels) * dx!, y, i % channels, depth);
      if (depth === 16) line.set([value >> 8, value & 255], 2 * i);
      else line[(i * depth) >> 3]! |= value << (8 - depth - ((i * depth) & 7));
    }
    const filter = (y + top!) % 5;
    const coded = line.map((v, i) => {
      const a = line[i - step] ?? 0;
      const b = above[i]!;
      const c = i < step ? 0 : above[i - step]!;
      const p = a + b - c;
      const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
      return v - [0, a, b, (a + b) >> 1, pa <= pb && pa <= pc ? a : pb <= pc ? b : c][filter]!;
    });
    out.push(Buffer.from([filter]), coded);
    above = line;
  }
  return out;
}

const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

export interface Extra {
  /** A transparent colour, or a palette's alphas. */
  clear?: boolean;
  /** Chunks in front of the data. */
  before?: Uint8Array[];
  /** Behind them. */
  after?: Uint8Array[];
}

export function png(kind: Kind, interlaced: boolean, { clear = false, before = [], after = [] }: Extra = {}): Uint8Array {
  const { type, depth, width, height } = kind;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, interlaced ? 1 : 0], 8);
  const parts = [Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', header)];
  if (type === 3)
    parts.push(
      chunk(
        'PLTE',
        Uint8Array.from({ length: 3 << depth }, (_, i) => i * 53 + (i >> 3)),
      ),
    );
  if (clear && type === 3) parts.push(chunk('tRNS', new Uint8Array([0, 128])));
  if (clear && type === 0) parts.push(chunk('tRNS', new Uint8Array([0, 1])));
  if (clear && type === 2) parts.push(chunk('tRNS', new Uint8Array(6)));
  const data = deflateSync(Buffer.concat((interlaced ? ADAM7 : [[0, 0, 1, 1]]).flatMap((part) => rows(kind, part))));
  const half = data.length >> 1;
  parts.push(...(before as Buffer[]), chunk('IDAT', data.subarray(0, half)), chunk('IDAT', data.subarray(half)));
  return Buffer.concat([...parts, ...after, chunk('IEND', new Uint8Array(0))]);
}
