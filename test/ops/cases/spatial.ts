/** Convolutions with symmetric and with TensorFlow's padding, depthwise ones, and pooling. */

import { Encoding } from '../../../assembly/abi/weights.ts';
import { type ConvShape, conv, convBackwardW, convBackwardX } from '../../oracle/conv.ts';
import { depthwise, depthwiseBackwardW, depthwiseBackwardX } from '../../oracle/depthwise.ts';
import { biasBackward } from '../../oracle/linear.ts';
import { maxPool, maxPoolBackward, pool, poolBackward } from '../../oracle/simple.ts';
import { numbers } from '../../support/close.ts';
import { coded, type Forward, frozen, type Numbers, type Operand, roundedTo, w, x } from '../table.ts';
import { inputCopy } from './copy.ts';
import { specials, TAILS } from './tails.ts';

interface Window {
  batch?: number;
  h: number;
  width?: number;
  r: number;
  s?: number;
  stride?: number;
  /** Zeros on every side, or TensorFlow's SAME: the odd one goes below and right. */
  pad: number | 'same';
}

function geometry({ batch = 2, h, width = h, r, s = r, stride = 1, pad }: Window): Omit<ConvShape, 'c' | 'o'> {
  const axis = (n: number, k: number): [before: number, out: number] => {
    if (pad !== 'same') return [pad, Math.floor((n + 2 * pad - k) / stride) + 1];
    const out = Math.ceil(n / stride);
    return [Math.max(0, (out - 1) * stride + k - n) >> 1, out];
  };
  const [[top, oh], [left, ow]] = [axis(h, r), axis(width, s)];
  return { batch, h, width, oh, ow, r, s, stride, top, left };
}

const attributes = ({ r, s, stride, top, left, oh, ow }: Omit<ConvShape, 'c' | 'o'>) => ({ r, s, stride, top, left, oh, ow });
const text = ({ h, width = h, r, s = r, stride = 1, pad }: Window): string => `${h}×${width}, window ${r}×${s}/${stride}, padding ${pad}`;

interface Options {
  bias?: boolean;
  learns?: readonly [boolean, boolean, boolean];
  /** Special values, whose gradients come from the oracle. */
  special?: boolean;
  /** Of the filters, which are then frozen. */
  encoding?: Encoding;
}
/** What a case says of an encoding. */
const ENCODED = ['', ', int8', ', int4', ', int12'];
/** Numbers of an operand: special ones, or `x` and `w` make their own. */
const values = (special: boolean, shape: readonly number[], seed: number): Numbers | undefined =>
  special
    ? specials(
        shape.reduce((a, b) => a * b, 1),
        seed,
      )
    : undefined;
const pick = (operands: readonly (Operand | null)[], learns: readonly boolean[]): (Operand | null)[] =>
  operands.map((o, i) => (o && !learns[i] ? frozen(o) : o));

function convolution(window: Window, c: number, o: number, options: Options = {}): Forward {
  const { bias = true, learns = [true, true, true], special = false, encoding } = options;
  const g = geometry(window);
  const shape: ConvShape = { ...g, c, o };
  const [image, filters] = [
    [g.batch, g.h, g.width, c],
    [o, g.r, g.s, c],
  ];
  const filter = w(filters, values(special, filters, 2));
  const inputs = pick([x(image, values(special, image, 1)), encoding ? coded(filter, encoding) : filter, bias ? w([o]) : null], learns);
  return {
    op: 'Conv',
    name: `Conv ${text(window)}, ${c} → ${o}${bias ? '' : ', no bias'}, learns ${learns.map(Number)}${special ? ', special values' : ''}${ENCODED[encoding ?? 0]}`,
    inputs,
    attributes: attributes(g),
    shape: [g.batch, g.oh, g.ow, o],
    f: (v) => conv(shape, v[0]!, v[1]!, bias ? v[2]! : null),
    ...(special && {
      analytic: (v: readonly Numbers[], dy: Numbers) => [
        convBackwardX(shape, dy, v[1]!),
        convBackwardW(shape, dy, v[0]!),
        biasBackward(dy.length / o, o, dy),
      ],
    }),
    ...inputCopy(inputs, (v, dy) => convBackwardW(shape, dy, v)),
    ...(encoding && { tolerance: roundedTo(encoding) }),
  };
}

