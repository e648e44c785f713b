/**
 * Text of a file's head, byte by byte: what the readers of formats stand on. A host opens it with a function that gives the byte at a place; one text
 * at a time. Nothing throws: after `fail` the text is at its end, and what follows says why, for the host's one sentence.
 */

let byteAt: ((at: number) => number) | null = null;
let position: number = 0;
let end: number = 0;
/** Where the text ended before something was wrong. */
let last: number = 0;
/** What is wrong; empty: nothing so far. */
export let fault: string = '';
/** What was got and expected, numbers below 0 where there are none; of a text that was got where it stands in the file, the end first not in it. */
export let got: number = -1;
export let expected: number = -1;
export let gotFrom: number = 0;
export let gotTo: number = 0;
/** What was expected in words, and what helps; or the statement by which Python mends the file `p`. */
export let wanted: string = '';
export let hint: string = '';
export let mend: string = '';

export function openText(bytes: (at: number) => number, from: number, to: number): void {
  byteAt = bytes;
  position = from;
  end = to;
  last = to;
  fault = '';
  got = -1;
  expected = -1;
  gotTo = 0;
  wanted = '';
  hint = '';
  mend = '';
}

/** Returns false, for the caller to return as well. */
export function fail(what: string): boolean {
  if (fault.length === 0) fault = what;
  end = position;
  return false;
}
export function failNumbers(what: string, found: number, right: number, help: string = ''): boolean {
  if (fault.length > 0) return false;
  got = found;
  expected = right;
  hint = help;
  return fail(what);
}
/** About the text that stands from `from` to here. */
export function failText(what: string, from: number, right: string, help: string = '', by: string = ''): boolean {
  if (fault.length > 0) return false;
  mend = by;
  gotFrom = from;
  gotTo = position;
  wanted = right;
  hint = help;
  return fail(what);
}
/** What was wrong last was the text that begins at `from` and closes with that byte; of a longer one its beginning is shown. */
export function pointAt(from: number, closing: number, right: string): boolean {
  gotFrom = from;
  gotTo = from + 1;
  wanted = right;
  while (gotTo < last && gotTo < from + 60 && byteAt!(gotTo) !== closing) gotTo += 1;
  gotTo = Math.min(last, gotTo + 1);
  return false;
}
export function failToMend(what: string, by: string): boolean {
  if (fault.length > 0) return false;
  mend = by;
  return fail(what);
}
export function isGood(): boolean {
  return fault.length === 0;
}

/** Where the next byte stands. */
export function place(): number {
  return position;
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
