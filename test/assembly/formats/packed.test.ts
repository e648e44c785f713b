/** What a packed program says of its tensors and examples: sections.ts, placement.ts and examples.ts, which the WASI program stands on, run here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ParameterWord, Section } from '../../../assembly/abi/program.ts';
import { RunField } from '../../../assembly/abi/run.ts';
import {
  classOf,
  digestOf,
  Examples,
  hasShape,
  readInto,
  takeImages,
  takeLabels,
  valuesOfOne,
} from '../../../assembly/formats/examples.ts';
import { readHead } from '../../../assembly/formats/npy.ts';
import * as places from '../../../assembly/formats/placement.ts';
import * as header from '../../../assembly/formats/safetensors.ts';
import { fault, isGood } from '../../../assembly/formats/scan.ts';
import * as sections from '../../../assembly/formats/sections.ts';
import type { Words } from '../../../assembly/formats/words.ts';
import { digest } from '../../../src/base/digest.ts';
import { rangeFiles } from '../../../src/base/rangefiles.ts';
import { wordsOf } from '../../../src/base/words.ts';
import { npyHead } from '../../../src/formats/npy/write.ts';
import { openWeightsFile } from '../../../src/formats/weightsfolder.ts';
import { decodeProgram } from '../../../src/program/decode.ts';
import { packJob } from '../../../src/use/pack.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { pictureFolder } from '../../support/pictures.ts';

const MODEL = 'test/golden/vit-timm-gap';
const folder = newFolder();
await packJob({
  model: MODEL,
  data: pictureFolder({ train: 2, val: 1 }),
  out: folder,
  batchSize: 2,
  microBatch: 1,
  epochs: 1,
  method: 'bias',
});
const bytes = new Uint8Array(readFileSync(join(folder, 'program.s2a')));
const file = new DataView(bytes.buffer);
const memory = new Uint8Array(1 << 20);
const view = new DataView(memory.buffer);
const words: Words = wordsOf(() => view);
sections.openSections(
  wordsOf(() => file),
  0,
);
const program = decodeProgram(bytes, 'program.s2a');

test('sections, lines, records and ports are those of the decoder', () => {
  assert.is(sections.countRecords(Section.Weights), program.weights.length);
  for (const [i, { name, offset }] of program.parameters.entries()) {
    const record = sections.recordAt(Section.Parameters, i);
    assert.is(sections.recordWord(record, ParameterWord.Offset), offset);
    sections.findLine(Section.Names, sections.recordWord(record, ParameterWord.Name));
    const line = bytes.slice(sections.lineAt, sections.lineAt + sections.lineBytes);
    assert.is(new TextDecoder().decode(line), name);
    memory.set(line, 64);
    assert.is(sections.lineOf(Section.Names, words, 64, line.length), sections.recordWord(record, ParameterWord.Name));
    assert.is(sections.lineOf(Section.Names, words, 64, line.length - 1), -1);
  }
  const ends = program.parameters.map((p) => p.offset + 4 * p.dims.reduce((a, b) => a * b, 1));
  assert.equal(
    [sections.parametersFrom(), sections.parametersEnd()],
    [Math.min(...program.parameters.map((p) => p.offset)), Math.max(...ends)],
  );
  for (const [id, { offset, bytes: size }] of program.io) assert.equal([sections.port(id, true), sections.port(id, false)], [offset, size]);
  assert.is(sections.channelCount(), 3);
  const phases = [0, 1, 2, 3, 4].map((phase) => sections.instructionsOf(phase));
  assert.is(
    phases.reduce((a, b) => a + b),
    program.symbols.length,
  );
  assert.ok(phases[1]! > phases[3]!);
});

/** Notes the tensors of a weights file; what is wrong with it. */
function noted(weights: Uint8Array): string {
  places.forgetPlaces(words, 4096);
  if (header.openHeader((at) => weights[at]!, weights.length, words, 0))
    while (header.nextTensor() && places.notePlace(Section.Weights, 0, words, 0));
  return isGood() ? '' : fault;
}

