/** What runs once over the loaded weights. */
import { State } from '../../../assembly/abi/head.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { Encoding } from '../../../assembly/abi/weights.ts';
import { normal } from '../../oracle/random.ts';
import { resize } from '../../oracle/simple.ts';
import { decodeWeight, encodeWeight } from '../../oracle/weights.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Plain, plain } from '../table.ts';
import { TAILS } from './tails.ts';

const floatsOf = (bytes: Uint8Array | undefined): Float32Array => new Float32Array(bytes!.buffer);

interface Absent {
  gamma?: boolean;
  beta?: boolean;
  statistics?: boolean;
}

function fold(o: number, k: number, depthwise: 0 | 1, absent: Absent = {}): Direct {
  const [weights, bias, gamma, beta, mean] = [o * k, o, o, o, o].map((n, i) => numbers(n, 60 + i)) as Float32Array[];
  const variance = numbers(o, 66).map((v) => v * v + 0.01);
  const eps = Math.fround(1e-3);
  const channel = [o];
  const statistics = !absent.statistics;
  return {
    op: 'FoldBatchNorm',
    name: `FoldBatchNorm [${o}×${k}], depthwise ${depthwise}, without ${Object.keys(absent).join(' and ') || 'nothing'}`,
    phase: 'init',
    inputs: [
      absent.gamma ? null : plain(gamma!, channel),
      absent.beta ? null : plain(beta!, channel),
      statistics ? plain(mean!, channel) : null,
      statistics ? plain(variance, channel) : null,
    ],
    updates: [plain(weights!, depthwise ? [k, o] : [o, k]), plain(bias!, channel)],
    attributes: { eps, depthwise },
    check(_, [w, b]) {
      const factor = Float64Array.from({ length: o }, (_, i) => {
        const scale = absent.gamma ? 1 : gamma![i]!;
        return statistics ? scale / Math.sqrt(variance[i]! + eps) : scale;
      });
      const shift = (i: number): number => (absent.beta ? 0 : beta![i]!);
      close(
        floatsOf(w),
        Float64Array.from(weights!, (v, i) => v * factor[depthwise ? i % o : Math.floor(i / k)]!),
        1e-7,
        'weight',
      );
      close(
        floatsOf(b),
        Float64Array.from(bias!, (v, i) => shift(i) + (v - (statistics ? mean![i]! : 0)) * factor[i]!),
        1e-6,
        'bias',
      );
    },
  };
}

/** A branch of side × side taps, or the identity (0), added to a filter of r × r; `more`: by factors of its channels, taken from it, without a norm. */
function mergeBranch(
  [o, r, i]: readonly [number, number, number],
  side: number,
  depthwise: 0 | 1,
  more: { scaled?: true; taken?: true; bare?: true } = {},
): Direct {
  const [area, taps] = [r * r, side * side];
  const [weights, bias, x, gamma, beta, mean, scale] = [o * area * i, o, o * Math.max(taps, 1) * i, o, o, o, o].map((n, s) =>
    numbers(n, 80 + s),
  ) as Float32Array[];
  const variance = numbers(o, 87).map((v) => v * v + 0.01);
  const eps = Math.fround(1e-5);
  const part = (c: number): number => (more.taken ? -1 : 1) * (more.scaled ? scale![c]! : 1);
  const factor = (c: number): number => part(c) * (more.bare ? 1 : gamma![c]! / Math.sqrt(variance[c]! + eps));
  const shift = (c: number): number => (more.bare ? 0 : beta![c]! * part(c) - mean![c]! * factor(c));
  return {
    op: 'MergeBranch',
    name: `MergeBranch [${o},${r},${r},${i}], ${taps} taps, depthwise ${depthwise} ${Object.keys(more)}`,
    phase: 'init',
    inputs: [
      taps === 0 ? null : plain(x!, [x!.length]),
      ...[gamma!, beta!, mean!, variance].map((v) => (more.bare ? null : plain(v, [o]))),
      more.scaled ? plain(scale!, [o]) : null,
    ],
    updates: [plain(weights!, depthwise ? [r, r, o] : [o, r, r, i]), plain(bias!, [o])],
    attributes: { eps, depthwise, side, taken: more.taken ? 1 : 0 },
    check(_, [w, b]) {
      // Where element (channel, tap, input) lies among so many taps.
      const at = (c: number, t: number, j: number, of: number): number => (depthwise ? t * o + c : (c * of + t) * i + j);
      const want = Float64Array.from(weights!);
      const middle = area >> 1;
      for (let c = 0; c < o; c++) {
        if (taps === 0) want[at(c, middle, c % i, area)]! += factor(c);
        const corner = (r - side) / 2;
        for (let t = 0; t < taps; t++) {
          const tap = (corner + Math.floor(t / side)) * r + corner + (t % side);
          for (let j = 0; j < i; j++) want[at(c, tap, j, area)]! += factor(c) * x![at(c, t, j, taps)]!;
        }
      }
      close(floatsOf(w), want, 1e-7, 'weight');
      close(
        floatsOf(b),
        Float64Array.from(bias!, (v, c) => v + shift(c)),
        1e-6,
        'bias',
      );
    },
  };
}

