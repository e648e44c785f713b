/**
 * The errors of this project, one shape: `where: what, got X, expected Y; hint`. The command line maps each to an exit code; nothing else is
 * thrown on purpose. docs/errors.md lists the codes.
 */
import { visible } from './visible.ts';

/** What the parts of one error sentence are. */
export interface Parts {
  /** A file, option or tensor name: the place a person has to look at. */
  where: string;
  /** What is wrong with it. */
  what: string;
  /** What was found there. */
  got?: string | number;
  /** What may stand there. */
  expected?: string | number;
  /** What to do about it. */
  hint?: string;
}

/** What went wrong, for a program to tell apart: these words stay. */
export type ErrorCode =
  /** An option is wrong, or does not go with another; `where` is its name. */
  | 'S2A_OPTION'
  /** A file or folder cannot be opened, read or written. */
  | 'S2A_FILE'
  /** The disk is full, read-only or failing: the same command may succeed another time. */
  | 'S2A_DISK'
  /** A picture cannot be used. */
  | 'S2A_PICTURE'
  /** Anything else that was given: contents of files, shapes, what does not belong together. */
  | 'S2A_INPUT'
  | 'S2A_BUDGET'
  | 'S2A_ENGINE'
  /** A loss or a gradient is NaN or infinite. */
  | 'S2A_NOT_FINITE'
  | 'S2A_INTERRUPTED';

/** Joins the parts into the one sentence that is shown. */
export function sentence({ where, what, got, expected, hint }: Parts): string {
  let text = `${where}: ${what}`;
  if (got !== undefined) text += `, got ${got}`;
  if (expected !== undefined) text += `, expected ${expected}`;
  if (hint !== undefined) text += `; ${hint}`;
  return text;
}

/** The parts as they may be shown: what they hold comes from files and options. */
function shownParts({ where, what, got, expected, hint }: Parts): Parts {
  const text = <T>(part: T): T => (typeof part === 'string' ? (visible(part) as T) : part);
  return {
    where: text(where),
    what: text(what),
    ...(got === undefined ? {} : { got: text(got) }),
    ...(expected === undefined ? {} : { expected: text(expected) }),
    ...(hint === undefined ? {} : { hint: text(hint) }),
  };
}

/** What all of them have in common: a code, an exit code, and the sentence's parts. */
export abstract class S2aError extends Error {
  /** For programs: stays what it is when a sentence changes. */
  readonly code: ErrorCode;
  /** What the command line ends with: 2 wrong input, 3 budget, 4 engine, 5 disk, 130 interrupted. */
  readonly exitCode: number;
  /** A file, option or tensor name: the place a person has to look at. */
  readonly where: string;
  /** What is wrong with it. */
  readonly what: string;
  /** What was found there. */
  readonly got: string | number | undefined;
  /** What may stand there. */
  readonly expected: string | number | undefined;
  /** What to do about it. */
  readonly hint: string | undefined;
  constructor(parts: Parts, { code, exitCode, message }: { code: ErrorCode; exitCode: number; message?: string }) {
    const { where, what, got, expected, hint } = shownParts(parts);
    super(message === undefined ? sentence(shownParts(parts)) : visible(message));
    this.code = code;
    this.exitCode = exitCode;
    this.where = where;
    this.what = what;
    this.got = got;
    this.expected = expected;
    this.hint = hint;
  }
  /** The parts that are there. */
  get parts(): Parts {
    const { where, what, got, expected, hint } = this;
    return {
      where,
      what,
      ...(got === undefined ? {} : { got }),
      ...(expected === undefined ? {} : { expected }),
      ...(hint === undefined ? {} : { hint }),
    };
  }
}

/** What was given is at fault: a file, an option, a shape. Exit code 2; 5 where it is the disk, which another try may find otherwise. */
export class InputError extends S2aError {
  /** The class's name, whatever a bundler calls the class. */
  override name = 'InputError';
  constructor(parts: Parts, code: ErrorCode = parts.where.startsWith('--') ? 'S2A_OPTION' : 'S2A_INPUT') {
    super(parts, { code, exitCode: code === 'S2A_DISK' ? 5 : 2 });
  }
}

/** The job does not fit the budget. Exit code 3. */
export class BudgetError extends S2aError {
  /** The class's name, whatever a bundler calls the class. */
  override name = 'BudgetError';
  /** The smallest budget, in bytes, with which the same job fits. */
  readonly smallestBytes: number;
  constructor(parts: Parts, smallestBytes: number) {
    super(parts, { code: 'S2A_BUDGET', exitCode: 3 });
    this.smallestBytes = smallestBytes;
  }
}

/** The engine stopped with a status: a fault of ours, or numbers that are no longer finite. Exit code 4. */
export class EngineError extends S2aError {
  /** The class's name, whatever a bundler calls the class. */
  override name = 'EngineError';
  /** A loss or a gradient is NaN or infinite: a smaller rate may help. */
  readonly isNotFinite: boolean;
  constructor(parts: Parts, isNotFinite = false) {
    super(parts, { code: isNotFinite ? 'S2A_NOT_FINITE' : 'S2A_ENGINE', exitCode: 4 });
    this.isNotFinite = isNotFinite;
  }
}

/** The run was interrupted and its state is safe. Exit code 130. */
export class Interrupted extends S2aError {
  /** The class's name, whatever a bundler calls the class. */
  override name = 'Interrupted';
  constructor(what: string) {
    super({ where: 'run', what }, { code: 'S2A_INTERRUPTED', exitCode: 130, message: what });
  }
}

/** What an error says where its place is already said. */
export const withoutPlace = ({ where, message }: S2aError): string =>
  message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message;

/** Text from a file as it may stand in a sentence: escaped (visible.ts), and no longer than a line. */
export function shown(text: string): string {
  const plain = visible(text.slice(0, 101));
  return plain.length <= 100 ? plain : `${plain.slice(0, 97)}...`;
}

/** The same for any value of a JSON file. */
export function shownValue(value: unknown): string {
  return value === undefined ? 'nothing' : shown(JSON.stringify(value));
}

/** Up to three of `names` that a person who typed `name` may have meant, best first. */
export function nearest(name: string, names: Iterable<string>): string[] {
  const found: { other: string; edits: number }[] = [];
  const limit = Math.max(2, name.length >> 1);
  for (const other of names) {
    if (name.length > 200 || Math.abs(other.length - name.length) > limit) continue;
    const edits = distance(name, other);
    if (edits <= limit) found.push({ other, edits });
  }
  found.sort((a, b) => a.edits - b.edits || (a.other < b.other ? -1 : 1));
  return found.slice(0, 3).map(({ other }) => other);
}

/** Levenshtein's distance: single-character insertions, deletions and replacements between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
