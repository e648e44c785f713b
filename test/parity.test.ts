/** Every golden case against PyTorch: logits, gradients, ten losses, under policy `exact`. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import { State } from '../assembly/abi/head.ts';
import { Io } from '../assembly/abi/program.ts';
import { type CompileOptions, compile } from '../src/compile.ts';
import { createEngine, type Engine, loadWeights, readParameter, writeParameter } from '../src/engine.ts';
import { readModel } from '../src/models/index.ts';
import { openSafetensors } from '../src/safetensors.ts';
import { close } from './close.ts';
import { agrees, cases, goldenCase, goldenValues, modelFolder, type Values } from './golden.ts';

const wasm = readFileSync('build/engine.wasm');
const BATCH = 4;

function open(name: string, values: Values, options: Partial<CompileOptions>, size?: number): Engine {
  const folder = modelFolder(name);
  const model = readModel(folder, size ? [size, size] : goldenCase(name).size);
  const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
  const { program } = compile({ model, classes: goldenCase(name).classes, microBatch: BATCH, normalize, keep: 'exact', ...options });
  const engine = createEngine(program, wasm);
  const file = openSafetensors(folder);
  loadWeights(engine, file);
  file.close();
  engine.bytes(Io.Pictures).set(values.images);
  engine.ints(Io.Labels).set(values.get('labels'));
  engine.state.setFloat32(State.LossScale, 1 / BATCH, true);
  if (options.head !== 'file')
    for (const part of ['weight', 'bias'])
      for (const record of engine.program.parameters)
        if (record.name.endsWith(`.${part}`) && /^(classifier|cls_classifier|head)\./.test(record.name))
          writeParameter(engine, record, values.get(`head.${part}`));
  return engine;
}

for (const name of cases) {
  test(`${name}: logits of the checkpoint's head`, () => {
    const values = goldenValues(name);
    const classes = values.shape('logits')[1]!;
    const engine = open(name, values, { head: 'file', purpose: 'infer', classes });
    engine.run('eval');
    close(engine.floats(Io.Logits), values.get('logits'), 1e-5, 'logits');
  });
  for (const method of ['bias', 'probe', 'full'] as const) {
    test(`${name}: gradients of ${method}`, () => {
      const values = goldenValues(name);
      const engine = open(name, values, { method });
      engine.run('eval');
      close(engine.floats(Io.Logits), values.get('logits.new'), 1e-5, 'logits');
      engine.run('train');
      for (const record of engine.program.parameters) {
        const head = /^(?:classifier|cls_classifier|head)\.(weight|bias)$/.exec(record.name);
        const slice = /^(.*)\[(\d+):(\d+)\]$/.exec(record.name);
        const got = readParameter(engine, record, record.gradient);
        if (slice) {
          const whole = values.get(`${method}/${slice[1]}`);
          const row = whole.length / values.shape(`${method}/${slice[1]}`)[0]!;
          close(got, whole.subarray(Number(slice[2]) * row, Number(slice[3]) * row), 1e-4, record.name);
        } else agrees(got, values, head ? `${method}/head.${head[1]}` : `${method}/${record.name}`, 1e-4);
      }
    });
  }
}

test.run();
