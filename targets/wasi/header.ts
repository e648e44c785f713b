/**
 * The header of a safetensors file, read as a stream: JSON of exactly the format's shape, in constant memory whatever it claims.
 *
 *     0          8                 8 + n
 *     | n (u64)  | JSON header     | tensors, one after the other
 *
 * Each entry is looked up in the program's list of tensors, and where it lies is noted. Nothing in the header is trusted: every range lies in
 * the file and has the bytes that type and shape ask for, and all of them together fill it.
 */
import { ParameterWord, Section, WeightWord } from '../../assembly/abi/program';
import { fileBytes, measure, need, opened, openFile, readAt } from './files';
import { countRecords, lineAt, lineBytes, recordBytes, section, sectionBytes, tensorTable } from './program';
import { next, openReader, peek } from './reader';
import { begin, finish, refuse, refuseNumbers } from './refuse';
import { bytes, number, text } from './text';

/** A tensor's place: 1 + the index of its file, its element type, its first byte. */
const FILE: usize = 0;
const TYPE: usize = 4;
const OFFSET: usize = 8;

/** As the format's largest, which a reader may refuse: room for some 100,000 tensors. */
const MOST_HEADER: u64 = 16 << 20;
const MOST_NAME: usize = 1024;
const MOST_RANK: u32 = 8;

const prefix = memory.data(8);
const name = memory.data(1024);
const word = memory.data(64);
const shape = memory.data(64);
let nameBytes: usize = 0;
let wordBytes: usize = 0;
let rank: u32 = 0;
let where: usize = 0;
let whereBytes: usize = 0;

export function placeFile(i: u32): u32 {
  return load<u32>(tensorTable + (i << 4), FILE) - 1;
}
/** 0 f32, 1 f16, 2 bf16: as the engine's `place` counts them. */
export function placeType(i: u32): i32 {
  return load<i32>(tensorTable + (i << 4), TYPE);
}
export function placeOffset(i: u32): u64 {
  return load<u64>(tensorTable + (i << 4), OFFSET);
}

export function forgetPlaces(): void {
  memory.fill(tensorTable, 0, (<usize>max(countRecords(Section.Weights), countRecords(Section.Parameters))) << 4);
}

/** Tensors of the file that the program has no place for. */
export let unknown: u32 = 0;
/** Bytes before the tensors' data. */
export let dataStart: u64 = 0;

/** Opens the file of that path, reads its header, and notes the places of the tensors of one of the program's lists. */
export function readHeader(p: usize, n: usize, list: u32, file: u32): void {
  where = p;
  whereBytes = n;
  unknown = 0;
  need(openFile(p, n), p, n);
  need(measure(opened), p, n);
  const size = fileBytes;
  if (size < 8) refuse(p, n, 'is too short for a safetensors file', 'was the copy complete?');
  need(readAt(opened, 0, prefix, 8), p, n);
  const length = load<u64>(prefix);
  if (length > MOST_HEADER) refuseNumbers(p, n, 'the header length is not that of a safetensors file', length, MOST_HEADER);
  if (8 + length > size) refuseNumbers(p, n, 'the header is cut off', size - 8, length, 'was the copy complete?');
  dataStart = 8 + length;
  openReader(opened, 8, dataStart, p, n);
  expect(0x7b);
  let covered: u64 = 0;
  if (skipSpace() != 0x7d) {
    for (;;) {
      readString(name, MOST_NAME);
      nameBytes = readBytes;
      expect(0x3a);
      if (isText(name, nameBytes, '__metadata__')) skipMetadata();
      else covered += readEntry(list, file, size - dataStart);
      const c = skipSpace();
      next();
      if (c == 0x7d) break;
      if (c != 0x2c) broken();
    }
  } else next();
  // Spaces may follow, nothing else.
  if (skipSpace() != -1) broken();
  if (covered != size - dataStart) refuseNumbers(p, n, 'its tensors do not fill it', covered, size - dataStart, 'was the copy complete?');
}

function broken(): void {
  refuse(where, whereBytes, 'the header is not that of a safetensors file');
}

/** The next byte that is no space, not taken; -1 at the end. */
function skipSpace(): i32 {
  let c = peek();
  while (c == 0x20 || c == 0x0a || c == 0x0d || c == 0x09) {
    next();
    c = peek();
  }
  return c;
}
function expect(byte: i32): void {
  if (skipSpace() != byte) broken();
  next();
}

function isText(p: usize, n: usize, literal: string): bool {
  if (<i32>n != literal.length) return false;
  for (let i: usize = 0; i < n; i++) if (<u16>load<u8>(p + i) != load<u16>(changetype<usize>(literal) + (i << 1))) return false;
  return true;
}

/** Bytes of the last string; one that is longer than the room ends at it. */
let readBytes: usize = 0;

