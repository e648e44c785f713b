/**
 * Arrays in NumPy's file format, versions 1 to 3:
 *
 *     0           6               8       8 + 2 or 4
 *     | \x93NUMPY | major, minor  | n     | text: {'descr': '|u1', 'fortran_order': False, 'shape': (8, 32, 32, 3), } | elements
 *
 * The text is Python's, but only that one dictionary of three members is read, in any order; the file must have exactly the bytes that
 * type and shape ask for.
 */
import { fileBytes, measure, need, opened, openFile, readAt } from './files';
import { next, openReader, peek } from './reader';
import { refuse, refuseNumbers } from './refuse';

export const UINT: u32 = 1;
export const INT: u32 = 2;
export const FLOAT: u32 = 3;
const MOST_HEADER: u32 = 65536;
const MOST_AXES: u32 = 4;
const magic = memory.data<u8>([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]);
const start = memory.data(12);
const shape = memory.data(32);
const word = memory.data(32);
let wordBytes: usize = 0;
let where: usize = 0;
let whereBytes: usize = 0;

/** Of the array that was opened last: file, kind, bytes of an element, axes, first byte of its elements. */
export let file: u32 = 0;
export let kind: u32 = 0;
export let size: u32 = 0;
export let axes: u32 = 0;
export let dataOffset: u64 = 0;

export function axis(i: u32): u64 {
  return load<u64>(shape + (i << 3));
}

export function openArray(p: usize, n: usize): void {
  where = p;
  whereBytes = n;
  need(openFile(p, n), p, n);
  file = opened;
  need(measure(file), p, n);
  const total = fileBytes;
  if (total < 10) refuse(p, n, 'is not a .npy file');
  need(readAt(file, 0, start, <usize>min<u64>(12, total)), p, n);
  if (memory.compare(start, magic, 6) != 0) refuse(p, n, 'is not a .npy file');
  const major = load<u8>(start, 6);
  if (major < 1 || major > 3 || load<u8>(start, 7) != 0) refuse(p, n, 'is a .npy file of an unknown version');
  if (major > 1 && total < 12) refuse(p, n, 'is cut off');
  const from: u64 = major == 1 ? 10 : 12;
  const length = major == 1 ? <u32>load<u16>(start, 8) : load<u32>(start, 8);
  if (length > MOST_HEADER) refuseNumbers(p, n, 'has a header that is too long', length, MOST_HEADER);
  dataOffset = from + length;
  if (dataOffset > total) refuse(p, n, 'is cut off', 'was the copy complete?');
  openReader(file, from, dataOffset, p, n);
  readDictionary();
  let bytes: u64 = size;
  for (let i: u32 = 0; i < axes; i++) {
    if (axis(i) != 0 && bytes > 9007199254740991 / axis(i)) refuse(p, n, 'has an impossible shape');
    bytes *= axis(i);
  }
  if (total - dataOffset != bytes)
    refuseNumbers(p, n, 'has the wrong number of bytes', total - dataOffset, bytes, 'was the copy complete?');
}

function broken(): void {
  refuse(where, whereBytes, 'has a header that NumPy would not write');
}

function skipSpace(): i32 {
  let c = peek();
  while (c == 0x20 || c == 0x0a) {
    next();
    c = peek();
  }
  return c;
}
function expect(byte: i32): void {
  if (skipSpace() != byte) broken();
  next();
}

/** A string in single or double quotes, without escapes. */
function readString(): void {
  const quote = skipSpace();
  if (quote != 0x27 && quote != 0x22) broken();
  next();
  wordBytes = 0;
  for (let c = next(); c != quote; c = next()) {
    if (c < 0x20 || c == 0x5c || wordBytes == 32) broken();
    store<u8>(word + wordBytes, c);
    wordBytes++;
  }
}

function isWord(literal: string): bool {
  if (<i32>wordBytes != literal.length) return false;
  for (let i: usize = 0; i < wordBytes; i++) if (<u16>load<u8>(word + i) != load<u16>(changetype<usize>(literal) + (i << 1))) return false;
  return true;
}

function readDictionary(): void {
  let seen: u32 = 0;
  expect(0x7b);
  while (skipSpace() != 0x7d) {
    readString();
    const member: u32 = isWord('descr') ? 1 : isWord('fortran_order') ? 2 : isWord('shape') ? 4 : 0;
    if (member == 0 || (seen & member) != 0) broken();
    seen |= member;
    expect(0x3a);
    if (member == 1) readType();
    else if (member == 2) readOrder();
    else readShape();
    if (skipSpace() == 0x2c) next();
    else if (skipSpace() != 0x7d) broken();
  }
  next();
  if (seen != 7 || skipSpace() != -1) broken();
}

/** `|u1`, `<f4` and the like; the byte order may be left out where it says nothing. */
function readType(): void {
  readString();
  const hasOrder = wordBytes == 3;
  if (wordBytes < 2 || wordBytes > 3) unknownType();
  const order = hasOrder ? load<u8>(word) : <u8>0x7c;
  const letter = load<u8>(word + wordBytes - 2);
  size = <u32>load<u8>(word + wordBytes - 1) - 0x30;
  kind = letter == 0x75 ? UINT : letter == 0x69 ? INT : letter == 0x66 ? FLOAT : 0;
  if (order == 0x3e && size > 1) refuse(where, whereBytes, 'holds big-endian numbers', 'write it with a.astype(a.dtype.newbyteorder("<"))');
  if (kind == 0 || (order != 0x7c && order != 0x3c && order != 0x3d && order != 0x3e)) unknownType();
  if (size != 1 && size != 2 && size != 4 && size != 8) unknownType();
}
function unknownType(): void {
  refuse(where, whereBytes, 'holds elements of a type that is not read, expected uint8 or float32 pictures and whole-number labels');
}

function readOrder(): void {
  const isFalse = skipSpace() == 0x46;
  const literal = isFalse ? 'False' : 'True';
  for (let i = 0; i < literal.length; i++) if (next() != literal.charCodeAt(i)) broken();
  if (!isFalse) refuse(where, whereBytes, 'lies column by column', 'write it with numpy.ascontiguousarray');
}

function readShape(): void {
  expect(0x28);
  axes = 0;
  while (skipSpace() != 0x29) {
    let c = skipSpace() - 0x30;
    if (c < 0 || c > 9) broken();
    let value: u64 = 0;
    while (c >= 0 && c <= 9) {
      if (value > 900719925474099) broken();
      value = value * 10 + c;
      next();
      c = peek() - 0x30;
    }
    if (axes == MOST_AXES) refuse(where, whereBytes, 'has too many axes');
    store<u64>(shape + (axes << 3), value);
    axes++;
    if (skipSpace() == 0x2c) next();
    else if (skipSpace() != 0x29) broken();
  }
  next();
}
