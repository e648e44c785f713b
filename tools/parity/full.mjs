// One full-size configuration of every family, random weights, 224×224, two pictures: logits within 1e-4, gradients and ten losses within 1e-3
// of PyTorch's, relative to the norm. A gradient that moves by more than 3e-4 in PyTorch itself when nothing does but rounding (full.py) is held to
// three times what it moves by; how many those are is printed. A family that this project does not build is said and passed over.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { distance, python } from './compare.mjs';
import { source } from './source.mjs';

const s2a = await source(
  'parity-full',
  `export { compile } from './src/compile.ts';
export { createEngine, loadWeights, readParameter, writeParameter } from './src/engine.ts';
export { readModel } from './src/models/index.ts';
export { openSafetensors } from './src/safetensors.ts';
export { engineBytes } from './src/wasm.ts';
export { openValues, thinned } from './test/golden.ts';
export { headPart } from './test/goldenengine.ts';
export { State } from './assembly/abi/head.ts';
export { Io } from './assembly/abi/program.ts';`,
);
const [CLASSES, BATCH, STEPS] = [5, 2, 10];
const LIMITS = { logits: 1e-4, gradients: 1e-3, losses: 1e-3 };
/** As in full.py. */
const TRAININGS = {
  bias: { optimizer: 'adamw', rate: 1e-4, decay: 0.01 },
  full: { optimizer: 'sgd', rate: 1e-4, decay: 0, warmup: 3, clip: 1 },
};

