/** Checkpoints as they are published, against the logits of the library that reads them. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../assembly/abi/program.ts';
import { compile } from '../src/compile.ts';
import { createEngine, loadWeights, writeParameter } from '../src/engine.ts';
import { readModel } from '../src/models/index.ts';
import { openSafetensors } from '../src/safetensors.ts';
import { close } from './close.ts';
import { headPart } from './goldenengine.ts';
import { BATCH, NORMALIZE, type Published, pictures, published, publishedFolder, recipe } from './publishedcase.ts';

const wasm = readFileSync('build/engine.wasm');

function logitsOf(one: Published, folder: string): Float32Array {
  const { head, size, tensors } = one;
  const model = readModel(folder, size);
  const classes = one.logits.length / BATCH;
  const [mean, std] = NORMALIZE;
  const normalize = { scale: 1 / 255, mean: [mean, mean, mean], std: [std, std, std] };
  const { program } = compile({
    model,
    classes,
    microBatch: BATCH,
    normalize,
    head: head === undefined ? 'file' : 'new',
    purpose: 'infer',
  });
  const engine = createEngine(program, wasm);
  const file = openSafetensors(folder);
  loadWeights(engine, file);
  file.close();
  const next = Object.keys(tensors).length;
  for (const record of head === undefined ? [] : engine.program.parameters) {
    const part = headPart(record.name);
    if (part) writeParameter(engine, record, recipe(next + (part === 'bias' ? 1 : 0), record.name, record.shape));
  }
  engine.bytes(Io.Pictures).set(pictures(size));
  engine.run('eval');
  return engine.floats(Io.Logits);
}

for (const [name, one] of Object.entries(published))
  test(`${name}: the library's logits`, () => close(logitsOf(one, publishedFolder(one)), one.logits, 1e-5, 'logits'));

test('the names in the file decide, not the class that somebody wrote into config.json', () => {
  for (const name of ['vit-bare', 'resnet-bare', 'deit-teacher']) {
    const one = published[name]!;
    const folder = publishedFolder(one, (config) => {
      config.architectures = ['Model'];
    });
    close(logitsOf(one, folder), one.logits, 1e-5, name);
  }
});

test('a head of two classes needs no labels: that is what the library leaves out; a backbone has none', () => {
  const two = published['vit-two-classes']!;
  assert.equal(readModel(publishedFolder(two)).labels, ['LABEL_0', 'LABEL_1']);
  assert.is(readModel(publishedFolder(published['vit-bare']!)).labels, undefined);
});

test('labels may be numbers; those with a gap name nothing', () => {
  const of = (id2label: unknown) =>
    readModel(publishedFolder(published['vit-two-classes']!, (config) => Object.assign(config, { id2label }))).labels;
  assert.equal(of({ 0: 7, 1: 3.5 }), ['7', '3.5']);
  assert.is(of({ 1: 'a', 2: 'b' }), undefined);
  assert.is(of({ 0: 'a', 1: null }), undefined);
});

test.run();
