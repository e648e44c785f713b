/** The library's door: what is wrong in its options is said before anything happens, by the name that the caller wrote. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as s2a from '../../src/index.ts';
import { flagOf, SETTINGS, type SettingName } from '../../src/training/settings.ts';
import { HELP } from '../../targets/cli/help.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const job = (more: object = {}): s2a.TrainJob => ({
  ...{ model: 'test/golden/vit-timm-gap', data: pictures, out: join(newFolder(), 'out'), epochs: 1, batchSize: 4, rate: 0.1 },
  ...more,
});
const pictures = pictureFolder({ train: 4, val: 2 });

/** The error of what must be refused. */
async function errorOf(action: () => unknown): Promise<s2a.S2aError> {
  try {
    await action();
  } catch (error) {
    assert.instance(error, s2a.S2aError, String((error as Error).stack));
    return error as s2a.S2aError;
  }
  throw new Error('nothing was refused');
}

test('trainJob: unknown names, NaN, fractions, wrong words, wrong types', async () => {
  const wrong: [object, string][] = [
    [{ epochs: Number.NaN }, 'epochs: wrong value, got NaN, expected a whole number of at least 1'],
    [{ epochs: 1.5 }, 'epochs: wrong value, got 1.5'],
    [{ epochs: '3' }, 'epochs: wrong value, got "3"'],
    [{ batchSize: 0 }, 'batchSize: wrong value, got 0, expected a whole number of at least 1'],
    [
      { weights: 'int2' },
      'weights: unknown value, got int2, expected f32, int8, int4, auto, f32,stream, int8,stream, int4,stream, auto,stream, stream; did you mean int',
    ],
    [{ optimizer: 'adam' }, 'optimizer: unknown value, got adam, expected adamw, sgd; did you mean adamw?'],
    [{ augment: 'crop' }, 'augment: wrong value, got "crop", expected { shift: pixels'],
    [{ augment: { shift: 2 } }, 'augment.flip: wrong value, got nothing'],
    [{ dropout: 1 }, 'dropout: wrong value, got 1, expected a number from 0 to 0.9'],
    [{ rate: Number.NaN }, 'rate: is no learning rate, got NaN'],
    [{ rate: true }, 'rate: wrong value'],
    [{ method: 'bais' }, 'method: '],
    [{ keep: 4 }, 'keep: wrong value, got 4'],
    [{ recompute: 'some' }, 'recompute: '],
    [{ budget: 'much' }, 'budget: not a size, got much'],
    [{ budget: Number.POSITIVE_INFINITY }, 'budget: wrong value, got Infinity'],
    [{ threads: 0 }, 'threads: wrong value'],
    [{ imageSize: [224] }, 'imageSize: wrong value'],
    [{ holdOut: -0.1 }, 'holdOut: wrong value'],
    [{ resume: 'yes' }, 'resume: wrong value, got "yes", expected true or false'],
    [{ data: 7 }, 'data: wrong value, got 7'],
    [{ model: undefined }, 'model: is missing, and trainJob needs it'],
    [{ batchsize: 4 }, 'batchsize: unknown option of trainJob; did you mean batchSize?'],
    [{ 'batch-size': 4 }, 'batch-size: unknown option of trainJob; did you mean batchSize?'],
    [{ lr: 1 }, 'lr: unknown option of trainJob; did you mean rate?'],
    [{ fast: true }, "fast: unknown option of trainJob; it is arithmetic: 'fast' now"],
  ];
  for (const [more, sentence] of wrong) {
    const given = job(more);
    const error = await errorOf(() => s2a.trainJob(given));
    assert.ok(error.message.startsWith(sentence), `${error.message} | ${sentence}`);
    assert.is(error.code, 'S2A_OPTION', error.message);
    assert.not.match(error.message, /--/);
    assert.not.ok(given.out !== undefined && existsSync(given.out), 'nothing was begun');
  }
  assert.match((await errorOf(() => s2a.trainJob(job(), { onepoch: () => {} } as object))).message, /did you mean onEpoch/);
  assert.match((await errorOf(() => s2a.trainJob(job(), { onEpoch: 3 } as object))).message, /onEpoch: wrong value, got number/);
  assert.match((await errorOf(() => s2a.trainJob(undefined as never))).message, /trainJob: wants its options as an object/);
});

