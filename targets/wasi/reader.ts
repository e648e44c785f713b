/** A file byte by byte through one small buffer, for heads of unknown length (assembly/formats/scan.ts). One at a time. */
import { needBytes } from './files';

const CAPACITY: u64 = 4096;
const buffer = memory.data(4096);
let fd: u32 = 0;
let end: u64 = 0;
let where: usize = 0;
/** What of the file the buffer holds. */
let start: u64 = 0;
let filled: u64 = 0;

/** Begins with an open file of so many bytes, which is named in errors. */
export function openReader(file: u32, bytes: u64, path: usize): void {
  fd = file;
  end = bytes;
  start = 0;
  filled = 0;
  where = path;
}

export function byteAt(at: f64): f64 {
  const place = <u64>at;
  if (place < start || place >= filled) {
    const n = min<u64>(CAPACITY, end - place);
    needBytes(fd, place, buffer, <usize>n, where);
    start = place;
    filled = place + n;
  }
  return load<u8>(buffer + <usize>(place - start));
}
