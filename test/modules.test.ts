/** The modules: step 0 is the pretrained network to the bit, and by the second step everything that learns has a gradient. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../assembly/abi/head.ts';
import { Io } from '../assembly/abi/program.ts';
import { compile } from '../src/compile.ts';
import { createEngine, loadWeights, readParameter } from '../src/engine.ts';
import { InputError } from '../src/error.ts';
import { readModel } from '../src/models/index.ts';
import { methodOf } from '../src/modules/method.ts';
import { openSafetensors } from '../src/safetensors.ts';
import { engineBytes } from '../src/wasm.ts';
import { goldenCase, goldenValues, modelFolder } from './golden.ts';

const NETWORKS = [
  'vit-hf',
  'deit-timm',
  'vit-timm-avg',
  'mobilenetv2-hf',
  'mobilenetv2-hf-symmetric',
  'resnet-hf',
  'resnet-hf-basic',
  'convnext-hf',
  'swin-hf',
  'swin-timm-pad',
  'mobilenetv3-timm',
];
const METHODS = [
  'bias',
  'prompt:rank=3',
  'side:ratio=4',
  'side:ratio=4,residual=1',
  'bias+prompt:rank=2+side:ratio=4',
  'side:ratio=4,tap=0',
  'prompt:rank=3+last:blocks=1',
  'bias+side:ratio=4+last:blocks=2',
];
const BATCH = 4;

/** Compiles a golden network and lays pictures and labels down. */
function open(name: string, method: string, keep: 'exact' | 's2a', head: 'new' | 'file') {
  const folder = modelFolder(name);
  const values = goldenValues(name);
  const classes = head === 'file' ? values.shape('logits')[1]! : goldenCase(name).classes;
  const { program } = compile({ model: readModel(folder, goldenCase(name).size), classes, microBatch: BATCH, method, keep, head });
  const engine = createEngine(program, engineBytes());
  const file = openSafetensors(folder);
  loadWeights(engine, file, 7);
  file.close();
  engine.bytes(Io.Pictures).set(values.bytes('images'));
  engine.ints(Io.Labels).set(values.get('labels'));
  const { state } = engine;
  state.setFloat32(State.LossScale, 1 / BATCH, true);
  state.setInt32(State.TotalSteps, 10, true);
  state.setFloat32(State.BaseRate, 1e-2, true);
  state.setFloat32(State.FinalFraction, 1, true);
  state.setFloat32(State.Beta1, 0.9, true);
  state.setFloat32(State.Beta2, 0.999, true);
  state.setFloat32(State.Epsilon, 1e-8, true);
  return engine;
}

for (const name of NETWORKS) {
  test(`${name}: step 0 leaves the logits as they are`, () => {
    const plain = open(name, 'probe', 'exact', 'file');
    plain.run('eval');
    const want = plain.floats(Io.Logits).slice();
    for (const method of METHODS) {
      const engine = open(name, method, 's2a', 'file');
      engine.run('eval');
      assert.equal(engine.floats(Io.Logits), want, method);
    }
  });
  for (const keep of ['exact', 's2a'] as const) {
    test(`${name}: everything that learns has a gradient by the second step, ${keep}`, () => {
      for (const method of METHODS) {
        const engine = open(name, method, keep, 'new');
        engine.run('train');
        engine.run('update');
        engine.run('train');
        engine.run('update');
        engine.run('train');
        const still = engine.program.parameters
          .filter((p) => readParameter(engine, p, p.gradient).every((g) => g === 0))
          .map((p) => p.name);
        assert.equal(still, [], method);
      }
    });
  }
}

test('a cut tap runs no backward through the backbone', () => {
  const model = readModel(modelFolder('vit-hf'), goldenCase('vit-hf').size);
  const nodes = compile({ model, classes: 5, microBatch: 1, method: 'side:ratio=4,tap=0' }).graph.phases.train.filter((n) => n.isBackward);
  assert.is(
    nodes.some((n) => /LayerNorm|Attention|ActivationBackward/.test(n.op)),
    false,
  );
});

test('last: no gradient below the last blocks', () => {
  const model = readModel(modelFolder('vit-hf'), goldenCase('vit-hf').size);
  const { graph } = compile({ model, classes: 5, microBatch: 1, method: 'bias+last:blocks=1' });
  const learnt = graph.values.filter((v) => v.role === 'param').map((v) => v.name);
  assert.ok(learnt.length > 2);
  assert.ok(
    learnt.every((n) => /encoder\.layer\.2\.|layernorm\.|classifier/.test(n)),
    learnt.join(' '),
  );
  assert.is(
    graph.phases.train.some((n) => n.isBackward && /layer\.[01]\./.test(n.name)),
    false,
  );
});

test('methods are read strictly and said back whole', () => {
  assert.is(methodOf('side+bias+prompt:rank=4').name, 'bias+prompt:rank=4+side:ratio=8,residual=0,tap=1');
  assert.is(methodOf(methodOf('bias+last:blocks=2').name).name, 'bias+last:blocks=2');
  const refused = (text: string, part: string): void => {
    assert.throws(
      () => methodOf(text),
      (e: unknown) => e instanceof InputError && e.message.includes(part),
    );
  };
  refused('promt', 'did you mean prompt');
  refused('prompt:rnak=3', 'did you mean rank');
  refused('prompt:rank=0', 'from 1 to');
  refused('prompt:rank', 'got nothing');
  refused('full+bias', 'full does not combine with bias');
  refused('last:blocks=2', 'nothing learns');
  refused('bias+bias', 'twice');
});

test('a ratio that does not divide is refused', () => {
  const model = readModel(modelFolder('vit-hf'), goldenCase('vit-hf').size);
  assert.throws(
    () => compile({ model, classes: 5, microBatch: 1, method: 'side:ratio=5' }),
    /the ratio does not divide the channels, got 48 \/ 5/,
  );
});

test.run();
