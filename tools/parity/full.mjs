// One full-size configuration of every family with random weights, 224×224, one or two pictures, held against PyTorch: logits within 1e-4, the gradient of
// every trainable tensor and ten losses within 1e-3, relative to the norm. Networks with kinks (ReLU and its like, kinks.py) are drawn twice:
//   clear  units stand clear of the kinks: the same bounds, against PyTorch in f32.
//   plain  every layer has units on either side, some within rounding of a kink. There PyTorch in f32 misses its own f64 by more than 1e-3, so the
//          bounds are held against PyTorch in f64 with every unit on the side that it has here; how many units that moves, and that those stood
//          within rounding of their kink, is checked too. The distances of both f32 programs from plain f64 are printed beside.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { distance, python } from './compare.mjs';
import { sidesOf } from './sides.mjs';
import { source } from './source.mjs';

const s2a = await source(
  'parity-full',
  `export { compile } from './src/compile.ts';
export { createEngine, loadWeights, readParameter, writeParameter } from './src/engine/engine.ts';
export { readModel } from './src/import/index.ts';
export { writeSafetensors } from './src/formats/safetensors.ts';
export { openWeightsFile } from './src/formats/weightsfolder.ts';
export { engineBytes } from './src/engine/wasm.ts';
export { openValues } from './test/support/golden.ts';
export { headPart } from './test/support/goldenengine.ts';
export { State } from './assembly/abi/head.ts';
export { Instruction, Op } from './assembly/abi/ops.ts';
export { Kind } from './assembly/generated/kinds.ts';
export { ActivationArg } from './assembly/abi/ops/elementwise.ts';
export { MaxPoolArg } from './assembly/abi/ops/spatial.ts';
export { Io } from './assembly/abi/program.ts';`,
);
const [CLASSES, STEPS] = [5, 10];
export const LIMITS = { logits: 1e-4, gradients: 1e-3, losses: 1e-3, kink: 1e-4 };
/** Records of finished models: what page.mjs reads. */
export const RECORDS = 'build/parity';

export const listed = (interpreter) => JSON.parse(python(interpreter, 'full.py', '--names'));

export async function full(names, interpreter) {
  const { cases, methods, versions } = listed(interpreter);
  const unknown = names.filter((name) => !cases[name]);
  if (unknown.length > 0) throw new Error(`--full: no model ${unknown.join(', ')}; there are ${Object.keys(cases).join(', ')}`);
  let failed = 0;
  for (const name of names.length > 0 ? names : Object.keys(cases))
    for (const weights of cases[name]) {
      const found = { name, weights, versions, kinked: cases[name].length > 1, ...measure(name, weights, methods, interpreter) };
      const record = { ...found, missed: missed(found) };
      if (record.missed.length > 0) failed++;
      mkdirSync(RECORDS, { recursive: true });
      writeFileSync(join(RECORDS, `${name}-${weights}.json`), `${JSON.stringify(record, null, 1)}\n`);
      say(record);
    }
  return failed > 0 ? 1 : 0;
}

/** What a record misses, in words; none: it passes. */
function missed({ logits, methods, kinked, weights }) {
  const words = logits <= LIMITS.logits ? [] : [`logits ${logits}`];
  for (const [method, m] of Object.entries(methods)) {
    const judged = kinked && weights === 'plain' ? m.sided : m.pytorch;
    for (const [tensor, error] of Object.entries(judged)) if (!(error <= LIMITS.gradients)) words.push(`${method} ${tensor} ${error}`);
    if (Object.keys(judged).length === 0) words.push(`${method}: no gradient was compared`);
    if (m.losses !== undefined && !(m.losses <= LIMITS.losses)) words.push(`${method} losses ${m.losses}`);
    if (m.moved && !(m.moved.farthest <= LIMITS.kink))
      words.push(`${method}: a unit ${m.moved.farthest} from its kink stands on the other side`);
  }
  return words;
}

/** The worst of a record of errors: [name, error]. */
export const worst = (errors) => Object.entries(errors).reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);

