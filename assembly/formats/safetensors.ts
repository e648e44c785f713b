/**
 * The header of a safetensors file, read as a stream: JSON of exactly the format's shape, in constant memory whatever it claims.
 *
 *     0          8                 8 + n
 *     | n (u64)  | JSON header     | tensors, one after the other
 *
 * Nothing in it is trusted: every range lies in the file and has the bytes that type and shape ask for, and all of them together fill it. Written in
 * what both languages share.
 */
import { isText, readString, textBytes } from './json.ts';
import { expect, fail, isGood, next, openText, peek, readWhole, skipSpace, take } from './scan.ts';
import { Words } from './words.ts';

/** As the format's largest, which a reader may refuse: room for some 100,000 tensors. */
const MOST_HEADER: number = 16777216;
const MOST_WHOLE: number = 9007199254740991;
const FOREIGN = 'the header is not that of a safetensors file';
export const MOST_NAME: number = 1024;
export const MOST_RANK: number = 8;

/** Where the reader may write: a name, then a word, then a shape of MOST_RANK numbers. */
export const ROOM_BYTES: number = 1024 + 64 + 64;
let room: Words | null = null;
let nameAt: number = 0;
let wordAt: number = 0;
let shapeAt: number = 0;

/** Bytes before the tensors' data, and of it. */
export let dataStart: number = 0;
let dataBytes: number = 0;
/** Bytes of data that the tensors so far cover. */
let covered: number = 0;
/** Numbers of what is wrong, below 0 where there are none; whether the tensor that was read last is meant. */
export let got: number = -1;
export let expected: number = -1;
export let isAboutTensor: boolean = false;

/** Of the tensor that was read last: bytes of its name; its type: 0 f32, 1 f16, 2 bf16, as `place` counts them, -1 another; axes; first byte in the file. */
export let nameBytes: number = 0;
export let type: number = -1;
export let rank: number = 0;
export let offset: number = 0;
export function axis(i: number): number {
  return room!.f64(shapeAt + 8 * i);
}

function refuse(what: string, found: number, wanted: number): boolean {
  got = found;
  expected = wanted;
  return fail(what);
}
function refuseTensor(what: string): boolean {
  isAboutTensor = true;
  return fail(what);
}

/** Begins with a file of so many bytes; `at`: ROOM_BYTES of room. False: `fault` of scan.ts says why. */
export function openHeader(byteAt: (at: number) => number, total: number, memory: Words, at: number): boolean {
  room = memory;
  nameAt = at;
  wordAt = at + MOST_NAME;
  shapeAt = wordAt + 64;
  got = -1;
  isAboutTensor = false;
  covered = 0;
  openText(byteAt, 0, Math.min(8, total));
  if (total < 8) return fail('is too short for a safetensors file');
  let length: number = 0;
  for (let unit: number = 1, i: number = 0; i < 8; i++, unit *= 256) length += next() * unit;
  if (length > MOST_HEADER) return refuse('the header length is not that of a safetensors file', length, MOST_HEADER);
  if (8 + length > total) return refuse('the header is cut off', total - 8, length);
  dataStart = 8 + length;
  dataBytes = total - dataStart;
  openText(byteAt, 8, dataStart);
  return peek() === 0x7b && next() > 0 ? true : fail(FOREIGN);
}

/** Reads the next tensor's entry; false at the end, or where something is wrong. */
export function nextTensor(): boolean {
  let isTensor = false;
  while (!isTensor) {
    if (take(0x7d)) return isAtEnd();
    if (!readString(room!, nameAt, MOST_NAME, FOREIGN)) return false;
    nameBytes = textBytes;
    if (!expect(0x3a, FOREIGN)) return false;
    isTensor = !isText(room!, nameAt, nameBytes, '__metadata__');
    if (!(isTensor ? readEntry() : skipMetadata())) return false;
    if (skipSpace() !== 0x7d && !(take(0x2c) && skipSpace() === 0x22)) return fail(FOREIGN);
  }
  return true;
}

