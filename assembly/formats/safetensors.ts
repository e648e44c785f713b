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
import { expect, fail, failNumbers, isGood, next, openText, peek, place, pointAt, readWhole, skipSpace, take } from './scan.ts';
import { Words } from './words.ts';

/** As the format's largest, which a reader may refuse: room for some 100,000 tensors. */
const MOST_HEADER: number = 16777216;
const MOST_WHOLE: number = 9007199254740991;
const FOREIGN = 'the header is not that of a safetensors file';
const COMPLETE = 'was the copy complete?';
/** Every type that the format knows; those that weights may have first, as `place` counts them. */
export const TYPES = 'F32 F16 BF16 BOOL U8 I8 F8_E5M2 F8_E4M3 F8_E8M0 I16 U16 I32 U32 F64 I64 U64 C64';
export const WEIGHT_TYPES: number = 3;
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
/** Whether the tensor that was read last is meant where something is wrong. */
export let isAboutTensor: boolean = false;

/** Of the metadata: where its object stands; nothing where it has none. */
export let metadataFrom: number = 0;
export let metadataTo: number = 0;

/**
 * Of the tensor that was read last: bytes of its name; which of TYPES it has; axes; its bytes, and the first of them in the file.
 */
export let nameBytes: number = 0;
export let type: number = -1;
export let rank: number = 0;
export let offset: number = 0;
export let bytes: number = 0;
export function axis(i: number): number {
  return room!.f64(shapeAt + 8 * i);
}

/** What is wrong is the tensor that was read last. */
export function refuseTensor(what: string): boolean {
  if (isGood()) isAboutTensor = true;
  return fail(what);
}

/** Begins with a file of so many bytes; `at`: ROOM_BYTES of room. False: `fault` of scan.ts says why. */
export function openHeader(byteAt: (at: number) => number, total: number, memory: Words, at: number): boolean {
  room = memory;
  nameAt = at;
  wordAt = at + MOST_NAME;
  shapeAt = wordAt + 64;
  isAboutTensor = false;
  covered = 0;
  metadataTo = 0;
  openText(byteAt, 0, Math.min(8, total));
  if (total < 8) return failNumbers('is too short for a safetensors file', total, 8, COMPLETE);
  let length: number = 0;
  for (let unit: number = 1, i: number = 0; i < 8; i++, unit *= 256) length += next() * unit;
  if (length > MOST_HEADER) return failNumbers('the header length is not that of a safetensors file', length, MOST_HEADER);
  if (8 + length > total) return failNumbers('the header is cut off', total - 8, length, COMPLETE);
  dataStart = 8 + length;
  dataBytes = total - dataStart;
  openText(byteAt, 8, dataStart);
  return peek() === 0x7b && next() > 0 ? true : fail(FOREIGN);
}

/** Reads the next tensor's entry; false at the end, or where something is wrong. */
export function nextTensor(): boolean {
  let isTensor = false;
  while (!isTensor) {
    // Spaces may follow, nothing else.
    if (take(0x7d)) return skipSpace() === -1 ? false : fail(FOREIGN);
    if (!readString(room!, nameAt, MOST_NAME, FOREIGN)) return false;
    nameBytes = Math.min(textBytes, MOST_NAME);
    if (textBytes > MOST_NAME) return refuseTensor('has too long a name');
    if (!expect(0x3a, FOREIGN)) return false;
    isTensor = !isText(room!, nameAt, nameBytes, '__metadata__');
    if (!(isTensor ? readEntry() : skipMetadata())) return false;
    if (skipSpace() !== 0x7d && !(take(0x2c) && skipSpace() === 0x22)) return fail(FOREIGN);
  }
  return true;
}

/** Whether the bytes of all tensors are as many as there are behind the header: for who does not hold them all beside each other. */
export function fillsFile(): boolean {
  return isGood() && covered === dataBytes ? true : failNumbers('its tensors do not fill it', covered, dataBytes);
}

/** An object of strings, once. */
function skipMetadata(): boolean {
  if (skipSpace() !== 0x7b) return fail('__metadata__ is not an object');
  if (metadataTo > 0) return fail('__metadata__ stands twice');
  metadataFrom = place();
  next();
  if (skipSpace() !== 0x7d)
    do {
      if (!readString(room!, wordAt, 0, FOREIGN) || !expect(0x3a, FOREIGN)) return false;
      if (skipSpace() !== 0x22) return fail('__metadata__ holds what is not a text');
      if (!readString(room!, wordAt, 0, FOREIGN)) return false;
    } while (take(0x2c));
  const isClosed = expect(0x7d, FOREIGN);
  metadataTo = place();
  return isClosed;
}