function depthwiseOne(window: Window, c: number, options: Options = {}): Forward {
  const { bias = true, learns = [true, true, true], special = false } = options;
  const g = geometry(window);
  const shape = { ...g, w: g.width, c };
  const [image, filters] = [
    [g.batch, g.h, g.width, c],
    [g.r, g.s, c],
  ];
  const filter = w(filters, values(special, filters, 2));
  const inputs = pick([x(image, values(special, image, 1)), filter, bias ? w([c]) : null], learns);
  return {
    op: 'Depthwise',
    name: `Depthwise ${text(window)}, ${c} channels${bias ? '' : ', no bias'}, learns ${learns.map(Number)}${special ? ', special values' : ''}`,
    inputs,
    attributes: attributes(g),
    shape: [g.batch, g.oh, g.ow, c],
    f: (v) => depthwise(shape, v[0]!, v[1]!, bias ? v[2]! : undefined),
    ...(special && {
      analytic: (v: readonly Numbers[], dy: Numbers) => [
        depthwiseBackwardX(shape, dy, v[1]!),
        depthwiseBackwardW(shape, dy, v[0]!),
        biasBackward(dy.length / c, c, dy),
      ],
    }),
    ...inputCopy(inputs, (v, dy) => depthwiseBackwardW(shape, dy, v)),
  };
}

function pooling(batch: number, middle: readonly number[], c: number, first: number, count: number, data?: Numbers): Forward {
  const p = middle.reduce((a, b) => a * b, 1);
  return {
    op: 'Pool',
    name: `Pool [${batch},${middle},${c}], positions ${first}…${first + count - 1}${data ? ', special values' : ''}`,
    inputs: [x([batch, ...middle, c], data)],
    attributes: { first, count },
    shape: [batch, c],
    f: (v) => pool(v[0]!, batch, p, c, first, count),
    ...(data && { analytic: (_: readonly Numbers[], dy: Numbers) => [poolBackward(dy, batch, p, c, first, count)] }),
    kept: [0, 0],
  };
}

/** Numbers rounded to halves, so that windows hold equal maxima, and zeros of both signs. */
const withTies = (n: number): Numbers => numbers(n, 5).map((v) => Math.round(v * 2) / 2);

function maximum(window: Window, c: number, data?: (n: number) => Numbers): Forward {
  const g = { ...geometry(window), c };
  const image = [g.batch, g.h, g.width, c];
  const kept = g.batch * g.oh * g.ow * Math.ceil(c / 32) * 16;
  return {
    op: 'MaxPool',
    name: `MaxPool ${text(window)}, ${c} channels${data ? `, ${data.name}` : ''}`,
    inputs: [x(image, data?.(g.batch * g.h * g.width * c))],
    attributes: attributes(g),
    shape: [g.batch, g.oh, g.ow, c],
    f: (v) => maxPool(g, v[0]!),
    analytic: (v, dy) => [maxPoolBackward(g, v[0]!, dy)],
    kept: [kept, kept],
  };
}

