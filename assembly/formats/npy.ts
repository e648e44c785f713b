/**
 * The head of an array in NumPy's file format, versions 1 to 3:
 *
 *     0           6               8       8 + 2 or 4
 *     | \x93NUMPY | major, minor  | n     | text: {'descr': '|u1', 'fortran_order': False, 'shape': (8, 32, 32, 3), } | elements
 *
 * The text is Python's, but only that one dictionary of three members is read, in any order; the file must have exactly the bytes that type and shape
 * ask for. Written in what both languages share.
 */
import { expect, fail, isGood, next, openText, peek, readWhole, readWord, skipSpace, take } from './scan.ts';

/** What an array's elements are. */
export const enum Kind {
  Unknown = 0,
  Uint,
  Int,
  Float,
}

const MOST_HEADER: number = 65536;
const MOST_BYTES: number = 9007199254740991;
export const MOST_AXES: number = 4;
const FOREIGN = 'has a header that NumPy would not write';

/** Of the array that was read last: what its elements are, bytes of one, how many axes, first byte of its elements. */
export let kind: Kind = Kind.Unknown;
export let size: number = 0;
export let axes: number = 0;
export let dataOffset: number = 0;
/** What is wrong with it, with numbers below 0 where there are none, and what helps. */
export let got: number = -1;
export let expected: number = -1;
export let hint: string = '';

let axis0: number = 0;
let axis1: number = 0;
let axis2: number = 0;
let axis3: number = 0;
/** The length of an axis; 1 where there is none. */
export function axis(i: number): number {
  if (i >= axes) return 1;
  return i === 0 ? axis0 : i === 1 ? axis1 : i === 2 ? axis2 : axis3;
}

function refuse(what: string, found: number = -1, wanted: number = -1, help: string = ''): boolean {
  got = found;
  expected = wanted;
  hint = help;
  return fail(what);
}

/** Reads the head of a file of so many bytes. False: `fault` of scan.ts says why. */
export function readHead(byteAt: (at: number) => number, total: number): boolean {
  openText(byteAt, 0, Math.min(total, 12));
  got = -1;
  expected = -1;
  hint = '';
  if (total < 10 || next() !== 0x93 || !readWord('NUMPY', '')) return isNone();
  const major = next();
  if (major < 1 || major > 3 || next() !== 0) return refuse('is a .npy file of an unknown version');
  let length = next() + 256 * next();
  if (major > 1) length += 65536 * next() + 16777216 * next();
  if (length > MOST_HEADER) return refuse('has a header that is too long', length, MOST_HEADER);
  dataOffset = (major === 1 ? 10 : 12) + length;
  if (dataOffset > total) return refuse('is cut off', -1, -1, 'was the copy complete?');
  openText(byteAt, dataOffset - length, dataOffset);
  return readDictionary() && checkBytes(total - dataOffset);
}

function isNone(): boolean {
  openText(byteOfNone, 0, 0);
  return refuse('is not a .npy file');
}
function byteOfNone(at: number): number {
  return at;
}

function checkBytes(found: number): boolean {
  let bytes = size;
  for (let i: number = 0; i < axes; i++) {
    if (axis(i) !== 0 && bytes > MOST_BYTES / axis(i)) return refuse('has an impossible shape');
    bytes *= axis(i);
  }
  return found === bytes ? true : refuse('has the wrong number of bytes', found, bytes, 'was the copy complete?');
}

function readDictionary(): boolean {
  let hasType = false;
  let hasOrder = false;
  let hasShape = false;
  expect(0x7b, FOREIGN);
  while (isGood() && skipSpace() !== 0x7d) {
    const quote = readQuote();
    // No two of the three begin alike.
    const letter = peek();
    if (letter === 0x64 && !hasType) hasType = readKey('descr', quote) && readType();
    else if (letter === 0x66 && !hasOrder) hasOrder = readKey('fortran_order', quote) && readOrder();
    else if (letter === 0x73 && !hasShape) hasShape = readKey('shape', quote) && readShape();
    else fail(FOREIGN);
    if (!take(0x2c) && peek() !== 0x7d) fail(FOREIGN);
  }
  next();
  return isGood() && hasType && hasOrder && hasShape && skipSpace() === -1 ? true : fail(FOREIGN);
}

function readQuote(): number {
  const quote = skipSpace();
  if (quote !== 0x27 && quote !== 0x22) fail(FOREIGN);
  return next();
}
function readKey(literal: string, quote: number): boolean {
  return readWord(literal, FOREIGN) && expect(quote, FOREIGN) && expect(0x3a, FOREIGN);
}

/** `|u1`, `<f4` and the like; the byte order may be left out where it says nothing. */
function readType(): boolean {
  const quote = readQuote();
  let order: number = 0x7c;
  if (peek() < 0x41 || peek() === 0x7c) order = next();
  const letter = next();
  size = next() - 0x30;
  kind = letter === 0x75 ? Kind.Uint : letter === 0x69 ? Kind.Int : letter === 0x66 ? Kind.Float : Kind.Unknown;
  if (order === 0x3e && size > 1) return refuse('holds big-endian numbers', -1, -1, 'write it with a.astype(a.dtype.newbyteorder("<"))');
  const isOrder = order === 0x7c || order === 0x3c || order === 0x3d || order === 0x3e;
  if (!isOrder || kind === Kind.Unknown || (size !== 1 && size !== 2 && size !== 4 && size !== 8) || next() !== quote)
    return refuse('holds elements of a type that is not read, expected uint8 or float32 pictures and whole-number labels');
  return true;
}

function readOrder(): boolean {
  if (skipSpace() === 0x46) return readWord('False', FOREIGN);
  return readWord('True', FOREIGN) ? refuse('lies column by column', -1, -1, 'write it with numpy.ascontiguousarray') : false;
}

function readShape(): boolean {
  expect(0x28, FOREIGN);
  axes = 0;
  while (isGood() && skipSpace() !== 0x29) {
    const length = readWhole(FOREIGN);
    if (axes === MOST_AXES) return refuse('has too many axes');
    if (axes === 0) axis0 = length;
    else if (axes === 1) axis1 = length;
    else if (axes === 2) axis2 = length;
    else axis3 = length;
    axes += 1;
    if (!take(0x2c) && peek() !== 0x29) fail(FOREIGN);
  }
  next();
  return isGood();
}
