/** Errors that are made again: with parts in other words, or in another thread, which gets no classes but only what can be cloned. */
import { BudgetError, EngineError, type ErrorCode, InputError, Interrupted, type Parts, S2aError } from './error.ts';

/** An error as `postMessage` carries it. */
export interface ErrorCopy {
  /** The class's name; undefined: no error of ours. */
  kind?: string;
  message: string;
  stack?: string;
  parts?: Parts;
  code?: ErrorCode;
  smallestBytes?: number;
  isNotFinite?: boolean;
}

/** What of an error can be cloned. */
export function copyOf(error: unknown): ErrorCopy {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack } = error;
  const plain: ErrorCopy = { message, ...(stack === undefined ? {} : { stack }) };
  if (!(error instanceof S2aError)) return plain;
  const { name, parts, code } = error;
  return {
    ...plain,
    ...{ kind: name, parts, code },
    ...(error instanceof BudgetError ? { smallestBytes: error.smallestBytes } : {}),
    ...(error instanceof EngineError ? { isNotFinite: error.isNotFinite } : {}),
  };
}

/** The error that a copy stands for. */
export function errorFrom(copy: ErrorCopy): Error {
  const made = madeFrom(copy);
  if (copy.stack !== undefined) made.stack = copy.stack.replace(copy.message, made.message);
  return made;
}

function madeFrom({ kind, message, parts, code, smallestBytes, isNotFinite }: ErrorCopy): Error {
  if (parts === undefined) return new Error(message);
  if (kind === 'BudgetError') return new BudgetError(parts, smallestBytes!);
  if (kind === 'EngineError') return new EngineError(parts, isNotFinite);
  if (kind === 'Interrupted') return new Interrupted(parts.what);
  return new InputError(parts, code);
}
