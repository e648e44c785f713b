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

/** Puts `/name` at its end. */
export function enter(path: usize, name: string): void {
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
  const p = changetype<usize>(literal);
  for (let i = 0, n = literal.length; i < n; i++) appendByte(path, load<u16>(p + ((<usize>i) << 1)));
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
  if (n >= MOST) refuse(textOf(path), 60, 'the path is too long');
  store<u8>(textOf(path) + n, byte);
  store<u32>(path, <u32>n + 1);
}

export function textOf(path: usize): usize {
  return path + 4;
}
export function lengthOf(path: usize): usize {
  return <usize>load<u32>(path);
}
