/** Networks that end after their first blocks, against PyTorch's; and a run of one. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { InputError } from '../../src/base/error.ts';
import { readJson } from '../../src/base/files.ts';
import { compile } from '../../src/compile.ts';
import { readModel } from '../../src/import/index.ts';
import { decodePicture } from '../../src/input/decode.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import { trainJob } from '../../src/training/job.ts';
import { type Classifier, loadClassifier } from '../../src/use/classifier.ts';
import { close } from '../support/close.ts';
import { newFolder } from '../support/folder.ts';
import { goldenCase, goldenValues, modelFolder, openValues, type Values } from '../support/golden.ts';
import { BATCH, goldenEngine, gradientsAgree, headPart } from '../support/goldenengine.ts';
import { pictureFolder } from '../support/pictures.ts';

const FOLDER = 'test/golden/depth';
const cases = readJson(`${FOLDER}/index.json`).cases as Record<string, number[]>;
/** Blocks of each, as the libraries count them. */
const BLOCKS: Readonly<Record<string, number>> = {
  'vit-hf': 3,
  'deit-timm': 2,
  'vit-timm-avg': 2,
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

  test(`${name}: one block less takes less of the checkpoint`, () => {
    const blocks = BLOCKS[name]!;
    const tensors = (method: string) => new Set(graphOf(name, method).values.flatMap(({ source }) => (source ? [source.tensor] : [])));
    const [whole, less] = [tensors('bias'), tensors(at('bias', blocks - 1))];
    assert.ok(less.size < whole.size && [...less].every((tensor) => whole.has(tensor)));
  });

  test(`${name}: a depth that ends nothing is one sentence`, () => {
    // Behind a MobileNet's blocks stands a convolution.
    const most = name.startsWith('mobilenet') ? BLOCKS[name]! : BLOCKS[name]! - 1;
    graphOf(name, at('bias', most));
    assert.throws(
      () => graphOf(name, at('bias', most + 1)),
      (e: unknown) =>
        e instanceof InputError &&
        e.message ===
          `--depth: does not end a network of ${BLOCKS[name]} blocks early, got ${most + 1}, expected a whole number from 1 to ${most}`,
    );
  });
}

test('drop-path rises to its rate at the last block that is there', () => {
  for (const [name, depth] of [
    ['vit-hf', 2],
    ['mobilenetv2-hf', 13],
    ['mobilenetv2-timm', 13],
    ['mobilenetv3-timm', 7],
  ] as const) {
    const model = readModel(modelFolder(name), goldenCase(name).size);
    const { graph } = compile({ model, classes: 5, microBatch: 1, method: at('bias', depth), dropPath: 0.3 });
    const drops = graph.phases.train.filter(({ op, isBackward }) => op === 'Drop' && !isBackward);
    for (const { block, attributes } of drops) {
      const rate = name.endsWith('timm') ? (0.3 * block) / depth : (0.3 * block) / (depth - 1);
      assert.ok(Math.abs(attributes.rate! - rate) < 1e-9, `${name}, block ${block}: ${attributes.rate}, not ${rate}`);
    }
    assert.ok(drops.length > 0);
  }
});

test('every module and --last count the blocks that are there', () => {
  const graph = graphOf('mobilenetv2-hf', 'bias+prompt+side+last:blocks=2+depth:blocks=5');
  const learnt = graph.values.filter(({ role }) => role === 'param').map(({ name }) => name);
  const blocks = (pattern: RegExp) => [...new Set(learnt.flatMap((name) => pattern.exec(name)?.[1] ?? []))];
  assert.equal(blocks(/^mobilenet_v2\.layer\.(\d+)\..*bias$/), ['3', '4']);
  assert.equal(blocks(/^prompt\.(\d+)\.A$/), ['3', '4']);
  assert.equal(blocks(/^side\.(\d+)\.dw\.weight$/), ['3', '4']);
  assert.not.ok(learnt.some((name) => /conv_stem|conv_1x1/.test(name)));
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
  const { plan, ...result } = await trainJob({ ...job, out: first, method: at('bias', 9) });
  const all = newFolder();
  await trainJob({ ...job, out: all, method: 'bias', epochs: 1 });
  const [short, whole] = [first, all].map((adapter) => loadClassifier(adapter, { model })) as [Classifier, Classifier];
  assert.ok(short.linearBytes < whole.linearBytes, 'what follows is not there in use either');
  let right = 0;
  for (const label of result.classes)
    for (const name of readdirSync(join(data, 'val', label))) {
      const [best] = short.predictPrepared(
        await decodePicture(readFileSync(join(data, 'val', label, name)), short.preprocess as Preprocess),
      );
      right += Number(best!.label === label);
    }
  assert.is(right, result.epochs[result.bestEpoch - 1]!.val.correct, 'it names as many as the run said');
  assert.throws(() => short.changeAdapter(all), /method/);
  const { plan: again } = await trainJob({ ...job, out: second, from: first });
  assert.equal(again.parts, plan.parts, 'the adapter says how deep its network is');
  await trainJob({ ...job, out: newFolder(), from: first, method: 'bias' }).then(
    () => assert.unreachable(),
    (e: Error) =>
      assert.match(e.message, /another method, got bias, expected bias\+depth:blocks=9; leave --method, --last and --depth out/),
  );
});

test.run();
