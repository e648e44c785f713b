/**
 * Text of a file's head, byte by byte: what the readers of formats stand on. A host opens it with a function that gives the byte at a place; one text
 * at a time. Nothing throws: after `fail` the text is at its end, and `fault` says why.
 */

let byteAt: ((at: number) => number) | null = null;
let position: number = 0;
let end: number = 0;
/** What is wrong; empty: nothing so far. */
export let fault: string = '';

export function openText(bytes: (at: number) => number, from: number, to: number): void {
  byteAt = bytes;
  position = from;
  end = to;
  fault = '';
}

/** Returns false, for the caller to return as well. */
export function fail(what: string): boolean {
  if (fault.length === 0) fault = what;
  end = position;
  return false;
}
export function isGood(): boolean {
  return fault.length === 0;
}

/** The next byte without taking it; -1 at the end. */
export function peek(): number {
  return position < end ? byteAt!(position) : -1;
}
export function next(): number {
  const byte = peek();
  if (byte >= 0) position += 1;
  return byte;
}

/** The next byte that is no space, not taken. */
export function skipSpace(): number {
  let c = peek();
  while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
    next();
    c = peek();
  }
  return c;
}

/** Takes this byte, spaces before it; anything else fails. */
export function expect(byte: number, what: string): boolean {
  if (skipSpace() !== byte) return fail(what);
  next();
  return true;
}
/** Takes this byte if it is the next, spaces before it. */
export function take(byte: number): boolean {
  if (skipSpace() !== byte) return false;
  next();
  return true;
}

/** A whole number ≥ 0, at most 2⁵³; -1 where there is none. */
export function readWhole(what: string): number {
  let c = skipSpace() - 0x30;
  if (c < 0 || c > 9) fail(what);
  let value: number = 0;
  while (c >= 0 && c <= 9) {
    if (value > 900719925474099) fail(what);
    value = value * 10 + c;
    next();
    c = peek() - 0x30;
  }
  return isGood() ? value : -1;
}

/** Takes these letters, which come at once. */
export function readWord(literal: string, what: string): boolean {
  for (let i = 0; i < literal.length; i++) if (next() !== literal.charCodeAt(i)) return fail(what);
  return true;
}
