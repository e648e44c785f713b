/** The loop without JavaScript is the loop with it: the same adapter byte for byte, and either goes on where the other stopped. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { withMaximum } from '../../src/engine/wasm.ts';
import { CALIBRATION } from '../../src/training/calibrate/file.ts';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { spread } from '../support/spread.ts';
import { adapterDigest, type Board, pack } from './board.ts';

const DATA = pictureFolder({ train: 5, val: 4, noise: 120 });
const CACHE = newFolder();
/** 15 pictures in batches of 6, 6 and 3, micro-batches of 2: the last of an epoch is half empty. */
const JOB = {
  ...{ model: 'test/golden/vit-timm-gap', data: DATA, cacheFolder: CACHE, epochs: 3, batchSize: 6, microBatch: 2, rate: 0.1, seed: 2 },
  augment: { shift: 4, flip: true },
};
const NETWORKS: [string, object][] = [
  ['vit-timm-gap', {}],
  ['vit-hf', { method: 'bias+prompt:rank=2+side:ratio=4', seed: 0, rate: 0.01 }],
  ['swin-hf', { keep: 'exact', optimizer: 'sgd', rate: 0.05 }],
  ['resnet-hf', { method: 'full', smoothing: 0.1, rate: 0.001 }],
  ['mobilenetv2-hf', { weights: 'int8' }],
  // One channel and four.
  ['vit-hf-grey', {}],
  ['resnet-hf-rgba', { method: 'full', rate: 0.001 }],
  ['vit-hf', { weights: 'int4' }],
  ['mobilenetv2-hf', { method: 'bias+side:ratio=4', batchSize: 4, rate: 0.02, clipNorm: 0.5 }],
  ['mobilenetv2-hf', { method: 'bias+depth:blocks=9', batchSize: 4, rate: 0.02 }],
  ['mobilenetv2-hf', { method: 'probe', rate: 0.01 }],
  ['vit-hf', { method: 'bias+prompt:rank=2+side:ratio=4', head: 'ridge', rate: 0.01 }],
  ['resnet-hf', { method: 'probe', head: 'zero', rate: 0.01 }],
  // Not all pictures have room in the regression that the head starts from: as many of each class as can be.
  ['vit-timm-gap', { microBatch: 1, head: 'ridge', rate: 0.01 }],
  // Relative rates: measured there on the same pictures, with micro-batches that 32 pictures do not fill evenly.
  ['vit-hf', { rate: undefined }],
  ['swin-hf', { method: 'bias+prompt:rank=2+side:ratio=4', rate: '0.5x', microBatch: 3, batchSize: 6 }],
  ['resnet-hf', { method: 'full', rate: undefined, optimizer: 'sgd' }],
  ['mobilenetv2-hf', { method: 'lora:all=1', rate: undefined, weights: 'int8', batchSize: 4 }],
];

let board: Board;
let reference = '';

