/** Convolutions in groups: spaced taps, steps that differ by axis, one channel a group, few and many pixels, coded filters. */
import { Encoding } from '../../../assembly/abi/weights.ts';
import { type GroupConvShape, groupConv, groupConvBackwardW, groupConvBackwardX } from '../../oracle/groupconv.ts';
import { biasBackward } from '../../oracle/linear.ts';
import { coded, type Forward, frozen, type Numbers, type Operand, roundedTo, w, x } from '../table.ts';
import { inputCopy } from './copy.ts';
import { specials, TAILS } from './tails.ts';

interface Window {
  batch?: number;
  h: number;
  width?: number;
  r: number;
  s?: number;
  step?: readonly [number, number];
  apart?: readonly [number, number];
  pad?: readonly [number, number];
}

function geometry(window: Window, c: number, o: number, groups: number): GroupConvShape {
  const { batch = 2, h, width = h, r, s = r, step = [1, 1], apart = [1, 1], pad = [0, 0] } = window;
  const out = (n: number, k: number, i: 0 | 1): number => Math.floor((n + 2 * pad[i] - (k - 1) * apart[i] - 1) / step[i]) + 1;
  const [oh, ow] = [out(h, r, 0), out(width, s, 1)];
  return {
    batch,
    h,
    width,
    c,
    oh,
    ow,
    o,
    r,
    s,
    stepY: step[0],
    stepX: step[1],
    down: apart[0],
    across: apart[1],
    top: pad[0],
    left: pad[1],
    groups,
  };
}

interface Options {
  bias?: boolean;
  learns?: readonly [boolean, boolean, boolean];
  special?: boolean;
  encoding?: Encoding;
}
const ENCODED = ['', ', int8', ', int4', ', int12'];

function grouped(window: Window, c: number, o: number, groups: number, options: Options = {}): Forward {
  const { bias = true, learns = [true, true, true], special = false, encoding } = options;
  const shape = geometry(window, c, o, groups);
  const [image, filters] = [
    [shape.batch, shape.h, shape.width, c],
    [o, shape.r, shape.s, c / groups],
  ];
  const values = (of: readonly number[], seed: number): Numbers | undefined =>
    special
      ? specials(
          of.reduce((a, b) => a * b, 1),
          seed,
        )
      : undefined;
  const filter = w(filters, values(filters, 2));
  const operands: (Operand | null)[] = [x(image, values(image, 1)), encoding ? coded(filter, encoding) : filter, bias ? w([o]) : null];
  const inputs = operands.map((operand, i) => (operand && !learns[i] ? frozen(operand) : operand));
  const { batch: _, h: _h, width: _w, c: _c, o: _o, ...attributes } = shape;
  return {
    op: 'GroupConv',
    name: `GroupConv ${JSON.stringify(window)}, ${c} → ${o} in ${groups}, learns ${learns.map(Number)}${bias ? '' : ', no bias'}${special ? ', special values' : ''}${ENCODED[encoding ?? 0]}`,
    inputs,
    attributes: { ...attributes },
    shape: [shape.batch, shape.oh, shape.ow, o],
    f: (v) => groupConv(shape, v[0]!, v[1]!, bias ? v[2]! : null),
    analytic: (v, dy) => [groupConvBackwardX(shape, dy, v[1]!), groupConvBackwardW(shape, dy, v[0]!), biasBackward(dy.length / o, o, dy)],
    ...inputCopy(inputs, (v, dy) => groupConvBackwardW(shape, dy, v)),
    ...(encoding && { tolerance: roundedTo(encoding) }),
  };
}

const WINDOWS: readonly Window[] = [
  { h: 5, width: 6, r: 3, pad: [1, 1] },
  { h: 6, width: 5, r: 3, step: [2, 2], pad: [1, 1] },
  { h: 6, width: 7, r: 3, s: 2, step: [2, 1], pad: [1, 0] },
  { h: 7, r: 3, apart: [2, 2], pad: [2, 2] },
  { h: 9, width: 8, r: 3, s: 2, apart: [3, 2], step: [1, 3], pad: [3, 1] },
  { h: 4, r: 1 },
  { h: 5, r: 1, step: [3, 2] },
  { h: 8, r: 1, s: 7, pad: [0, 3] },
  { h: 2, r: 3, apart: [4, 4], pad: [4, 4] },
];
const SMALL: Window = { batch: 1, h: 3, width: 4, r: 3, pad: [1, 1] };

export const groupConvCases: readonly Forward[] = [
  ...WINDOWS.flatMap((window, i) => [
    grouped(window, 6, 4, 2, { bias: i % 3 !== 2 }),
    grouped(window, [12, 33, 5][i % 3]!, [24, 33, 10][i % 3]!, [4, 3, 5][i % 3]!),
    grouped(window, 5, 7, 1),
  ]),
  ...TAILS.map((n) => grouped(SMALL, 2 * n, 4, 2)),
  ...TAILS.map((n) => grouped({ ...SMALL, step: [2, 2] }, 4, 2 * n, 2)),
  // More pixels and more taps than one tile holds.
  grouped({ batch: 1, h: 18, width: 17, r: 3, pad: [1, 1] }, 62, 4, 2),
  grouped({ h: 18, width: 17, r: 3, apart: [2, 1], pad: [2, 1] }, 6, 600, 2, { bias: false }),
  ...(
    [
      [true, false, true],
      [false, true, false],
      [false, false, true],
    ] as const
  ).map((learns) => grouped(SMALL, 8, 4, 4, { learns })),
  ...[Encoding.Int8, Encoding.Int4, Encoding.Int12].flatMap((encoding) => [
    ...WINDOWS.map((window, i) => grouped(window, [6, 40, 33][i % 3]!, [4, 20, 9][i % 3]!, [2, 4, 3][i % 3]!, { encoding })),
    grouped({ h: 5, r: 3, apart: [2, 2], pad: [2, 2] }, 9, 6, 3, { encoding, special: true }),
  ]),
  grouped({ h: 5, r: 3, step: [2, 1], pad: [1, 1] }, 6, 4, 2, { special: true }),
];
