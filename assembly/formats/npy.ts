/**
 * The head of an array in NumPy's file format, versions 1 to 3:
 *
 *     0           6               8       8 + 2 or 4
 *     | \x93NUMPY | major, minor  | n     | text: {'descr': '<f4', 'fortran_order': False, 'shape': (8, 32, 32, 3), } | elements
 *
 * The text is Python's, but only that one dictionary of three members is read, in any order; the file must have exactly the bytes that type and shape
 * ask for. Written in what both languages share.
 */
import {
  expect,
  fail,
  failNumbers,
  failText,
  failToMend,
  isGood,
  next,
  openText,
  peek,
  place,
  readWhole,
  readWord,
  skipSpace,
  take,
} from './scan.ts';

/** What an array's elements are: true or false, whole, whole with a sign, numbers. */
export const enum Kind {
  Bool = 1,
  Uint,
  Int,
  Float,
}

const MOST_HEADER: number = 65536;
const MOST_BYTES: number = 9007199254740991;
export const MOST_AXES: number = 8;
const FOREIGN = 'has a header that NumPy would not write';
/** Arrays of an archive, each under its own name beside it. */
export const UNPACK = 'import os; [np.save(os.path.join(os.path.dirname(p), k), v) for k, v in np.load(p).items()]';
const COPY = 'was the copy complete?';

/** Of the array that was read last: what its elements are, bytes of one, whether the high byte of each comes first; axes, first byte of its elements. */
export let kind: Kind = Kind.Bool;
export let size: number = 0;
export let isBigEndian: boolean = false;
export let axes: number = 0;
export let dataOffset: number = 0;

let axis0: number = 0;
let axis1: number = 0;
let axis2: number = 0;
let axis3: number = 0;
let axis4: number = 0;
let axis5: number = 0;
let axis6: number = 0;
let axis7: number = 0;
/** The length of an axis; 1 where there is none. */
export function axis(i: number): number {
  if (i >= axes) return 1;
  if (i < 4) return i === 0 ? axis0 : i === 1 ? axis1 : i === 2 ? axis2 : axis3;
  return i === 4 ? axis4 : i === 5 ? axis5 : i === 6 ? axis6 : axis7;
}
function setAxis(i: number, length: number): void {
  if (i === 0) axis0 = length;
  else if (i === 1) axis1 = length;
  else if (i === 2) axis2 = length;
  else if (i === 3) axis3 = length;
  else if (i === 4) axis4 = length;
  else if (i === 5) axis5 = length;
  else if (i === 6) axis6 = length;
  else axis7 = length;
}

/** Reads the head of a file of so many bytes. False: `fault` of scan.ts says why. */
export function readHead(byteAt: (at: number) => number, total: number): boolean {
  openText(byteAt, 0, Math.min(total, 12));
  if (peek() === 0x50 && readWord('PK', '')) return failToMend('is a .npz file, several arrays in one', UNPACK);
  if (total < 10 || next() !== 0x93 || !readWord('NUMPY', '')) return isNone();
  const major = next();
  if (major < 1 || major > 3 || next() !== 0) return failNumbers('is a .npy file of an unknown version', major, 3);
  let length = next() + 256 * next();
  if (major > 1) length += 65536 * next() + 16777216 * next();
  if (length > MOST_HEADER) return failNumbers('has a header that is too long', length, MOST_HEADER);
  dataOffset = (major === 1 ? 10 : 12) + length;
  if (dataOffset > total) return failNumbers('is cut off', total, dataOffset, COPY);
  openText(byteAt, dataOffset - length, dataOffset);
  return readDictionary() && checkBytes(total - dataOffset);
}

function isNone(): boolean {
  openText(byteOfNone, 0, 0);
  return fail('is not a .npy file');
}
function byteOfNone(at: number): number {
  return at;
}
function checkBytes(found: number): boolean {
  let bytes = size;
  for (let i: number = 0; i < axes; i++) {
    if (axis(i) !== 0 && bytes > MOST_BYTES / axis(i)) return fail('has an impossible shape');
    bytes *= axis(i);
  }
  return found === bytes ? true : failNumbers('has the wrong number of bytes', found, bytes, COPY);
}

let isFortran: boolean = false;

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
  if (!(isGood() && hasType && hasOrder && hasShape && skipSpace() === -1)) return fail(FOREIGN);
  let long: number = 0;
  for (let i: number = 0; i < axes; i++) if (axis(i) > 1) long += 1;
  // Where one axis at most has more than one element both orders are the same.
  if (isFortran && long > 1) return failToMend('lies column by column (fortran_order)', 'np.save(p, np.ascontiguousarray(np.load(p)))');
  return true;
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
  if (skipSpace() === 0x5b) return failToMend('holds records of several fields', 'np.save(p, np.load(p)["field"])');
  const quote = readQuote();
  const start = place();
  let order: number = 0x7c;
  if (peek() < 0x3f || peek() === 0x7c) order = next();
  const letter = next();
  size = 0;
  while (size < 100 && peek() >= 0x30 && peek() <= 0x39) size = size * 10 + (next() - 0x30);
  while (isGood() && peek() !== quote && peek() >= 0x20) next();
  isBigEndian = order === 0x3e && size > 1;
  kind = letter === 0x62 ? Kind.Bool : letter === 0x75 ? Kind.Uint : letter === 0x69 ? Kind.Int : Kind.Float;
  if (order !== 0x7c && (order < 0x3c || order > 0x3e)) return fail(FOREIGN);
  return isRead(letter) && peek() === quote ? next() > 0 : refuseType(letter, start);
}
function isRead(letter: number): boolean {
  if (letter === 0x62) return size === 1;
  if (letter === 0x75 || letter === 0x69) return size === 1 || size === 2 || size === 4 || size === 8;
  return letter === 0x66 && (size === 2 || size === 4 || size === 8);
}
const TYPES = 'bool, uint8 to uint64, int8 to int64, float16, float32 or float64';
function refuseType(letter: number, from: number): boolean {
  const isText = letter === 0x55 || letter === 0x53;
  const what = 'holds elements of a type that is not read';
  if (isText) return failText(what, from, TYPES, 'texts are not read; a table of labels (CSV) may hold them');
  if (letter === 0x4f) return failText(what, from, TYPES, 'Python objects are not read, since they are programs');
  return failText(
    what,
    from,
    TYPES,
    '',
    letter === 0x63 ? 'np.save(p, np.abs(np.load(p)).astype("float32"))' : 'np.save(p, np.load(p).astype("float32"))',
  );
}

function readOrder(): boolean {
  isFortran = skipSpace() === 0x54;
  return readWord(isFortran ? 'True' : 'False', FOREIGN);
}

function readShape(): boolean {
  expect(0x28, FOREIGN);
  axes = 0;
  while (isGood() && skipSpace() !== 0x29) {
    const length = readWhole(FOREIGN);
    // Python 2 wrote a whole number with an L.
    take(0x4c);
    if (axes === MOST_AXES) return fail('has too many axes');
    setAxis(axes, length);
    axes += 1;
    if (!take(0x2c) && peek() !== 0x29) fail(FOREIGN);
  }
  next();
  return isGood();
}
