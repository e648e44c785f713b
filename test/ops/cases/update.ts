/** The optimizer step, operator by operator. Whole runs stand in test/assembly/kernels/optimizer.test.ts. */
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { adamW, rateAt, sgd } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, type Plain, plain } from '../table.ts';
import { TAILS } from './tails.ts';

const [RATE, DECAY, CLIP, BETA1, BETA2, EPSILON] = [0.1, 0.05, 0.5, 0.9, 0.999, 1e-8].map(Math.fround) as [
  number,
  number,
  number,
  number,
  number,
  number,
];
const STEP = 3;
const WARMUP = 2;
const TOTAL = 9;
const FINAL = 0.125;

/** The state block in the middle of a run: `STEP` steps were done, Schedule has run for the next one unless `before`. */
function stateBlock(sumSquares: number, before: boolean): Plain {
  const bytes = new Uint8Array(State.Bytes);
  const view = new DataView(bytes.buffer);
  const floats: [number, number][] = [
    [State.BaseRate, RATE],
    [State.FinalFraction, FINAL],
    [State.Beta1, BETA1],
    [State.Beta2, BETA2],
    [State.Epsilon, EPSILON],
    [State.WeightDecay, DECAY],
    [State.Rate, RATE],
    [State.ClipFactor, CLIP],
    [State.ClipNorm, CLIP],
  ];
  for (const [field, value] of floats) view.setFloat32(field, value, true);
  const steps = before ? STEP : STEP + 1;
  view.setInt32(State.Step, steps, true);
  view.setInt32(State.TotalSteps, TOTAL, true);
  view.setInt32(State.WarmupSteps, WARMUP, true);
  view.setFloat64(State.SumSquares, sumSquares, true);
  view.setFloat64(State.Beta1Power, BETA1 ** steps, true);
  view.setFloat64(State.Beta2Power, BETA2 ** steps, true);
  return plain(bytes, [State.Bytes], 'state');
}

const floatsOf = (bytes: Uint8Array | undefined): Float32Array => new Float32Array(bytes!.buffer);

function sumSquares(n: number): Direct {
  const g = numbers(n, n);
  return {
    op: 'SumSquares',
    name: `SumSquares [${n}]`,
    phase: 'update',
    inputs: [plain(g, [n], 'grad')],
    updates: [stateBlock(7, true)],
    check(_, [state]) {
      const want = g.reduce((sum, v) => sum + v * v, 7);
      const got = new DataView(state!.buffer).getFloat64(State.SumSquares, true);
      assert.ok(Math.abs(got - want) <= 1e-13 * want, `${got}, expected ${want}`);
    },
  };
}

/** The pull back to where the run began; in its first step it only remembers. */
function proximal(n: number, isFirst: boolean): Direct {
  const MU = Math.fround(0.3);
  const [p, g, anchor] = [numbers(n, 1), gradient(n), numbers(n, 2)];
  const state = stateBlock(0, true);
  if (isFirst) new DataView(state.bytes.buffer).setInt32(State.Step, 0, true);
  return {
    op: 'Proximal',
    name: `Proximal [${n}]${isFirst ? ', the first step' : ''}`,
    phase: 'update',
    inputs: [plain(p, [n]), state],
    updates: [plain(g, [n], 'grad'), plain(anchor, [n], 'moment')],
    attributes: { mu: MU },
    check(_, [gotG, gotAnchor]) {
      const want = isFirst ? g : g.map((v, i) => Math.fround(v + Math.fround(MU * Math.fround(p[i]! - anchor[i]!))));
      assert.equal([...floatsOf(gotG)], [...want]);
      assert.equal([...floatsOf(gotAnchor)], [...(isFirst ? p : anchor)]);
    },
  };
}

const schedule: Direct = {
  op: 'Schedule',
  name: 'Schedule in the middle of a run',
  phase: 'update',
  inputs: [],
  updates: [stateBlock(25, true)],
  check(_, [state]) {
    const view = new DataView(state!.buffer);
    assert.is(view.getFloat32(State.Norm, true), 5);
    assert.is(view.getFloat32(State.ClipFactor, true), Math.fround(CLIP / (5 + 1e-6)));
    assert.is(view.getFloat64(State.SumSquares, true), 0);
    assert.is(view.getInt32(State.Step, true), STEP + 1);
    close([view.getFloat32(State.Rate, true)], [rateAt(STEP, RATE, WARMUP, TOTAL, FINAL)], 1e-7, 'rate');
    close([view.getFloat64(State.Beta1Power, true)], [BETA1 ** (STEP + 1)], 1e-14, 'power of beta1');
    close([view.getFloat64(State.Beta2Power, true)], [BETA2 ** (STEP + 1)], 1e-14, 'power of beta2');
  },
};