/** Each filter of an output channel, to mean 0 and deviation 1. */
function standardise(shape: readonly [number, ...number[]]): Direct {
  const k = shape.slice(1).reduce((n, d) => n * d);
  const weights = numbers(shape[0] * k, 91);
  const eps = Math.fround(1e-8);
  return {
    op: 'Standardise',
    name: `Standardise [${shape}]`,
    phase: 'init',
    inputs: [],
    updates: [plain(weights, shape)],
    attributes: { eps },
    check(_, [w]) {
      const want = Float64Array.from(weights, (v, at) => {
        const row = weights.subarray(at - (at % k), at - (at % k) + k);
        const mean = row.reduce((sum, x) => sum + x, 0) / k;
        const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / k;
        return (v - mean) / Math.sqrt(variance + eps);
      });
      close(floatsOf(w), want, 1e-6, 'weight');
    },
  };
}

/** The same of a coded weight: its scales take the factor, its codes stay. */
function foldCoded(o: number, k: number, encoding: Encoding): Direct {
  const [weights, bias, gamma, beta, mean] = [o * k, o, o, o, o].map((n, i) => numbers(n, 60 + i)) as Float32Array[];
  const variance = numbers(o, 66).map((v) => v * v + 0.01);
  const eps = Math.fround(1e-3);
  const bytes = encodeWeight(encoding, o, k, weights!);
  const coded: Plain = { type: { dtype: 'f32', shape: [o, k], encoding }, role: 'frozen', bytes };
  const factor = Float64Array.from(gamma!, (g, c) => g / Math.sqrt(variance[c]! + eps));
  return {
    op: 'FoldBatchNorm',
    name: `FoldBatchNorm [${o}×${k}], coded ${encoding}`,
    phase: 'init',
    inputs: [gamma!, beta!, mean!, variance].map((v) => plain(v, [o])),
    updates: [coded, plain(bias!, [o])],
    attributes: { eps, depthwise: 0 },
    check(_, [w, b]) {
      const before = decodeWeight(encoding, o, k, bytes);
      const want = Float64Array.from(before, (v, i) => v * factor[Math.floor(i / k)]!);
      close(decodeWeight(encoding, o, k, w!), want, 2e-7, 'weight');
      close(
        floatsOf(b),
        Float64Array.from(bias!, (v, c) => beta![c]! + (v - mean![c]!) * factor[c]!),
        1e-6,
        'bias',
      );
    },
  };
}

