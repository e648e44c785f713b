/** Relative learning rates: what the engine measures is what f64 finds in the arena, whatever the tiles and threads; every family has a rule. */

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Rule } from '../../assembly/abi/ops/rate.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { Io } from '../../assembly/abi/program.ts';
import { InputError } from '../../src/base/error.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, type Engine, loadWeights } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { type Node, numel, shapeOf } from '../../src/graph/graph.ts';
import { readModel } from '../../src/import/index.ts';
import { RATE_GROUPS, type RateWish, RELATIVE_RATES, readRate } from '../../src/passes/rates.ts';
import { trainJob } from '../../src/training/job.ts';
import { measuredRates, measureRates, ratesText } from '../../src/training/measure.ts';
import { startRun, TRAIN_DEFAULTS } from '../../src/training/train.ts';
import { close } from '../support/close.ts';
import { newFolder } from '../support/folder.ts';
import { builtCases, goldenCase, goldenValues, modelFolder } from '../support/golden.ts';
import { pictureFolder } from '../support/pictures.ts';

const wasm = readFileSync('build/engine.wasm');
const PICTURES = 4;

const compiledOf = (name: string, method: string, more: object = {}) =>
  compile({
    model: readModel(modelFolder(name), goldenCase(name).size),
    classes: 5,
    microBatch: PICTURES,
    method,
    rates: 'relative',
    ...more,
  });

function open(name: string, compiled: ReturnType<typeof compiledOf>): Engine {
  const engine = createEngine(compiled.program, wasm);
  const file = openWeightsFile(modelFolder(name));
  loadWeights(engine, file);
  file.close();
  startRun(engine, { ...TRAIN_DEFAULTS, epochs: 1, batchSize: PICTURES, rate: 1 }, PICTURES);
  return engine;
}

/** The golden case's pictures, over and over. */
function samplesOf(name: string) {
  const values = goldenValues(name);
  const [pictures, labels] = [values.bytes('images'), values.get('labels')];
  const size = pictures.length / PICTURES;
  return {
    count: PICTURES,
    label: (i: number) => labels[i]!,
    readInto: (i: number, target: Uint8Array) => target.set(pictures.subarray(i * size, (i + 1) * size)),
  };
}

/** Every set of rates, by parameter, where the plan has put them. */
function ratesIn(engine: Engine, { graph, plan }: ReturnType<typeof compiledOf>): Map<string, Float32Array> {
  return new Map(
    graph.phases.rates.map(({ name, updates, attributes }) => [
      name,
      new Float32Array(engine.memory.buffer, plan.offsets[updates[0]!], attributes.n!).slice(),
    ]),
  );
}

/** Standard deviation of each column. */
function deviations(x: Float32Array, n: number): number[] {
  const [means, squares] = [new Float64Array(n), new Float64Array(n)];
  const rows = x.length / n;
  for (const [i, v] of x.entries()) means[i % n]! += v / rows;
  for (const [i, v] of x.entries()) squares[i % n]! += (v - means[i % n]!) ** 2 / rows;
  return [...squares].map(Math.sqrt);
}

/** Output 0 of every node of the evaluation phase right after it ran, by the value's id. */
function outputsOf(engine: Engine, { graph, plan }: ReturnType<typeof compiledOf>): Map<number, Float32Array> {
  const words = new Int32Array(engine.memory.buffer);
  const { start, end } = engine.program.entries.eval;
  const seen = new Map<number, Float32Array>();
  let at = start;
  for (const { outputs } of graph.phases.eval as Node[]) {
    const next = at + 4 * words[at / 4 + Instruction.Words]!;
    engine.walk(at, next);
    at = next;
    const y = outputs[0];
    if (y !== undefined) seen.set(y, new Float32Array(engine.memory.buffer, plan.offsets[y], numel(shapeOf(graph, y))).slice());
  }
  assert.is(at, end);
  return seen;
}

