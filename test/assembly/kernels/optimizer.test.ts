import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { Op } from '../../../assembly/abi/ops.ts';
import { Status } from '../../../assembly/abi/status.ts';
import { adamW, rateAt, sgd } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { openRig } from '../../support/rig.ts';
import { onThreads } from './threads.ts';

const rig = openRig(4 << 20, 1 << 12);

interface Settings {
  rate: number;
  decay: number;
  clip: number;
  warmup: number;
  total: number;
  final: number;
  beta1: number;
}
const settings: Settings = { rate: 0.1, decay: 0.05, clip: 0, warmup: 0, total: 100, final: 1, beta1: 0.9 };

function openState(s: Settings) {
  const at = rig.u8(new Uint8Array(State.Bytes));
  const view = new DataView(rig.memory.buffer, at);
  const f = (field: number, value: number) => view.setFloat32(field, value, true);
  f(State.BaseRate, s.rate);
  f(State.WeightDecay, s.decay);
  f(State.ClipNorm, s.clip);
  f(State.FinalFraction, s.final);
  f(State.Beta1, s.beta1);
  f(State.Beta2, 0.999);
  f(State.Epsilon, 1e-8);
  for (const power of [State.Beta1Power, State.Beta2Power]) view.setFloat64(power, 1, true);
  view.setInt32(State.WarmupSteps, s.warmup, true);
  view.setInt32(State.TotalSteps, s.total, true);
  return {
    at,
    f32: (field: number) => view.getFloat32(field, true),
    f64: (field: number) => view.getFloat64(field, true),
    i32: (field: number) => view.getInt32(field, true),
    setF64: (field: number, value: number) => view.setFloat64(field, value, true),
  };
}

test('SumSquares in blocks, over several tensors', () => {
  for (const n of [1, 3, 4, 7, 4095, 4096, 4097, 10000]) {
    rig.clear();
    const state = openState(settings);
    const [a, b] = [numbers(n, 1), numbers(5, 2)];
    for (const g of [a, b]) assert.is(rig.run(Op.SumSquares, [rig.f32(g), g.length, state.at]), 0);
    const want = [...a, ...b].reduce((sum, g) => sum + g * g, 0);
    assert.ok(Math.abs(state.f64(State.SumSquares) - want) < 1e-12 * want);
  }
});

test('Schedule: rate, beta powers and step', () => {
  for (const s of [
    { ...settings, warmup: 3, total: 10, final: 0.1 },
    { ...settings, warmup: 0, total: 7, final: 0 },
    { ...settings, warmup: 5, total: 5, final: 0.5 },
    { ...settings, warmup: 0, total: 1, final: 1 },
  ]) {
    rig.clear();
    const state = openState(s);
    for (let step = 0; step < 12; step++) {
      onThreads(rig, 2, 1024, () => assert.is(rig.run(Op.Schedule, [state.at]), 0));
      assert.ok(
        Math.abs(state.f32(State.Rate) - rateAt(step, s.rate, s.warmup, s.total, s.final)) < 1e-8,
        `step ${step} of ${JSON.stringify(s)}`,
      );
      assert.is(state.i32(State.Step), step + 1);
      assert.ok(Math.abs(state.f64(State.Beta1Power) - Math.fround(0.9) ** (step + 1)) < 1e-14);
      assert.ok(Math.abs(state.f64(State.Beta2Power) - Math.fround(0.999) ** (step + 1)) < 1e-14);
    }
  }
});

test('Schedule: norm and clipping, as torch.nn.utils.clip_grad_norm_', () => {
  for (const [clip, factor] of [
    [0, 1],
    [10, 1],
    [1, 1 / (5 + 1e-6)],
  ] as const) {
    rig.clear();
    const state = openState({ ...settings, clip });
    rig.run(Op.SumSquares, [rig.f32([3, 4]), 2, state.at]);
    assert.is(rig.run(Op.Schedule, [state.at]), 0);
    assert.is(state.f32(State.Norm), 5);
    assert.is(state.f32(State.ClipFactor), Math.fround(factor));
    assert.is(state.f64(State.SumSquares), 0);
  }
});

test('a gradient that is not finite fails, and no step is counted', () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    for (const at of [0, 4, 6]) {
      rig.clear();
      const state = openState(settings);
      const g = new Float32Array(7).fill(1);
      g[at] = bad;
      rig.run(Op.SumSquares, [rig.f32(g), 7, state.at]);
      assert.is(rig.run(Op.Schedule, [state.at]), Status.GradientNotFinite);
      assert.is(state.i32(State.Step), 0);
    }
  rig.clear();
  const state = openState(settings);
  rig.run(Op.SumSquares, [rig.f32(Array(8).fill(3e38)), 8, state.at]);
  assert.is(rig.run(Op.Schedule, [state.at]), Status.GradientNotFinite, 'a norm beyond f32');
});

