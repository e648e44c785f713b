/** Paths put together from pieces, in static memory: u32 length, then the bytes. */
import { refuse } from './refuse';

const MOST: usize = 1020;

/** `path` becomes a copy of n bytes. */
export function setPath(path: usize, p: usize, n: usize): void {
  store<u32>(path, 0);
  appendBytes(path, p, n);
}
export function copyPath(path: usize, from: usize): void {
  setPath(path, textOf(from), lengthOf(from));
}
/** `path` becomes what has that name in a folder. */
export function pathIn(path: usize, folder: usize, name: string): void {
  if (path != folder) copyPath(path, folder);
  const n = lengthOf(path);
  if (n > 0 && load<u8>(textOf(path) + n - 1) != 0x2f) append(path, '/');
  append(path, name);
}

/** Takes the last name away: of `out/run` stays `out/`, of `run` a dot. */
export function leave(path: usize): void {
  let n = lengthOf(path);
  if (n > 0 && load<u8>(textOf(path) + n - 1) == 0x2f) n--;
  while (n > 0 && load<u8>(textOf(path) + n - 1) != 0x2f) n--;
  store<u32>(path, <u32>n);
  if (n == 0) append(path, '.');
}

export function append(path: usize, literal: string): void {
  for (let i = 0, n = literal.length; i < n; i++) appendByte(path, literal.charCodeAt(i));
}
export function appendBytes(path: usize, p: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) appendByte(path, load<u8>(p + i));
}
export function appendNumber(path: usize, value: u32): void {
  if (value >= 10) appendNumber(path, value / 10);
  appendByte(path, 0x30 + (value % 10));
}
function appendByte(path: usize, byte: u32): void {
  const n = lengthOf(path);
  if (n >= MOST) {
    // What is said is the beginning.
    store<u32>(path, 60);
    refuse(path, 'the path is too long');
  }
  store<u8>(textOf(path) + n, byte);
  store<u32>(path, <u32>n + 1);
}

/** Whether n bytes are these letters, or end with them. */
export function isText(p: usize, n: usize, literal: string): bool {
  return n == <usize>literal.length && endsWith(p, n, literal);
}
export function endsWith(p: usize, n: usize, literal: string): bool {
  const length = <usize>literal.length;
  for (let i: usize = 0; i < length; i++) if (n < length || load<u8>(p + n - length + i) != literal.charCodeAt(<i32>i)) return false;
  return true;
}

export function textOf(path: usize): usize {
  return path + 4;
}
export function lengthOf(path: usize): usize {
  return <usize>load<u32>(path);
}