export async function full(names, interpreter) {
  const all = python(interpreter, 'full.py', '--names').trim().split(' ');
  let failed = 0;
  for (const name of names.length > 0 ? names : all) {
    const folder = mkdtempSync(join(tmpdir(), 's2a-full-'));
    try {
      python(interpreter, 'full.py', name, folder);
      let model;
      try {
        model = s2a.readModel(folder);
      } catch (error) {
        console.log(`${name}: not built (${error.message.replace(`${folder}/`, '')})`);
        continue;
      }
      const values = s2a.openValues(join(folder, 'golden.safetensors'));
      const errors = { logits: own(model, folder, values), gradients: 0, losses: 0 };
      let worst = '';
      let unsure = 0;
      const missed = [];
      for (const method of ['bias', 'full']) {
        const { engine, headError } = start(model, folder, values, method);
        errors.logits = Math.max(errors.logits, headError);
        const found = gradients(engine, values, method);
        if (found.error > errors.gradients) worst = `${method} ${found.name}`;
        errors.gradients = Math.max(errors.gradients, found.error);
        unsure += found.unsure;
        missed.push(...found.missed);
        errors.losses = Math.max(errors.losses, distance(learn(engine, TRAININGS[method]), values.get(`losses.${method}`)).norm);
      }
      const pass = errors.logits <= LIMITS.logits && errors.losses <= LIMITS.losses && missed.length === 0;
      if (!pass) failed++;
      const text = Object.entries(errors).map(([key, e]) => `${key} ${e.toExponential(1)}`);
      console.log(
        `${pass ? 'PASS' : 'FAIL'}  ${name}: ${text.join(', ')} (largest: ${worst}${unsure > 0 ? `; ${unsure} tensors unsure in PyTorch too` : ''})`,
      );
      for (const name of missed) console.log(`      missed: ${name}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return failed > 0 ? 1 : 0;
}

function engineOf(model, folder, values, options) {
  const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
  const { program } = s2a.compile({ model, microBatch: BATCH, normalize, keep: 'exact', ...options });
  const engine = s2a.createEngine(program, s2a.engineBytes());
  const file = s2a.openSafetensors(folder);
  s2a.loadWeights(engine, file);
  file.close();
  engine.bytes(s2a.Io.Pictures).set(values.bytes('images'));
  engine.ints(s2a.Io.Labels).set(values.get('labels'));
  engine.state.setFloat32(s2a.State.LossScale, 1 / BATCH, true);
  return engine;
}

/** Logits of the checkpoint's own head. */
function own(model, folder, values) {
  const engine = engineOf(model, folder, values, { head: 'file', purpose: 'infer', classes: values.shape('logits')[1] });
  engine.run('eval');
  return distance(engine.floats(s2a.Io.Logits), values.get('logits')).norm;
}

/** The model under the golden new head, after one pass of training. */
function start(model, folder, values, method) {
  const engine = engineOf(model, folder, values, { classes: CLASSES, method, optimizer: TRAININGS[method].optimizer });
  for (const record of engine.program.parameters) {
    const part = s2a.headPart(record.name);
    if (part) s2a.writeParameter(engine, record, values.get(`head.${part}`));
  }
  engine.run('eval');
  return { engine, headError: distance(engine.floats(s2a.Io.Logits), values.get('logits.new')).norm };
}

/** The gradient that differs most, of those that are not zero but for rounding. */
function gradients(engine, values, method) {
  engine.run('train');
  const { parameters } = engine.program;
  const wanted = ({ name }, got) => {
    const part = s2a.headPart(name);
    const slice = /^(.*)\[(\d+):(\d+)\]$/.exec(name);
    const key = `${method}/${part ? `head.${part}` : (slice?.[1] ?? name)}`;
    const want = values.get(key);
    const isThin = values.shape(key).length === 1 && want.length < got.length;
    if (!slice) return isThin ? [s2a.thinned(got), want] : [got, want];
    // A fused tensor that was thinned cannot be cut: its parts are put together first.
    if (values.shape(key).length === 1 && !name.includes('bias')) return undefined;
    const row = want.length / values.shape(key)[0];
    return [got, want.subarray(Number(slice[2]) * row, Number(slice[3]) * row)];
  };
  const norm = (list) => Math.sqrt(list.reduce((n, x) => n + x * x, 0));
  const rows = [];
  const fused = new Map();
  for (const record of parameters) {
    const got = s2a.readParameter(engine, record, record.gradient);
    const pair = wanted(record, got);
    if (pair) rows.push([record.name, ...pair]);
    else {
      const base = record.name.replace(/\[.*/, '');
      fused.set(base, [...(fused.get(base) ?? []), got]);
    }
  }
  for (const [name, parts] of fused) {
    const got = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const part of parts) {
      got.set(part, at);
      at += part.length;
    }
    rows.push([name, s2a.thinned(got), values.get(`${method}/${name}`)]);
  }
  const largest = Math.max(...rows.map(([, , want]) => norm(want)));
  const worst = { name: '', error: 0, unsure: 0, missed: [] };
  for (const [name, got, want] of rows) {
    if (norm(want) <= 1e-6 * largest) continue;
    const { norm: error } = distance(got, want);
    const part = s2a.headPart(name);
    const rounding = values.get(`rounding.${method}/${part ? `head.${part}` : name.replace(/\[.*/, '')}`)[0];
    if (rounding > LIMITS.gradients / 3) worst.unsure++;
    if (!(error <= Math.max(LIMITS.gradients, 3 * rounding))) worst.missed.push(`${method} ${name}`);
    if (error > worst.error) Object.assign(worst, { name, error });
  }
  return worst;
}

/** Ten updates on the same pictures: the loss before each. */
function learn(engine, { rate, decay, warmup = 0, clip = 0, optimizer }) {
  const { state } = engine;
  const { State } = s2a;
  // The pass that gradients were compared on is taken back.
  for (const { gradient, dims } of engine.program.parameters)
    new Float32Array(engine.memory.buffer, gradient, dims[0] * dims[1] * dims[2]).fill(0);
  for (const [field, value] of [
    [State.BaseRate, rate],
    [State.FinalFraction, optimizer === 'adamw' ? 1 : 0],
    [State.Beta1, 0.9],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, decay],
    [State.ClipNorm, clip],
  ])
    state.setFloat32(field, value, true);
  state.setInt32(State.TotalSteps, STEPS, true);
  state.setInt32(State.WarmupSteps, warmup, true);
  return Array.from({ length: STEPS }, () => {
    state.setFloat64(State.LossSum, 0, true);
    engine.run('train');
    const loss = state.getFloat64(State.LossSum, true) / BATCH;
    engine.run('update');
    return loss;
  });
}
