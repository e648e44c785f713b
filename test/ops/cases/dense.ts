/** Linear layers. Every size of the tail list as rows, as outputs and as depth; the other two stay odd. */
import { Encoding } from '../../../assembly/abi/weights.ts';
import { biasBackward, linear, linearBackwardW, linearBackwardX } from '../../oracle/linear.ts';
import { coded, type Forward, frozen, type Operand, roundedTo, w, x } from '../table.ts';
import { inputCopy } from './copy.ts';
import { specials, TAILS } from './tails.ts';

interface Options {
  bias?: boolean;
  learns?: readonly [boolean, boolean, boolean];
  data?: (n: number, seed: number) => Float32Array;
  /** Of the weight, which is then frozen. */
  encoding?: Encoding;
}

function dense(
  lead: readonly number[],
  n: number,
  k: number,
  { bias = true, learns = [true, true, true], data, encoding }: Options = {},
): Forward {
  const m = lead.reduce((a, b) => a * b, 1);
  const as = (o: Operand, i: number): Operand => (learns[i] ? o : frozen(o));
  const weight = w([n, k], data?.(n * k, 6));
  const inputs = [
    as(x([...lead, k], data?.(m * k, 5)), 0),
    encoding ? coded(weight, encoding) : as(weight, 1),
    bias ? as(w([n], data?.(n, 7)), 2) : null,
  ];
  return {
    op: 'Linear',
    name: `Linear [${lead}]×${k} → ${n}${bias ? '' : ', no bias'}, learns ${learns.map(Number)}${data ? ', special values' : ''}${encoding ? `, ${ENCODED[encoding]}` : ''}`,
    inputs,
    shape: [...lead, n],
    f: (v) => linear(m, n, k, v[0]!, v[1]!, bias ? v[2]! : null),
    ...inputCopy(inputs, (v, dy) => linearBackwardW(m, n, k, dy, v)),
    ...(encoding && { tolerance: roundedTo(encoding) }),
    ...(data && {
      analytic: (v: readonly ArrayLike<number>[], dy: ArrayLike<number>) => [
        linearBackwardX(m, n, k, dy, v[1]!),
        linearBackwardW(m, n, k, dy, v[0]!),
        biasBackward(m, n, dy),
      ],
    }),
  };
}

/** What a case says of an encoding. */
const ENCODED = ['', 'int8', 'int4', 'int12'];

export const denseCases: readonly Forward[] = [
  ...TAILS.map((m) => dense([m], 5, 7)),
  ...TAILS.map((n) => dense([3], n, 9)),
  ...TAILS.map((k) => dense([5], 6, k, { bias: k % 2 === 0 })),
  ...TAILS.map((t) => dense([2, t], 5, 7)),
  ...TAILS.map((n) => dense([2, 3], n, 9)),
  ...[...TAILS, 67, 96, 130].map((k) => dense([2, 3], 4, k)),
  dense([2, 3, 3], 20, 12),
  dense([2, 5], 10, 12, { learns: [true, true, false], bias: false }),
  dense([2, 5], 10, 12, { learns: [true, false, true] }),
  dense([2, 5], 10, 12, { learns: [false, true, true] }),
  dense([2, 6], 9, 24, { data: specials }),
  dense([70], 130, 33),
  dense([5], 17, 300, { bias: false }),
  dense([9], 10, 11, { learns: [true, false, true] }),
  dense([9], 10, 11, { learns: [true, false, false] }),
  dense([9], 10, 11, { learns: [false, true, false] }),
  dense([9], 10, 11, { learns: [false, false, true] }),
  dense([9], 10, 11, { learns: [true, true, false], bias: false }),
  dense([6], 9, 21, { data: specials }),
  ...[Encoding.Int8, Encoding.Int4, Encoding.Int12].flatMap((encoding) => [
    ...TAILS.map((n) => dense([3], n, 9, { encoding })),
    ...[...TAILS, 129].map((k) => dense([2, 3], 5, k, { encoding, bias: k % 2 === 0 })),
    dense([5], 131, 300, { encoding }),
    dense([9], 10, 11, { encoding, learns: [true, false, false] }),
    dense([9], 10, 11, { encoding, learns: [false, false, true] }),
    dense([6], 9, 70, { encoding, data: specials }),
  ]),
];
