/** Pictures changed at random, in a network: nothing that was not asked for, the same bytes whatever threads and micro-batch are, and what cannot be is refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { readModel } from '../../src/import/index.ts';
import type { Augmentation, CompileOptions } from '../../src/pipeline/options.ts';
import { trainJob } from '../../src/use/library.ts';
import { augment, parse } from '../../targets/cli/options.ts';
import { pictureFolder, VIT } from '../cli/command.ts';
import { newFolder, refused, refusedLater } from '../support/folder.ts';
import { goldenCase, modelFolder } from '../support/golden.ts';

const ALL: Augmentation = {
  ...{ shift: 4, flip: true, turn: 20, scale: 0.2, brightness: 0.3, contrast: 0.3, saturation: 0.3, grey: 0.2, blur: 0.3, erase: 0.3 },
};
const compiled = (name: string, options: Partial<CompileOptions>) =>
  compile({ model: readModel(modelFolder(name), goldenCase(name).size), classes: 3, microBatch: 2, ...options });
const first = (name: string, more?: Augmentation, phase: 'train' | 'eval' = 'train'): string =>
  compiled(name, more ? { augment: more } : {}).graph.phases[phase][0]!.op;

test('the window alone is what it was; more is another instruction, of learning alone, and no byte of the plan', () => {
  assert.is(first('vit-hf'), 'Pixels');
  assert.is(first('vit-hf', { shift: 4, flip: true }), 'Pixels');
  assert.is(first('vit-hf', { shift: 4, flip: true, turn: 0, erase: 0 }), 'Pixels');
  assert.is(first('vit-hf', { shift: 0, flip: false, erase: 0.1 }), 'Distort');
  assert.is(first('vit-hf', ALL, 'eval'), 'Pixels');
  const [plain, changed] = [compiled('vit-hf', {}), compiled('vit-hf', { augment: ALL })];
  assert.equal({ ...changed.plan.parts, program: 0, padding: 0 }, { ...plain.plan.parts, program: 0, padding: 0 });
});

test('colours are of three bytes a pixel; all else is of any input', () => {
  const { brightness: _, contrast: __, saturation: ___, grey: ____, ...any } = ALL;
  assert.is(first('vit-hf-grey', any), 'Distort');
  refused(() => first('vit-hf-grey', ALL), '--augment', '1 channels', 'crop, flip, turn');
  refused(() => compiled('vit-hf', { augment: { shift: 0, flip: false, grey: 0.5 }, pixels: 'f32' }), 'no bytes');
});

test('the words of the command line', () => {
  const of = (text: string): Augmentation | undefined =>
    augment(parse(['m', `--augment=${text}`], { augment: 'text' }, { least: 1, most: 1, usage: 's2a train' }), [32, 64]);
  assert.equal(of('crop,flip'), { shift: 4, flip: true });
  assert.equal(of('none'), undefined);
  assert.equal(of('light'), { shift: 4, flip: true, brightness: 0.2, contrast: 0.2, saturation: 0.2 });
  assert.equal(Object.keys(of('strong')!).sort(), Object.keys(ALL).sort());
  assert.equal(of('mixup'), { shift: 0, flip: false, mixup: 1 });
  assert.equal(of('cutmix,mixup'), { shift: 0, flip: false, mixup: 0.5, cutmix: 0.5 });
  assert.equal(of('turn'), { shift: 0, flip: false, turn: 15 });
  refused(() => of('light,spin'), 'spin', 'light, strong, none');
});

test('a run is the same with any number of threads and any micro-batch; other bytes than without', async () => {
  const photos = pictureFolder();
  const bytes = async (more: object): Promise<string> => {
    const out = newFolder();
    await trainJob({ model: VIT, data: photos, out, epochs: 1, batchSize: 4, rate: 1e-3, ...more });
    return readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');
  };
  const one = await bytes({ augment: ALL, threads: 1, microBatch: 4 });
  assert.is(await bytes({ augment: ALL, threads: 3, microBatch: 4 }), one);
  assert.is.not(await bytes({ augment: { shift: 4, flip: true }, threads: 1, microBatch: 4 }), one);
});

test('pictures are mixed in learning alone, in pairs of a pass, and only where each has one class', async () => {
  const mixing: Augmentation = { shift: 0, flip: false, mixup: 0.5, cutmix: 0.5 };
  const { train, eval: judged } = compiled('vit-hf', { augment: mixing }).graph.phases;
  const ops = (nodes: readonly { op: string }[]): string[] =>
    nodes.map(({ op }) => op).filter((op) => op.startsWith('Mix') || op.endsWith('CrossEntropy'));
  assert.equal([ops(train), ops(judged)], [['Mix', 'SoftCrossEntropy'], ['CrossEntropy']]);
  const photos = pictureFolder();
  const job = { model: VIT, data: photos, out: newFolder(), epochs: 1, rate: 1e-3, augment: mixing };
  await refusedLater(trainJob({ ...job, batchSize: 1 }), 'mixes two pictures', 'batchSize 2');
  await refusedLater(trainJob({ ...job, augment: { ...mixing, mixup: 0.6 } }), 'mixup and augment.cutmix together');
  const bytes = async (more: object): Promise<string> => {
    const out = newFolder();
    await trainJob({ ...job, batchSize: 4, microBatch: 4, out, ...more });
    return readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');
  };
  const one = await bytes({ threads: 1 });
  assert.is(await bytes({ threads: 3 }), one);
  assert.is.not(await bytes({ augment: { shift: 0, flip: false } }), one);
});

test('numbers out of range are refused by name', async () => {
  const job = { model: VIT, data: 'x', out: newFolder() };
  await refusedLater(trainJob({ ...job, augment: { shift: 0, flip: false, scale: 0.7 } }), 'augment.scale', '0.5');
  await refusedLater(trainJob({ ...job, augment: { shift: 0, flip: false, spin: 1 } as never }), 'augment', 'turn');
});

test.run();