function say({ name, weights, logits, methods, missed }) {
  const e = (x) => x.toExponential(1);
  console.log(`${missed.length === 0 ? 'PASS' : 'FAIL'}  ${name}, ${weights}: logits ${e(logits)}`);
  for (const [method, m] of Object.entries(methods)) {
    const [tensor, error] = worst(m.pytorch);
    console.log(
      `      ${method}: ${Object.keys(m.pytorch).length} tensors (${m.zero} more are zero), largest ${e(error)} (${tensor})${m.losses === undefined ? '' : `, losses ${e(m.losses)}`}`,
    );
    const whole = `from f64, as one vector: ${e(m.whole.ours)}, PyTorch's f32 ${e(m.whole.pytorch)}`;
    console.log(`        ${whole}; worst tensor ${e(worst(m.exact)[1])}, PyTorch's f32 ${e(worst(m.single)[1])}`);
    if (!m.moved) continue;
    const { ours, pytorch, units, below, above, farthest } = m.moved;
    console.log(
      `        ${units} units, ${below} below and ${above} above their kinks; on another side than f64's: ${ours} (at most ${e(farthest)} from the kink), PyTorch's f32 ${pytorch}`,
    );
    console.log(`        from f64 on the same sides: ${e(worst(m.sided)[1])} (${worst(m.sided)[0]})`);
  }
  for (const text of missed) console.log(`      missed: ${text}`);
}

