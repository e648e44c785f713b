/** The product of squeeze-excite: channels of every tail size, one position and many, either operand frozen. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { gate, gateBackwardG } from '../../oracle/gate.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { type Forward, frozen, type Numbers, x } from '../table.ts';
import { specials, TAILS } from './tails.ts';

interface Options {
  learns?: readonly [boolean, boolean];
  special?: boolean;
}

function squeeze(batch: number, map: readonly number[], c: number, { learns = [true, true], special = false }: Options = {}): Forward {
  const positions = map.reduce((n, d) => n * d, 1);
  const shape = { batch, positions, c };
  const rows = batch * positions;
  const image = [batch, ...map, c];
  const factors = [batch, ...map.map(() => 1), c];
  const n = rows * c;
  const [ofX, ofG] = learns;
  // g stays for dx; x, or what it was coded as, for dg.
  const g = ofX && ofG ? 4 * batch * c : 0;
  const from = (decode: (bytes: Uint8Array) => Numbers) => (kept: Uint8Array[], _: readonly Numbers[], dy: Numbers) => [
    undefined,
    ofG ? gateBackwardG(shape, decode(kept[0]!), dy) : undefined,
  ];
  const decode4 = from((bytes) => decodeGroup4(bytes, rows, c).values);
  const decode8 = from((bytes) => decodeGroup8(bytes, rows, c, groupsOf(c)).values);
  const as = (o: ReturnType<typeof x>, i: 0 | 1) => (learns[i] ? o : frozen(o));
  const loose = special ? Number.POSITIVE_INFINITY : undefined;
  return {
    op: 'Gate',
    name: `Gate ${batch} × [${map}] × ${c}, learns ${learns.map(Number)}${special ? ', special values' : ''}`,
    inputs: [as(special ? x(image, specials(n, 3)) : x(image), 0), as(x(factors), 1)],
    shape: image,
    f: (v) => gate(shape, v[0]!, v[1]!),
    kept: ofG ? [(ofX ? 4 * n : 0) + g, group8Bytes(rows, c, groupsOf(c)) + g] : [0, 0],
    ...(ofG && {
      decoded: { bound: loose ?? 0.02, gradients: decode8 },
      plans: { 'gate=4': { kept: rows * group4RowBytes(c) + g, bound: loose ?? 0.25, gradients: decode4 } },
    }),
    ...(special && {
      analytic: (v: readonly Numbers[], dy: Numbers) => [gate(shape, dy, v[1]!), gateBackwardG(shape, v[0]!, dy)],
    }),
  };
}

export const gateCases: readonly Forward[] = [
  ...TAILS.map((c) => squeeze(2, [3], c)),
  ...[67, 96, 130].map((c) => squeeze(1, [2, 2], c)),
  squeeze(3, [5, 4], 24),
  squeeze(1, [1, 1], 7),
  squeeze(2, [3, 2], 20, { learns: [true, false] }),
  squeeze(2, [3, 2], 20, { learns: [false, true] }),
  squeeze(2, [3, 3], 40, { special: true }),
];
