/**
 * Ten losses of ten updates against PyTorch: AdamW with decay, SGD with momentum, clipping, warm-up and cosine, under policy `exact`.
 *
 * Rounding alone must not decide them: a ReLU6 unit within rounding of 0 or 6 has another gradient on either side, and AdamW turns a
 * gradient of any size into a step of full size. So the pictures and rates are those on which PyTorch agrees with itself in f64 and when
 * started from weights moved by one part in 10^7 (`sensitivity.*`, at most 2e-5).
 */
import { test } from 'uvu';
import { State } from '../../assembly/abi/head.ts';
import { type Engine, readParameter } from '../../src/engine/engine.ts';
import { headNames } from '../../src/training/adapter.ts';
import { close } from '../support/close.ts';
import { builtCases, goldenCase, goldenValues, type Values } from '../support/golden.ts';
import { BATCH, goldenEngine, headPart } from '../support/goldenengine.ts';
import { beginPowers } from '../support/powers.ts';

const STEPS = 10;

interface Recipe {
  final: number;
  warmup: number;
  decay: number;
  clip: number;
}

const RECIPES: Readonly<Record<'adamw' | 'sgd', Recipe>> = {
  adamw: { final: 1, warmup: 0, decay: 0.01, clip: 0 },
  sgd: { final: 0, warmup: 3, decay: 0, clip: 1 },
};

function start(engine: Engine, rate: number, recipe: Recipe): void {
  const floats: [State, number][] = [
    [State.BaseRate, rate],
    [State.FinalFraction, recipe.final],
    [State.Beta1, 0.9],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, recipe.decay],
    [State.ClipNorm, recipe.clip],
  ];
  for (const [field, value] of floats) engine.state.setFloat32(field, value, true);
  engine.state.setInt32(State.TotalSteps, STEPS, true);
  beginPowers(engine.state);
  engine.state.setInt32(State.WarmupSteps, recipe.warmup, true);
}

/** Ten updates on the same pictures: the loss before each, its norm before clipping and its rate. */
function learn(engine: Engine): Record<'losses' | 'norms' | 'rates', number[]> {
  const { state } = engine;
  const told = { losses: [] as number[], norms: [] as number[], rates: [] as number[] };
  for (let step = 0; step < STEPS; step++) {
    state.setFloat64(State.LossSum, 0, true);
    engine.run('train');
    told.losses.push(state.getFloat64(State.LossSum, true) / BATCH);
    engine.run('update');
    told.norms.push(state.getFloat32(State.Norm, true));
    told.rates.push(state.getFloat32(State.Rate, true));
  }
  return told;
}

function headAgrees(engine: Engine, values: Values, key: string, tolerance: number): void {
  const head = headNames(engine.program);
  const record = engine.program.parameters.find((p) => head.includes(p.name) && headPart(p.name) === 'weight')!;
  close(readParameter(engine, record), values.get(key), tolerance, key);
}

for (const name of builtCases) {
  const values = goldenValues(name);
  const { rates } = goldenCase(name);
  // Newer cases were moved twice and not seventeen times: of those the bound of their choice counts.
  const moved = (key: string): number => (values.names.includes('thin') ? 2e-5 : values.get(key)[0]!);
  const within = (method: string, kind: string): number => 1e-5 + moved(`sensitivity.${method}.${kind}`);
  for (const method of ['probe', 'bias', 'full'] as const)
    test(`${name}: ${method}, AdamW`, () => {
      const engine = goldenEngine(name, values, { method, optimizer: 'adamw' });
      start(engine, rates.adamw, RECIPES.adamw);
      const tolerance = within(method, 'adamw');
      close(learn(engine).losses, values.get(`losses.${method}.adamw`), tolerance, 'losses');
      if (method === 'bias') headAgrees(engine, values, 'after.bias.adamw/head.weight', 10 * tolerance);
    });
  test(`${name}: bias, SGD`, () => {
    const engine = goldenEngine(name, values, { method: 'bias', optimizer: 'sgd' });
    start(engine, rates.sgd, RECIPES.sgd);
    const told = learn(engine);
    const tolerance = within('bias', 'sgd');
    close(told.losses, values.get('losses.bias.sgd'), tolerance, 'losses');
    close(told.norms, values.get('sgd.norms'), 10 * tolerance, 'norms');
    close(told.rates, values.get('sgd.rates'), 1e-6, 'rates');
    headAgrees(engine, values, 'after.bias.sgd/head.weight', 10 * tolerance);
  });
}

test.run();
