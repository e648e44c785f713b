/** The power goes at any moment of a checkpoint's or an adapter's writing: the old one or the new one is found, never anything else. */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digest } from '../../src/base/digest.ts';
import { makeFolder, removeLeftovers, writeText } from '../../src/base/files.ts';
import { type AdapterInfo, readAdapter, writeAdapter } from '../../src/formats/adapterfile.ts';
import type { TensorData } from '../../src/formats/safetensors.ts';
import { type CheckpointHead, readLatest, writeCheckpoint } from '../../src/training/checkpointfile.ts';
import { History } from '../../src/training/history.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { afterCuts, afterLoss, type Recording, record, restore } from '../support/powercut.ts';
import { nodeTest } from '../support/runtime.ts';
import { adapterDigest, pack } from '../wasi/board.ts';

const belongs = { program: digest('program'), data: digest('data'), settings: { rate: 0.1 } };
const head = (step: number): CheckpointHead => ({ step, epoch: 0, position: step, ...belongs, history: new History() });
const region = (step: number) => new Uint8Array(5000).map((_, i) => (i * step) % 251);

/** The step that a folder goes on from; fails unless the checkpoint is whole. */
function stepIn(folder: string): number | undefined {
  makeFolder(folder);
  removeLeftovers(folder);
  const found = readLatest(folder, belongs, () => {});
  if (!found) return undefined;
  const bytes = new Uint8Array(found.regionBytes);
  found.read(bytes);
  found.close();
  assert.equal([...bytes], [...region(found.step)]);
  return found.step;
}

/** What `look` finds after every power cut, and how many there were. */
function everyCut<T>(recording: Recording, look: (folder: string) => T): { found: Set<T>; states: number; last: T } {
  const folder = newFolder();
  const found = new Set<T>();
  let states = 0;
  for (const disk of afterCuts(recording)) {
    restore(disk, folder);
    found.add(look(folder));
    states++;
  }
  restore(afterLoss(recording), folder);
  return { found, states, last: look(folder) };
}

nodeTest('a checkpoint: the old or the new generation after every power cut; the new one once it is written', () => {
  for (const old of [0, 1, 2]) {
    const folder = newFolder();
    for (let step = 1; step <= old; step++) writeCheckpoint(folder, head(step), region(step));
    const recording = record(folder, () => void writeCheckpoint(folder, head(3), region(3)));
    const { found, states, last } = everyCut(recording, stepIn);
    assert.ok(states >= 12, `${states} states`);
    assert.equal(found, new Set([old || undefined, 3]));
    assert.is(last, 3);
  }
});

const info = (labels: string[]): AdapterInfo => ({
  method: 'bias',
  base: { type: 'vit', digest: digest('weights'), imageSize: [32, 48] },
  precision: 'f32',
  head: ['classifier.weight', 'classifier.bias'],
  labels,
  preprocessing: { do_resize: true },
  createdBy: 's2a 0.1.0',
});
const tensors = (classes: number): TensorData[] =>
  Object.entries({ 'classifier.weight': [classes, 4], 'classifier.bias': [classes], 'layer.bias': [600] }).map(([name, shape]) => {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => i * classes);
    return { name, dtype: 'F32', shape, data: new Uint8Array(values.buffer) };
  });

/** The labels of the adapter in a folder; fails unless its numbers are those that belong to them. */
function labelsIn(folder: string): string {
  const { labels, weights } = readAdapter(folder);
  for (const { name, data } of tensors(labels.length)) {
    const bytes = new Uint8Array(weights.tensor(name).bytes);
    weights.read(weights.tensor(name), bytes);
    assert.equal(bytes, data);
  }
  weights.close();
  return labels.join(' ');
}

nodeTest('an adapter: the old or the new one after every power cut; the new one once it is written', () => {
  const folder = newFolder();
  writeAdapter(folder, info(['a', 'b']), tensors(2));
  const recording = record(folder, () => writeAdapter(folder, info(['a', 'b', 'c']), tensors(3)));
  const { found, states, last } = everyCut(recording, labelsIn);
  assert.ok(states >= 12, `${states} states`);
  assert.equal(found, new Set(['a b', 'a b c']));
  assert.is(last, 'a b c');
});