test('what is found wrong later is named so too, and carries its code and parts', async () => {
  const batch = await errorOf(() => s2a.trainJob(job({ microBatch: 3 })));
  assert.equal([batch.where, batch.got, batch.expected, batch.code], ['microBatch', 3, 'a divisor of 4', 'S2A_OPTION']);
  const budget = await errorOf(() => s2a.trainJob(job({ budget: '64KiB' })));
  assert.instance(budget, s2a.BudgetError);
  assert.equal([budget.where, budget.code, (budget as s2a.BudgetError).smallestBytes > 65536], ['budget', 'S2A_BUDGET', true]);
  assert.not.match(budget.message, /--/);
  const file = await errorOf(() => s2a.loadClassifier('/no/such/adapter', { model: 'test/golden/vit-hf' }));
  assert.not.match(file.message, /--/);
  const stopped = await errorOf(() => s2a.trainJob(job(), { stopping: () => true }));
  assert.equal([stopped.code, stopped.exitCode], ['S2A_INTERRUPTED', 130]);
  assert.match(stopped.message, /the run is saved in .*: resume continues it/);
});

test('the other doors', async () => {
  const model = 'test/golden/vit-hf';
  const of = async (action: () => unknown) => (await errorOf(action)).message;
  assert.match(await of(() => s2a.loadClassifier(7 as never, { model })), /^adapter: wrong value, got 7/);
  assert.match(
    await of(() => s2a.loadClassifier(undefined, { model, thread: 1 } as never)),
    /^thread: unknown option of loadClassifier; did you mean threads/,
  );
  const read = s2a.readModel(model);
  assert.match(await of(() => s2a.planForBudget({ model: read, classes: 2.5, batchSize: 1 })), /^classes: wrong value, got 2.5/);
  assert.match(
    await of(() => s2a.planForBudget({ model: read, classes: 10, batchSize: 1, head: 'old' as never })),
    /^head: unknown value, got old/,
  );
  assert.match(await of(() => s2a.planForBudget({ model, classes: 10, batchSize: 1 } as never)), /^model: wrong value, got string/);
  assert.ok(s2a.planForBudget({ model: read, classes: 10, batchSize: 4, budgetBytes: 4 << 20 }).program.linearBytes <= 4 << 20);
  assert.match(await of(() => s2a.packJob(job({ pixels: 'u16' }) as never)), /^pixels: unknown value, got u16/);
  assert.match(await of(() => s2a.packJob(job({ resume: true }) as never)), /^resume: unknown option of packJob/);
  assert.match(await of(() => s2a.mergeAdapter({ model, adapter: 'x' } as never)), /^out: is missing/);
  assert.match(await of(() => s2a.fidelity({ model, data: 'x', steps: -1 })), /^steps: wrong value/);
  assert.match(await of(() => s2a.calibrateJob({ model, data: 'x', out: 'y', pictures: 0 })), /^pictures: wrong value/);
  const classifier = s2a.loadClassifier(undefined, { model });
  const bad = await errorOf(() => s2a.decodePicture(new TextEncoder().encode('words'), classifier.preprocess));
  assert.equal([bad.code, bad.where], ['S2A_PICTURE', 'picture']);
});

test('predict takes RGB and RGBA bytes, and refuses other numbers', () => {
  const classifier = s2a.loadClassifier(undefined, { model: 'test/golden/vit-hf' });
  const [width, height] = [40, 30];
  const rgb = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7) % 256);
  const rgba = new Uint8ClampedArray(width * height * 4).map((_, i) => (i % 4 === 3 ? 9 : rgb[Math.floor(i / 4) * 3 + (i % 4)]!));
  const expected = classifier.predict(rgb, width, height);
  assert.equal(classifier.predict(rgba, width, height), expected);
  assert.throws(
    () => classifier.predict(new Float32Array(rgb) as never, width, height),
    /predict: wants pixels as bytes, 0 to 255, got Float32Array/,
  );
  assert.throws(() => classifier.predictPrepared(new Float32Array(3) as never), /predictPrepared: wants pixels as bytes/);
  assert.throws(
    () => classifier.predict(rgb.subarray(1), width, height),
    /wrong number of bytes for 40×30 RGB or RGBA, got 3599, expected 3600 or 4800/,
  );
});

test('every flag of train that has a value is of the table, under one name', () => {
  const flags = new Map((Object.keys(SETTINGS) as SettingName[]).map((name) => [flagOf(name), name]));
  // What a file of weights or of ONNX is, is part of what names the model.
  const apart = new Set(['out', 'report', 'fidelity', 'json', 'last', 'depth', 'log', 'arch', 'features']);
  for (const [, flag] of HELP.train!.matchAll(/^ {2}--([a-z-]+)/gm)) assert.ok(flags.has(flag!) || apart.has(flag!), flag);
});

test.run();