function positions(prefix: number, [h0, w0]: [number, number], [h, w]: [number, number], c: number, antialias: 0 | 1): Direct {
  const old = numbers((prefix + h0 * w0) * c, 70);
  const rows = prefix + h * w;
  return {
    op: 'ResizePositions',
    name: `ResizePositions ${h0}×${w0} → ${h}×${w}, ${c} channels, ${prefix} tokens, antialias ${antialias}`,
    phase: 'init',
    inputs: [plain(old, [prefix + h0 * w0, c])],
    updates: [plain(new Float32Array(rows * c).fill(Number.NaN), [rows, c])],
    attributes: { prefix, h0, w0, h, w, antialias },
    check(_, [bytes]) {
      const y = floatsOf(bytes);
      close(y.subarray(0, prefix * c), old.subarray(0, prefix * c), 0, 'tokens');
      const column = (a: Float32Array, i: number): Float32Array => a.subarray(prefix * c).filter((_, j) => j % c === i);
      for (let i = 0; i < c; i++) close(column(y, i), resize(column(old, i), h0, w0, h, w, antialias === 1), 1e-6, `channel ${i}`);
    },
  };
}

function initial(n: number, seed: number, number: number, scale: number): Direct {
  const state = new Uint8Array(State.Bytes);
  new DataView(state.buffer).setUint32(State.Seed, seed, true);
  return {
    op: 'Normal',
    name: `Normal [${n}], seed ${seed}, tensor ${number}, scale ${scale}`,
    phase: 'init',
    inputs: [plain(state, [State.Bytes], 'state')],
    updates: [plain(new Float32Array(n).fill(Number.NaN), [n], 'param')],
    attributes: { number, scale },
    check(_, [y]) {
      const stream = number * 16 + Stream.Initial;
      const want = Float64Array.from({ length: n }, (_, i) => Math.fround(scale) * normal(seed, stream, i));
      close(floatsOf(y), want, 1e-7, 'values');
    },
  };
}

export const initCases: readonly Direct[] = [
  standardise([5, 3, 3, 7]),
  standardise([9, 4]),
  ...TAILS.map((o) => fold(o, 9, (o % 2) as 0 | 1)),
  fold(6, 5, 0, { gamma: true }),
  fold(6, 5, 1, { beta: true }),
  fold(6, 5, 1, { gamma: true, beta: true }),
  fold(6, 5, 0, { statistics: true }),
  fold(6, 5, 0, { beta: true, statistics: true }),
  ...[Encoding.Int8, Encoding.Int4, Encoding.Int12].flatMap((e) => [foldCoded(1, 9, e), foldCoded(6, 5, e), foldCoded(17, 130, e)]),
  ...TAILS.map((o) => mergeBranch([o, 3, 5], o % 2 ? 3 : 1, 0)),
  ...[3, 1, 0].flatMap((side) => [mergeBranch([6, 3, 6], side, 0), mergeBranch([6, 3, 3], side, 0), mergeBranch([17, 3, 1], side, 1)]),
  ...[1, 0].map((side) => mergeBranch([5, 1, 5], side, 0)),
  ...[3, 5].flatMap((side) => [mergeBranch([6, 7, 1], side, 0), mergeBranch([9, 7, 1], side, 1)]),
  ...[3, 1, 0].flatMap((side) => [
    mergeBranch([17, 3, 1], side, 1, { scaled: true }),
    mergeBranch([17, 3, 1], side, 1, { scaled: true, taken: true }),
  ]),
  mergeBranch([6, 3, 6], 0, 0, { taken: true }),
  ...[3, 0].flatMap((side) => [mergeBranch([6, 3, 6], side, 0, { bare: true }), mergeBranch([17, 3, 1], side, 1, { bare: true })]),
  ...TAILS.map((c) => positions(1, [3, 4], [5, 3], c, (c % 2) as 0 | 1)),
  positions(0, [14, 14], [7, 7], 2, 1),
  positions(2, [7, 7], [14, 14], 2, 0),
  positions(1, [24, 24], [5, 10], 1, 1),
  positions(1, [1, 1], [3, 2], 3, 0),
  positions(2, [6, 6], [6, 6], 3, 1),
  ...TAILS.map((n) => initial(n, n, 1, 0.02)),
  initial(40, 7, 0, 1),
  initial(40, 7, 1, 1),
  initial(40, 8, 1, 1),
  initial(40, 0xffffffff, 2 ** 28 - 1, 1e-3),
  initial(5, 7, 1, 0),
];