const WINDOWS: readonly Window[] = [
  { h: 5, width: 6, r: 3, pad: 1 },
  { h: 6, width: 5, r: 3, stride: 2, pad: 1 },
  { h: 6, width: 7, r: 3, stride: 2, pad: 'same' },
  { h: 5, width: 4, r: 3, pad: 'same' },
  { h: 7, r: 5, stride: 2, pad: 'same' },
  { h: 4, width: 5, r: 3, pad: 0 },
  { h: 6, width: 7, r: 2, s: 3, pad: 0 },
  { h: 5, r: 1, pad: 0 },
  { h: 5, r: 1, stride: 2, pad: 0 },
  { h: 8, r: 4, stride: 4, pad: 0 },
  { h: 1, r: 3, pad: 1 },
  { h: 2, r: 3, stride: 2, pad: 'same' },
];
const SMALL: Window = { h: 3, width: 4, r: 3, pad: 1 };
const SOME: readonly (readonly [boolean, boolean, boolean])[] = [
  [true, false, true],
  [true, false, false],
  [false, true, false],
  [false, false, true],
];

export const spatialCases: readonly Forward[] = [
  ...WINDOWS.map((window, i) => convolution(window, [3, 8, 5][i % 3]!, [7, 4, 16][i % 3]!, { bias: i % 4 !== 3 })),
  ...TAILS.map((c) => convolution({ ...SMALL, batch: 1 }, c, 3)),
  ...TAILS.map((o) => convolution({ ...SMALL, batch: 1, stride: 2 }, 2, o)),
  // More pixels and more columns than one tile of patches holds.
  convolution({ h: 18, width: 15, r: 3, pad: 1, batch: 1 }, 30, 3),
  convolution({ h: 18, width: 17, r: 3, pad: 'same', stride: 2, batch: 2 }, 30, 2),
  convolution({ h: 5, r: 3, stride: 2, pad: 'same' }, 5, 6, { special: true }),
  ...SOME.map((learns) => convolution(SMALL, 4, 5, { learns })),
  ...[Encoding.Int8, Encoding.Int4, Encoding.Int12].flatMap((encoding) => [
    ...WINDOWS.map((window, i) => convolution(window, [3, 8, 17][i % 3]!, [7, 4, 16][i % 3]!, { encoding, bias: i % 4 !== 3 })),
    ...TAILS.map((c) => convolution({ ...SMALL, batch: 1 }, c, 3, { encoding })),
    convolution({ h: 18, width: 17, r: 3, pad: 'same', stride: 2, batch: 2 }, 30, 2, { encoding }),
    convolution({ h: 5, r: 3, stride: 2, pad: 'same' }, 5, 6, { encoding, special: true }),
  ]),
  ...WINDOWS.map((window, i) => depthwiseOne(window, [3, 8, 5][i % 3]!, { bias: i % 4 !== 3 })),
  ...TAILS.map((c) => depthwiseOne(SMALL, c)),
  ...TAILS.map((c) => depthwiseOne({ ...SMALL, h: 5, stride: 2, pad: 'same', batch: 1 }, c)),
  depthwiseOne({ h: 5, r: 3, stride: 2, pad: 'same' }, 7, { special: true }),
  ...SOME.map((learns) => depthwiseOne(SMALL, 6, { learns })),
  ...WINDOWS.filter((window) => window.r * (window.s ?? window.r) <= 16).map((window, i) => maximum(window, [3, 33, 64][i % 3]!)),
  ...TAILS.map((c) => maximum({ h: 5, width: 6, r: 3, stride: 2, pad: 1 }, c, withTies)),
  ...[31, 32, 40, 65].map((c) => maximum({ h: 6, width: 5, r: 3, stride: 2, pad: 1 }, c, withTies)),
  maximum({ h: 9, width: 4, r: 4, stride: 3, pad: 2, batch: 3 }, 34),
  ...TAILS.map((c) => pooling(2, [2, 3], c, 0, 6)),
  pooling(3, [5], 7, 0, 1),
  pooling(2, [5], 9, 4, 1),
  pooling(2, [7], 6, 1, 6),
  pooling(1, [6], 5, 2, 2),
  pooling(1, [1, 1], 8, 0, 1),
  pooling(2, [5], 7, 0, 5, specials(70, 3)),
  pooling(2, [5], 7, 2, 1, specials(70, 4)),
];
