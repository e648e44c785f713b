/**
 * Text out of string literals (ASCII), numbers and bytes of files, without a managed string: words are collected in one buffer
 * and leave in one write.
 */
import { fd_write, iovec, proc_exit } from 'bindings/wasi_snapshot_preview1';

export const STDOUT: u32 = 1;
export const STDERR: u32 = 2;

const CAPACITY: usize = 4096;
const buffer = memory.data(4096);
const vector = memory.data(8);
const moved = memory.data(4);
let stream: u32 = STDOUT;
let used: usize = 0;
/** Bytes written to files: what goes to the standard streams wears no card. */
export let logged: u64 = 0;

/** What follows goes to `fd`. */
export function to(fd: u32): void {
  flush();
  stream = fd;
}

/** Writes out what is collected. A stream that takes nothing more is given up: there is nobody to tell. */
export function flush(): void {
  let at = buffer;
  while (used > 0) {
    const part = changetype<iovec>(vector);
    part.buf = at;
    part.buf_len = used;
    if (fd_write(stream, vector, 1, moved) != 0) break;
    const n = <usize>load<u32>(moved);
    if (n == 0 || n > used) break;
    if (stream > STDERR) logged += n;
    at += n;
    used -= n;
  }
  used = 0;
}

function put(byte: u32): void {
  if (used == CAPACITY) flush();
  store<u8>(buffer + used, byte);
  used++;
}

export function text(literal: string): void {
  const p = changetype<usize>(literal);
  for (let i = 0, n = literal.length; i < n; i++) put(load<u16>(p + (<usize>i << 1)));
}

export function line(): void {
  put(0x0a);
}

export function number(n: u64): void {
  let unit: u64 = 1;
  while (n / unit >= 10) unit *= 10;
  for (; unit > 0; unit /= 10) put(0x30 + <u32>((n / unit) % 10));
}

/** Bytes from outside, as UTF-8; what a terminal would obey (C0, DEL, C1) is shown as a question mark. */
export function bytes(p: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) {
    const byte = <u32>load<u8>(p + i);
    const isC1 = byte == 0xc2 && i + 1 < n && load<u8>(p + i, 1) >= 0x80 && load<u8>(p + i, 1) < 0xa0;
    put(isC1 || byte < 0x20 || byte == 0x7f ? 0x3f : byte);
    if (isC1) i++;
  }
}

/** Text left-aligned in a column. */
export function label(literal: string): void {
  text(literal);
  for (let i = literal.length; i < 16; i++) put(0x20);
}

/** Ends the program; whatever was collected is written first. */
export function exit(code: u32): void {
  flush();
  proc_exit(code);
  unreachable();
}

/** A real number with that many decimals, rounded half up. */
export function real(x: f64, decimals: u32): void {
  if (!isFinite<f64>(x)) return text(isNaN<f64>(x) ? 'NaN' : x < 0 ? '-Infinity' : 'Infinity');
  if (x < 0) text('-');
  let unit: u64 = 1;
  for (let i: u32 = 0; i < decimals; i++) unit *= 10;
  const scaled = <u64>(abs<f64>(x) * <f64>unit + 0.5);
  number(scaled / unit);
  if (decimals == 0) return;
  put(0x2e);
  for (let rest = scaled % unit, place = unit / 10; place > 0; place /= 10) put(0x30 + <u32>((rest / place) % 10));
}

/** A real number for a program to read: nine digits, JSON's notation; null where it is none. */
export function json(x: f64): void {
  if (!isFinite<f64>(x)) return text('null');
  let size = abs<f64>(x);
  if (size == 0) return text('0');
  let exponent = 0;
  while (size >= 10) {
    size /= 10;
    exponent++;
  }
  while (size < 1) {
    size *= 10;
    exponent--;
  }
  real(x < 0 ? -size : size, 8);
  if (exponent == 0) return;
  text(exponent < 0 ? 'e-' : 'e');
  number(abs(exponent));
}
