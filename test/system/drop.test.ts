/** Dropout and drop-path in a network: off unless asked for, the same whatever the micro-batch is, and right on average. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { readJson } from '../../src/base/files.ts';
import { compile } from '../../src/compile.ts';
import { readParameter } from '../../src/engine/engine.ts';
import { parseModel, readModel } from '../../src/import/index.ts';
import { chosenDrop, dropNotes } from '../../src/network/drop.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { distance } from '../support/close.ts';
import { goldenCase, goldenValues, modelFolder } from '../support/golden.ts';
import { BATCH, goldenEngine } from '../support/goldenengine.ts';

const drops = (name: string, options: Partial<CompileOptions>) =>
  compile({ model: readModel(modelFolder(name), goldenCase(name).size), classes: 3, microBatch: 1, ...options }).graph.phases.train.filter(
    (n) => n.op === 'Drop' && !n.isBackward,
  );

test('no mask unless asked for; drop-path rises to its rate at the last block', () => {
  assert.equal(drops('vit-hf', {}), []);
  const paths = drops('vit-hf', { dropPath: 0.3 });
  // Three blocks of two branches; the first block's rate is 0.
  assert.equal(
    paths.map((n) => n.attributes.rate),
    [0.15, 0.15, 0.3, 0.3],
  );
  assert.equal(
    paths.map((n) => n.attributes.number),
    [0, 1, 2, 3],
  );
  assert.is(drops('vit-hf', { dropout: 0.1 }).length, 8);
  assert.equal(
    drops('vit-hf', { dropout: { embeddings: 0.1, layers: 0, head: 0.3 } }).map((n) => n.attributes.rate),
    [0.1, 0.3],
  );
  for (const name of ['swin-hf', 'convnext-hf', 'resnet-hf', 'mobilenetv2-hf', 'mobilenetv3-timm'])
    assert.ok(drops(name, { dropPath: 0.2 }).every((n) => n.attributes.path === 1) && drops(name, { dropPath: 0.2 }).length > 0, name);
});

const truth = readJson('test/golden/drops.json').cases as Record<string, Record<'drops' | 'unset', Mask[]> & { rates: object }>;
type Mask = ['path' | 'element', number];

test('masks stand where transformers and timm put them, in their order and of their rates', () => {
  for (const [name, { rates, drops, unset }] of Object.entries(truth)) {
    const where = `${modelFolder(name)}/config.json`;
    const { model_args, ...values } = readJson(where);
    const masks = (more: object): Mask[] => {
      const isTimm = values.model_type === undefined;
      const asked = { where, values: isTimm ? { ...values, model_args: { ...(model_args as object), ...more } } : { ...values, ...more } };
      const model = parseModel(asked, goldenCase(name).size);
      const { graph } = compile({ model, classes: 3, microBatch: 1, ...chosenDrop(model.drop, {}) });
      return graph.phases.train
        .filter((n) => n.op === 'Drop' && !n.isBackward)
        .map(({ attributes: { path, rate } }) => [path ? 'path' : 'element', Math.round(rate! * 1e6) / 1e6]);
    };
    assert.equal(masks(rates), drops, name);
    assert.equal(masks({}), unset, `${name} as its folder is`);
  }
});

test('rates of a configuration act unless the job says its own, and what cannot act is named', () => {
  const vit = parseModel({
    where: 'config.json',
    values: { model_type: 'vit', hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.2 },
  });
  assert.equal(chosenDrop(vit.drop, {}), { dropout: { embeddings: 0.1, layers: 0.1, head: 0 }, dropPath: 0 });
  assert.equal(chosenDrop(vit.drop, { dropout: 0, dropPath: 0.3 }), { dropout: { embeddings: 0, layers: 0, head: 0 }, dropPath: 0.3 });
  const notes = dropNotes(vit.drop, {});
  assert.is(notes.length, 2);
  assert.match(notes[0]!, /dropout 0\.1 of what embeddings and layers put out in training; --dropout 0/);
  assert.match(notes[1]!, /attention_probs_dropout_prob 0\.2 not applied/);
  assert.is(dropNotes(vit.drop, { dropout: 0 }).length, 1);

  const swin = readModel(modelFolder('swin-hf'));
  assert.is(swin.drop.path, 0.1);
  assert.match(dropNotes(swin.drop, {})[0]!, /drop-path 0\.1 in training; --drop-path 0/);
  assert.match(dropNotes(readModel(modelFolder('swin-timm')).drop, {})[0]!, /^timm's default: drop-path 0\.1 in training; --drop-path 0/);
  assert.is(readModel(modelFolder('mobilenetv2-hf')).drop.dropout.head, 0.8);

  const timm = parseModel({
    where: 'config.json',
    values: { architecture: 'vit_tiny_patch16_224', model_args: { drop_rate: 0.2, drop_path_rate: 0.1, proj_drop_rate: 0.1 } },
  });
  assert.equal(chosenDrop(timm.drop, {}), { dropout: { embeddings: 0, layers: 0, head: 0.2 }, dropPath: 0.1 });
  assert.match(dropNotes(timm.drop, {})[2]!, /proj_drop_rate 0\.1 not applied/);
  assert.throws(
    () => parseModel({ where: 'config.json', values: { model_type: 'vit', hidden_dropout_prob: 1 } }),
    /hidden_dropout_prob.*0 to 0\.9/,
  );
});

/** Gradients of the whole batch, in passes of `microBatch`, and the losses of evaluation. */
function gradients(name: string, options: Partial<CompileOptions>) {
  const values = goldenValues(name);
  const whole = goldenEngine(name, values, { method: 'bias', keep: 'exact', ...options });
  whole.ints(Io.Samples).set([0, 1, 2, 3]);
  whole.run('train');
  const [trained] = [[...whole.floats(Io.Losses)]];
  whole.run('eval');
  return {
    trained,
    evaluated: [...whole.floats(Io.EvalLosses)],
    gradients: whole.program.parameters.map((p) => readParameter(whole, p, p.gradient)),
    again: () => {
      whole.run('train');
      return [...whole.floats(Io.Losses)];
    },
  };
}

