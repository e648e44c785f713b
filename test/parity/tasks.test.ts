/** Whole networks under the tasks other than classification against PyTorch: losses, gradients, ten losses of AdamW, what an answer means. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { TaskSettings } from '../../src/task/index.ts';
import { close } from '../support/close.ts';
import { goldenCase, goldenValues, openValues, type Values } from '../support/golden.ts';
import { BATCH, goldenEngine, gradientsAgree } from '../support/goldenengine.ts';
import { beginPowers } from '../support/powers.ts';

const CASES = ['vit-hf', 'resnet18-timm', 'convnext-hf'];
const STEPS = 10;

const settingsOf = (loss: string, n: number, values: Values): TaskSettings =>
  loss === 'multilabel'
    ? { name: 'multilabel', constants: { threshold: new Array(n).fill(0.5) } }
    : { name: 'regress', loss, constants: { mean: [...values.get('mean')], std: [...values.get('std')] } };

function engineOf(name: string, loss: string, values: Values): Engine {
  const task = settingsOf(loss, goldenCase(name).classes, values);
  const engine = goldenEngine(name, goldenValues(name), { method: 'bias', task });
  engine.floats(Io.Labels).set(values.get(loss === 'multilabel' ? 'flags' : 'numbers'));
  return engine;
}

function learn(engine: Engine): number[] {
  const { state } = engine;
  const floats: [State, number][] = [
    [State.BaseRate, 1e-3],
    [State.FinalFraction, 1],
    [State.Beta1, 0.9],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, 0.01],
  ];
  for (const [field, value] of floats) state.setFloat32(field, value, true);
  state.setInt32(State.TotalSteps, STEPS, true);
  beginPowers(state);
  return Array.from({ length: STEPS }, () => {
    state.setFloat64(State.LossSum, 0, true);
    engine.run('train');
    const loss = state.getFloat64(State.LossSum, true) / BATCH;
    engine.run('update');
    return loss;
  });
}

for (const name of CASES)
  for (const loss of ['multilabel', 'huber', 'squares'])
    test(`${name}: ${loss}`, () => {
      const values = openValues(`test/golden/tasks/${name}.safetensors`);
      const engine = engineOf(name, loss, values);
      engine.run('train');
      close([engine.state.getFloat64(State.LossSum, true) / BATCH], values.get(`${loss}/loss`), 1e-5, 'loss');
      gradientsAgree(engine, values, loss, 2e-4);
      close(learn(engineOf(name, loss, values)), values.get(`${loss}/losses`), 2e-4, 'ten losses');

      const judged = engineOf(name, loss, values);
      judged.run('eval');
      const logits = judged.floats(Io.Logits);
      close(logits, goldenValues(name).get('logits.new'), 1e-4, 'logits');
      if (loss === 'multilabel')
        assert.equal(
          [...judged.ints(Io.EvalChoices)],
          Array.from(logits, (x) => Number(x >= 0)),
        );
      else {
        const [mean, std] = [values.get('mean'), values.get('std')];
        const units = Float64Array.from(logits, (x, i) => x * std[i % std.length]! + mean[i % mean.length]!);
        close(judged.floats(Io.EvalChoices), units, 1e-6, 'answers in units');
      }
    });

test.run();
