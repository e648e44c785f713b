/** Relative rates: what is observed and what comes of it, against f64. */
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Rule } from '../../../assembly/abi/ops/rate.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Plain, plain } from '../table.ts';
import { TAILS } from './tails.ts';

function stateOf(measured: number): Plain {
  const bytes = new Uint8Array(State.Bytes);
  new DataView(bytes.buffer).setInt32(State.Measured, measured, true);
  return plain(bytes, [State.Bytes], 'state');
}
const floatsOf = (bytes: Uint8Array | undefined): Float32Array => new Float32Array(bytes!.buffer);
const sumOf = (list: ArrayLike<number>): number => Array.from(list).reduce((sum, v) => sum + v, 0);

/** Observes x[rows, n] on top of what an earlier pass left. */
function observe(rows: number, n: number, measured: number): Direct {
  const x = numbers(rows * n, 7);
  const [sum, squares] = [numbers(n, 1), numbers(n, 2).map(Math.abs)];
  return {
    op: 'Observe',
    name: `Observe [${rows},${n}]${measured ? '' : ', nothing is measured'}`,
    phase: 'eval',
    inputs: [plain(x, [rows, n], 'batch'), stateOf(measured)],
    updates: [plain(sum, [n], 'grad'), plain(squares, [n], 'moment')],
    attributes: { total: 0 },
    check(_, [gotSum, gotSquares]) {
      const column = (c: number): Float32Array => x.filter((_, i) => i % n === c);
      const on = measured > 0 ? 1 : 0;
      close(
        floatsOf(gotSum),
        sum.map((v, c) => v + on * sumOf(column(c))),
        1e-5,
        'sums',
      );
      close(
        floatsOf(gotSquares),
        squares.map((v, c) => v + on * sumOf(column(c).map((u) => u * u))),
        1e-5,
        'squares',
      );
    },
  };
}

function total(rows: number, n: number): Direct {
  const x = numbers(rows * n, 8);
  return {
    op: 'Observe',
    name: `Observe [${rows},${n}], all in one number`,
    phase: 'eval',
    inputs: [plain(x, [rows, n], 'batch'), stateOf(1)],
    // The first operand is absent in a program; here it is a tensor that must not change.
    updates: [plain(numbers(n, 3), [n], 'grad'), plain(Float32Array.of(2, 5), [2], 'moment')],
    attributes: { total: 1 },
    check(_, [, squares]) {
      const [got, beside] = floatsOf(squares);
      close([got!], [2 + sumOf(x.map((v) => v * v))], 1e-6, 'squares');
      assert.is(beside, 5);
    },
  };
}

interface Measured {
  name: string;
  rule: Rule;
  power?: 1 | 2;
  /** Outputs by channel; rows of each. */
  channels?: number[][];
  /** Σ x² over `inputRows` rows of each of two passes. */
  input?: number;
  spread?: number;
  /** Of a logit's input: values by feature over the rows of both passes. */
  features?: number[][];
  want: number[];
}

const PASSES = 2;
const INPUT_ROWS = 3;

/** 0.5 of the unit that the rule measures. */
function setRates({ name, rule, power = 1, channels = [[]], input = 0, spread = 1, features, want }: Measured): Direct {
  const measured = features ?? channels;
  const sums = Float32Array.from(measured, sumOf);
  const squares = Float32Array.from(measured, (list) => sumOf(list.map((v) => v * v)));
  return {
    op: 'SetRates',
    name: `SetRates: ${name}`,
    phase: 'rates',
    inputs: [],
    updates: [
      plain(features ? new Float32Array(1) : squares, [channels.length], 'moment'),
      plain(sums, [sums.length], 'grad'),
      plain(features ? squares : Float32Array.of(input), [features ? measured.length : 1], 'moment'),
      stateOf(PASSES),
    ],
    attributes: {
      ...{ n: channels.length, rows: Math.max(1, channels[0]!.length / PASSES), inputRows: INPUT_ROWS, features: measured.length },
      ...{ spread, rule, rate: 0.5, power, group: 4 },
    },
    check(_, [scale, sum, x, state]) {
      const range = new Float32Array(state!.buffer.slice(State.Rates, State.Bytes));
      const [least, most] = [Math.min(...floatsOf(scale)), Math.max(...floatsOf(scale))];
      assert.equal([...range], [0, 0, 0, 0, 0, 0, 0, 0, least, most, 0, 0]);
      close(floatsOf(scale), want, 1e-5, 'rates');
      const isTaken = rule !== Rule.Constant;
      assert.equal([...floatsOf(sum)], isTaken ? measured.map(() => 0) : [...sums]);
      assert.equal([...floatsOf(x)], rule === Rule.Product || features ? [...floatsOf(x)].map(() => 0) : [input]);
    },
  };
}

/** Deviations 1 and 4. */
const TWO = [
  [1, 3, 1, 3],
  [-4, 4, 4, -4],
];

const FEATURES = [
  [1, 5, 1, 5, 1, 5],
  [3, 3, 3, 3, 3, 3],
];

export const rateCases: readonly Direct[] = [
  ...TAILS.flatMap((n) => [observe(1 + (n % 9), n, 1), total(1 + (n % 7), n)]),
  observe(3, 20, 0),
  setRates({ name: 'nothing measured', rule: Rule.Constant, want: [0.5] }),
  setRates({ name: 'what is added', rule: Rule.Added, channels: TWO, want: [0.5, 2] }),
  setRates({ name: 'what is added, squared', rule: Rule.Added, power: 2, channels: TWO, want: [0.5, 8] }),
  // Mean variance over the channels 8: a channel that never moves counts as √8e-6.
  setRates({ name: 'a channel that never moves', rule: Rule.Added, channels: [TWO[1]!, [5, 5, 5, 5]], want: [2, 0.5 * Math.sqrt(8e-6)] }),
  setRates({ name: 'a layer that puts out one number', rule: Rule.Added, channels: [[0, 0, 0, 0]], want: [0.5e-3] }),
  // ‖x‖² = 24 / (2·3) = 4 a row, times 9 taps.
  setRates({ name: 'a product', rule: Rule.Product, channels: TWO, input: 24, spread: 9, want: [0.5 / 6, 2 / 6] }),
  // Six rows; variances 4 and 0: √(2·4).
  setRates({ name: 'a logit', rule: Rule.Logit, features: FEATURES, want: [0.5 / Math.sqrt(8)] }),
  setRates({ name: 'a logit, squared', rule: Rule.Logit, power: 2, features: FEATURES, want: [0.5 / 4] }),
  setRates({ name: 'a logit of features that are one number', rule: Rule.Logit, features: [[7, 7, 7, 7, 7, 7]], want: [0.5] }),
];
