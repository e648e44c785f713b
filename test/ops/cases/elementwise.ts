/** Every activation under every way to keep its derivative, and sums. */
import * as assert from 'uvu/assert';
import { bit1Bytes, code4Bytes } from '../../../assembly/abi/sizes.ts';
import type { Kind } from '../../../assembly/generated/kinds.ts';
import { slopeOf } from '../../../src/passes/codebook.ts';
import { tables } from '../../../src/passes/codebooktables.ts';
import { functions } from '../../oracle/activation.ts';
import { numbers } from '../../support/close.ts';
import { type Forward, frozen, type Numbers, type Operand, x } from '../table.ts';
import { TAILS } from './tails.ts';

const KINDS = Object.keys(functions).map(Number) as Kind[];

/** Numbers that keep away from the breaks, so that differences are defined. */
const between = (kind: Kind, n: number): Float32Array =>
  numbers(n, 3 * n + kind, 3).map((v) => (functions[kind].kinks.some((k) => Math.abs(v - k) < 1e-2) ? v + 0.05 : v));

/** Zeros, breaks and their neighbours, subnormals, tails where the function has long been flat. */
const SPECIAL = [0, -0, 1e-40, -1e-40, 1.4e-45, 6, 5.9999995, 6.0000005, 3, -3, 2.9999998, -3.0000002, 20, -20, 100, -100, 1e4, -1e4];

function activation(kind: Kind, shape: readonly number[], data: Float32Array, special: boolean): Forward {
  const { f, df, title, keep, isSteep } = functions[kind];
  const table = tables[kind];
  const n = data.length;
  return {
    op: 'Activation',
    name: `${title} [${shape}]${special ? ', special values' : ''}`,
    inputs: [x(shape, data), null],
    attributes: { kind },
    shape,
    f: (v) => Float64Array.from(v[0]!, f),
    kept: [4 * n, table ? code4Bytes(n) : bit1Bytes(n)],
    ...(special && { analytic: (v: readonly Numbers[], dy: Numbers) => [Float64Array.from(v[0]!, (a, i) => df(a) * dy[i]!)] }),
    ...(table && {
      decoded: {
        gradients: (_kept: Uint8Array[], v: readonly Numbers[], dy: Numbers) => [
          Float64Array.from(v[0]!, (a, i) => slopeOf(table, a) * dy[i]!),
        ],
        // A single element may fall on the worst of a code's interval; over many, 16 levels come within a few hundredths.
        ...(n >= 100 && { bound: 0.06 }),
      },
    }),
    ...(table &&
      !isSteep && {
        plans: {
          [`${keep}=8`]: {
            kept: n,
            ...(n >= 100 && { bound: 0.02 }),
            gradients: (kept: Uint8Array[], _: readonly Numbers[], dy: Numbers) => {
              const codes = kept[0]!.subarray(0, n);
              codes.forEach((code, i) => {
                const slope = df(data[i]!);
                assert.ok(Math.abs(code / 128 - 0.5 - slope) <= 0.5 / 128 + 1e-6 || slope > 1.49, `${title}′(${data[i]}) as ${code}`);
              });
              return [Float64Array.from(codes, (code, i) => (code / 128 - 0.5) * dy[i]!)];
            },
          },
        },
      }),
    ...(special && { tolerance: [2e-6, 2e-6] as const }),
  };
}

function add(n: number, scale: number, a: Operand, b: Operand): Forward {
  return {
    op: 'Add',
    name: `Add [${n}], scale ${scale}, learns ${[a, b].map((o) => Number(o.learns))}`,
    inputs: [a, b],
    attributes: { scale },
    shape: [n],
    f: (v) => Float64Array.from(v[0]!, (p, i) => scale * (p + v[1]![i]!)),
    kept: [0, 0],
  };
}
const pair = (n: number): [Operand, Operand] => [x([n], numbers(n, 31)), x([n], numbers(n, 32))];

export const elementwiseCases: readonly Forward[] = [
  ...KINDS.flatMap((kind) => [
    ...TAILS.map((n) => activation(kind, [n], between(kind, n), false)),
    activation(kind, [2, 7, 37], between(kind, 518), false),
    activation(kind, [SPECIAL.length], Float32Array.from(SPECIAL), true),
  ]),
  ...TAILS.map((n) => add(n, 1, ...pair(n))),
  ...[5, 32].map((n) => add(n, 0.75, ...pair(n))),
  add(9, 1, frozen(pair(9)[0]), pair(9)[1]),
  add(9, 1, pair(9)[0], frozen(pair(9)[1])),
  add(SPECIAL.length, 0.5, x([SPECIAL.length], SPECIAL), x([SPECIAL.length], SPECIAL.toReversed())),
];
