/**
 * Whole networks over weights in 12, 8 and 4 bits: what is coded and what is not, close to the file, and near the network of the decoded weights, whose
 * products are sums in f32 (test/system/products.test.ts: how near where networks are trained); the same bits under every policy.
 */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { Encoding } from '../../assembly/abi/weights.ts';
import { encodingFor } from '../../src/base/precision.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, loadWeights, readParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { numel, type Value } from '../../src/graph/graph.ts';
import { readModel } from '../../src/import/index.ts';
import { decodeWeight } from '../oracle/weights.ts';
import { distance } from '../support/close.ts';
import { builtCases, goldenCase, goldenValues, modelFolder } from '../support/golden.ts';

const BATCH = 4;
/** How far from the file's weights an encoding may be, by encoding; relative to their norm. */
const BOUNDS = [0, 0.012, 0.13, 0.0008];

function open(name: string, weights: 'f32' | 'int8' | 'int4', { method = 'bias', keep = 's2a' as 's2a' | 'exact' } = {}) {
  const folder = modelFolder(name);
  const values = goldenValues(name);
  const model = readModel(folder, goldenCase(name).size);
  const compiled = compile({ model, classes: values.shape('logits')[1]!, microBatch: BATCH, head: 'file', method, keep, weights });
  const engine = createEngine(compiled.program, engineBytes());
  const file = openWeightsFile(folder);
  loadWeights(engine, file);
  file.close();
  engine.bytes(Io.Pictures).set(values.bytes('images'));
  engine.ints(Io.Labels).set(values.get('labels').map((label) => label % values.shape('logits')[1]!));
  engine.state.setFloat32(State.LossScale, 1 / BATCH, true);
  return { ...compiled, engine };
}
type Opened = ReturnType<typeof open>;

/** A frozen value in f32. */
function decoded({ engine, plan }: Opened, { id, type, bytes }: Value): Float32Array {
  const at = plan.offsets[id]!;
  const { encoding = Encoding.F32, shape } = type;
  if (encoding === Encoding.F32) return new Float32Array(engine.memory.buffer, at, numel(shape));
  const o = shape[0]!;
  return decodeWeight(encoding, o, numel(shape) / o, new Uint8Array(engine.memory.buffer, at, bytes));
}

/** All that a step gives; gradients one behind the other. */
function step({ engine }: Opened) {
  engine.run('eval');
  const [logits, evalLosses] = [engine.floats(Io.Logits).slice(), engine.floats(Io.EvalLosses).slice()];
  engine.run('train');
  const losses = engine.floats(Io.Losses).slice();
  assert.ok(isSame(losses, evalLosses), 'training sees what evaluation sees');
  const gradients = Float32Array.from(engine.program.parameters.flatMap((r) => [...readParameter(engine, r, r.gradient)]));
  return { logits, losses, gradients };
}

const isSame = (a: Float32Array, b: Float32Array): boolean => Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;

/**
 * How far logits and gradients may lie apart, relative to their norm. Networks of random weights: their ReLUs bend and their norms divide where those of
 * a trained one seldom do. Most gradients lie within 0.001, those behind ReLU6 at up to 0.17.
 */
const APART = { logits: 0.003, gradients: 0.2 };
/** The two with the longest way from picture to logits, whose every layer rounds what it reads: 0.0037 and 0.204, 0.0032 and 0.043. */
const FURTHER: Readonly<Record<string, Partial<typeof APART>>> = {
  'inception-torchvision, int4': { logits: 0.004, gradients: 0.21 },
  'mobilenetv4-timm-hybrid, int4': { logits: 0.0035 },
};
/** Their filters are made of several, or standardised, once they are there: they stay f32. */
const MERGED = ['repvgg-timm', 'mobileone-timm', 'bit-timm'];
/** Some of theirs are. */
const PARTLY = ['fastvit-timm', 'fastvit-timm-attention'];

