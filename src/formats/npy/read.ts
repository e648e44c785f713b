/** Arrays of NumPy's file format, read by ranges: of a file only its head is held, which assembly/formats/npy.ts reads. */
import * as head from '../../../assembly/formats/npy.ts';
import { type ByteSource, openFile } from '../../base/files.ts';
import { bytesOf, faultOf, mendingLine } from '../head.ts';

/** Of an element: `b` true or false, `u` whole, `i` whole with a sign, `f` a number. */
export type ElementKind = 'b' | 'u' | 'i' | 'f';

export interface NpyHeader {
  kind: ElementKind;
  /** Bytes of an element. */
  size: number;
  bigEndian: boolean;
  /** As NumPy writes it. */
  descr: string;
  shape: readonly number[];
  /** Where the elements begin. */
  offset: number;
}

export interface Npy extends NpyHeader {
  path: string;
  /** Reads the bytes of `count` elements from element `from` on, in little-endian order, into `target`. */
  readBytes(from: number, count: number, target: Uint8Array): void;
  /** Elements as numbers; those of eight bytes must be whole numbers that a double holds. */
  readNumbers(from: number, count: number): Float64Array;
  close(): void;
}

const KINDS: Readonly<Record<head.Kind, ElementKind>> = {
  [head.Kind.Bool]: 'b',
  [head.Kind.Uint]: 'u',
  [head.Kind.Int]: 'i',
  [head.Kind.Float]: 'f',
};

/** The line by which NumPy writes a file anew; `by` says of ARRAY what is stored. */
export const convertLine = (path: string, by: string): string => mendingLine(path, `np.save(p, ${by.replace('ARRAY', 'np.load(p)')})`);

/** The line that unpacks an archive of arrays beside it, each under its own name. */
export const npzLine = (path: string): string => mendingLine(path, head.UNPACK);

/** Opens an array. Throws InputError for what is no such file, is cut off, or lies otherwise. */
export const openNpy = (path: string): Npy => npyOf(path, openFile(path));

/** The same of bytes from elsewhere, which `path` names in messages. */
export function npyOf(path: string, source: ByteSource): Npy {
  try {
    if (!head.readHead(bytesOf(source), source.size)) throw faultOf(path, path, source);
    const header = headerOf();
    const { size, bigEndian, offset } = header;
    const readBytes = (from: number, count: number, target: Uint8Array): void => {
      const bytes = count * size;
      if (!(from >= 0 && count >= 0 && target.length >= bytes)) throw new RangeError(`${path}: elements ${from} to ${from + count}`);
      const wanted = target.subarray(0, bytes);
      source.readAt(offset + from * size, wanted);
      if (bigEndian) swap(wanted, size);
    };
    return {
      ...header,
      path,
      readBytes,
      readNumbers(from, count) {
        const bytes = new Uint8Array(count * size);
        readBytes(from, count, bytes);
        return numbersOf(header, bytes);
      },
      close: () => source.close(),
    };
  } catch (error) {
    source.close();
    throw error;
  }
}

/** What the head that was read last says. */
function headerOf(): NpyHeader {
  const { kind: number, size, isBigEndian: bigEndian, dataOffset: offset } = head;
  const kind = KINDS[number];
  const descr = `${size === 1 ? '|' : bigEndian ? '>' : '<'}${kind}${size}`;
  return { kind, size, bigEndian, descr, shape: Array.from({ length: head.axes }, (_, i) => head.axis(i)), offset };
}

function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** Little-endian bytes of elements as numbers. */
export function numbersOf({ kind, size }: Pick<NpyHeader, 'kind' | 'size'>, bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = readerOf(kind, size);
  return Float64Array.from({ length: bytes.length / size }, (_, i) => read(view, i * size));
}

function readerOf(kind: ElementKind, size: number): (view: DataView, at: number) => number {
  if (kind === 'f') return size === 2 ? half : size === 4 ? (v, at) => v.getFloat32(at, true) : (v, at) => v.getFloat64(at, true);
  if (kind === 'i') {
    if (size === 1) return (v, at) => v.getInt8(at);
    if (size === 2) return (v, at) => v.getInt16(at, true);
    return size === 4 ? (v, at) => v.getInt32(at, true) : (v, at) => Number(v.getBigInt64(at, true));
  }
  if (size === 1) return (v, at) => v.getUint8(at);
  if (size === 2) return (v, at) => v.getUint16(at, true);
  return size === 4 ? (v, at) => v.getUint32(at, true) : (v, at) => Number(v.getBigUint64(at, true));
}

const single = new DataView(new ArrayBuffer(4));
/** 2⁻²⁴: the least half above 0. */
const LEAST_HALF = 1 / 16777216;

/** A half of 16 bits, exactly: the same fraction under the exponent of an f32. */
function half(view: DataView, at: number): number {
  const bits = view.getUint16(at, true);
  const [sign, exponent, fraction] = [(bits & 0x8000) << 16, (bits >> 10) & 31, bits & 1023];
  if (exponent === 0) return (sign === 0 ? 1 : -1) * fraction * LEAST_HALF;
  single.setUint32(0, (sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13)) >>> 0);
  return single.getFloat32(0);
}
