/** Sums of features: what a server makes the fleet's head of, held against the features themselves, one picture at a time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { freshTensors, openBoard, preparePictures } from '../../src/fleet/board.ts';
import { sumsHere } from '../../src/fleet/sums.ts';
import { decodePicture } from '../../src/input/decode.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import { loadEmbedder } from '../../src/use/embedder.ts';
import { drawings } from '../support/drawings.ts';
import { MODEL } from '../support/fleetrun.ts';
import { newFolder } from '../support/folder.ts';

const OWN = ['fish', 'star'];
/** Those of the fleet: of two of them there is nothing here. */
const LABELS = ['apple', 'fish', 'house', 'star'];
const data = drawings(OWN, 7);
const board = openBoard({ model: MODEL, data, out: newFolder(), method: 'bias', threads: 1, batchSize: 4 }, 1, () => {});
const tensors = await freshTensors(board, LABELS.length, 1);
const sumsOf = (kind: 'gram' | 'diagonal') => sumsHere(board, { tensors, labels: LABELS, kind, seed: 1 }, {});

/** Features and row of each picture that is learnt from. */
async function features(): Promise<{ label: number; x: Float32Array }[]> {
  const prepared = await preparePictures(board, {});
  prepared.cache.close();
  const embedder = loadEmbedder(undefined, { model: MODEL });
  const list = prepared.train.map(async (i) => {
    const { path, label } = prepared.cache.pictures[i]!;
    const pixels = await decodePicture(readFileSync(join(data, path)), embedder.preprocess as Preprocess);
    return { label: OWN.indexOf(prepared.classes[label]!), x: embedder.embedPrepared(pixels).slice() };
  });
  return Promise.all(list);
}

test('the sum and count of each label that is here, and the matrix about the mean, in f32', async () => {
  const list = await features();
  const { arrays, count, counts } = await sumsOf('gram');
  assert.equal([count, counts], [list.length, LABELS.map((name) => list.filter(({ label }) => OWN[label] === name).length)]);
  const width = list[0]!.x.length;
  const [sums, gram] = [arrays.get('sums')!, arrays.get('gram')!];
  assert.equal([sums.shape, gram.shape, arrays.size], [[OWN.length, width + 1], [(width * (width + 1)) / 2], 2]);
  assert.ok(sums.values instanceof Float32Array && gram.values instanceof Float32Array);
  for (let row = 0; row < OWN.length; row++) {
    const own = list.filter(({ label }) => label === row);
    const exact = Array.from({ length: width }, (_, f) => own.reduce((sum, { x }) => sum + x[f]!, 0));
    assert.equal([...sums.values.subarray(row * (width + 1), (row + 1) * (width + 1))], [...Float32Array.from([...exact, own.length])]);
  }
  const mean = Array.from({ length: width }, (_, f) => list.reduce((sum, { x }) => sum + x[f]!, 0) / list.length);
  const scatter = (i: number, j: number) => list.reduce((sum, { x }) => sum + (x[i]! - mean[i]!) * (x[j]! - mean[j]!), 0);
  const largest = Math.max(...mean.map((_, f) => scatter(f, f)));
  let at = 0;
  for (let i = 0; i < width; i++)
    for (let j = i; j < width; j++) assert.ok(Math.abs(gram.values[at++]! - scatter(i, j)) < 1e-6 * largest, `${i}, ${j}`);
});

test('squares are the matrix’s diagonal', async () => {
  const [{ arrays: whole }, { arrays }] = await Promise.all([sumsOf('gram'), sumsOf('diagonal')]);
  const squares = arrays.get('squares')!.values;
  const [gram, width] = [whole.get('gram')!.values, squares.length];
  const diagonal = Array.from({ length: width }, (_, i) => gram[(i * (2 * width - i + 1)) / 2]!);
  assert.equal([...squares], diagonal);
  assert.equal([...arrays.keys()], ['sums', 'squares']);
});

test.run();