for (const name of builtCases.filter((one) => !MERGED.includes(one)))
  for (const weights of ['int8', 'int4'] as const)
    test(`${name}, ${weights}: near the network of the decoded weights, which are near the file's`, () => {
      const coded = open(name, weights);
      const plain = open(name, 'f32');
      const share = PARTLY.includes(name) ? 0.75 : 0.65;
      assert.ok(
        coded.plan.parts.frozen < share * plain.plan.parts.frozen,
        `${coded.plan.parts.frozen} of ${plain.plan.parts.frozen} bytes`,
      );
      for (const value of coded.graph.values.filter((v) => v.role === 'frozen')) {
        const target = decoded(plain, plain.graph.values[value.id]!);
        const source = decoded(coded, value);
        const bound = BOUNDS[value.type.encoding ?? Encoding.F32]!;
        const d = distance(source, target);
        assert.ok(d <= bound, `${value.name} is ${d} from the file, expected at most ${bound}`);
        target.set(source);
      }
      const [got, want] = [step(coded), step(plain)];
      const [apart, turned] = [distance(got.logits, want.logits), distance(got.gradients, want.gradients)];
      const most = { ...APART, ...FURTHER[`${name}, ${weights}`] };
      assert.ok(apart > 0 && apart <= most.logits, `logits are ${apart} apart`);
      assert.ok(turned <= most.gradients, `gradients are ${turned} apart`);
      if (weights === 'int4') return;
      const { logits, losses } = step(open(name, weights, { keep: 'exact' }));
      assert.ok(isSame(got.logits, logits) && isSame(got.losses, losses), 'under both policies');
    });

test('norms, biases, head, embeddings, relative positions, depthwise filters and what reads the picture stay f32; so does what learns', () => {
  for (const name of builtCases) {
    const { graph } = open(name, 'int4', { method: 'bias' });
    // The first layer of four axes is the one that reads the picture.
    const first = graph.values.find(({ source }) => source?.shape.length === 4)?.source?.tensor;
    const standardised = new Set(graph.phases.init.filter(({ op }) => op === 'Standardise').flatMap(({ updates }) => updates));
    for (const { id, name: weight, kind, role, type, source } of graph.values) {
      if (source === undefined || role === 'temp') continue;
      const reads = source.shape.length === 4 && source.tensor === first;
      const isDepthwise = type.shape.length === 3;
      const isTable = /relative_position|attention_biases/.test(weight);
      const plain = kind !== 'weight' || reads || role === 'param' || isTable || isDepthwise || standardised.has(id);
      // Convolutions, 1×1 too, have four axes in the checkpoint; most of these are small.
      const coded = source.shape.length === 4 && numel(source.shape) < 512 * 1024 ? Encoding.Int8 : Encoding.Int4;
      assert.is(type.encoding ?? Encoding.F32, plain ? Encoding.F32 : coded, `${name}: ${weight}`);
    }
  }
  const full = open('vit-hf', 'int8', { method: 'full' });
  assert.equal(
    full.graph.values.filter((v) => v.type.encoding),
    [],
  );
  const lora = open('vit-hf', 'int8', { method: 'lora:rank=2+last:blocks=1' });
  assert.ok(lora.graph.values.some((v) => v.type.encoding));
  assert.ok(lora.graph.values.every((v) => !v.name.startsWith('lora.') || v.type.encoding === undefined));
});

test('filters that are merged stay f32', () => {
  for (const name of MERGED) assert.is(open(name, 'int8').plan.parts.frozen, open(name, 'f32').plan.parts.frozen, name);
});

test('small convolutions take four bits more than linear layers and large ones', () => {
  const [F32, Int8, Int4, Int12] = [Encoding.F32, Encoding.Int8, Encoding.Int4, Encoding.Int12];
  const cases = [
    ['linear', 64, 64, Int8, Int4],
    ['convolution', 512, 1023, Int12, Int8],
    ['convolution', 512, 1024, Int8, Int4],
    ['convolution', 4, 16384, Int12, Int8],
    ['convolution', 4, 16385, F32, F32],
    ['linear', 4, 16385, F32, F32],
  ] as const;
  for (const [layer, o, k, int8, int4] of cases) {
    assert.is(encodingFor('f32', layer, o, k), F32);
    assert.is(encodingFor('int8', layer, o, k), int8, `${layer} ${o}×${k}`);
    assert.is(encodingFor('int4', layer, o, k), int4, `${layer} ${o}×${k}`);
  }
});

test.run();
