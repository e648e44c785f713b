/** Group norm: groups of one channel, of a few, of all; maps of one position and of many; every choice of what is kept. */
import { group4RowBytes, group8Bytes } from '../../../assembly/abi/sizes.ts';
import { f32 } from '../../../src/graph/graph.ts';
import { groupsOf } from '../../../src/ops/quantize.ts';
import { groupNormBackward, groupStats, normalised } from '../../oracle/groupnorm.ts';
import { decodeGroup4, decodeGroup8 } from '../../oracle/groups.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Forward, frozen, type Numbers, type Operand, plain, w, x } from '../table.ts';
import { TAILS } from './tails.ts';

const EPS = 1e-5;

interface Options {
  learns?: readonly [boolean, boolean, boolean];
}

function norm(batch: number, map: readonly number[], c: number, groups: number, { learns = [true, true, true] }: Options = {}): Forward {
  const positions = map.reduce((n, d) => n * d, 1);
  const shape = { batch, positions, c, groups };
  const whole = [batch, ...map, c];
  const rows = batch * positions;
  const data = numbers(rows * c, rows + c, 2);
  const stats = Float32Array.from(groupStats(shape, data, EPS));
  const as = (o: Operand, i: number): Operand => (learns[i] ? o : frozen(o));
  const gamma = numbers(c, 41).map((v) => 1 + 0.3 * v);
  const gradients = (xhat: Numbers, v: readonly Numbers[], dy: Numbers): Numbers[] => {
    const { dx, dgamma, dbeta } = groupNormBackward(shape, xhat, stats, v[2]!, dy);
    return [dx, [], dgamma, dbeta];
  };
  const isKept = learns[0] || learns[1];
  const from = (decode: (bytes: Uint8Array) => Numbers) => (kept: Uint8Array[], v: readonly Numbers[], dy: Numbers) =>
    gradients(decode(kept[0]!), v, dy);
  return {
    op: 'GroupNorm',
    name: `GroupNorm [${whole}] in ${groups} groups, learns ${learns.map(Number)}`,
    // The statistics are given, but the derivative counts what x does to them.
    inputs: [as(x(whole, data), 0), frozen(w([batch, groups, 2], stats)), as(w([c], gamma), 1), as(w([c]), 2)],
    shape: whole,
    f: (v) => normalised(shape, v[0]!, v[1]!).map((xhat, i) => xhat * v[2]![i % c]! + v[3]![i % c]!),
    analytic: (v, dy) => gradients(normalised(shape, v[0]!, v[1]!), v, dy),
    // The statistics, which stay too, are a weight here.
    kept: isKept ? [4 * rows * c, rows * group4RowBytes(c)] : [0, 0],
    ...(isKept && {
      decoded: { bound: 0.25, gradients: from((bytes) => decodeGroup4(bytes, rows, c).values) },
      plans: {
        'gn=8': {
          kept: group8Bytes(rows, c, groupsOf(c)),
          bound: 0.02,
          gradients: from((bytes) => decodeGroup8(bytes, rows, c, groupsOf(c)).values),
        },
      },
    }),
    tolerance: [1e-5, 5e-5],
  };
}

function stats(batch: number, map: readonly number[], c: number, groups: number, data?: Float32Array): Direct {
  const positions = map.reduce((n, d) => n * d, 1);
  const shape = { batch, positions, c, groups };
  const values = data ?? numbers(batch * positions * c, 5, 3).map((v) => v + 7);
  return {
    op: 'GroupStats',
    name: `GroupStats [${batch},${map},${c}] in ${groups} groups${data ? ', one number' : ''}`,
    phase: 'train',
    inputs: [plain(values, [batch, ...map, c], 'batch')],
    attributes: { groups, eps: EPS },
    types: [f32(batch, groups, 2)],
    check([bytes]) {
      close(new Float32Array(bytes!.slice().buffer), groupStats(shape, values, Math.fround(EPS)), 2e-6, 'stats');
    },
  };
}

export const groupNormCases: readonly Forward[] = [
  ...TAILS.map((d) => norm(2, [3], 2 * d, 2)),
  norm(2, [3, 2], 24, 24),
  norm(1, [5], 30, 1),
  norm(3, [1], 40, 5),
  norm(1, [4, 4], 96, 32),
  norm(2, [3], 66, 3, { learns: [true, false, false] }),
  norm(2, [3], 66, 3, { learns: [false, true, false] }),
  norm(2, [3], 66, 3, { learns: [false, false, true] }),
  norm(2, [3], 66, 3, { learns: [true, false, true] }),
];

export const groupStatsCases: readonly Direct[] = [
  ...TAILS.map((d) => stats(2, [3], 2 * d, 2)),
  stats(1, [9, 7], 64, 32),
  stats(3, [1], 12, 1),
  stats(1, [6], 8, 2, new Float32Array(48).fill(-2.5)),
];