test('masks change training alone, and the same counters give the same masks', () => {
  for (const name of ['vit-hf', 'mobilenetv3-timm']) {
    const plain = gradients(name, {});
    const dropped = gradients(name, { dropout: 0.2, dropPath: 0.2 });
    assert.equal(dropped.evaluated, plain.evaluated);
    assert.is.not(distance(dropped.trained, plain.trained), 0);
    assert.equal(dropped.again(), dropped.trained);
    assert.equal(gradients(name, { dropout: 0.2, dropPath: 0.2 }).gradients, dropped.gradients);
    assert.equal(gradients(name, { dropout: 0.2, dropPath: 0.2, keep: 's2a' }).trained, dropped.trained);
  }
});

test('a picture has the same masks wherever it stands in a pass', () => {
  const values = goldenValues('vit-hf');
  const engine = goldenEngine('vit-hf', values, { method: 'bias', dropout: 0.3, dropPath: 0.3 });
  const losses = (samples: number[]): number[] => {
    const images = values.bytes('images');
    const size = images.length / BATCH;
    samples.forEach((s, i) => {
      engine.bytes(Io.Pictures).set(images.subarray(s * size, (s + 1) * size), i * size);
      engine.ints(Io.Labels)[i] = values.get('labels')[s]!;
    });
    engine.ints(Io.Samples).set(samples);
    engine.run('train');
    return [...engine.floats(Io.Losses)];
  };
  const order = [2, 0, 3, 1];
  const straight = losses([0, 1, 2, 3]);
  assert.equal(
    losses(order),
    order.map((s) => straight[s]),
  );
});

test.run();
