/**
 * The three errors of this project, one shape: `where: what, got X, expected Y; hint`.
 * The command line maps each to an exit code; nothing else is thrown on purpose.
 */

/** What the parts of one error sentence are. */
export interface Parts {
  /** A file, flag or tensor name: the place a person has to look at. */
  where: string;
  what: string;
  got?: string | number;
  expected?: string | number;
  hint?: string;
}

/** Joins the parts into the one sentence that is shown. */
export function sentence({ where, what, got, expected, hint }: Parts): string {
  let text = `${where}: ${what}`;
  if (got !== undefined) text += `, got ${got}`;
  if (expected !== undefined) text += `, expected ${expected}`;
  if (hint !== undefined) text += `; ${hint}`;
  return text;
}

/** The user's input is at fault: a file, a flag, a shape. Exit code 2. */
export class InputError extends Error {
  override name = 'InputError';
  exitCode = 2;
  constructor(parts: Parts) {
    super(sentence(parts));
  }
}

/** The job does not fit the budget. Exit code 3. */
export class BudgetError extends Error {
  override name = 'BudgetError';
  exitCode = 3;
  /** The smallest budget, in bytes, with which the same job fits. */
  smallestBytes: number;
  constructor(parts: Parts, smallestBytes: number) {
    super(sentence(parts));
    this.smallestBytes = smallestBytes;
  }
}

/** The engine stopped with a status: a fault of ours, or numbers that are no longer finite. Exit code 4. */
export class EngineError extends Error {
  override name = 'EngineError';
  exitCode = 4;
  /** A loss or a gradient is NaN or infinite: a smaller rate may help. */
  isNotFinite: boolean;
  constructor(parts: Parts, isNotFinite = false) {
    super(sentence(parts));
    this.isNotFinite = isNotFinite;
  }
}

/** The run was interrupted and its state is safe. Exit code 130. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  exitCode = 130;
}

/** Text from a file as it may stand in a sentence: on one line, no longer than a line, nothing that a terminal would obey. */
export function shown(text: string): string {
  const plain = text
    .slice(0, 101)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (c) => (c === '\n' ? '\\n' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
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
