/** Names and kinds of an instruction's words, read off the enums of the ABI: what a program can be printed and checked by. */
import * as abi from '../../assembly/abi/ops.ts';
import { OPS } from '../ops/index.ts';

export interface Argument {
  name: string;
  kind: 'address' | 'integer' | 'float';
}

export interface Signature {
  op: string;
  arguments: readonly Argument[];
}

const FLOATS = ['SCALE', 'EPS'];
const INTEGERS = [
  ...['M', 'N', 'BATCH', 'H', 'WIDTH', 'C', 'OH', 'OW', 'R', 'S', 'STRIDE', 'TOP', 'LEFT', 'FIRST', 'COUNT', 'T', 'HEADS', 'KIND', 'KEEP'],
  ...['POSROWS', 'HASCLS', 'HASDIST', 'SH', 'SW', 'AUGMENT', 'PAD', 'DECAY', 'DEPTHWISE', 'PREFIX', 'H0', 'W0', 'ANTIALIAS'],
];
/** Sizes in some operators, operands in others: an operand stands before the first size. */
const EITHER = ['K', 'O', 'P'];

function argumentsOf(names: readonly string[]): Argument[] {
  const sizes = names.findIndex((name) => INTEGERS.includes(name));
  return names.map((name, i) => {
    if (FLOATS.includes(name)) return { name, kind: 'float' };
    const integer = INTEGERS.includes(name) || (EITHER.includes(name) && sizes >= 0 && i > sizes);
    return { name, kind: integer ? 'integer' : 'address' };
  });
}

/** By opcode. The enums are kept as objects by the bundler because they are looked up by name here. */
export const SIGNATURES: ReadonlyMap<number, Signature> = new Map(
  Object.entries(OPS).map(([op, { opcode }]) => {
    const members = (abi as unknown as Record<string, Record<string, number | string>>)[`${op}Arg`] ?? {};
    const names = Object.keys(members).filter((name) => typeof members[name] === 'number');
    return [opcode, { op, arguments: argumentsOf(names) }];
  }),
);
