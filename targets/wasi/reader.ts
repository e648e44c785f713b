/** A file read byte by byte through one small buffer, for headers of unknown length. One at a time. */
import { need, readAt } from './files';

const CAPACITY: usize = 4096;
const buffer = memory.data(4096);
let fd: u32 = 0;
let where: usize = 0;
let whereBytes: usize = 0;
/** Offsets in the file: of the buffer's first byte, of the next byte, and of the end of what may be read. */
let start: u64 = 0;
let position: u64 = 0;
let end: u64 = 0;
let filled: u64 = 0;

/** Begins at [from, to) of an open file, which is named in errors. */
export function openReader(file: u32, from: u64, to: u64, name: usize, nameBytes: usize): void {
  fd = file;
  start = from;
  position = from;
  end = to;
  filled = from;
  where = name;
  whereBytes = nameBytes;
}

/** The next byte without taking it; -1 at the end. */
export function peek(): i32 {
  if (position >= end) return -1;
  if (position >= filled) {
    const n = min<u64>(CAPACITY, end - position);
    need(readAt(fd, position, buffer, <usize>n), where, whereBytes);
    start = position;
    filled = position + n;
  }
  return load<u8>(buffer + <usize>(position - start));
}

export function next(): i32 {
  const byte = peek();
  if (byte >= 0) position++;
  return byte;
}