/** Zeros, subnormals and large gradients among ordinary ones. */
const gradient = (n: number): Float32Array => numbers(n, n + 1).map((v, i) => [v, 0, 1e-40, 1e4 * v, v][i % 5]! as number);

/** Rates of their own: `count` numbers, that of element i being number (i / inner) mod count; without, one for all. */
interface Own {
  count: number;
  inner: number;
}

function step(op: 'AdamW' | 'Sgd', n: number, decay: 0 | 1, own?: Own): Direct {
  const scales = own ? numbers(own.count, 4).map((v) => 0.01 + Math.abs(v)) : Float32Array.of(1);
  const scaleOf = (i: number): number => scales[Math.floor(i / (own?.inner ?? 1)) % scales.length]!;
  const [p, g, mean] = [numbers(n, 1), gradient(n), numbers(n, 2)];
  const variance = numbers(n, 3).map((v) => v * v);
  const moments = op === 'AdamW' ? [mean, variance] : [mean];
  return {
    op,
    name: `${op} [${n}], decay ${decay}${own ? `, ${own.count} rates of ${own.inner} elements` : ''}`,
    phase: 'update',
    inputs: [stateBlock(0, false), own ? plain(scales, [own.count], 'moment') : null],
    updates: [plain(p, [n], 'param'), plain(g, [n], 'grad'), ...moments.map((m) => plain(m, [n], 'moment'))],
    attributes: { decay, ...own },
    check(_, [gotP, gotG, gotMean, gotVariance]) {
      /** Element by element, each at its rate. */
      const each = (run: (i: number, rates: { rate: number; decay: number; clip: number }) => void): void => {
        for (let i = 0; i < n; i++) run(i, { rate: RATE * scaleOf(i), decay: decay * DECAY, clip: CLIP });
      };
      const one = (a: Float64Array, i: number): Float64Array => a.subarray(i, i + 1);
      const [wantP, wantMean, wantVariance] = [p, mean, variance].map((a) => Float64Array.from(a)) as [
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      each((i, rates) => {
        const [pi, mi, vi] = [one(wantP, i), one(wantMean, i), one(wantVariance, i)];
        if (op === 'AdamW') adamW(pi, [g[i]!], mi, vi, STEP + 1, BETA1, BETA2, EPSILON, rates);
        else sgd(pi, [g[i]!], mi, BETA1, rates);
      });
      close(floatsOf(gotP), wantP, 1e-6, 'parameters');
      close(floatsOf(gotMean), wantMean, 1e-6, 'mean');
      if (op === 'AdamW') close(floatsOf(gotVariance), wantVariance, 1e-6, 'variance');
      assert.ok(
        floatsOf(gotG).every((v) => Object.is(v, 0)),
        'the gradient is zeroed',
      );
    },
  };
}

export const updateCases: readonly Direct[] = [
  ...[...TAILS, 4095, 4096, 4097, 8193].map(sumSquares),
  schedule,
  ...TAILS.flatMap((n) => [proximal(n, true), proximal(n, false)]),
  proximal(100, true),
  proximal(100, false),
  ...TAILS.flatMap((n) => [step('AdamW', n, (n % 2) as 0 | 1), step('Sgd', n, (n % 2) as 0 | 1)]),
  step('AdamW', 12, 1),
  step('Sgd', 12, 1),
  // A bias; a weight [5, 7]; a depthwise filter [3, 3, 6]; one rate for all.
  ...(['AdamW', 'Sgd'] as const).flatMap((op) => [
    ...TAILS.map((n) => step(op, n, (n % 2) as 0 | 1, { count: n, inner: 1 })),
    step(op, 35, 1, { count: 5, inner: 7 }),
    step(op, 54, 1, { count: 6, inner: 1 }),
    step(op, 40, 0, { count: 1, inner: 40 }),
  ]),
];
