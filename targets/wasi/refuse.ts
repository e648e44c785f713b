/** Errors: one sentence `s2a: where: what, got X, expected Y; hint` on standard error, and an exit code. */
import { bytes, exit, line, number, STDERR, text, to } from './text';

const INPUT: u32 = 2;
export const BUDGET: u32 = 3;
export const ENGINE: u32 = 4;
/** Runtimes allow codes below 126, so not the 130 of a shell. */
export const INTERRUPTED: u32 = 5;

/** Begins the sentence; `where` is n bytes from outside. */
export function begin(where: usize, n: usize, what: string): void {
  to(STDERR);
  text('s2a: ');
  bytes(where, n);
  text(': ');
  text(what);
}

/** Ends the sentence, and the program. */
export function finish(hint: string = '', code: u32 = INPUT): void {
  if (hint.length > 0) text('; ');
  text(hint);
  line();
  exit(code);
}

export function refuse(where: usize, n: usize, what: string, hint: string = ''): void {
  begin(where, n, what);
  finish(hint);
}

export function refuseNumbers(where: usize, n: usize, what: string, got: u64, expected: u64, hint: string = ''): void {
  begin(where, n, what);
  text(', got ');
  number(got);
  text(', expected ');
  number(expected);
  finish(hint);
}

/** About an argument, whose name is a literal. */
export function refuseArgument(name: string, what: string, hint: string = ''): void {
  to(STDERR);
  text('s2a: ');
  text(name);
  text(': ');
  text(what);
  finish(hint);
}
