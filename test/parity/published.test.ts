/** Checkpoints as they are published, against the logits of the library that reads them. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { compile } from '../../src/compile.ts';
import { createEngine, loadWeights, writeParameter } from '../../src/engine/engine.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { readModel } from '../../src/import/index.ts';
import { openModelFolder, preprocessOf, processorNote } from '../../src/import/modelfolder.ts';
import type { ImageSize } from '../../src/input/fields.ts';
import { outputSize } from '../../src/input/preprocess.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { does } from '../cli/command.ts';
import { close } from '../support/close.ts';
import { newFolder } from '../support/folder.ts';
import { headPart } from '../support/goldenengine.ts';
import { movedAdapter } from '../support/mergecase.ts';
import { pictureFolder } from '../support/pictures.ts';
import { BATCH, NORMALIZE, type Published, pictures, published, publishedFolder, recipe } from '../support/publishedcase.ts';

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
  const file = openWeightsFile(folder);
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

/** Family, size, what pictures become. */
const ASSUMED: [string, ImageSize | undefined, object][] = [
  ['vit-bare', undefined, { resize: { mode: 'exact', height: 32, width: 32 }, crop: null, resample: 'bilinear', mean: [0.5, 0.5, 0.5] }],
  [
    'swin-wide',
    undefined,
    { resize: { mode: 'exact', height: 32, width: 64 }, crop: null, resample: 'bicubic', std: [0.229, 0.224, 0.225] },
  ],
  ['deit-bare', [24, 40], { resize: { mode: 'exact', height: 27, width: 45 }, crop: { height: 24, width: 40, rounding: 'floor' } }],
  ['mobilenetv2-bare', 112, { resize: { mode: 'shortest', edge: 128 }, crop: { height: 112, width: 112, rounding: 'floor' } }],
  ['convnext-bare', 112, { resize: { mode: 'shortest', edge: 128 }, crop: { height: 112, width: 112, rounding: 'floor' } }],
  ['resnet-bare', undefined, { resize: { mode: 'shortest', edge: 256 }, resample: 'bicubic', mean: [0.485, 0.456, 0.406] }],
];

test('without preprocessor_config.json: what its publishers wrote is assumed, one line says so, and merge writes it down', () => {
  for (const [name, size, want] of ASSUMED) {
    const base = openModelFolder(publishedFolder(published[name]!), size);
    const spec = preprocessOf(base);
    for (const [key, value] of Object.entries(want)) assert.equal(spec[key as keyof typeof spec], value, `${name} ${key}`);
    assert.equal(outputSize(spec), { height: base.model.image[0], width: base.model.image[1] });
    const note = processorNote(base)!;
    assert.ok(
      note.startsWith(join(base.folder, 'preprocessor_config.json is missing')) && note.includes(`${base.model.image.join('x')} (`),
      note,
    );
  }
  const timm = openModelFolder(publishedFolder(published['vit-timm-wide']!));
  assert.is(processorNote(timm), undefined);

  const model = publishedFolder(published['vit-two-classes']!);
  const out = newFolder();
  const [picture] = [join(pictureFolder({ train: 1, val: 1 }), 'val', 'class-0', '0.png')];
  const { stderr, stdout } = does('predict', model, picture, '--top', '2');
  assert.match(
    stderr,
    /preprocessor_config\.json is missing, so pictures are prepared as published vit networks want them: stretched to 32x32/,
  );
  assert.match(stdout, /LABEL_0 .*LABEL_1|LABEL_1 .*LABEL_0/);
  const adapter = newFolder();
  movedAdapter(model, 'bias', adapter);
  mergeAdapter({ model, adapter, out });
  assert.is(processorNote(openModelFolder(out)), undefined);
  assert.equal(preprocessOf(openModelFolder(out)), preprocessOf(openModelFolder(model)));
});

test.run();
