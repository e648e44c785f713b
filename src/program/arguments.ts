/** Names and kinds of an instruction's words, read off the ABI: what a program can be printed and checked by. */
import { ARGUMENTS } from '../../assembly/generated/arguments.ts';
import { OPS } from '../ops/index.ts';

export interface Argument {
  name: string;
  kind: 'address' | 'integer' | 'float';
}

export interface Signature {
  op: string;
  arguments: readonly Argument[];
}

const FLOATS = ['MU', 'SCALE', 'EPS', 'SPREAD', 'FRACTION', 'DELTA', 'THETA'];

function argumentOf(word: string): Argument {
  if (word.startsWith('*')) return { name: word.slice(1), kind: 'address' };
  return { name: word, kind: FLOATS.includes(word) ? 'float' : 'integer' };
}

/** By opcode. */
export const SIGNATURES: ReadonlyMap<number, Signature> = new Map(
  Object.entries(OPS)
    // What has no arguments of its own is another operator's instruction.
    .filter(([op]) => ARGUMENTS[op] !== undefined)
    .map(([op, { opcode }]) => [opcode, { op, arguments: ARGUMENTS[op]!.split(' ').map(argumentOf) }]),
);