/** Spaces may follow, nothing else; false, for there is no other tensor. */
function isAtEnd(): boolean {
  if (skipSpace() !== -1) return fail(FOREIGN);
  return covered === dataBytes ? false : refuse('its tensors do not fill it', covered, dataBytes);
}

/** An object of strings. */
function skipMetadata(): boolean {
  if (!expect(0x7b, FOREIGN)) return false;
  if (take(0x7d)) return true;
  do {
    if (!readString(room!, wordAt, 0, FOREIGN) || !expect(0x3a, FOREIGN) || !readString(room!, wordAt, 0, FOREIGN)) return false;
  } while (take(0x2c));
  return expect(0x7d, FOREIGN);
}

let size: number = 0;
let elements: number = 0;
let first: number = 0;
let end: number = 0;

/** `{"dtype":…,"shape":[…],"data_offsets":[first,end]}`, its members in any order. */
function readEntry(): boolean {
  let seen: number = 0;
  if (!expect(0x7b, FOREIGN)) return false;
  do {
    const member = readMember();
    // 1, 2 and 4: all three, each once.
    if (member === 0 || Math.floor(seen / member) % 2 === 1) return fail(FOREIGN);
    seen += member;
  } while (take(0x2c));
  if (!expect(0x7d, FOREIGN) || seen !== 7) return fail(FOREIGN);
  if (size === 0) return refuseTensor('has an unknown element type');
  if (end < first || end > dataBytes) return refuseTensor('lies outside the file');
  if (elements > MOST_WHOLE / size || end - first !== elements * size) return refuseTensor('does not fit its range');
  offset = dataStart + first;
  covered += end - first;
  return true;
}

/** Which member it was; 0 where it is none. */
function readMember(): number {
  if (!readString(room!, wordAt, 64, FOREIGN)) return 0;
  const bytes = textBytes;
  if (!expect(0x3a, FOREIGN)) return 0;
  if (isText(room!, wordAt, bytes, 'dtype')) return readType() ? 1 : 0;
  if (isText(room!, wordAt, bytes, 'shape')) return readShape() ? 2 : 0;
  return isText(room!, wordAt, bytes, 'data_offsets') && readRange() ? 4 : 0;
}

function readRange(): boolean {
  if (!expect(0x5b, FOREIGN)) return false;
  first = readWhole(FOREIGN);
  if (!expect(0x2c, FOREIGN)) return false;
  end = readWhole(FOREIGN);
  return expect(0x5d, FOREIGN);
}

function readShape(): boolean {
  rank = 0;
  elements = 1;
  if (!expect(0x5b, FOREIGN)) return false;
  if (take(0x5d)) return true;
  do {
    const length = readWhole(FOREIGN);
    if (rank === MOST_RANK) return refuseTensor('has too many axes');
    room!.setF64(shapeAt + 8 * rank, length);
    rank += 1;
    if (length > 0 && elements > MOST_WHOLE / length) return refuseTensor('has an impossible shape');
    elements *= length;
  } while (isGood() && take(0x2c));
  return expect(0x5d, FOREIGN);
}

function isType(literal: string): boolean {
  return isText(room!, wordAt, textBytes, literal);
}

/** The engine's number for a type that weights may have, and the bytes of an element of any that the format knows; 0 of others. */
function readType(): boolean {
  if (!readString(room!, wordAt, 64, FOREIGN)) return false;
  type = isType('F32') ? 0 : isType('F16') ? 1 : isType('BF16') ? 2 : -1;
  size = type === 0 ? 4 : type > 0 ? 2 : 0;
  if (isType('BOOL') || isType('U8') || isType('I8') || isType('F8_E5M2') || isType('F8_E4M3') || isType('F8_E8M0')) size = 1;
  if (isType('I16') || isType('U16')) size = 2;
  if (isType('I32') || isType('U32')) size = 4;
  if (isType('F64') || isType('I64') || isType('U64') || isType('C64')) size = 8;
  return true;
}
