/** Networks that end after their first blocks, against PyTorch's; at full depth they are the whole network. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../assembly/abi/head.ts';
import { Io } from '../assembly/abi/program.ts';
import { loadClassifier } from '../src/classifier.ts';
import { compile } from '../src/compile.ts';
import { outputSize } from '../src/data/preprocess.ts';
import { InputError } from '../src/error.ts';
import { readJson } from '../src/files.ts';
import { trainJob } from '../src/job.ts';
import { readModel } from '../src/models/index.ts';
import { close } from './close.ts';
import { newFolder } from './folder.ts';
import { goldenCase, goldenValues, modelFolder, openValues, type Values } from './golden.ts';
import { BATCH, goldenEngine, gradientsAgree, headPart } from './goldenengine.ts';
import { pictureFolder } from './pictures.ts';

const FOLDER = 'test/golden/depth';
const cases = readJson(`${FOLDER}/index.json`).cases as Record<string, number[]>;
/** Blocks of each, as the libraries count them. */
const BLOCKS: Readonly<Record<string, number>> = {
  'vit-hf': 3,
  'deit-timm': 2,
  'swin-hf': 6,
  'swin-timm': 6,
  'convnext-hf': 4,
  'convnext-timm': 5,
  'resnet-hf': 4,
  'resnet-hf-basic': 4,
  'mobilenetv2-hf': 16,
  'mobilenetv2-timm': 17,
  'mobilenetv3-timm': 11,
};

const at = (method: string, depth: number): string => `${method}+depth:blocks=${depth}`;
const graphOf = (name: string, method: string) =>
  compile({ model: readModel(modelFolder(name), goldenCase(name).size), classes: 5, microBatch: 1, method }).graph;

for (const [name, depths] of Object.entries(cases)) {
  const golden = goldenValues(name);
  const truth = openValues(`${FOLDER}/${name}.safetensors`);
  for (const depth of depths)
    test(`${name}, ${depth} of ${BLOCKS[name]} blocks: logits, loss and every bias's gradient are PyTorch's`, () => {
      const given: Values = { ...golden, get: (key) => (key.startsWith('head.') ? truth.get(`${depth}/value/${key}`) : golden.get(key)) };
      const engine = goldenEngine(name, given, { method: at('bias', depth) });
      engine.run('eval');
      close(engine.floats(Io.Logits), truth.get(`${depth}/logits`), 1e-5, 'logits');
      engine.state.setFloat64(State.LossSum, 0, true);
      engine.run('train');
      close([engine.state.getFloat64(State.LossSum, true) / BATCH], truth.get(`${depth}/loss`), 1e-5, 'loss');
      gradientsAgree(engine, truth, String(depth), 1e-4);

      const learnt = engine.program.parameters.map((p) => p.name.replace(/\[.*/, ''));
      const missing = truth.names
        .filter((key) => key.startsWith(`${depth}/`) && !key.includes('/value/'))
        .map((key) => key.slice(key.indexOf('/') + 1))
        .filter((key) => !['logits', 'loss'].includes(key) && !/^head\.(weight|bias)$/.test(key) && !learnt.includes(key));
      assert.equal(
        missing.filter((key) => !/key\.bias$/.test(key)),
        [],
      );
      assert.is(learnt.filter((key) => headPart(key)).length, 2);
    });

  test(`${name}: at full depth it is the whole network, one block less takes less of the checkpoint`, () => {
    const blocks = BLOCKS[name]!;
    const shapes = (method: string) => graphOf(name, method).values.map(({ name, type, role }) => [name, type, role]);
    assert.equal(shapes(at('bias', blocks)), shapes('bias'));
    const tensors = (method: string) => new Set(graphOf(name, method).values.flatMap(({ source }) => (source ? [source.tensor] : [])));
    const [whole, less] = [tensors('bias'), tensors(at('bias', blocks - 1))];
    assert.ok(less.size < whole.size && [...less].every((tensor) => whole.has(tensor)));
  });

  test(`${name}: a block more than there are is one sentence`, () => {
    assert.throws(
      () => graphOf(name, at('bias', BLOCKS[name]! + 1)),
      (e: unknown) =>
        e instanceof InputError &&
        e.message === `--depth: the network has fewer blocks, got ${BLOCKS[name]! + 1}, expected a whole number from 1 to ${BLOCKS[name]}`,
    );
  });
}

test('every module and --last count the blocks that are there', () => {
  const graph = graphOf('mobilenetv2-hf', 'bias+prompt+side+last:blocks=2+depth:blocks=5');
  const learnt = graph.values.filter(({ role }) => role === 'param').map(({ name }) => name);
  assert.ok(learnt.includes('prompt.4.A') && learnt.includes('side.4.dw.weight') && !learnt.some((name) => /\.[0256]\./.test(name)));
  assert.throws(
    () => graphOf('mobilenetv2-hf', 'bias+last:blocks=6+depth:blocks=5'),
    /--last: the network has fewer blocks, got 6.*1 to 5/,
  );
});

test('a run, what it learnt in use, and going on from it', async () => {
  const model = modelFolder('mobilenetv2-hf');
  const data = pictureFolder({ train: 8, val: 4 });
  const [first, second] = [newFolder(), newFolder()];
  const job = { model, data, cacheFolder: newFolder(), epochs: 3, batchSize: 4 };
  const { plan } = await trainJob({ ...job, out: first, method: at('bias', 9) });
  const whole = loadClassifier(first, { model });
  assert.ok(whole.linearBytes < plan.linearBytes);
  const { height, width } = outputSize(whole.preprocess);
  assert.is(whole.predictPrepared(new Uint8Array(3 * height * width)).length, 3);
  const { plan: again } = await trainJob({ ...job, out: second, from: first });
  assert.equal(again.parts, plan.parts, 'the adapter says how deep its network is');
  await trainJob({ ...job, out: newFolder(), from: first, method: 'bias' }).then(
    () => assert.unreachable(),
    (e: Error) => assert.match(e.message, /another method, got bias, expected bias\+depth:blocks=9/),
  );
});

test.run();
