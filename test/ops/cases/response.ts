/** Global response norm: every tail of channels, one position, channels of zeros, either operand frozen. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { f32 } from '../../../src/graph/graph.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { responseBackward, responseNorm, responseStats } from '../../oracle/response.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Forward, frozen, type Numbers, type Operand, plain, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

const EPS = 1e-6;

interface Options {
  learns?: readonly [boolean, boolean, boolean];
  beta?: boolean;
  /** A channel of zeros. */
  dead?: boolean;
}

function norm(batch: number, map: readonly number[], c: number, { learns = [true, true, true], beta = true, dead }: Options = {}): Forward {
  const positions = map.reduce((n, d) => n * d, 1);
  const shape = { batch, positions, c, eps: Math.fround(EPS) };
  const whole = [batch, ...map, c];
  const rows = batch * positions;
  const data = numbers(rows * c, rows + c, 2).map((v, i) => (dead && i % c === 1 ? 0 : v));
  const stats = Float32Array.from(responseStats(shape, data));
  const as = (o: Operand, i: number): Operand => (learns[i] ? o : frozen(o));
  const gradients = (kept: Numbers, v: readonly Numbers[], dy: Numbers): Numbers[] => {
    const { dx, dgamma, dbeta } = responseBackward(shape, kept, stats, v[2]!, dy);
    return [dx, [], dgamma, dbeta];
  };
  const isKept = learns[0] || learns[1];
  const from = (decode: (bytes: Uint8Array) => Numbers) => (kept: Uint8Array[], v: readonly Numbers[], dy: Numbers) =>
    gradients(decode(kept[0]!), v, dy);
  return {
    op: 'ResponseNorm',
    name: `ResponseNorm [${whole}], learns ${learns.map(Number)}${beta ? '' : ', no beta'}${dead ? ', a dead channel' : ''}`,
    // The lengths are given, but the derivative counts what x does to them.
    inputs: [as(x(whole, data), 0), frozen(w([batch, c], stats)), as(w([c]), 1), beta ? as(w([c]), 2) : null],
    attributes: { eps: EPS },
    shape: whole,
    f: (v) => responseNorm(shape, v[0]!, v[1]!, v[2]!, beta ? v[3]! : null),
    analytic: (v, dy) => gradients(v[0]!, v, dy),
    // What the host wrote stays anyway.
    kept: isKept ? [learns[0] ? 4 * rows * c : 0, rows * group4RowBytes(c)] : [0, 0],
    ...(isKept && {
      decoded: { bound: 0.3, gradients: from((bytes) => decodeGroup4(bytes, rows, c).values) },
      plans: {
        'gn=8': {
          kept: group8Bytes(rows, c, groupsOf(c)),
          bound: 0.03,
          gradients: from((bytes) => decodeGroup8(bytes, rows, c, groupsOf(c)).values),
        },
      },
    }),
    tolerance: [1e-5, 1e-4],
  };
}

function stats(batch: number, map: readonly number[], c: number): Direct {
  const positions = map.reduce((n, d) => n * d, 1);
  const values = numbers(batch * positions * c, 5, 3);
  return {
    op: 'ResponseStats',
    name: `ResponseStats [${batch},${map},${c}]`,
    phase: 'train',
    inputs: [plain(values, [batch, ...map, c], 'batch')],
    types: [f32(batch, c)],
    check([bytes]) {
      close(new Float32Array(bytes!.slice().buffer), responseStats({ batch, positions, c, eps: 0 }, values), 2e-6, 'stats');
    },
  };
}

export const responseCases: readonly Forward[] = [
  ...TAILS.map((c) => norm(2, [3], c)),
  norm(1, [5, 4], 40),
  norm(3, [1], 12),
  norm(2, [2, 3], 96, { beta: false }),
  norm(2, [3, 3], 10, { dead: true }),
  norm(2, [3], 66, { learns: [true, false, false] }),
  norm(2, [3], 66, { learns: [false, true, false] }),
  norm(2, [3], 66, { learns: [false, false, true] }),
];

export const responseStatsCases: readonly Direct[] = [...TAILS.map((c) => stats(2, [3], c)), stats(1, [9, 7], 130), stats(3, [1], 12)];
