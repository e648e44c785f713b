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
const INTEGERS = (
  'M N K BATCH H WIDTH C OH OW O R S P T STRIDE TOP LEFT FIRST COUNT HEADS KIND KEEP POSROWS HASCLS HASDIST SH SW AUGMENT PAD DECAY ' +
  'DEPTHWISE PREFIX H0 W0 ANTIALIAS NUMBER ROWS COLUMNS GROUPS BITS WH WW SY SX MODH MODW MERGE ENCODING THRESHOLD PATH CODES PIXELS QUERIES'
).split(' ');
/** Operators in which a letter of a size is an operand: attention's keys and output, the optimizers' parameter. */
const OPERANDS: Readonly<Record<string, readonly string[]>> = {
  Attention: ['K', 'O'],
  AttentionBackward: ['K'],
  AdamW: ['P'],
  Sgd: ['P'],
  BroadcastAdd: ['P'],
};

function argumentOf(op: string, name: string): Argument {
  if (FLOATS.includes(name)) return { name, kind: 'float' };
  const operand = OPERANDS[op]?.includes(name) || !INTEGERS.includes(name);
  return { name, kind: operand ? 'address' : 'integer' };
}

/** By opcode. The enums are kept as objects by the bundler because they are looked up by name here. */
export const SIGNATURES: ReadonlyMap<number, Signature> = new Map(
  Object.entries(OPS).map(([op, { opcode }]) => {
    const members = (abi as unknown as Record<string, Record<string, number | string>>)[`${op}Arg`] ?? {};
    const names = Object.keys(members).filter((name) => typeof members[name] === 'number');
    return [opcode, { op, arguments: names.map((name) => argumentOf(op, name)) }];
  }),
);
