/**
 * Arrays of NumPy's file format, versions 1 to 3, read by ranges: of a file only its header is held.
 *
 *     0           6               8       8 + 2 or 4
 *     | \x93NUMPY | major, minor  | n     | {'descr': '<f4', 'fortran_order': False, 'shape': (8, 32, 32, 1), } | elements
 *
 * The text is Python's, but only that one dictionary of three members is read, in any order; the file must have exactly the bytes that type and
 * shape ask for. What is not read is refused with the line that converts it.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { InputError } from '../../base/error.ts';
import { guarded, openOrdinary } from '../../base/reading.ts';
import { visible } from '../../base/visible.ts';

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

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MOST_HEADER = 65536;
const MOST_AXES = 8;
const SIZES: Readonly<Record<ElementKind, readonly number[]>> = { b: [1], u: [1, 2, 4, 8], i: [1, 2, 4, 8], f: [2, 4, 8] };

const quoted = (path: string): string => JSON.stringify(path);
/** The line by which NumPy writes a file anew; `of` stands for the array. */
export const convertLine = (path: string, by: string): string =>
  `python -c 'import numpy as np; p = ${quoted(path)}; np.save(p, ${by.replace('ARRAY', 'np.load(p)')})'`;

/** Opens an array. Throws InputError for what is no such file, is cut off, or lies otherwise. */
export function openNpy(path: string): Npy {
  const fd = openOrdinary(path);
  try {
    const header = readHeader(path, fd);
    const { size, bigEndian, offset } = header;
    const readBytes = (from: number, count: number, target: Uint8Array): void => {
      const bytes = count * size;
      if (!(from >= 0 && count >= 0 && target.length >= bytes)) throw new RangeError(`${path}: elements ${from} to ${from + count}`);
      const start = offset + from * size;
      for (let done = 0; done < bytes; ) {
        const n = guarded(path, 'cannot be read', () => readSync(fd, target, done, bytes - done, start + done));
        if (n === 0) throw new InputError({ where: path, what: 'is cut off', hint: 'was the copy complete?' });
        done += n;
      }
      if (bigEndian) swap(target.subarray(0, bytes), size);
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
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function swap(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

function readHeader(path: string, fd: number): NpyHeader {
  const refuse = (what: string, more: { got?: string; expected?: string; hint?: string } = {}): never => {
    throw new InputError({ where: path, what, ...more });
  };
  const { size: total } = fstatSync(fd);
  const start = new Uint8Array(12);
  const has = readAt(path, fd, start, 0);
  if (has < 10 || MAGIC.some((byte, i) => start[i] !== byte))
    refuse(isZip(start) ? 'is a .npz file, several arrays in one' : 'is not a .npy file', isZip(start) ? { hint: npzLine(path) } : {});
  const view = new DataView(start.buffer);
  const [major, minor] = [start[6]!, start[7]!];
  if (major < 1 || major > 3 || minor !== 0)
    refuse('is a .npy file of an unknown version', { got: `${major}.${minor}`, expected: '1.0 to 3.0' });
  const from = major === 1 ? 10 : 12;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MOST_HEADER) refuse('has a header that is too long', { got: `${length} bytes`, expected: `at most ${MOST_HEADER}` });
  const text = new Uint8Array(length);
  if (has < from || readAt(path, fd, text, from) < length) refuse('is cut off', { hint: 'was the copy complete?' });
  const { descr, fortran, shape } = parseDictionary(path, new TextDecoder().decode(text));
  const type = typeOf(path, descr);
  // One axis at most has more than one element: then both orders are the same.
  if (fortran && shape.filter((n) => n > 1).length > 1)
    refuse('lies column by column (fortran_order)', { hint: convertLine(path, 'np.ascontiguousarray(ARRAY)') });
  const bytes = shape.reduce((n, d) => n * d, type.size);
  if (!Number.isSafeInteger(bytes)) refuse('has an impossible shape', { got: `[${shape.join(', ')}]` });
  const offset = from + length;
  if (total - offset !== bytes)
    refuse('has the wrong number of bytes', { got: String(total - offset), expected: String(bytes), hint: 'was the copy complete?' });
  return { ...type, descr, shape, offset };
}

const isZip = (start: Uint8Array): boolean => start[0] === 0x50 && start[1] === 0x4b;

/** The line that unpacks an archive of arrays beside it, each under its own name. */
export const npzLine = (path: string): string =>
  `python -c 'import numpy as np, os; p = ${quoted(path)}; [np.save(os.path.join(os.path.dirname(p), k), v) for k, v in np.load(p).items()]'`;

function readAt(path: string, fd: number, target: Uint8Array, from: number): number {
  let done = 0;
  while (done < target.length) {
    const n = guarded(path, 'cannot be read', () => readSync(fd, target, done, target.length - done, from + done));
    if (n === 0) break;
    done += n;
  }
  return done;
}

/** The header's text: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` and spaces. */
function parseDictionary(path: string, text: string): { descr: string; fortran: boolean; shape: number[] } {
  const broken = (): InputError =>
    new InputError({ where: path, what: 'has a header that NumPy would not write', got: visible(text.trim().slice(0, 80)) });
  const body = /^\{([\s\S]*)\}\s*$/.exec(text)?.[1];
  if (body === undefined) throw broken();
  if (/['"]descr['"]\s*:\s*\[/.test(body))
    throw new InputError({ where: path, what: 'holds records of several fields', hint: convertLine(path, 'ARRAY["field"]') });
  const member = /\s*(['"])(\w+)\1\s*:\s*(?:(['"])([^'"\\]*)\3|(True|False)|\(([\d\s,L]*)\))\s*(?:,|$)/y;
  const found = new Map<string, { text?: string | undefined; flag?: string | undefined; axes?: string | undefined }>();
  while (member.lastIndex < body.length && body.slice(member.lastIndex).trim() !== '') {
    const part = member.exec(body);
    if (part === null || found.has(part[2]!)) throw broken();
    found.set(part[2]!, { text: part[4], flag: part[5], axes: part[6] });
  }
  const descr = found.get('descr')?.text;
  const flag = found.get('fortran_order')?.flag;
  const axes = found.get('shape')?.axes;
  if (descr === undefined || flag === undefined || axes === undefined || found.size !== 3) throw broken();
  const shape = axes
    .split(',')
    .map((s) => s.trim().replace(/L$/, ''))
    .filter((s) => s !== '');
  if (!shape.every((s) => /^\d{1,16}$/.test(s)) || shape.length > MOST_AXES) throw broken();
  return { descr, fortran: flag === 'True', shape: shape.map(Number) };
}

function typeOf(path: string, descr: string): Pick<NpyHeader, 'kind' | 'size' | 'bigEndian'> {
  const [, order, kind, digits] = /^([<>|=]?)([a-zA-Z?])(\d*)$/.exec(descr) ?? [];
  const size = Number(digits);
  const isRead = kind !== undefined && Object.hasOwn(SIZES, kind) && SIZES[kind as ElementKind].includes(size);
  if (isRead) return { kind: kind as ElementKind, size, bigEndian: order === '>' && size > 1 };
  const hint =
    kind === 'U' || kind === 'S'
      ? 'texts are not read; a table of labels (CSV) may hold them'
      : kind === 'O'
        ? 'Python objects are not read, since they are programs'
        : kind === 'c'
          ? convertLine(path, 'np.abs(ARRAY).astype("float32")')
          : convertLine(path, 'ARRAY.astype("float32")');
  throw new InputError({
    where: path,
    what: 'holds elements of a type that is not read',
    got: visible(descr),
    expected: 'bool, uint8 to uint64, int8 to int64, float16, float32 or float64',
    hint,
  });
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
