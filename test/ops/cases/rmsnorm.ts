/** Norms without a mean: every length of row, no factor, rows of length 1 and one too short for it. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { rms, rmsBackward } from '../../oracle/rmsnorm.ts';
import { numbers } from '../../support/close.ts';
import { type Forward, frozen, type Numbers, type Operand, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

const floatsOf = (bytes: Uint8Array): Float32Array => new Float32Array(bytes.slice().buffer);

interface Options {
  eps?: number;
  unit?: 0 | 1;
  gamma?: 'learns' | 'frozen' | 'absent';
  still?: boolean;
  data?: Numbers;
}

function norm(lead: readonly number[], c: number, { eps = 1e-5, unit = 0, gamma = 'learns', still, data }: Options = {}): Forward {
  const m = lead.reduce((a, b) => a * b, 1);
  const shape = { c, eps: Math.fround(eps), unit };
  const whole = [...lead, c];
  const factors = w(
    [c],
    numbers(c, 41).map((v) => 1 + 0.3 * v),
  );
  const image = x(whole, data);
  const inputs: (Operand | null)[] = [
    still ? frozen(image) : image,
    gamma === 'absent' ? null : gamma === 'frozen' ? frozen(factors) : factors,
  ];
  const factor = (v: readonly Numbers[]): Numbers | null => (gamma === 'absent' ? null : v[1]!);
  const isKept = !still || gamma === 'learns';
  const rBytes = still ? 0 : 4 * m;
  const gradients = (xhat: Numbers, r: Numbers, v: readonly Numbers[], dy: Numbers) => {
    const { dx, dgamma } = rmsBackward(shape, xhat, r, factor(v), dy);
    return [dx, dgamma];
  };
  return {
    op: 'RmsNorm',
    name: `RmsNorm [${whole}]${unit ? ', unit' : ''}, gamma ${gamma}${still ? ', x frozen' : ''}${data ? ', special values' : ''}`,
    inputs,
    attributes: { eps, unit },
    shape: whole,
    f: (v) => rms(shape, v[0]!).xhat.map((n, i) => n * (factor(v)?.[i % c] ?? 1)),
    analytic(v, dy) {
      const { xhat, r } = rms(shape, v[0]!);
      return gradients(xhat, r, v, dy);
    },
    // The factor's gradient reads no r.
    kept: isKept ? [4 * m * c + rBytes, m * group4RowBytes(c) + rBytes] : [0, 0],
    ...(isKept && {
      decoded: {
        bound: 0.2,
        gradients: ([xhat, r]: Uint8Array[], v: readonly Numbers[], dy: Numbers) =>
          gradients(decodeGroup4(xhat!, m, c).values, floatsOf(r!), v, dy),
      },
      plans: {
        'ln=8': {
          kept: group8Bytes(m, c, groupsOf(c)) + rBytes,
          bound: 0.02,
          gradients: ([xhat, r]: Uint8Array[], v: readonly Numbers[], dy: Numbers) =>
            gradients(decodeGroup8(xhat!, m, c, groupsOf(c)).values, floatsOf(r!), v, dy),
        },
      },
    }),
    tolerance: [2e-6, 1e-4],
  };
}

const C = 37;
/** Rows of ordinary, small and large numbers, and one of zeros. */
const special = Float32Array.from({ length: 4 * C }, (_, i) => [1, 1e-4, 1e4, 0][Math.floor(i / C)]! * numbers(4 * C, 9)[i]!);

export const rmsNormCases: readonly Forward[] = [
  // A short row is close to ±1 whatever x is, unless eps counts.
  ...TAILS.map((c) => norm([3], c, { eps: c < 4 ? 0.5 : 1e-5 })),
  ...TAILS.filter((c) => c > 3).map((c) => norm([2, 3], c, { unit: 1, eps: 1e-12, gamma: 'absent' })),
  norm([2, 5], 192),
  norm([4], 33, { gamma: 'frozen' }),
  norm([4], 33, { gamma: 'absent' }),
  norm([4], 33, { still: true }),
  norm([4], 33, { still: true, gamma: 'frozen' }),
  norm([2, 3], 64, { unit: 1, eps: 1e-6 }),
  norm([4], C, { data: special }),
  norm([4], C, { data: special, unit: 1, eps: 1e-2, gamma: 'absent' }),
];
