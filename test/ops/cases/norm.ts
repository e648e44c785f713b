/** Layer norm: every length of row, rows of one, groups of 64 with a short last one. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { layerNorm, layerNormBackward } from '../../oracle/layernorm.ts';
import { biasBackward } from '../../oracle/linear.ts';
import { numbers } from '../../support/close.ts';
import { type Forward, frozen, type Numbers, type Operand, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer);

interface Options {
  eps?: number;
  learns?: readonly [boolean, boolean, boolean];
  data?: Numbers;
  bound?: number;
  tolerance?: readonly [number, number];
}

function norm(lead: readonly number[], c: number, options: Options = {}): Forward {
  const { eps = 1e-5, learns = [true, true, true], data, bound = 0.12, tolerance } = options;
  const m = lead.reduce((a, b) => a * b, 1);
  const as = (o: Operand, i: number): Operand => (learns[i] ? o : frozen(o));
  const gamma = numbers(c, 41).map((v) => 1 + 0.3 * v);
  const shape = [...lead, c];
  const e = Math.fround(eps);
  const gradients = (xhat: Numbers, rstd: Numbers, scale: Numbers, dy: Numbers) => {
    const { dx, dgamma } = layerNormBackward(xhat, rstd, scale, dy, c);
    return [dx, dgamma, biasBackward(m, c, dy)];
  };
  const kept = learns[0] || learns[1];
  const rstdBytes = learns[0] ? 4 * m : 0;
  return {
    op: 'LayerNorm',
    name: `LayerNorm [${shape}], learns ${learns.map(Number)}${data ? ', special values' : ''}`,
    inputs: [as(x(shape, data), 0), as(w([c], gamma), 1), as(w([c]), 2)],
    attributes: { eps },
    shape,
    f: (v) => layerNorm(v[0]!, v[1]!, v[2]!, c, e).y,
    // The scale's gradient reads no rstd.
    kept: kept ? [4 * m * c + rstdBytes, m * group4RowBytes(c) + rstdBytes] : [0, 0],
    ...(kept && {
      decoded: {
        bound,
        gradients: ([xhat, rstd]: Uint8Array[], v: readonly Numbers[], dy: Numbers) =>
          gradients(decodeGroup4(xhat!, m, c).values, floatsOf(rstd!), v[1]!, dy),
      },
      plans: {
        'ln=8': {
          kept: group8Bytes(m, c, groupsOf(c)) + rstdBytes,
          bound: 0.02,
          gradients: ([xhat, rstd]: Uint8Array[], v: readonly Numbers[], dy: Numbers) =>
            gradients(decodeGroup8(xhat!, m, c, groupsOf(c)).values, floatsOf(rstd!), v[1]!, dy),
        },
      },
    }),
    ...(data && {
      analytic: (v: readonly Numbers[], dy: Numbers) => {
        const { xhat, rstd } = layerNorm(v[0]!, v[1]!, v[2]!, c, e);
        return gradients(xhat, rstd, v[1]!, dy);
      },
    }),
    ...(tolerance && { tolerance }),
  };
}

const C = 37;
/** A row of zeros, a row of one number, and rows of small and of large ones. */
const special = Float32Array.from({ length: 4 * C }, (_, i) => {
  const row = Math.floor(i / C);
  const v = numbers(4 * C, 9)[i]!;
  return [0, -2.5, 1e-4 * v, 1e4 * v][row]!;
});

export const normCases: readonly Forward[] = [
  // Short rows are close to ±1 whatever x is, unless eps counts.
  ...TAILS.filter((c) => c > 1).map((c) => norm([3], c, { eps: c < 4 ? 0.5 : 1e-5 })),
  ...TAILS.map((m) => norm([m], 10)),
  norm([2, 5], 192),
  norm([3], 130, { eps: 1e-12 }),
  norm([4], 33, { learns: [true, false, false] }),
  norm([4], 33, { learns: [false, true, false] }),
  norm([4], 33, { learns: [false, false, true] }),
  norm([4], 33, { learns: [true, false, true] }),
  norm([4], C, { data: special, tolerance: [1e-5, 1e-4] }),
  norm([5], 1, { data: numbers(5, 4) }),
];
