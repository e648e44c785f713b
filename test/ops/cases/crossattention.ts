/** Attention of any shape: numbers and sizes of queries, keys and values, heads that share keys, biases of every kind. */
import { group8Bytes, signed4Bytes } from '../../../assembly/abi/sizes.ts';
import { type BiasAt, type CrossShape, crossAttention, crossAttentionBackward } from '../../oracle/crossattention.ts';
import { decodeGroup8, decodeSigned4 } from '../../oracle/groups.ts';
import { numbers } from '../../support/close.ts';
import { constant, type Forward, frozen, type Numbers, type Operand, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

interface Options {
  learns?: readonly [boolean, boolean, boolean];
  /** Shape before [tq,tk], or the rows of a table; an activation, a parameter or frozen. */
  bias?: { of: readonly [number, number] } | { rows: number };
  biasIs?: 'parameter' | 'activation' | 'frozen';
}

/** Rows of a table for pairs of positions, some of them no row of it. */
const indices = (n: number, rows: number): Int32Array =>
  Int32Array.from({ length: n }, (_, i) => (i % 7 === 3 ? [-1, rows, 2 ** 31 - 1][i % 3]! : (i * 5 + (i >> 2)) % rows));

function biasOf({ tq, tk, heads }: CrossShape, bias: Options['bias']): { shape: number[]; at: BiasAt; index: Int32Array | undefined } {
  if (bias === undefined) return { shape: [], at: () => undefined, index: undefined };
  if ('rows' in bias) {
    const index = indices(tq * tk, bias.rows);
    const rowAt = (i: number, j: number): number => index[i * tk + j]!;
    return {
      shape: [bias.rows, heads],
      index,
      at: (_b, h, i, j) => (rowAt(i, j) >= 0 && rowAt(i, j) < bias.rows ? rowAt(i, j) * heads + h : undefined),
    };
  }
  const [batch, count] = bias.of;
  return {
    shape: [batch, count, tq, tk],
    index: undefined,
    at: (b, h, i, j) => (((b % batch) * count + (count === 1 ? 0 : h)) * tq + i) * tk + j,
  };
}

function attention(sizes: Omit<CrossShape, 'scale'>, options: Options = {}): Forward {
  const { learns = [true, true, true], bias, biasIs = 'parameter' } = options;
  const s = { ...sizes, scale: Math.fround(1 / Math.sqrt(sizes.dk)) };
  const { batch, tq, tk, heads, pairs, dk, dv } = s;
  const shapes = [
    [batch, tq, heads * dk],
    [batch, tk, pairs * dk],
    [batch, tk, pairs * dv],
  ];
  const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const { shape, at, index } = biasOf(s, bias);
  const added = (): Operand[] => {
    const data = numbers(size(shape), 60);
    const operand = biasIs === 'activation' ? x(shape, data) : biasIs === 'frozen' ? frozen(w(shape, data)) : w(shape, data);
    return [operand, ...(index ? [constant({ dtype: 'i32', shape: [tq, tk] }, new Uint8Array(index.buffer))] : [])];
  };
  const inputs = [
    ...shapes.map((of, i) => {
      const o = x(of, numbers(size(of), 50 + i));
      return learns[i] ? o : frozen(o);
    }),
    ...(bias ? added() : []),
  ];
  const operands = (v: readonly Numbers[]): [Numbers, Numbers, Numbers, Numbers | null] => [v[0]!, v[1]!, v[2]!, bias ? v[3]! : null];
  // A bias that was computed stays, too.
  const stays = bias && biasIs === 'activation' ? 4 * size(shape) : 0;
  const kept = (bytes: (rows: number, c: number, heads: number) => number): number =>
    bytes(batch * tq, heads * dk, heads) + bytes(batch * tk, pairs * dk, pairs) + bytes(batch * tk, pairs * dv, pairs) + stays;
  const from =
    (decode: (bytes: Uint8Array, rows: number, c: number, heads: number) => { values: Numbers }) =>
    ([q, k, v]: Uint8Array[], inputs: readonly Numbers[], dy: Numbers) =>
      crossAttentionBackward(
        s,
        [
          decode(q!, batch * tq, heads * dk, heads).values,
          decode(k!, batch * tk, pairs * dk, pairs).values,
          decode(v!, batch * tk, pairs * dv, pairs).values,
          bias ? inputs[3]! : null,
        ],
        at,
        dy,
      );
  return {
    op: 'CrossAttention',
    name: `CrossAttention ${Object.entries(sizes).flat().join(' ')}, bias ${bias ? `${JSON.stringify(bias)} ${biasIs}` : 'none'}, learns ${learns.map(Number)}`,
    inputs,
    attributes: { heads, pairs, scale: s.scale },
    shape: [batch, tq, heads * dv],
    f: (v) => crossAttention(s, ...operands(v), at),
    analytic: (v, dy) => crossAttentionBackward(s, operands(v), at, dy),
    kept: [4 * shapes.reduce((sum, of, i) => sum + (learns[i] ? size(of) : 0), 0) + stays, kept(group8Bytes)],
    decoded: { bound: 0.03, gradients: from(decodeGroup8) },
    plans: { 'qkv=4': { kept: kept(signed4Bytes), bound: 0.6, gradients: from(decodeSigned4) } },
    tolerance: [5e-6, 1e-4],
  };
}

const SMALL = { batch: 2, tq: 5, tk: 7, heads: 2, pairs: 2, dk: 4, dv: 6 };

export const crossAttentionCases: readonly Forward[] = [
  ...TAILS.map((n) => attention({ batch: 1, tq: 3, tk: n, heads: 2, pairs: 1, dk: 5, dv: 3 })),
  ...TAILS.map((n) => attention({ batch: 2, tq: n, tk: 4, heads: 2, pairs: 2, dk: 3, dv: 4 }, { bias: { of: [1, 2] } })),
  ...[1, 3, 16, 33].map((n) => attention({ batch: 1, tq: 4, tk: 5, heads: 3, pairs: 3, dk: n, dv: n + 1 }, { bias: { rows: 6 } })),
  attention({ batch: 1, tq: 150, tk: 20, heads: 4, pairs: 2, dk: 8, dv: 8 }, { bias: { rows: 40 } }),
  ...(['parameter', 'activation', 'frozen'] as const).flatMap((biasIs) => [
    attention(SMALL, { bias: { of: [1, 1] }, biasIs }),
    attention(SMALL, { bias: { of: [2, 1] }, biasIs }),
    attention({ ...SMALL, batch: 4 }, { bias: { of: [2, 2] }, biasIs }),
    attention({ ...SMALL, heads: 6 }, { bias: { of: [1, 6] }, biasIs }),
    attention({ ...SMALL, heads: 4, pairs: 1 }, { bias: { rows: 9 }, biasIs }),
  ]),
  attention(SMALL, { learns: [true, false, false] }),
  attention(SMALL, { learns: [false, true, false], bias: { of: [1, 2] } }),
  attention(SMALL, { learns: [false, false, true], bias: { of: [1, 2] }, biasIs: 'frozen' }),
];