function measure(name, weights, methods, interpreter) {
  const folder = mkdtempSync(join(tmpdir(), 's2a-full-'));
  try {
    python(interpreter, 'full.py', name, weights, folder);
    const model = s2a.readModel(folder);
    const values = s2a.openValues(join(folder, 'golden.safetensors'));
    const found = { logits: own(model, folder, values), methods: {} };
    const gradients = new Map();
    const sides = [];
    for (const [method, training] of Object.entries(methods)) {
      const engine = start(model, folder, values, method, training?.[0] ?? 'adamw');
      const seen = sidesOf(engine, s2a, pictures(values));
      found.logits = Math.max(found.logits, distance(engine.floats(s2a.Io.Logits), values.get(`logits.${method}`)).norm);
      sides.push(...seen.map(({ shape, data }, i) => ({ name: `${method}.${i}`, dtype: 'U8', shape, data })));
      engine.state.setFloat64(s2a.State.LossSum, 0, true);
      engine.run('train');
      gradients.set(method, read(engine));
      found.methods[method] = compare(gradients.get(method), values, method);
      if (training)
        found.methods[method].losses = distance(learn(engine, ...training, pictures(values)), values.get(`losses.${method}`)).norm;
    }
    if (sides.length > 0) {
      s2a.writeSafetensors(join(folder, 'sides.safetensors'), sides);
      python(interpreter, 'full.py', '--sides', name, weights, folder);
      const sided = s2a.openValues(join(folder, 'sided.safetensors'));
      for (const [method, m] of Object.entries(found.methods)) {
        m.sided = {};
        for (const { name, key, got, range } of gradients.get(method))
          if (name in m.pytorch) m.sided[name] = distance(got, part(sided, `${method}/${key}`, range)).norm;
        const [ours, farthest, pytorch, units, below, above] = sided.get(`moved.${method}`);
        m.moved = { ours, farthest, pytorch, units, below, above };
      }
    }
    return found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const pictures = (values) => values.shape('labels')[0];

function engineOf(model, folder, values, options) {
  const normalize = { scale: 1 / 255, mean: [...values.get('mean')], std: [...values.get('std')] };
  const { program } = s2a.compile({ model, microBatch: pictures(values), normalize, keep: 'exact', ...options });
  const engine = s2a.createEngine(program, s2a.engineBytes());
  const file = s2a.openWeightsFile(folder);
  s2a.loadWeights(engine, file);
  file.close();
  engine.bytes(s2a.Io.Pictures).set(values.bytes('images'));
  engine.ints(s2a.Io.Labels).set(values.get('labels'));
  engine.state.setFloat32(s2a.State.LossScale, 1 / pictures(values), true);
  return engine;
}

/** Logits of the checkpoint's own head. */
function own(model, folder, values) {
  const engine = engineOf(model, folder, values, { head: 'file', purpose: 'infer', classes: values.shape('logits')[1] });
  engine.run('eval');
  return distance(engine.floats(s2a.Io.Logits), values.get('logits')).norm;
}

/** The model under the golden new head and modules, before its first step. */
function start(model, folder, values, method, optimizer) {
  const engine = engineOf(model, folder, values, { classes: CLASSES, method, optimizer });
  for (const record of engine.program.parameters) {
    const part = s2a.headPart(record.name);
    const key = part ? `head.${part}` : `value/${record.name}`;
    if (values.names.includes(key)) s2a.writeParameter(engine, record, values.get(key));
  }
  return engine;
}

/** Gradients by tensor: its name here, the name that PyTorch has for it, and which of its rows it is where q, k and v are one tensor there. */
function read(engine) {
  return engine.program.parameters.map((record) => {
    const part = s2a.headPart(record.name);
    const slice = /^(.*)\[(\d+):(\d+)\]$/.exec(record.name);
    return {
      name: record.name,
      key: part ? `head.${part}` : (slice?.[1] ?? record.name),
      range: slice ? [Number(slice[2]), Number(slice[3])] : undefined,
      got: s2a.readParameter(engine, record, record.gradient),
    };
  });
}

/** The rows `range` of a tensor, or all of it. */
function part(values, key, range) {
  const whole = values.get(key);
  const row = whole.length / values.shape(key)[0];
  return range ? whole.subarray(range[0] * row, range[1] * row) : whole;
}

const norm = (list) => Math.sqrt(list.reduce((n, x) => n + x * x, 0));

/** Errors by tensor, of those whose gradient in f64 is not zero: from PyTorch's f32 and from its f64, and that of its f32 from its f64. */
function compare(gradients, values, method) {
  const rows = gradients.map(({ name, key, range, got }) => {
    const [single, exact] = [part(values, `${method}/${key}`, range), part(values, `exact.${method}/${key}`, range)];
    return { name, got, single, exact, size: norm(exact) };
  });
  // Every tensor that PyTorch trains is here, but for key biases: their gradient is zero.
  const here = new Set(gradients.map(({ key }) => key));
  for (const key of values.names.filter((n) => n.startsWith(`${method}/`)).map((n) => n.slice(method.length + 1)))
    if (!here.has(key) && !/key\.bias$/.test(key)) throw new Error(`${method}: ${key} does not learn here`);
  const largest = Math.max(...rows.map(({ size }) => size));
  const found = { pytorch: {}, exact: {}, single: {}, zero: 0, whole: { ours: 0, pytorch: 0 } };
  let all = 0;
  for (const { name, got, single, exact, size } of rows) {
    if (size <= 1e-9 * largest) {
      found.zero++;
      continue;
    }
    found.pytorch[name] = distance(got, single).norm;
    found.exact[name] = distance(got, exact).norm;
    found.single[name] = distance(single, exact).norm;
    all += size ** 2;
    found.whole.ours += (found.exact[name] * size) ** 2;
    found.whole.pytorch += (found.single[name] * size) ** 2;
  }
  for (const key of ['ours', 'pytorch']) found.whole[key] = Math.sqrt(found.whole[key] / all);
  return found;
}

/** Ten updates on the same pictures: the loss before each; the first gradients are there. SGD warms up, decays by a cosine and is clipped, as in tools/golden/make.py. */
function learn(engine, optimizer, rate, batch) {
  const { state } = engine;
  const { State } = s2a;
  const adam = optimizer === 'adamw';
  for (const [field, value] of [
    [State.BaseRate, rate],
    [State.FinalFraction, adam ? 1 : 0],
    [State.Beta1, 0.9],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, adam ? 0.01 : 0],
    [State.ClipNorm, adam ? 0 : 1],
  ])
    state.setFloat32(field, value, true);
  state.setInt32(State.TotalSteps, STEPS, true);
  for (const power of [State.Beta1Power, State.Beta2Power]) state.setFloat64(power, 1, true);
  state.setInt32(State.WarmupSteps, adam ? 0 : 3, true);
  return Array.from({ length: STEPS }, (_, step) => {
    if (step > 0) {
      state.setFloat64(State.LossSum, 0, true);
      engine.run('train');
    }
    const loss = state.getFloat64(State.LossSum, true) / batch;
    engine.run('update');
    return loss;
  });
}