function keep(byte: u32, to: usize, most: usize): void {
  if (readBytes < most) store<u8>(to + readBytes, byte);
  readBytes++;
}

/** A JSON string, its escapes resolved, as UTF-8. */
function readString(to: usize, most: usize): void {
  expect(0x22);
  readBytes = 0;
  for (;;) {
    let c = next();
    if (c < 0x20) broken();
    if (c == 0x22) break;
    if (c != 0x5c) {
      keep(c, to, most);
      continue;
    }
    c = next();
    if (c == 0x75) readUnicode(to, most);
    else if (c == 0x22 || c == 0x5c || c == 0x2f) keep(c, to, most);
    else if (c == 0x62) keep(8, to, most);
    else if (c == 0x66) keep(12, to, most);
    else if (c == 0x6e) keep(10, to, most);
    else if (c == 0x72) keep(13, to, most);
    else if (c == 0x74) keep(9, to, most);
    else broken();
  }
  // A name that does not fit is none of the program's.
  if (readBytes > most) readBytes = most + 1;
}

function readUnicode(to: usize, most: usize): void {
  const unit = readHex();
  let code = unit;
  if (unit >= 0xd800 && unit < 0xdc00) {
    if (next() != 0x5c || next() != 0x75) broken();
    const low = readHex();
    if (low < 0xdc00 || low >= 0xe000) broken();
    code = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  } else if (unit >= 0xdc00 && unit < 0xe000) broken();
  if (code < 0x80) keep(code, to, most);
  else {
    if (code < 0x800) keep(0xc0 | (code >> 6), to, most);
    else {
      if (code < 0x10000) keep(0xe0 | (code >> 12), to, most);
      else {
        keep(0xf0 | (code >> 18), to, most);
        keep(0x80 | ((code >> 12) & 63), to, most);
      }
      keep(0x80 | ((code >> 6) & 63), to, most);
    }
    keep(0x80 | (code & 63), to, most);
  }
}

function readHex(): u32 {
  let value: u32 = 0;
  for (let i = 0; i < 4; i++) {
    const c = <u32>next();
    if (c - 0x30 < 10) value = (value << 4) | (c - 0x30);
    else if ((c | 0x20) - 0x61 < 6) value = (value << 4) | ((c | 0x20) - 0x61 + 10);
    else broken();
  }
  return value;
}

/** A whole number ≥ 0. */
function readNumber(): u64 {
  let c = skipSpace() - 0x30;
  if (c < 0 || c > 9) broken();
  let value: u64 = 0;
  while (c >= 0 && c <= 9) {
    if (value > 900719925474099) broken();
    value = value * 10 + c;
    next();
    c = peek() - 0x30;
  }
  return value;
}

/** An object of strings. */
function skipMetadata(): void {
  expect(0x7b);
  if (skipSpace() == 0x7d) {
    next();
    return;
  }
  for (;;) {
    readString(word, 0);
    expect(0x3a);
    readString(word, 0);
    const c = skipSpace();
    next();
    if (c == 0x7d) return;
    if (c != 0x2c) broken();
  }
}

/** One tensor: `{"dtype":…,"shape":[…],"data_offsets":[first,end]}`, its members in any order; returns its bytes. */
function readEntry(list: u32, file: u32, dataBytes: u64): u64 {
  let seen: u32 = 0;
  let size: u64 = 0;
  let type: i32 = -1;
  let first: u64 = 0;
  let end: u64 = 0;
  let elements: u64 = 1;
  expect(0x7b);
  for (;;) {
    readString(word, 64);
    wordBytes = readBytes;
    const member: u32 = isText(word, wordBytes, 'dtype')
      ? 1
      : isText(word, wordBytes, 'shape')
        ? 2
        : isText(word, wordBytes, 'data_offsets')
          ? 4
          : 0;
    if (member == 0 || (seen & member) != 0) broken();
    seen |= member;
    expect(0x3a);
    if (member == 1) {
      readString(word, 64);
      wordBytes = readBytes;
      type = typeOf();
      size = sizeOfType();
      if (size == 0) about('has an unknown element type');
    } else if (member == 2) {
      expect(0x5b);
      rank = 0;
      if (skipSpace() == 0x5d) next();
      else
        for (;;) {
          const length = readNumber();
          if (rank == MOST_RANK) about('has too many axes');
          store<u64>(shape + (rank << 3), length);
          rank++;
          if (length != 0 && elements > 9007199254740991 / length) about('has an impossible shape');
          elements *= length;
          const c = skipSpace();
          next();
          if (c == 0x5d) break;
          if (c != 0x2c) broken();
        }
    } else {
      expect(0x5b);
      first = readNumber();
      expect(0x2c);
      end = readNumber();
      expect(0x5d);
    }
    const c = skipSpace();
    next();
    if (c == 0x7d) break;
    if (c != 0x2c) broken();
  }
  if (seen != 7) broken();
  if (end < first || end > dataBytes) about('lies outside the file');
  if (elements > 9007199254740991 / size || end - first != elements * size) about('does not fit its range');
  note(list, file, type, first);
  return end - first;
}

