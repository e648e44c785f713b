/** The modules: step 0 is the pretrained network to the bit, and by the second step everything that learns has a gradient. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { InputError } from '../../src/base/error.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, loadWeights, readParameter } from '../../src/engine/engine.ts';
import { engineBytes } from '../../src/engine/wasm.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { readModel } from '../../src/import/index.ts';
import { methodOf } from '../../src/network/method.ts';
import { goldenCase, goldenValues, modelFolder } from '../support/golden.ts';
import { beginPowers } from '../support/powers.ts';

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
  'mobilenetv4-timm',
  'efficientnet-timm',
  'clip-hf',
  'siglip-hf',
  'ijepa-hf',
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
  const file = openWeightsFile(folder);
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
  beginPowers(state);
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
  assert.is(methodOf('depth:blocks=9+last:blocks=2+full').name, 'full+last:blocks=2+depth:blocks=9');
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
  refused('last:blocks=2+depth:blocks=3', 'nothing learns');
  refused('bias+bias', 'twice');
  refused('prompt:rank=8,rank=9', 'prompt:rank is there twice');
  for (const option of ['prompt:rank', 'lora:rank', 'lora:alpha', 'side:ratio', 'last:blocks', 'depth:blocks'])
    for (const wrong of ['0', '-1', '1.5', '1e2', '70000', 'x', ''])
      refused(`bias+${option}=${wrong}`, `wrong ${option}, got ${wrong || 'nothing'}, expected a whole number from 1 to`);
  refused('lora:target=query', 'unknown option of lora, got target, expected rank, alpha, all, targets; did you mean targets?');
  refused('lora:targets=', 'wrong lora:targets, got nothing, expected names joined by /, as query/value');
  refused('lora:all=1,targets=query', 'lora:all=1 takes every layer, and lora:targets some');
});

/** What a network cannot take: golden case, method, the sentence. */
const UNFIT: readonly (readonly [string, string, RegExp])[] = [
  ['vit-hf', 'side:ratio=5', /^--method side: the ratio does not divide the 48 channels of block 0, got 5, expected one of 1, 2, 3, 4, 6$/],
  ['swin-hf-pad', 'bias+side:ratio=5', /does not divide the 12 channels of block 0, got 5, expected one of 1$/],
  ['convnext-timm', 'side:ratio=2', /does not divide the 12 channels of block 1, got 2, expected one of 1$/],
  [
    'vit-hf',
    'prompt:rank=18',
    /^--method prompt: the rank is above what any layer can hold, got 18, expected a whole number from 1 to 17$/,
  ],
  ['mobilenetv3-timm', 'prompt:rank=400', /^--method prompt: the rank.*from 1 to \d+$/],
  ['resnet-hf', 'prompt:rank=26', /^--method prompt: the rank.*from 1 to 25$/],
  ['vit-hf', 'bias+lora:rank=49', /^--method lora: the rank is above.*got 49, expected a whole number from 1 to 48$/],
  ['vit-hf', 'lora:rank=49,all=1', /from 1 to 48$/],
  ['swin-timm', 'lora:rank=33', /from 1 to 32$/],
  ['convnext-hf', 'lora', /^--method lora: no layer that learns is a query or a value.*; lora:all=1 may have one$/],
  ['mobilenetv2-hf', 'bias+lora', /no layer that learns/],
  ['mobilenetv3-timm', 'lora', /no layer that learns/],
  ['resnet-hf', 'lora', /no layer that learns/],
  ['resnet-hf-basic', 'lora:all=1', /no layer that learns/],
  [
    'vit-hf',
    'lora:targets=query/dens',
    /^--method lora:targets: no layer that learns is called so, got dens, expected dense, key, query, value$/,
  ],
  ['vit-hf', 'bias+last:blocks=4', /^--last: the network has fewer blocks, got 4, expected a whole number from 1 to 3$/],
  ['swin-hf', 'lora+last:blocks=7', /from 1 to 6$/],
  ['resnet-hf', 'full+last:blocks=5', /from 1 to 4$/],
  ['mobilenetv2-hf', 'probe+last:blocks=17', /from 1 to 16$/],
  ['convnext-timm', 'side:ratio=1+last:blocks=6', /from 1 to 5$/],
];

test('what does not fit the network is one sentence, from training and inference alike', () => {
  for (const [name, method, sentence] of UNFIT)
    for (const purpose of ['train', 'infer'] as const) {
      const model = readModel(modelFolder(name), goldenCase(name).size);
      assert.throws(
        () => compile({ model, classes: 5, microBatch: 1, method, purpose }),
        (e: unknown) => (e instanceof InputError && sentence.test(e.message)) || assert.unreachable(`${name} ${method}: ${e}`),
      );
    }
});

test('no map small enough for a prompt', () => {
  const model = readModel(modelFolder('mobilenetv2-hf'), [1024, 1024]);
  assert.throws(
    () => compile({ model, classes: 5, microBatch: 1, method: 'prompt' }),
    /no block that learns has a map of at most 784 positions; a smaller/,
  );
});

/** Golden case, targets, the layers that then learn: by name, or how many. */
const TARGETS: readonly (readonly [string, string, RegExp, number])[] = [
  ['vit-hf', 'value', /attention\.value$/, 3],
  ['vit-hf', 'attention.output.dense/intermediate.dense', /(attention\.output|intermediate)\.dense$/, 6],
  ['vit-hf', 'dense', /\.dense$/, 9],
  ['vit-timm', 'query/key', /attn\.qkv\[(0:32|32:64)\]$/, 4],
  ['vit-timm', 'qkv', /attn\.qkv\[/, 6],
  ['swin-timm', 'fc1/key', /(fc1|qkv\[\d+:\d+\])$/, 12],
  ['convnext-timm', 'mlp.fc2', /mlp\.fc2$/, 5],
  ['mobilenetv2-hf', 'expand_1x1.convolution', /expand_1x1\.convolution$/, 16],
];

test('lora:targets picks layers by the end of their names, or by their part in attention', () => {
  for (const [name, targets, pattern, count] of TARGETS) {
    const model = readModel(modelFolder(name), goldenCase(name).size);
    const method = `lora:rank=2,targets=${targets}`;
    const { program } = compile({ model, classes: 5, microBatch: 1, method });
    const layers = program.parameters.flatMap((p) => /^lora\.(.*)\.A$/.exec(p.name)?.[1] ?? []);
    assert.ok(
      layers.every((layer) => pattern.test(layer)),
      `${name} ${targets}: ${layers.join(' ')}`,
    );
    assert.is(layers.length, count, `${name} ${targets}: ${layers.join(' ')}`);
    assert.is(program.about.method, `lora:rank=2,alpha=8,all=0,targets=${targets}`);
  }
});

test('a rank that some layers cannot hold is taken where one can', () => {
  const model = readModel(modelFolder('convnext-hf'), goldenCase('convnext-hf').size);
  const { program } = compile({ model, classes: 5, microBatch: 1, method: 'prompt:rank=8' });
  assert.equal(program.parameters.find((p) => p.name === 'prompt.3.A')!.shape, [4, 8]);
});

test.run();
