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
  constructor(parts: Parts) {
    super(sentence(parts));
  }
}

/** The run was interrupted and its state is safe. Exit code 130. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  exitCode = 130;
}
