/** Products of two values: either operand frozen, copies of 8 and 4 bits. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { numbers } from '../../support/close.ts';
import { type Forward, frozen, type Numbers, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

const times = (a: Numbers, b: Numbers): Float64Array => Float64Array.from(a, (v, i) => v * b[i]!);

function product(shape: readonly number[], learns: readonly [boolean, boolean] = [true, true], special = false): Forward {
  const n = shape.reduce((a, b) => a * b, 1);
  const c = shape.at(-1)!;
  const rows = n / c;
  const groups = groupsOf(c);
  const inputs = [1, 2].map((seed, i) => {
    const o = x(shape, special ? specials(n, seed) : numbers(n, n + seed));
    return learns[i] ? o : frozen(o);
  });
  // A frozen operand is what the host wrote, and the one that learns is not needed: neither costs anything.
  const both = learns[0] && learns[1];
  const kept = (bytes: number): number => (both ? 2 * Math.min(bytes, 4 * n) : 0);
  const [eight, four] = [group8Bytes(rows, c, groups), rows * group4RowBytes(c)];
  const from = (decode: (bytes: Uint8Array) => Numbers) => (codes: Uint8Array[], _: readonly Numbers[], dy: Numbers) => [
    times(dy, decode(codes[1]!)),
    times(dy, decode(codes[0]!)),
  ];
  const bound = (most: number): number => (special ? Number.POSITIVE_INFINITY : most);
  return {
    op: 'Multiply',
    name: `Multiply [${shape}], learns ${learns.map(Number)}${special ? ', special values' : ''}`,
    inputs,
    shape,
    f: (v) => times(v[0]!, v[1]!),
    analytic: (v, dy) => [times(dy, v[1]!), times(dy, v[0]!)],
    kept: [kept(4 * n), kept(eight)],
    ...(both &&
      eight < 4 * n && { decoded: { bound: bound(0.02), gradients: from((bytes) => decodeGroup8(bytes, rows, c, groups).values) } }),
    ...(both &&
      four < 4 * n && {
        plans: { 'gate=4': { kept: kept(four), bound: bound(0.25), gradients: from((bytes) => decodeGroup4(bytes, rows, c).values) } },
      }),
  };
}

export const productCases: readonly Forward[] = [
  ...TAILS.map((c) => product([3, c])),
  product([2, 3, 4, 40]),
  product([2, 37], [true, false]),
  product([2, 37], [false, true]),
  product([3, 50], [true, true], true),
];