nodeTest('a folder of a run that begins: nothing or the checkpoint, and the checkpoint once it is written', () => {
  const folder = newFolder();
  const run = join(folder, 'out', 'run');
  const recording = record(folder, () => void writeCheckpoint(run, head(3), region(3)));
  const { found, last } = everyCut(recording, (at) => stepIn(join(at, 'out', 'run')));
  assert.equal(found, new Set([undefined, 3]));
  assert.is(last, 3);
});

nodeTest('the WASI program: from every power cut of a run it goes on to the same adapter', async () => {
  const run = { epochs: 1, batchSize: 6, microBatch: 3, rate: 0.1, method: 'probe' };
  const board = await pack({ model: 'test/golden/vit-timm-gap', data: pictureFolder({ train: 3, val: 1 }), ...run });
  const folder = newFolder();
  const wanted = (() => {
    assert.is(board.train(folder, '--save-every', '1').code, 0);
    return adapterDigest(folder);
  })();
  // Recorded from the first checkpoint on: the best parameters, the checkpoint of the epoch's end, the adapter. The log is never synced.
  const out = newFolder();
  assert.is(board.train(out, '--steps', '1', '--save-every', '1').code, 5);
  const recording = record(out, () => assert.is(board.train(out, '--save-every', '1', '--resume').code, 0), /metrics/);
  const commits = recording.events.filter((event) => event.kind === 'rename').map((event) => event.kind === 'rename' && event.to);
  assert.ok(commits.some((name) => /run\/checkpoint/.test(String(name))) && commits.includes('adapter_model.safetensors'), commits.join());
  let states = 0;
  const at = newFolder();
  for (const disk of afterCuts(recording)) {
    restore(disk, at);
    const { code, err } = board.train(at, '--save-every', '1', '--resume');
    assert.is(code, 0, err);
    assert.is(adapterDigest(at), wanted);
    states++;
  }
  assert.ok(states >= 20, `${states} states`);
  restore(afterLoss(recording), at);
  assert.is(adapterDigest(at), wanted);
});

nodeTest('the WASI program: from every power cut while it goes back', async () => {
  const run = { epochs: 2, batchSize: 6, microBatch: 2, rate: 1, seed: 2, augment: { shift: 4, flip: true } };
  const board = await pack({ model: 'test/golden/vit-timm-gap', data: pictureFolder({ train: 5, val: 4 }), ...run });
  const folder = newFolder();
  assert.is(board.train(folder).code, 0);
  const wanted = adapterDigest(folder);
  // Three steps an epoch: the last one of the second, the judging, the way back, and a step from the start.
  const out = newFolder();
  assert.is(board.train(out, '--steps', '5', '--save-every', '1').code, 5);
  let err = '';
  const recording = record(
    out,
    () => {
      const ran = board.train(out, '--steps', '2', '--save-every', '1', '--resume');
      assert.is(ran.code, 5, ran.err);
      err = ran.err;
    },
    /metrics/,
  );
  assert.match(err, /the run goes back to its start/);
  let states = 0;
  const at = newFolder();
  for (const disk of afterCuts(recording)) {
    restore(disk, at);
    const ran = board.train(at, '--resume');
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(at), wanted);
    states++;
  }
  assert.ok(states >= 20, `${states} states`);
});

nodeTest('the recorder itself: a writer that does not sync is caught', () => {
  const folder = newFolder();
  const path = join(folder, 'text');
  writeText(path, 'the old text');
  const careless = record(folder, () => {
    const fd = openSync(`${path}.tmp`, 'wx');
    writeSync(fd, Buffer.from('another text'), 0, 12, 0);
    closeSync(fd);
    renameSync(`${path}.tmp`, path);
  });
  const texts = new Set([...afterCuts(careless)].map((disk) => Buffer.from(disk.get('text') ?? []).toString()));
  assert.ok(texts.has('the old text') && texts.has('another text') && texts.has('') && texts.has('anothe') && texts.has('\0'.repeat(12)));
});

test.run();