/** Several steps of either optimizer on n parameters beside its oracle. */
function race(op: Op.AdamW | Op.Sgd, n: number, s: Settings, decay: number, threads: number) {
  rig.clear();
  const state = openState(s);
  const start = numbers(n, 1);
  const [p, g, m, v] = [rig.f32(start), rig.f32(n), rig.f32(new Float32Array(n + 4)), rig.f32(new Float32Array(n + 4))];
  const [wp, wm, wv] = [Float64Array.from(start), new Float64Array(n), new Float64Array(n)];
  for (let t = 1; t <= 6; t++) {
    const gradient = numbers(n, 10 + t, t === 3 ? 1e-3 : 1);
    new Float32Array(rig.memory.buffer, g, n).set(gradient);
    rig.run(Op.SumSquares, [g, n, state.at]);
    rig.run(Op.Schedule, [state.at]);
    const rest = op === Op.AdamW ? [v, n, state.at, decay, 0, 1, 1] : [n, state.at, decay, 0, 1, 1];
    onThreads(rig, threads, 1024, () => assert.is(rig.run(op, [p, g, m, ...rest]), 0));
    const norm = Math.sqrt(gradient.reduce((sum, x) => sum + x * x, 0));
    const rates = {
      rate: rateAt(t - 1, s.rate, s.warmup, s.total, s.final),
      decay: decay * s.decay,
      clip: s.clip > 0 ? Math.min(1, s.clip / (norm + 1e-6)) : 1,
    };
    if (op === Op.AdamW) adamW(wp, gradient, wm, wv, t, s.beta1, 0.999, 1e-8, rates);
    else sgd(wp, gradient, wm, s.beta1, rates);
    assert.ok(
      rig.readF32(g, n).every((x) => x === 0),
      'g is zeroed',
    );
  }
  close(rig.readF32(p, n), wp, 1e-6, `parameters, ${n}`);
  close(rig.readF32(m, n), wm, 1e-6, 'first moment');
  if (op === Op.AdamW) close(rig.readF32(v, n), wv, 2e-5, 'second moment');
  assert.equal([...rig.readF32(m + n * 4, 4), ...rig.readF32(v + n * 4, 4)], Array(8).fill(0), 'nothing after the moments');
  return rig.readI32(p, n);
}

for (const [name, op] of [
  ['AdamW', Op.AdamW],
  ['Sgd', Op.Sgd],
] as const)
  test(`${name} over several steps`, () => {
    for (const n of [1, 4, 6, 16, 17, 100])
      for (const decay of [0, 1])
        for (const s of [settings, { ...settings, clip: 0.5, warmup: 2, total: 6, final: 0.01 }, { ...settings, beta1: 0 }]) {
          const one = race(op, n, s, decay, 1);
          for (const threads of [2, 3]) assert.equal(race(op, n, s, decay, threads), one, 'any number of threads');
        }
  });

test("PyTorch's own numbers", () => {
  // torch 2.15 in f64: three steps at rate 0.1, AdamW(betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05) and SGD(momentum=0.9)
  const gradients = [
    [0.1, -0.2, 3],
    [0.5, 0.1, -1],
    [0, 0.3, 0.2],
  ];
  const want = {
    adamW: [0.7338391608451852, -1.8835856983571353, 0.3188020101407526],
    sgd: [0.8779, -1.9948, -0.143],
  };
  rig.clear();
  const state = openState(settings);
  const [p, q, g, m, v, u] = [rig.f32([1, -2, 0.5]), rig.f32([1, -2, 0.5]), rig.f32(3), rig.f32(3), rig.f32(3), rig.f32(3)];
  for (const gradient of gradients) {
    rig.run(Op.Schedule, [state.at]);
    new Float32Array(rig.memory.buffer, g, 3).set(gradient);
    rig.run(Op.AdamW, [p, g, m, v, 3, state.at, 1, 0, 1, 1]);
    new Float32Array(rig.memory.buffer, g, 3).set(gradient);
    rig.run(Op.Sgd, [q, g, u, 3, state.at, 0, 0, 1, 1]);
  }
  close(rig.readF32(p, 3), want.adamW, 1e-6);
  close(rig.readF32(q, 3), want.sgd, 1e-6);
});

test.run();