for (const [name, options] of NETWORKS)
  test(`${name}: the adapter is the same, byte for byte`, async () => {
    const job = { ...JOB, model: `test/golden/${name}`, ...options };
    const out = newFolder();
    await trainJob({ ...job, out });
    const packed = await pack(job);
    if (reference === '') [board, reference] = [packed, adapterDigest(out)];
    const there = newFolder();
    const ran = packed.train(there);
    assert.is(ran.code, 0, ran.err);
    assert.match(ran.out, /^accuracy \d+\.\d % on 12 pictures, epoch \d/);
    assert.is(adapterDigest(there), adapterDigest(out));
    // The metrics are for a person and a chart: nine digits.
    const lines = readFileSync(join(there, 'run', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const last = JSON.parse(lines.at(-1)!) as { epoch: number; valLoss: number; best: boolean };
    assert.is(last.epoch, 3);
    assert.ok(last.valLoss > 0 && typeof last.best === 'boolean');
  });

test('tables that were measured where it was packed travel with the program', async () => {
  const job = { ...JOB, model: spread('vit-timm-gap', /mlp\.fc1\./, 0.2), rate: 5e-3 };
  const [plain, out, there] = [newFolder(), newFolder(), newFolder()];
  await trainJob({ ...job, out: plain });
  await trainJob({ ...job, out, calibrate: 10 });
  const packed = await pack({ ...job, calibrate: 10 });
  assert.is(packed.train(there).code, 0);
  assert.is(adapterDigest(there), adapterDigest(out));
  assert.is.not(adapterDigest(there), adapterDigest(plain), 'with the shipped tables it would be another');
  const tables = (folder: string): string => readFileSync(join(folder, CALIBRATION), 'utf8');
  assert.is(tables(packed.folder), tables(out));
});

const checkpoints = (out: string): string[] => readdirSync(join(out, 'run')).filter((name) => name.endsWith('.s2ac'));

/** Node's run, stopped after so many micro-batches. */
async function stopped(out: string, after: number, resume = false): Promise<void> {
  let asked = 0;
  try {
    await trainJob({ ...JOB, out, resume }, { stopping: () => ++asked === after });
    assert.unreachable('not stopped');
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
}

test('after the same step both have written the same checkpoint, byte for byte', async () => {
  const [here, there] = [newFolder(), newFolder()];
  // Two steps of three micro-batches; nobody asks after the last of a step but at its end.
  await stopped(here, 6);
  const ran = board.train(there, '--steps', '2');
  assert.is(ran.code, 5, ran.err);
  assert.match(ran.err, /stopped, and saved at step 2; --resume continues it\n$/);
  assert.equal([checkpoints(here), checkpoints(there)], [['checkpoint-2.s2ac'], ['checkpoint-2.s2ac']]);
  const bytes = (out: string): Buffer => readFileSync(join(out, 'run', 'checkpoint-2.s2ac'));
  assert.is(Buffer.compare(bytes(here), bytes(there)), 0);
});

test('a run goes from Node to WASI and back, again and again', async () => {
  // In the middle of an accumulation, of an epoch, of the judging; and the other way round.
  for (const plan of [
    [5, 'wasi', 4, 'wasi'],
    ['wasi', 10, 'wasi', 3, 'wasi'],
    [13, 'wasi', 12],
  ]) {
    const out = newFolder();
    for (const [i, who] of plan.entries()) {
      if (who === 'wasi') assert.is(board.train(out, '--steps', '2', '--resume').code, 5, `part ${i}`);
      else await stopped(out, who as number, true);
    }
    const finish = plan.at(-1) === 'wasi';
    if (finish) await trainJob({ ...JOB, out, resume: true });
    else assert.is(board.train(out, '--resume').code, 0);
    assert.is(adapterDigest(out), reference, `${plan.join(' → ')} → ${finish ? 'Node' : 'WASI'}`);
  }
});

test('stopped after every step, checkpoints between, and a finished run resumed; what a kill left is gone', () => {
  const out = newFolder();
  mkdirSync(join(out, 'run'));
  for (const name of ['adapter_config.json', 'run/checkpoint-4.s2ac']) writeFileSync(join(out, `${name}.wasi.tmp`), 'cut');
  for (let step = 1; step <= 9; step++) {
    const ran = board.train(out, '--steps', '1', '--resume', '--save-every', '1');
    assert.is(ran.code, 5, `step ${step}: ${ran.err}`);
    assert.ok(checkpoints(out).length <= 2);
  }
  for (let time = 0; time < 2; time++) {
    assert.is(board.train(out, '--resume').code, 0);
    assert.is(adapterDigest(out), reference);
  }
  // A run that is not to go on begins anew.
  assert.is(board.train(out).code, 0);
  assert.is(adapterDigest(out), reference);
  assert.equal(
    readdirSync(out, { recursive: true }).filter((name) => String(name).endsWith('.tmp')),
    [],
  );
});

test('a damaged checkpoint is said and the one before it taken; all damaged is refused; another run’s too', async () => {
  const out = newFolder();
  board.train(out, '--steps', '5', '--save-every', '1');
  assert.equal(checkpoints(out), ['checkpoint-4.s2ac', 'checkpoint-5.s2ac']);
  truncateSync(join(out, 'run', 'checkpoint-5.s2ac'), 1000);
  const ran = board.train(out, '--resume');
  assert.match(ran.err, /checkpoint-5\.s2ac: damaged checkpoint: .*; going on from the one before it\n.*from step 4 of 9/);
  assert.is(ran.code, 0);
  assert.is(adapterDigest(out), reference);
  for (const name of checkpoints(out)) truncateSync(join(out, 'run', name), 50);
  const refused = board.train(out, '--resume');
  assert.is(refused.code, 2);
  assert.match(refused.err, /every checkpoint is damaged; start anew without --resume\n$/);
  assert.is(adapterDigest(out), reference, 'the adapter that was there stays');

  const other = newFolder();
  await stopped(other, 6);
  const another = await pack({ ...JOB, rate: 0.02 });
  const ran2 = another.train(other, '--resume');
  assert.is(ran2.code, 2);
  assert.match(ran2.err, /the checkpoint belongs to a run with other settings/);
});

test('judging and predicting: as Node does', async () => {
  const out = newFolder();
  board.train(out);
  const judged = board.run('eval', ['--adapter', '/out', '--data', '/board'], { out });
  assert.is(judged.code, 0, judged.err);
  assert.match(judged.out, /^accuracy 91\.7 %: 11 of 12 pictures, loss 0\.3692\n {2}class-0: \d of \d right, \d answered\n/);
  const listed = board.run('predict', ['--adapter', '/out', '/board/val-images.npy', '--top', '2'], { out });
  assert.is(listed.code, 0, listed.err);
  const raw = readFileSync(join(board.folder, 'val-images.npy')).subarray(-12 * 32 * 32 * 3);
  const piped = board.run('predict', ['--adapter', '/out', '--top', '2'], { out, stdin: raw });
  assert.is(piped.out, listed.out);
  const classifier = loadClassifier(out, { model: JOB.model });
  for (const [i, line] of listed.out.trim().split('\n').entries()) {
    const [first, second] = classifier.predictPrepared(raw.subarray(i * 3072, (i + 1) * 3072));
    const shown = [first!, second!].map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`);
    assert.is(line, `${i}  ${shown.join('  ')}`);
  }
  const cut = board.run('predict', ['--adapter', '/out'], { out, stdin: raw.subarray(0, 5000) });
  assert.is(cut.code, 2);
  assert.match(cut.err, /stdin: ends inside a picture, got 1928, expected 3072/);
});

test('numbers that are no longer finite: the node and the sentence that Node has; a folder that cannot be written', async () => {
  const job = { ...JOB, rate: 1e30, clipNorm: 0 };
  const hot = await pack(job);
  const out = newFolder();
  let said = '';
  try {
    await trainJob({ ...job, out });
  } catch (error) {
    said = (error as Error).message;
  }
  const ran = hot.train(newFolder());
  assert.is(ran.code, 4);
  assert.is(ran.err.split('\n').at(-2), `s2a: ${said.replace('try a smaller --lr', 'pack with a smaller --lr')}`);
  const closed = board.run('train', ['--data', '/board', '--out', '/out'], { out, writable: false });
  assert.is(closed.code, 2);
  assert.match(closed.err, /^s2a: \/out\/run[^:]*: cannot be written: the file system is read-only\n$/);
});

test('pictures of f32: the same numbers, the same adapter; others are refused by a program for bytes', async () => {
  const floats = await pack({ ...JOB, pixels: 'f32' });
  const sizes = [board, floats].map(({ folder }) => statSync(join(folder, 'train-images.npy')).size - 128);
  assert.equal(sizes, [15 * 3072, 15 * 3072 * 4]);
  // A program for f32 takes bytes too.
  for (const data of [floats, board]) {
    const out = newFolder();
    for (const part of ['train', 'val'])
      for (const what of ['images', 'labels']) cpSync(join(data.folder, `${part}-${what}.npy`), join(out, `${part}-${what}.npy`));
    const ran = floats.run('train', ['--data', '/out', '--out', '/out'], { out });
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(out), reference);
  }
  const out = newFolder();
  cpSync(floats.folder, out, { recursive: true });
  const ran = board.run('train', ['--data', '/out', '--out', '/out'], { out });
  assert.is(ran.code, 2);
  assert.match(ran.err, /train-images\.npy: holds float32, but the program was packed for uint8 pictures; pack with --pixels f32\n$/);
});

test('its memory is the plan and its own pages, and not one page less', () => {
  const { wasm } = board;
  const limit = (pages: number): Uint8Array<ArrayBuffer> => Uint8Array.from(withMaximum(wasm, pages));
  const out = newFolder();
  let pages = 0;
  while (board.run('train', ['--data', '/board', '--out', '/out', '--steps', '1'], { out, wasm: limit(++pages + 2) }).code !== 5);
  pages += 2;
  assert.is(Buffer.compare(limit(pages), wasm), 0, 'the packed program has just that limit');
  const less = board.run('train', ['--data', '/board', '--out', '/out'], { out, wasm: limit(pages - 1) });
  assert.is(less.code, 3);
  assert.match(less.err, new RegExp(`does not fit into the memory that the runtime allows, it needs ${pages * 65536} bytes in all\n$`));
});

test.run();