let size: number = 0;
let elements: number = 0;
let first: number = 0;
let end: number = 0;

const LENGTHS = 'whole lengths whose product is below 2^53';

/** `{"dtype":…,"shape":[…],"data_offsets":[first,end]}`, its members in any order. */
function readEntry(): boolean {
  let seen: number = 0;
  if (skipSpace() !== 0x7b) return refuseTensor('its header entry is not an object');
  next();
  if (skipSpace() !== 0x7d)
    do {
      const member = readMember();
      // 1, 2 and 4: all three, each once.
      if (member === 0 || Math.floor(seen / member) % 2 === 1)
        return refuseTensor('has a member twice, or one that the format does not know');
      seen += member;
    } while (isGood() && take(0x2c));
  if (!expect(0x7d, FOREIGN)) return false;
  if (seen !== 7) return refuseTensor('lacks its dtype, shape or data_offsets');
  isAboutTensor = true;
  if (end < first) return fail('data_offsets run backwards');
  if (end > dataBytes) return failNumbers('lies outside the file', dataBytes, end, COMPLETE);
  bytes = elements > MOST_WHOLE / size ? MOST_WHOLE : elements * size;
  if (end - first !== bytes) return failNumbers('does not fit its range', end - first, bytes);
  isAboutTensor = false;
  offset = dataStart + first;
  covered += bytes;
  return true;
}

/** Which member it was, for better or worse; 0 where it is none. */
function readMember(): number {
  if (!readString(room!, wordAt, 64, FOREIGN)) return 0;
  const letters = textBytes;
  if (!expect(0x3a, FOREIGN)) return 0;
  skipSpace();
  const start = place();
  let member: number = 0;
  if (isText(room!, wordAt, letters, 'dtype')) member = readType(start);
  else if (isText(room!, wordAt, letters, 'shape')) member = readShape(start);
  else if (isText(room!, wordAt, letters, 'data_offsets')) member = readRange(start);
  return member;
}

/** The member itself, or what is wrong with it: begun at `start`, it closes with that byte. */
function checked(member: number, isRight: boolean, what: string, start: number, closing: number, right: string): number {
  if (isRight) return member;
  fail(what);
  isAboutTensor = true;
  pointAt(start, closing, right);
  return member;
}

function readRange(start: number): number {
  const what = 'bad data_offsets';
  expect(0x5b, what);
  first = readWhole(what);
  expect(0x2c, what);
  end = readWhole(what);
  return checked(4, expect(0x5d, what), what, start, 0x5d, 'two whole numbers');
}

function readShape(start: number): number {
  return checked(2, readLengths('bad shape'), 'bad shape', start, 0x5d, LENGTHS);
}
function readLengths(what: string): boolean {
  rank = 0;
  elements = 1;
  if (!expect(0x5b, what)) return false;
  if (take(0x5d)) return true;
  do {
    const length = readWhole(what);
    if (rank === MOST_RANK) return fail('has too many axes');
    room!.setF64(shapeAt + 8 * rank, length);
    rank += 1;
    if (length > 0 && elements > MOST_WHOLE / length) return fail(what);
    elements *= length;
  } while (isGood() && take(0x2c));
  return expect(0x5d, what);
}

/** Which of TYPES. */
function readType(start: number): number {
  type = readString(room!, wordAt, 64, 'unknown dtype') ? typeOfWord() : -1;
  size = type < 3 ? (type === 0 ? 4 : 2) : type < 9 ? 1 : type < 11 ? 2 : type < 13 ? 4 : 8;
  return checked(1, type >= 0, 'unknown dtype', start, 0x22, TYPES);
}
function typeOfWord(): number {
  let number: number = 0;
  let from = 0;
  for (let i = 0; i <= TYPES.length; i++) {
    if (i < TYPES.length && TYPES.charCodeAt(i) !== 0x20) continue;
    let same = 0;
    while (from + same < i && same < textBytes && room!.u8(wordAt + same) === TYPES.charCodeAt(from + same)) same += 1;
    if (same === i - from && same === textBytes) return number;
    from = i + 1;
    number += 1;
  }
  return -1;
}
