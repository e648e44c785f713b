/** Prompt, side, LoRA and their combinations against PyTorch, with every module tensor given and nowhere zero. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { readJson } from '../../src/base/files.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, type Engine, loadWeights, readParameter, writeParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { readModel } from '../../src/import/index.ts';
import { methodOf } from '../../src/network/method.ts';
import { close, distance } from '../support/close.ts';
import { modelFolder, openValues } from '../support/golden.ts';
import { BATCH, headPart } from '../support/goldenengine.ts';
import { beginPowers } from '../support/powers.ts';

const FOLDER = 'test/golden/modules';
const cases = readJson(`${FOLDER}/index.json`).cases as Record<string, { size: [number, number]; methods: string[]; rate: number }>;

/** Ten updates by AdamW on the same pictures: the loss before each. The gradients of the first are there. */
function tenLosses(engine: Engine, rate: number): number[] {
  const { state } = engine;
  const floats: [State, number][] = [
    [State.BaseRate, rate],
    [State.FinalFraction, 1],
    [State.Beta1, 0.9],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, 0.01],
    [State.ClipNorm, 0],
  ];
  for (const [field, value] of floats) state.setFloat32(field, value, true);
  state.setInt32(State.TotalSteps, 10, true);
  beginPowers(state);
  const losses = [];
  for (let step = 0; step < 10; step++) {
    if (step > 0) {
      state.setFloat64(State.LossSum, 0, true);
      engine.run('train');
    }
    losses.push(state.getFloat64(State.LossSum, true) / BATCH);
    engine.run('update');
  }
  return losses;
}

for (const [name, { size, methods, rate }] of Object.entries(cases)) {
  for (const method of methods) {
    test(`${name}: ${method}`, () => {
      const values = openValues(`${FOLDER}/${name}.safetensors`);
      const folder = modelFolder(name);
      const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
      const classes = values.shape('head.bias')[0]!;
      const { program } = compile({ model: readModel(folder, size), classes, microBatch: BATCH, normalize, keep: 'exact', method });
      assert.is(program.about.method, methodOf(method).name);
      const engine = createEngine(program, engineBytes());
      const file = openWeightsFile(folder);
      loadWeights(engine, file);
      file.close();
      for (const record of program.parameters) {
        const part = headPart(record.name);
        if (part) writeParameter(engine, record, values.get(`head.${part}`));
        else if (values.names.includes(`value/${record.name}`)) writeParameter(engine, record, values.get(`value/${record.name}`));
      }
      engine.bytes(Io.Pictures).set(values.bytes('images'));
      engine.ints(Io.Labels).set(values.get('labels'));
      engine.state.setFloat32(State.LossScale, 1 / BATCH, true);
      engine.run('eval');
      close(engine.floats(Io.Logits), values.get(`${method}/logits`), 1e-5, 'logits');
      engine.state.setFloat64(State.LossSum, 0, true);
      engine.run('train');
      close([engine.state.getFloat64(State.LossSum, true) / BATCH], values.get(`${method}/loss`), 1e-5, 'loss');

      const learnt = new Set<string>();
      for (const record of program.parameters) {
        const got = readParameter(engine, record, record.gradient);
        const part = headPart(record.name);
        const slice = /^((?!lora\.).*)\[(\d+):(\d+)\]$/.exec(record.name);
        const key = slice ? slice[1]! : part ? `head.${part}` : record.name;
        learnt.add(key);
        const whole = values.get(`${method}/${key}`);
        close(got, slice ? whole.subarray(Number(slice[2]), Number(slice[3])) : whole, 1e-4, record.name);
      }
      // Nothing that PyTorch trains is missing here; key biases are listed there and never learn.
      const expected = values.names.filter((n) => n.startsWith(`${method}/`)).map((n) => n.slice(method.length + 1));
      const missing = expected.filter((n) => !['logits', 'loss', 'losses'].includes(n) && !learnt.has(n) && !/key\.bias$/.test(n));
      assert.equal(missing, []);

      // Rounding alone moves PyTorch's own by up to 1e-4 where a ReLU stands on its kink (tools/golden/modules.py).
      const losses = values.get(`${method}/losses`);
      close(tenLosses(engine, rate), losses, 2e-4, 'ten losses');
      // They would not be those of a network that stood still.
      assert.ok(distance(losses.fill(losses[0]!), values.get(`${method}/losses`)) > 2e-3, 'the losses move');
    });
  }
}

test.run();