for (const [name, method] of [
  ['vit-hf', 'bias+prompt:rank=2+side:ratio=4'],
  ['mobilenetv2-hf', 'full'],
  ['resnet50gn-timm', 'lora:all=1,rank=2'],
] as const)
  test(`${name}, ${method}: rates are what f64 makes of the layers' outputs`, async () => {
    const compiled = compiledOf(name, method, { tiles: { rows: 0, pictures: false } });
    const engine = open(name, compiled);
    const { graph, plan } = compiled;
    const samples = samplesOf(name);
    // One pass by hand over the same four pictures, in their first order: more passes show the same again.
    const pictures = engine.bytes(Io.Pictures);
    const size = pictures.length / PICTURES;
    for (let row = 0; row < PICTURES; row++)
      samples.readInto(engine.sampleAt(row, PICTURES, 0, 0), pictures.subarray(row * size, (row + 1) * size));
    engine.ints(Io.Labels).fill(0);
    const outputs = outputsOf(engine, compiled);
    await measureRates(engine, samples, 0);
    const observed = new Map(
      graph.phases.eval
        .filter(({ op }) => op === 'Observe')
        .map(({ name: what, inputs }) => [
          what,
          outputs.get(inputs[0]!) ?? new Float32Array(engine.memory.buffer, plan.offsets[inputs[0]!], numel(shapeOf(graph, inputs[0]!))),
        ]),
    );
    const found = ratesIn(engine, compiled);
    assert.is(found.size, engine.program.parameters.length, 'everything that learns has rates');
    let [added, products] = [0, 0];
    for (const { name: node, attributes } of graph.phases.rates) {
      const { n, rule, rate, spread, features, inputRows } = attributes as Record<string, number>;
      const param = node.slice(0, -'.rates'.length);
      const y = observed.get(`${param}.output`);
      const x = observed.get(`${param}.input`);
      const spreads = y ? deviations(y, n!) : [1];
      const least = Math.sqrt((1e-6 * spreads.reduce((sum, v) => sum + v * v, 0)) / n!);
      const squares = (list: readonly number[]): number => list.reduce((sum, v) => sum + v * v, 0);
      const logit = rule === Rule.Logit ? Math.sqrt(features! * squares(deviations(x!, features!))) : 0;
      const norm = logit || (x ? Math.sqrt((spread! * x.reduce((sum, v) => sum + v * v, 0)) / inputRows!) || 1 : 1);
      const want = spreads.map((v) => (rate! * (spreads.every((s) => s === 0) ? 1e-3 : Math.max(v, least))) / norm);
      close(found.get(node)!, want, 2e-4, param);
      if (rule === Rule.Added) added++;
      if (rule === Rule.Product) products++;
    }
    assert.ok(added > 3 || products > 3);
    const zero = new Float32Array(engine.memory.buffer, engine.program.parameters[0]!.gradient, 1);
    assert.is(zero[0], 0, 'gradients begin at zero');
    const ranges = measuredRates(engine)!;
    for (const [group, [lowest, highest]] of Object.entries(ranges)) {
      assert.ok(RATE_GROUPS.includes(group as never) && lowest > 0 && lowest <= highest, `${group} ${lowest} ${highest}`);
      assert.match(ratesText(ranges), /head [\d.e-]+/);
    }
  });

test('tiles, the size of a pass and of a piece change no byte of them', async () => {
  for (const [name, method] of [
    ['vit-hf', 'bias'],
    ['mobilenetv2-hf', 'full'],
  ] as const) {
    const of = async (more: object): Promise<Map<string, Float32Array>> => {
      const compiled = compiledOf(name, method, more);
      const engine = open(name, compiled);
      await measureRates(engine, samplesOf(name), 0);
      return ratesIn(engine, compiled);
    };
    const whole = await of({ tiles: { rows: 0, pictures: false } });
    assert.equal(await of({ tiles: { rows: 4, pictures: true } }), whole);
    assert.equal(await of({ microBatch: 2 }), whole);
    assert.equal(await of({ microBatch: 1 }), whole);
  }
});

test('every family and method has a rule for all that learns', () => {
  for (const name of builtCases)
    for (const method of ['full', 'bias+prompt:rank=2+side:ratio=4', 'lora:all=1,rank=2', 'probe']) {
      const compile = () => compiledOf(name, method);
      try {
        const { graph } = compile();
        assert.is(graph.phases.rates.length, new Set(graph.phases.rates.map((node) => node.name)).size);
      } catch (error) {
        // What the network cannot take of a method is another matter.
        if (!(error instanceof InputError)) throw error;
      }
    }
});

test('what --lr may say', () => {
  assert.equal(readRate(undefined), { rate: 1, rates: 'relative' });
  assert.equal(readRate('0.5x'), { rate: 0.5, rates: 'relative' });
  assert.equal(readRate('2e-1x'), { rate: 0.2, rates: 'relative' });
  assert.equal(readRate(1e-3), { rate: 1e-3, rates: 'absolute' });
  for (const wrong of ['x', '-1x', '1e-3', 'fast', '1xx', Number.NaN, -1, Number.POSITIVE_INFINITY])
    assert.throws(() => readRate(wrong as RateWish), /--lr: is no learning rate, got .*, expected a number above 0/);
});

test('the parts of a default are fractions', () => {
  for (const rate of Object.values(RELATIVE_RATES.adamw)) assert.ok(rate > 0 && rate < 1);
});

test('a run with one rate measures none; one without tells what it measured', async () => {
  const data = pictureFolder({ train: 3, val: 2 });
  const job = { model: modelFolder('vit-timm-gap'), data, epochs: 1, batchSize: 2 };
  const result = await trainJob({ ...job, out: newFolder(), rate: 1e-3 });
  assert.is(result.rates, undefined);
  const relative = await trainJob({ ...job, out: newFolder() });
  assert.is(relative.rate, 1);
  assert.ok(relative.rates!.bias![1] > 0 && relative.rates!.head![0] > 0);
});

test.run();
