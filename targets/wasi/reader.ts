/** A file's head byte by byte through one small buffer, for the readers of assembly/formats; and what they find wrong. One file at a time. */
import { isBigEndian, readHead } from '../../assembly/formats/npy';
import { expected, failToMend, fault, got, gotFrom, gotTo, hint, mend, wanted } from '../../assembly/formats/scan';
import { fileBytes, needBytes, needFile } from './files';
import { begin, finish } from './refuse';
import { say, select } from './text';

const CAPACITY: u64 = 4096;
const buffer = memory.data(4096);
const shown = memory.data(100);
let fd: u32 = 0;
let end: u64 = 0;
let where: usize = 0;
/** What of the file the buffer holds. */
let start: u64 = 0;
let filled: u64 = 0;

/** Opens the file of that path and begins with it. */
export function openReader(path: usize): u32 {
  where = path;
  fd = needFile(path);
  end = fileBytes;
  start = 0;
  filled = 0;
  return fd;
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

/** Opens the array of that path and returns its file. */
export function openArray(path: usize): u32 {
  const file = openReader(path);
  if (!readHead(byteAt, <f64>fileBytes) || (isBigEndian && !failToMend('holds big-endian numbers', LITTLE))) {
    begin(path);
    finishFault();
  }
  return file;
}
const LITTLE = 'a = np.load(p); np.save(p, a.astype(a.dtype.newbyteorder("<")))';

/** Ends a sentence with what a reader found wrong. */
export function finishFault(): void {
  say(fault);
  const n = <usize>min<f64>(100, max<f64>(0, gotTo - gotFrom));
  for (let i: usize = 0; i < n; i++) store<u8>(shown + i, <u32>byteAt(gotFrom + <f64>i));
  select(shown, n);
  if (n > 0) say(', got &');
  else if (got >= 0) say(', got #', got);
  if (wanted.length > 0) say(', expected ');
  say(wanted);
  if (wanted.length == 0 && expected >= 0) say(', expected #', expected);
  if (mend.length > 0) say('; python -c \'import numpy as np; p = "$"; ', where);
  say(mend);
  if (mend.length > 0) say("'");
  finish(hint);
}
