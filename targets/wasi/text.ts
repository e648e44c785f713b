/**
 * Text out of string literals (ASCII), numbers and bytes of files, without a managed string: words are collected in one buffer
 * and leave in one write.
 */
import { fd_write, iovec, proc_exit } from 'bindings/wasi_snapshot_preview1';
import { isUnseen } from '../../assembly/abi/unseen';
import { lengthOf, textOf } from './path';

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

function number(n: u64): void {
  let unit: u64 = 1;
  while (n / unit >= 10) unit *= 10;
  for (; unit > 0; unit /= 10) put(0x30 + <u32>((n / unit) % 10));
}

/** A string of JSON with these bytes, all that a terminal would obey in escapes; what is no UTF-8 as the sign for that. */
function quoted(p: usize, n: usize): void {
  put(0x22);
  for (let i: usize = 0; i < n; ) {
    const size = sizeOf(p + i, n - i);
    const code = size == 0 ? 0xfffd : codeAt(p + i, size);
    if (code == 0x22 || code == 0x5c) put(0x5c);
    if (code > 0xffff && isUnseen(<f64>code)) {
      escaped('\\u', 0xd800 + ((code - 0x10000) >> 10), 4);
      escaped('\\u', 0xdc00 + ((code - 0x10000) & 1023), 4);
    } else if (size == 0 || isUnseen(<f64>code)) escaped('\\u', code, 4);
    else for (let k: usize = 0; k < size; k++) put(load<u8>(p + i + k));
    i += max(size, 1);
  }
  put(0x22);
}

function codeAt(p: usize, size: usize): u32 {
  const first = <u32>load<u8>(p);
  let code = size == 1 ? first : first & (0xff >> (<u32>size + 1));
  for (let k: usize = 1; k < size; k++) code = (code << 6) | (<u32>load<u8>(p + k) & 63);
  return code;
}

/** Bytes from outside, as UTF-8; what a terminal would obey, or nobody sees, as src/base/visible.ts shows it; what is no UTF-8 as `\xe9`. */
function bytes(p: usize, n: usize): void {
  for (let i: usize = 0; i < n; ) {
    const size = sizeOf(p + i, n - i);
    if (size == 0) escaped('\\x', <u32>load<u8>(p + i), 2);
    else {
      const code = codeAt(p + i, size);
      if (!isUnseen(<f64>code)) for (let k: usize = 0; k < size; k++) put(load<u8>(p + i + k));
      else if (code == 0x0a) say('\\n');
      else if (code == 0x0d) say('\\r');
      else if (code == 0x09) say('\\t');
      else if (code > 0xffff) {
        escaped('\\u{', code, 5);
        put(0x7d);
      } else escaped('\\u', code, 4);
    }
    i += max(size, 1);
  }
}

/** Bytes of the character at `p`, of which there are `n` at most; 0 where it is no UTF-8. */
function sizeOf(p: usize, n: usize): usize {
  const first = load<u8>(p);
  const size: usize = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size > n) return 0;
  for (let k: usize = 1; k < size; k++) if ((load<u8>(p + k) & 0xc0) != 0x80) return 0;
  // Longer than need be, half of a pair, beyond the last.
  const second = size > 1 ? load<u8>(p, 1) : 0;
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return size;
}

function escaped(begin: string, code: u32, digits: i32): void {
  say(begin);
  for (let k = digits - 1; k >= 0; k--) {
    const digit = (code >> ((<u32>k) << 2)) & 15;
    put(digit < 10 ? 0x30 + digit : 0x57 + digit);
  }
}

/** Bytes that `&` stands for in `say`. */
let span: usize = 0;
let spanBytes: usize = 0;
export function select(p: usize, n: usize): void {
  span = p;
  spanBytes = n;
}

/**
 * Text with what is given in its places: `#` a whole number, `~` one in JSON's notation, `@` and a digit one with so many decimals, `$` the bytes of a
 * path, `&` those that were selected, `^` the same as a string of JSON.
 */
export function say(form: string, a: f64 = 0, b: f64 = 0, c: f64 = 0, d: f64 = 0, e: f64 = 0, f: f64 = 0): void {
  for (let i = 0, n = form.length; i < n; i++) {
    const mark = form.charCodeAt(i);
    if (mark == 0x26) bytes(span, spanBytes);
    else if (mark == 0x5e) quoted(span, spanBytes);
    else if (mark == 0x23 || mark == 0x7e || mark == 0x40 || mark == 0x24) {
      if (mark == 0x23) whole(a);
      else if (mark == 0x7e) json(a);
      else if (mark == 0x40) real(a, form.charCodeAt(++i) - 0x30);
      else bytes(textOf(<usize>a), lengthOf(<usize>a));
      a = b;
      b = c;
      c = d;
      d = e;
      e = f;
    } else put(mark);
  }
}

function whole(x: f64): void {
  if (x < 0) put(0x2d);
  number(<u64>abs<f64>(x));
}

/** Ends the program; whatever was collected is written first. */
export function exit(code: u32): void {
  flush();
  proc_exit(code);
  unreachable();
}

/** A real number with that many decimals, rounded half up. */
function real(x: f64, decimals: u32): void {
  if (!isFinite<f64>(x)) return say(isNaN<f64>(x) ? 'NaN' : x < 0 ? '-Infinity' : 'Infinity');
  if (x < 0) put(0x2d);
  let unit: u64 = 1;
  for (let i: u32 = 0; i < decimals; i++) unit *= 10;
  const scaled = <u64>(abs<f64>(x) * <f64>unit + 0.5);
  number(scaled / unit);
  if (decimals == 0) return;
  put(0x2e);
  for (let rest = scaled % unit, place = unit / 10; place > 0; place /= 10) put(0x30 + <u32>((rest / place) % 10));
}

/** A real number for a program to read: nine digits, JSON's notation; null where it is none. */
function json(x: f64): void {
  if (!isFinite<f64>(x)) return say('null');
  let size = abs<f64>(x);
  if (size == 0) return put(0x30);
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
  say(exponent < 0 ? 'e-' : 'e');
  number(abs(exponent));
}
