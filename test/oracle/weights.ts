/** Weights in 12, 8 and 4 bits as assembly/abi/weights.ts draws them, written number by number. */
import { codedBytes } from '../../assembly/abi/sizes.ts';
import { Encoding } from '../../assembly/abi/weights.ts';

const { fround } = Math;

/** Where everything of a weight lies, and how its codes are read and written. */
interface Places {
  /** Byte of the scale of number i of channel c. */
  scale(c: number, i: number): number;
  read(view: DataView, c: number, i: number): number;
  write(view: DataView, c: number, i: number, code: number): void;
  /** The codes' range, and what the furthest number is. */
  low: number;
  high: number;
  furthest: number;
}

/** Of `o` channels by `k` numbers. */
function places(encoding: Encoding, o: number, k: number): Places {
  const groups = encoding === Encoding.Int4 ? Math.ceil(k / 64) : 1;
  const codes = Math.ceil((4 * o * groups) / 16) * 16;
  const scale = (c: number, i: number): number => 4 * (c * groups + (encoding === Encoding.Int4 ? i >> 6 : 0));
  /** Four bits of a byte, the upper ones where `upper`. */
  const half = (view: DataView, byte: number, upper: number): number => (view.getUint8(byte) >> (upper ? 4 : 0)) & 15;
  const setHalf = (view: DataView, byte: number, upper: number, bits: number): void =>
    view.setUint8(byte, (view.getUint8(byte) & (upper ? 0x0f : 0xf0)) | (bits << (upper ? 4 : 0)));
  if (encoding === Encoding.Int4) {
    const byte = (c: number, i: number): number => codes + c * Math.ceil(k / 32) * 16 + (i >> 5) * 16 + (i % 16);
    return {
      scale,
      read: (view, c, i) => half(view, byte(c, i), i & 16) - 8,
      write: (view, c, i, code) => setHalf(view, byte(c, i), i & 16, code + 8),
      low: -8,
      high: 7,
      furthest: -8,
    };
  }
  if (encoding === Encoding.Int12) {
    const block = (c: number, i: number): number => codes + c * Math.ceil(k / 16) * 24 + (i >> 4) * 24;
    return {
      scale,
      read: (view, c, i) => view.getInt8(block(c, i) + (i % 16)) * 16 + half(view, block(c, i) + 16 + (i % 8), i & 8),
      write(view, c, i, code) {
        view.setInt8(block(c, i) + (i % 16), Math.floor(code / 16));
        setHalf(view, block(c, i) + 16 + (i % 8), i & 8, code & 15);
      },
      low: -2047,
      high: 2047,
      furthest: 2047,
    };
  }
  return {
    scale,
    read: (view, c, i) => view.getInt8(codes + c * k + i),
    write: (view, c, i, code) => view.setInt8(codes + c * k + i, code),
    low: -127,
    high: 127,
    furthest: 127,
  };
}

/** The nearest whole number, halves to even. */
export function nearest(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** Whole numbers near `exact` whose errors sum to nothing: those nearest to a half, by thirty-seconds, go the other way. */
function roundAll(exact: readonly number[], low: number, high: number): number[] {
  const codes = exact.map((v) => Math.max(low, Math.min(high, nearest(v))));
  const error = exact.reduce((sum, v, i) => sum + (v - codes[i]!), 0);
  const way = error < 0 ? -1 : 1;
  const lack = (i: number): number => (exact[i]! - codes[i]!) * way;
  [...exact.keys()]
    .filter((i) => lack(i) > 0 && codes[i]! + way >= low && codes[i]! + way <= high)
    .sort((a, b) => stepOf(lack(a)) - stepOf(lack(b)) || a - b)
    .slice(0, nearest(Math.abs(error)))
    .forEach((i) => {
      codes[i] = codes[i]! + way;
    });
  return codes;
}

/** How many thirty-seconds, at least 1, it takes to get from a half to below `lack`. */
const stepOf = (lack: number): number => Math.max(1, Math.floor((0.5 - lack) * 32) + 1);

/** f32 numbers in the tensor's order → bytes. */
export function encodeWeight(encoding: Encoding, o: number, k: number, data: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(codedBytes(encoding, o, k));
  const view = new DataView(bytes.buffer);
  const { scale, write, low, high, furthest } = places(encoding, o, k);
  const size = encoding === Encoding.Int4 ? 64 : k;
  if (encoding === Encoding.Int4) bytes.fill(0x88, Math.ceil((4 * o * Math.ceil(k / 64)) / 16) * 16);
  for (let c = 0; c < o; c++)
    for (let start = 0; start < k; start += size) {
      const group = Array.from({ length: Math.min(size, k - start) }, (_, j) => fround(data[c * k + start + j]!));
      const most = group.reduce((m, v) => (Math.abs(v) > Math.abs(m) ? v : m), 0);
      const far = Math.abs(most) < 1e-30 ? 0 : most;
      const unit = fround(encoding === Encoding.Int4 ? far / furthest : Math.abs(far) / furthest);
      const factor = unit === 0 ? 0 : fround(1 / unit);
      view.setFloat32(scale(c, start), unit, true);
      roundAll(
        group.map((v) => fround(v * factor)),
        low,
        high,
      ).forEach((code, j) => {
        write(view, c, start + j, code);
      });
    }
  return bytes;
}

/** The code of number i of channel c, and its scale. */
export function readWeight(
  encoding: Encoding,
  o: number,
  k: number,
  bytes: Uint8Array,
): Record<'scale' | 'code', (c: number, i: number) => number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { scale, read } = places(encoding, o, k);
  return { scale: (c, i) => view.getFloat32(scale(c, i), true), code: (c, i) => read(view, c, i) };
}

/** Bytes → the f32 numbers that they stand for. */
export function decodeWeight(encoding: Encoding, o: number, k: number, bytes: Uint8Array): Float32Array {
  const { scale, code } = readWeight(encoding, o, k, bytes);
  return Float32Array.from({ length: o * k }, (_, i) => scale(Math.floor(i / k), i % k) * code(Math.floor(i / k), i % k));
}
