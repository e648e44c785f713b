/** Errors: one sentence `s2a: where: what, got X, expected Y; hint` on standard error, and an exit code. What is told, `say` of text.ts tells. */
import { exit, say, STDERR, to } from './text';

const INPUT: u32 = 2;
export const BUDGET: u32 = 3;
export const ENGINE: u32 = 4;
/** Runtimes allow codes below 126, so not the 130 of a shell. */
export const INTERRUPTED: u32 = 5;

/** Begins the sentence; `where` is a path, 0: nowhere. */
export function begin(where: usize): void {
  to(STDERR);
  if (where == 0) say('s2a: ');
  else say('s2a: $: ', where);
}
/** Ends the sentence, and the program. */
export function finish(hint: string = '', code: u32 = INPUT): void {
  if (hint.length > 0) say('; ');
  say(hint);
  say('\n');
  exit(code);
}

/** A whole sentence about wrong input. */
export function refuse(where: usize, form: string, hint: string = '', a: f64 = 0, b: f64 = 0, c: f64 = 0): void {
  begin(where);
  say(form, a, b, c);
  finish(hint);
}
/** The same about what the engine, or the machine, cannot do. */
export function fail(code: u32, where: usize, form: string, hint: string = '', a: f64 = 0, b: f64 = 0): void {
  begin(where);
  say(form, a, b);
  finish(hint, code);
}