/** Begins a sentence about the tensor that is being read, and ends it. */
function about(what: string): void {
  begin(where, whereBytes, 'tensor ');
  bytes(name, min(nameBytes, 100));
  text(' ');
  text(what);
  finish();
}

/** The engine's number for an element type; -1 for one that weights may not have. */
function typeOf(): i32 {
  if (isText(word, wordBytes, 'F32')) return 0;
  if (isText(word, wordBytes, 'F16')) return 1;
  if (isText(word, wordBytes, 'BF16')) return 2;
  return -1;
}

/** Bytes of an element of any type that the format knows; 0 for others. */
function sizeOfType(): u64 {
  if (wordBytes == 0) return 0;
  if (isText(word, wordBytes, 'BOOL') || isText(word, wordBytes, 'U8') || isText(word, wordBytes, 'I8')) return 1;
  if (wordBytes > 3 && load<u8>(word) == 0x46 && load<u8>(word, 1) == 0x38) return 1;
  const last = load<u8>(word + wordBytes - 1);
  const before = wordBytes > 1 ? load<u8>(word + wordBytes - 2) : 0;
  if (before == 0x31 && last == 0x36) return 2;
  if (before == 0x33 && last == 0x32) return 4;
  if (before == 0x36 && last == 0x34) return 8;
  return 0;
}

/** The line of the program's names that is the tensor's; the largest number where none is. */
function lineOfName(): u32 {
  const end = section(Section.Names) + sectionBytes(Section.Names);
  let line: u32 = 0;
  for (let p = section(Section.Names); p < end; line++) {
    let q = p;
    while (q < end && load<u8>(q) != 0x0a) q++;
    if (q - p == nameBytes && memory.compare(p, name, nameBytes) == 0) return line;
    p = q + 1;
  }
  return u32.MAX_VALUE;
}

/** Notes the place for every record of that name; type and shape must be the record's. */
function note(list: u32, file: u32, type: i32, first: u64): void {
  let isKnown = false;
  const line = lineOfName();
  for (let i: u32 = 0, n = countRecords(list); i < n; i++) {
    const record = section(list) + i * recordBytes(list);
    if (load<u32>(record, WeightWord.Name << 2) != line) continue;
    isKnown = true;
    if (type < 0) about('has an element type that weights may not have, expected F32, F16 or BF16');
    if (load<u32>(tensorTable + (i << 4), FILE) != 0) about('stands twice');
    let isSame = load<u32>(record, WeightWord.Rank << 2) == rank;
    for (let axis: u32 = 0; isSame && axis < rank; axis++)
      isSame = load<u64>(shape + (axis << 3)) == load<u32>(record + ((WeightWord.Shape + axis) << 2));
    if (!isSame) wrongShape(record);
    store<u32>(tensorTable + (i << 4), file + 1, FILE);
    store<i32>(tensorTable + (i << 4), type, TYPE);
    store<u64>(tensorTable + (i << 4), dataStart + first, OFFSET);
  }
  // What an adapter tells of its run's rates is for people.
  if (!isKnown && !isText(name, nameBytes, 's2a.rates')) unknown++;
}

function wrongShape(record: usize): void {
  begin(where, whereBytes, 'tensor ');
  bytes(name, nameBytes);
  text(' has the wrong shape, got [');
  for (let axis: u32 = 0; axis < rank; axis++) {
    if (axis > 0) text(', ');
    number(load<u64>(shape + (axis << 3)));
  }
  text('], expected [');
  for (let axis: u32 = 0, n = load<u32>(record, WeightWord.Rank << 2); axis < n; axis++) {
    if (axis > 0) text(', ');
    number(load<u32>(record + ((WeightWord.Shape + axis) << 2)));
  }
  text(']');
  finish();
}

/** Every tensor of the list has its place, or the first that has none is named. */
export function allPlaced(list: u32, p: usize, n: usize): void {
  for (let i: u32 = 0, count = countRecords(list); i < count; i++) {
    if (load<u32>(tensorTable + (i << 4), FILE) != 0) continue;
    begin(p, n, 'tensor ');
    const length = lineBytes(Section.Names, load<u32>(section(list) + i * recordBytes(list)));
    bytes(lineAt, length);
    text(' is missing');
    finish();
  }
}

if (ParameterWord.Rank != WeightWord.Rank || ParameterWord.Shape != WeightWord.Shape) ERROR('both kinds of records begin alike');
