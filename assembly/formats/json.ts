/** Strings of JSON, their escapes resolved, as UTF-8 into a memory. */
import { expect, fail, next } from './scan.ts';
import { Words } from './words.ts';

/** Bytes of the string that was read last; one more than there is room for where it is longer than that. */
export let textBytes: number = 0;

let out: Words | null = null;
let start: number = 0;
let room: number = 0;

function keep(byte: number): void {
  if (textBytes < room) out!.setU8(start + textBytes, byte);
  if (textBytes <= room) textBytes += 1;
}

/** Reads a string to `at`, where there is room for `most` bytes. */
export function readString(memory: Words, at: number, most: number, what: string): boolean {
  out = memory;
  start = at;
  room = most;
  textBytes = 0;
  if (!expect(0x22, what)) return false;
  let c = next();
  while (c >= 0x20 && c !== 0x22) {
    if (c !== 0x5c) keep(c);
    else if (!readEscape(next(), what)) return false;
    c = next();
  }
  return c === 0x22 ? true : fail(what);
}

function readEscape(c: number, what: string): boolean {
  if (c === 0x75) return readUnicode(what);
  if (c === 0x22 || c === 0x5c || c === 0x2f) keep(c);
  else if (c === 0x62) keep(8);
  else if (c === 0x66) keep(12);
  else if (c === 0x6e) keep(10);
  else if (c === 0x72) keep(13);
  else if (c === 0x74) keep(9);
  else return fail(what);
  return true;
}

function readUnicode(what: string): boolean {
  let code = readHex();
  if (code >= 0xd800 && code < 0xdc00) {
    if (next() !== 0x5c || next() !== 0x75) return fail(what);
    const low = readHex();
    if (low < 0xdc00 || low >= 0xe000) return fail(what);
    code = 0x10000 + (code - 0xd800) * 1024 + (low - 0xdc00);
  } else if (code < 0 || (code >= 0xdc00 && code < 0xe000)) return fail(what);
  if (code < 0x80) keep(code);
  else if (code < 0x800) keep(0xc0 + Math.floor(code / 64));
  else if (code < 0x10000) keep(0xe0 + Math.floor(code / 4096));
  else keep(0xf0 + Math.floor(code / 262144));
  if (code >= 0x10000) keep(0x80 + (Math.floor(code / 4096) % 64));
  if (code >= 0x800) keep(0x80 + (Math.floor(code / 64) % 64));
  if (code >= 0x80) keep(0x80 + (code % 64));
  return true;
}

/** Four digits; -1 where there are none. */
function readHex(): number {
  let value: number = 0;
  for (let i: number = 0; i < 4; i++) {
    const c = next();
    if (c >= 0x30 && c <= 0x39) value = value * 16 + (c - 0x30);
    else if (c >= 0x41 && c <= 0x46) value = value * 16 + (c - 0x37);
    else if (c >= 0x61 && c <= 0x66) value = value * 16 + (c - 0x57);
    else return -1;
  }
  return value;
}

/** Whether so many bytes at a place are these letters. */
export function isText(memory: Words, at: number, bytes: number, literal: string): boolean {
  if (bytes !== literal.length) return false;
  for (let i = 0; i < literal.length; i++) if (memory.u8(at + i) !== literal.charCodeAt(i)) return false;
  return true;
}
