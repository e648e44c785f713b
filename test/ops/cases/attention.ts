/** Attention: rows, channels of a head and heads of every tail size; scores that saturate. */
import { group8Bytes, signed4Bytes, softmax4Bytes } from '../../../assembly/abi/sizes.ts';
import { attention, attentionBackward, type Shape, type Windows } from '../../oracle/attention.ts';
import { decodeGroup8, decodeSigned4, decodeSoftmax4 } from '../../oracle/groups.ts';
import { numbers } from '../../support/close.ts';
import { type Forward, frozen, type Numbers, type Operand, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

interface Options {
  learns?: readonly [boolean, boolean, boolean];
  /** Factor on q: large ones make one probability 1. */
  spread?: number;
  tolerance?: readonly [number, number];
}

/** Every plan beside `exact` and `s2a`: bytes kept (`f32s` for the operands as they are) and gradients of what was. */
function plans(
  { batch, t, c, heads }: Shape,
  f32s: number,
  gradients: (q: Numbers, k: Numbers, v: Numbers, inputs: readonly Numbers[], dy: Numbers, p?: Float64Array) => Float64Array[],
  isWild = false,
): Forward['plans'] {
  const rows = batch * t;
  const encodings = {
    f32: { bytes: f32s, decode: undefined },
    '8': { bytes: 3 * group8Bytes(rows, c, heads), decode: (bytes: Uint8Array) => decodeGroup8(bytes, rows, c, heads).values },
    '4': { bytes: 3 * signed4Bytes(rows, c, heads), decode: (bytes: Uint8Array) => decodeSigned4(bytes, rows, c, heads).values },
  };
  const probabilities = batch * heads * softmax4Bytes(t);
  const plan = (qkv: keyof typeof encodings, softmax: '4' | 'recompute') => {
    const { bytes, decode } = encodings[qkv];
    return {
      [`qkv=${qkv},softmax=${softmax}`]: {
        kept: bytes + (softmax === '4' ? probabilities : 0),
        // Nothing is left of a gradient where one probability is 1 and the others are rounded to 0.
        bound: isWild ? Number.POSITIVE_INFINITY : qkv === '4' ? 0.6 : 0.15,
        gradients: (kept: Uint8Array[], inputs: readonly Numbers[], dy: Numbers) => {
          const [q, k, v] = decode === undefined ? inputs : kept.slice(0, 3).map(decode);
          return gradients(q!, k!, v!, inputs, dy, softmax === '4' ? decodeSoftmax4(kept.at(-1)!, batch * heads, t) : undefined);
        },
      },
    };
  };
  return { ...plan('4', '4'), ...plan('8', '4'), ...plan('f32', '4'), ...plan('4', 'recompute') };
}

function heads(batch: number, t: number, count: number, d: number, options: Options = {}): Forward {
  const { learns = [true, true, true], spread, tolerance } = options;
  const c = count * d;
  const scale = Math.fround(1 / Math.sqrt(d));
  const shape = { batch, t, c, heads: count, scale };
  const n = batch * t * c;
  const as = (i: number): Operand => {
    const o = x([batch, t, c], numbers(n, 50 + i, i === 0 ? (spread ?? 1) : 1));
    return learns[i] ? o : frozen(o);
  };
  const gradients = (q: Numbers, k: Numbers, v: Numbers, dy: Numbers): Float64Array[] => {
    const { dq, dk, dv } = attentionBackward(q, k, v, dy, shape);
    return [dq, dk, dv];
  };
  const f32s = 4 * n * learns.filter(Boolean).length;
  return {
    op: 'Attention',
    name: `Attention batch ${batch}, ${t} rows, ${count} heads of ${d}, learns ${learns.map(Number)}${spread === undefined ? '' : `, q × ${spread}`}`,
    inputs: [as(0), as(1), as(2)],
    attributes: { heads: count, scale },
    shape: [batch, t, c],
    f: (v) => attention(v[0]!, v[1]!, v[2]!, shape),
    kept: [f32s, 3 * group8Bytes(batch * t, c, count)],
    decoded: {
      bound: spread === undefined ? 0.02 : 0.5,
      gradients: (kept, _inputs, dy) => {
        const [q, k, v] = kept.map((bytes) => decodeGroup8(bytes, batch * t, c, count).values);
        return gradients(q!, k!, v!, dy);
      },
    },
    plans: plans(
      shape,
      f32s,
      (q, k, v, _inputs, dy, p) => {
        const { dq, dk, dv } = attentionBackward(q, k, v, dy, shape, undefined, p);
        return [dq, dk, dv];
      },
      spread !== undefined,
    ),
    ...(spread !== undefined && { analytic: (v: readonly Numbers[], dy: Numbers) => gradients(v[0]!, v[1]!, v[2]!, dy) }),
    ...(tolerance && { tolerance }),
  };
}

/** Windows of a map, with relative position bias: `pictures` of rows × columns windows. */
function windows(pictures: number, count: number, d: number, window: Windows, tableLearns: boolean): Forward {
  const { wh, ww, rows, columns, sy, sx } = window;
  const [batch, t, c] = [pictures * rows * columns, wh * ww, count * d];
  const n = batch * t * c;
  const scale = Math.fround(1 / Math.sqrt(d));
  const shape = { batch, t, c, heads: count, scale };
  const table = w([(2 * wh - 1) * (2 * ww - 1), count], numbers((2 * wh - 1) * (2 * ww - 1) * count, 60));
  const gradients = (q: Numbers, k: Numbers, v: Numbers, table: Numbers, dy: Numbers): Float64Array[] => {
    const { dq, dk, dv, dtable } = attentionBackward(q, k, v, dy, shape, { table, windows: window });
    return [dq, dk, dv, dtable];
  };
  return {
    op: 'Attention',
    name: `Attention on ${pictures} × ${rows}×${columns} windows of ${wh}×${ww}, rolled by ${sy}, ${sx}, ${count} heads of ${d}, table ${tableLearns ? 'learns' : 'frozen'}`,
    inputs: [...[0, 1, 2].map((i) => x([batch, t, c], numbers(n, 50 + i))), tableLearns ? table : frozen(table)],
    attributes: { heads: count, scale, ...window },
    shape: [batch, t, c],
    f: (v) => attention(v[0]!, v[1]!, v[2]!, shape, { table: v[3]!, windows: window }),
    kept: [12 * n, 3 * group8Bytes(batch * t, c, count)],
    decoded: {
      bound: 0.02,
      gradients: (kept, inputs, dy) => {
        const [q, k, v] = kept.map((bytes) => decodeGroup8(bytes, batch * t, c, count).values);
        return gradients(q!, k!, v!, inputs[3]!, dy);
      },
    },
    plans: plans(shape, 12 * n, (q, k, v, inputs, dy, p) => {
      const { dq, dk, dv, dtable } = attentionBackward(q, k, v, dy, shape, { table: inputs[3]!, windows: window }, p);
      return [dq, dk, dv, dtable];
    }),
  };
}

export const attentionCases: readonly Forward[] = [
  ...TAILS.map((t) => heads(1, t, 2, 3)),
  ...TAILS.map((d) => heads(1, 6, 1, d)),
  heads(2, 7, 3, 4),
  heads(3, 1, 1, 1),
  heads(1, 70, 2, 8),
  heads(2, 5, 2, 6, { learns: [true, false, false] }),
  heads(2, 5, 2, 6, { learns: [false, true, true] }),
  heads(2, 5, 2, 6, { learns: [false, false, true] }),
  windows(2, 2, 3, { wh: 2, ww: 3, rows: 2, columns: 3, sy: 1, sx: 1 }, true),
  windows(2, 3, 4, { wh: 4, ww: 4, rows: 2, columns: 1, sy: 2, sx: 0 }, true),
  windows(1, 4, 5, { wh: 3, ww: 2, rows: 1, columns: 2, sy: 0, sx: 1 }, false),
  windows(3, 2, 4, { wh: 1, ww: 1, rows: 1, columns: 1, sy: 0, sx: 0 }, true),
  windows(1, 2, 8, { wh: 9, ww: 8, rows: 1, columns: 1, sy: 4, sx: 4 }, true),
  heads(1, 9, 2, 8, { spread: 0 }),
  heads(1, 9, 2, 8, { spread: 60, tolerance: [2e-5, 1e-3] }),
];