test('every weight has its place, and what does not fit is named', () => {
  const weights = new Uint8Array(readFileSync(join(MODEL, 'model.safetensors')));
  assert.is(noted(weights), '');
  assert.is(places.firstMissing(Section.Weights), -1);
  const opened = openWeightsFile(MODEL);
  for (const [i, { name }] of program.weights.entries())
    assert.equal([places.placeFile(i), places.placeType(i), places.placeOffset(i)], [0, 0, opened.tensor(name).offset], name);
  opened.close();
  const edited = (from: string, to: string): string => {
    const text = Buffer.from(weights).toString('latin1');
    assert.ok(text.includes(from) && from.length === to.length);
    return noted(Buffer.from(text.replace(from, to), 'latin1'));
  };
  const name = program.weights[0]!.name;
  const before = places.strangers;
  assert.is(edited(`"${name}"`, `"${'x'.repeat(name.length)}"`), '');
  assert.is(places.strangers, before + 1);
  sections.findLine(Section.Names, places.firstMissing(Section.Weights));
  assert.is(new TextDecoder().decode(bytes.subarray(sections.lineAt, sections.lineAt + sections.lineBytes)), name);
  const shape = /"shape":\[(\d+),(\d+)\]/.exec(Buffer.from(weights).toString('latin1'))!;
  if (shape[1] !== shape[2] && shape[1]!.length === shape[2]!.length)
    assert.is(edited(shape[0], `"shape":[${shape[2]},${shape[1]}]`), 'has the wrong shape');
});

/** An array in memory as a part's examples or labels. */
function taken(type: '|u1' | '<i4' | '<f4', shape: readonly number[], data: Uint8Array, part = new Examples(), labels?: true): Examples {
  const array = Buffer.concat([npyHead(type, shape), data]);
  assert.ok(readHead((at) => array[at]!, array.length));
  const files = filesOf(array);
  part.rawAt = 512;
  if (labels) takeLabels(files, part);
  else {
    assert.ok(hasShape());
    takeImages(files, part, false);
  }
  return part;
}
const filesOf = (array: Uint8Array) =>
  rangeFiles('a.npy', { readAt: (offset, target) => void target.set(array.subarray(offset, offset + target.length)) }, memory);

test('examples: shape, type and number, what is read of them, their digest', () => {
  const n = valuesOfOne();
  const [h, w] = [sections.runWord(RunField.Height), sections.runWord(RunField.Width)];
  const pixels = Uint8Array.from({ length: 2 * n }, (_, i) => i * 7);
  const part = taken('|u1', [2, h, w, 3], pixels);
  const files = filesOf(Buffer.concat([npyHead('|u1', [2, h, w, 3]), pixels]));
  assert.equal([part.count, part.channelBytes], [2, 1]);
  readInto(files, part, 1, words, 8192);
  assert.equal(memory.slice(8192, 8192 + n), pixels.slice(n));
  digestOf(files, part, 1, words, 8192, 1030, 256);
  assert.is(Buffer.from(memory.subarray(256, 288)).toString('hex'), digest(pixels.slice(n)));
  refused(() => taken('<f4', [1, h, w, 3], new Uint8Array(4 * n)), 'a.npy: holds float32', '--pixels f32');
  refused(() => taken('<i4', [1, h, w, 3], new Uint8Array(4 * n)), 'wrong element type');
  refused(() => taken('|u1', [0, h, w, 3], new Uint8Array()), 'holds no pictures');
});

test('labels: whole numbers of any width and sign, and nothing but classes', () => {
  const part = Object.assign(new Examples(), { count: 3 });
  const of = (values: readonly number[]) => {
    const data = new Uint8Array(Int32Array.from(values).buffer);
    taken('<i4', [3], data, part, true);
    return filesOf(Buffer.concat([npyHead('<i4', [3]), data]));
  };
  const files = of([1, 0, 1]);
  assert.equal(
    [0, 1, 2].map((i) => classOf(files, part, i, words)),
    [1, 0, 1],
  );
  refused(() => classOf(of([0, 0, -2]), part, 2, words), 'label -2 of picture 2 is a class that the program lacks: it was packed for 3');
  refused(() => classOf(of([3, 0, 0]), part, 0, words), 'label 3 of picture 0');
  refused(() => taken('<f4', [3], new Uint8Array(12), part, true), 'holds numbers that are not whole');
  refused(() => taken('<i4', [2], new Uint8Array(8), part, true), 'another number of labels', 'got 2, expected 3');
});

test.run();
