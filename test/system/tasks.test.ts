/** Labels and numbers through the whole product: trained, resumed, gone on from, judged, used; under WASI the same bytes; what does not fit is refused. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { decodePicture } from '../../src/input/decode.ts';
import { defaultDecoderBytes } from '../../src/input/decoderlimit.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import { type JobResult, trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { judgeAdapter } from '../../targets/cli/judge.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { labelFolder, numberFolder } from '../support/tables.ts';
import { adapterDigest, pack } from '../wasi/board.ts';

const MODEL = 'test/golden/vit-hf';
const CACHE = newFolder();
const COMMON = { cacheFolder: CACHE, epochs: 4, batchSize: 6, microBatch: 2, rate: 0.02, seed: 2, augment: { shift: 2, flip: false } };
const JOBS = {
  multilabel: { ...COMMON, model: MODEL, data: labelFolder(), threshold: { red: 0.4 } },
  regress: { ...COMMON, model: MODEL, data: numberFolder() },
  squares: { ...COMMON, model: 'test/golden/resnet-hf', data: numberFolder(), loss: 'squares', method: 'probe' },
  many: { ...COMMON, model: 'test/golden/mobilenetv2-hf', data: labelFolder(), rate: undefined, smoothing: 0.1 },
} as const;
type Name = keyof typeof JOBS;
const isLabels = (name: Name): boolean => readFileSync(join(JOBS[name].data, 'labels.csv'), 'utf8').startsWith('file,labels');

/** Fails unless an InputError with these words comes. */
async function refusedLater(action: Promise<unknown>, ...words: string[]): Promise<void> {
  try {
    await action;
  } catch (error) {
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

const trained = new Map<Name, Promise<{ out: string; result: JobResult }>>();
/** The job done once, for all tests. */
function done(name: Name): Promise<{ out: string; result: JobResult }> {
  const known = trained.get(name);
  if (known) return known;
  const run = async () => {
    const out = newFolder();
    return { out, result: await trainJob({ ...JOBS[name], out }) };
  };
  const started = run();
  trained.set(name, started);
  return started;
}

for (const name of Object.keys(JOBS) as Name[]) {
  test(`${name}: what is planned is what is taken, and the adapter says its task`, async () => {
    const { out, result } = await done(name);
    assert.is(result.memory.linearBytes, result.memory.plannedBytes);
    assert.is(result.judged.measured!.all[0]!.name, isLabels(name) ? 'F1' : 'R2');
    const { task, labels, weights } = readAdapter(out);
    weights.close();
    if (isLabels(name)) {
      assert.equal(labels, ['blue', 'green', 'red']);
      const { task: expected = 'multilabel' } = JOBS[name] as { task?: string };
      assert.equal(task, { name: expected, constants: { threshold: [0.5, 0.5, name === 'many' ? 0.5 : 0.4] } });
    } else {
      assert.equal(labels, ['value_left', 'value_right']);
      assert.is(task!.name, 'regress');
      assert.is(task!.loss, name === 'squares' ? 'squares' : 'huber');
      const [mean, std] = [task!.constants!.mean!, task!.constants!.std!];
      assert.ok(mean[0]! > 150 && mean[0]! < 250 && std[1]! < 4, 'in their own units');
    }
    // A random MobileNet under small measured rates learns too little in four epochs to be sure of it.
    if (name !== 'many') assert.ok(result.epochs.at(-1)!.train.loss < result.epochs[0]!.train.loss);
    // The runner's score, kept with the epoch, is the figure that is told in the end.
    const kept = result.epochs[result.bestEpoch - 1]!;
    const [first] = result.judged.measured!.all;
    assert.ok(Math.abs(kept.judged.balanced - first!.value) < 1e-5, `${kept.judged.balanced} and ${first!.value}`);
  });

  test(`${name}: the same bytes under WASI, and when it was interrupted here or there`, async () => {
    const { out } = await done(name);
    const board = await pack(JOBS[name]);
    const there = newFolder();
    const ran = board.train(there);
    assert.is(ran.code, 0, ran.err);
    assert.match(ran.out, isLabels(name) ? /^F1 \d+\.\d % on 8 pictures, epoch \d; worst/ : /^R2 -?\d+\.\d{4} on 8 pictures/);
    assert.is(adapterDigest(there), adapterDigest(out));

    const resumed = newFolder();
    let asked = 0;
    try {
      await trainJob({ ...JOBS[name], out: resumed }, { stopping: () => ++asked === 5 });
      assert.unreachable('not stopped');
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
    }
    assert.is(board.train(resumed, '--steps', '2', '--resume').code, 5);
    await trainJob({ ...JOBS[name], out: resumed, resume: true });
    assert.is(adapterDigest(resumed), adapterDigest(out));

    const judged = board.run('eval', ['--adapter', '/out', '--data', '/board'], { out });
    assert.is(judged.code, 0, judged.err);
    const { measured, tally } = await judgeAdapter({ ...JOBS[name], adapter: out, split: 'val', microBatch: 2, cacheFolder: newFolder() });
    const value = measured.all[0]!.value;
    const text = measured.all[0]!.isShare ? `F1 ${(100 * value).toFixed(1)} %` : `R2 ${value.toFixed(4)}`;
    assert.is(judged.out, `${text}: 8 pictures, loss ${(tally.lossSum / tally.count).toFixed(4)}\n`);
    const said = board.run('predict', ['--adapter', '/out', '/board/val-images.npy'], { out });
    assert.is(said.code, 0, said.err);
    assert.is(said.out.trim().split('\n').length, 8);
  });
}

test('any number of threads, and another micro-batch: the same bytes', async () => {
  for (const name of ['multilabel', 'regress'] as const) {
    const out = newFolder();
    await trainJob({ ...JOBS[name], out, threads: 3 });
    assert.is(adapterDigest(out), adapterDigest((await done(name)).out));
  }
});

test('a classifier tells labels with their thresholds, and numbers in their units', async () => {
  const read = async (adapter: string, data: string, file: string) => {
    const classifier = loadClassifier(adapter, { model: MODEL });
    const pixels = await decodePicture(
      new Uint8Array(readFileSync(join(data, file))),
      classifier.preprocess as Preprocess,
      defaultDecoderBytes,
    );
    return { classifier, said: classifier.predictPrepared(pixels) };
  };
  const { out } = await done('multilabel');
  const { classifier, said } = await read(out, JOBS.multilabel.data, '7.png');
  assert.is(classifier.task, 'multilabel');
  for (const { label, probability, answered } of said) assert.is(answered, probability >= (label === 'red' ? 0.4 : 0.5), label);
  // Another adapter of the task brings its own thresholds.
  const strict = newFolder();
  await trainJob({ ...JOBS.multilabel, out: strict, epochs: 1, threshold: 0.999 });
  classifier.changeAdapter(strict);
  const pixels = await decodePicture(
    new Uint8Array(readFileSync(join(JOBS.multilabel.data, '7.png'))),
    classifier.preprocess as Preprocess,
    defaultDecoderBytes,
  );
  assert.ok(classifier.predictPrepared(pixels).every(({ answered }) => !answered));

  const numbers = await done('regress');
  const { said: values } = await read(numbers.out, JOBS.regress.data, '3.png');
  assert.equal(
    values.map(({ label }) => label),
    ['value_left', 'value_right'],
  );
  assert.ok(values[0]!.value! > 50 && values[0]!.value! < 400, `${values[0]!.value}`);
  let error: unknown;
  try {
    classifier.changeAdapter(numbers.out);
  } catch (caught) {
    error = caught;
  }
  assert.match((error as Error).message, 'was trained for another task');
});

test('merged, a model folder answers as the adapter does, by problem_type, in units and with thresholds', async () => {
  for (const name of ['multilabel', 'regress'] as const) {
    const { out } = await done(name);
    const merged = join(newFolder(), 'merged');
    mergeAdapter({ model: MODEL, adapter: out, out: merged });
    const config = JSON.parse(readFileSync(join(merged, 'config.json'), 'utf8')) as Record<string, unknown>;
    assert.is(config.problem_type, name === 'regress' ? 'regression' : 'multi_label_classification');
    assert.equal(config.s2a_thresholds, name === 'regress' ? undefined : [0.5, 0.5, 0.4]);
    const [a, b] = [loadClassifier(out, { model: MODEL }), loadClassifier(undefined, { model: merged })];
    assert.equal([b.task, b.labels], [a.task, a.labels]);
    const pixels = await decodePicture(
      new Uint8Array(readFileSync(join(JOBS[name].data, '5.png'))),
      a.preprocess as Preprocess,
      defaultDecoderBytes,
    );
    const [want, got] = [a.predictPrepared(pixels), b.predictPrepared(pixels)];
    for (const [i, { label, probability, answered, value }] of want.entries()) {
      assert.equal([got[i]!.label, got[i]!.answered], [label, answered]);
      if (value === undefined) assert.ok(Math.abs(got[i]!.probability - probability) < 1e-5);
      else assert.ok(Math.abs(got[i]!.value! - value) < 1e-4 * Math.abs(value), `${got[i]!.value} and ${value}`);
    }
  }
});

test('--from goes on with the same outputs and their constants', async () => {
  const { out } = await done('regress');
  const further = newFolder();
  await trainJob({ ...JOBS.regress, out: further, from: out, data: numberFolder({ train: 10, val: 4 }), epochs: 1 });
  const [a, b] = [readAdapter(out), readAdapter(further)];
  assert.equal(b.task, a.task, 'the rows are in the units that they were learnt in');
  a.weights.close();
  b.weights.close();
});

test('what does not fit: one sentence each', async () => {
  const { out } = await done('multilabel');
  const job = { ...COMMON, model: MODEL };
  const fresh = (): string => newFolder();
  const classes = pictureFolder({ train: 3, val: 2 });
  await refusedLater(trainJob({ ...job, out: fresh(), data: classes, from: out }), 'another task', 'classify', 'multilabel');
  await refusedLater(trainJob({ ...job, out: fresh(), data: JOBS.regress.data, from: out }), 'another task', 'regress', 'multilabel');
  await refusedLater(judgeAdapter({ ...job, adapter: out, data: JOBS.regress.data }), 'column', '0 or 1');
  await refusedLater(judgeAdapter({ ...job, adapter: out, data: classes }), 'class folders do not say');
  await refusedLater(trainJob({ ...job, out: fresh(), data: classes, threshold: 0.4 }), '--threshold', 'is for labels');
  await refusedLater(trainJob({ ...job, out: fresh(), data: classes, loss: 'huber' }), '--loss', 'is for numbers');
  await refusedLater(trainJob({ ...job, out: fresh(), data: JOBS.regress.data, smoothing: 0.1 }), '--label-smoothing');
  await refusedLater(
    trainJob({ ...job, out: fresh(), data: JOBS.regress.data, head: 'ridge' }),
    '--head',
    'ridge regression is for classes',
  );
  await refusedLater(trainJob({ ...JOBS.multilabel, out: fresh(), threshold: { rad: 0.4 } }), 'no label rad', 'did you mean red?');
  const other = numberFolder({ train: 6, val: 2 }, ['value_left']);
  await refusedLater(
    trainJob({ ...JOBS.regress, out: fresh(), data: other, from: (await done('regress')).out }),
    'no numbers of value_right',
  );
  await refusedLater(judgeAdapter({ ...job, adapter: (await done('regress')).out, data: other }), 'no numbers of value_right');
  // An adapter's settings are held against what it is.
  const broken = newFolder();
  cpSync(out, broken, { recursive: true });
  const file = join(broken, 'adapter_model.safetensors');
  const text = readFileSync(file, 'latin1').replace('[0.5,0.5,0.4', '[0.5,0.5,"x"');
  writeFileSync(file, text, 'latin1');
  await refusedLater((async () => readAdapter(broken))(), 'adapter_model.safetensors');
});

test.run();
