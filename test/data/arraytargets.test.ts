/** What arrays of targets beside arrays of examples say, and what is said of those that do not fit. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import type { TaskName } from '../../src/task/index.ts';
import { writeArray } from '../support/arrays.ts';
import { newFolder, refused } from '../support/folder.ts';
import { fuzzTargets } from '../support/targetfuzz.ts';

type Type = '|u1' | '<i4' | '<f4';

/** Three examples to learn from with these targets. */
function folder(values: readonly number[], shape: readonly number[], type: Type = '<f4', root = newFolder(), part = 'train'): string {
  writeArray(join(root, part, 'x.npy'), '|u1', [shape[0]!, 2, 2], new Array<number>(4 * shape[0]!).fill(7));
  writeArray(join(root, part, 'targets.npy'), type, shape, values);
  return root;
}
const scan = (root: string, task?: TaskName) => scanFolder(root, { task });

test('numbers: one or several for each example, of any type', () => {
  const one = scan(folder([1.5, -2, 3], [3]), 'regress');
  assert.equal([one.task, one.classes], ['regress', ['value']]);
  assert.equal(
    one.train.map(({ path, label, values }) => [path, label, values]),
    [
      ['train/x.npy[0]', 0, [1.5]],
      ['train/x.npy[1]', 0, [-2]],
      ['train/x.npy[2]', 0, [3]],
    ],
  );
  const several = scan(folder([1, 2, 3, 4, 5, 6], [3, 2], '<i4'), 'regress');
  assert.equal(several.classes, ['value_0', 'value_1']);
  assert.equal(
    several.train.map(({ values }) => values),
    [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  );
});

test('labels: a column each, of 0 and 1; classes.txt names them', () => {
  const root = folder([1, 0, 0, 1, 0, 0], [3, 2], '|u1');
  const { task, classes, train, notes } = scan(root, 'multilabel');
  assert.equal([task, classes], ['multilabel', ['0', '1']]);
  assert.equal(
    train.map(({ values }) => values),
    [
      [1, 0],
      [0, 1],
      [0, 0],
    ],
  );
  assert.equal(notes, []);
  writeFileSync(join(root, 'classes.txt'), 'sun\nrain\n');
  assert.equal(scan(root, 'multilabel').classes, ['sun', 'rain']);
  writeFileSync(join(root, 'classes.txt'), 'sun\n');
  refused(() => scan(root, 'multilabel'), 'classes.txt: does not name every column', 'got 1 names, expected 2');
  assert.match(scan(folder([1, 0, 1, 0, 1, 0], [3, 2]), 'multilabel').notes.join(), /no example to learn from has the label 1/);
});

test('parts go together', () => {
  const root = folder([1, 2, 3, 4, 5, 6], [3, 2]);
  folder([7, 8], [1, 2], '<f4', root, 'val');
  assert.equal(
    scan(root, 'regress').val!.map(({ values }) => values),
    [[7, 8]],
  );
  folder([7], [1], '<f4', root, 'val');
  refused(() => scan(root, 'regress'), 'val/x.npy: has another number of targets for each example, got 1, expected 2, as');
});

test('nothing is guessed, and every misfit is one sentence', () => {
  refused(() => scan(folder([1.5, 2, 3], [3])), 'label 0 is no class, got 1.5', '--task regress learns numbers');
  refused(() => scan(folder([1, 0, 0, 1, 1, 1], [3, 2])), 'several numbers', '--task multilabel', '--task regress', 'argmax(1)');
  const asked = refused(() => scan(folder([1, 0, 0, 1, 1, 1], [3, 2]), 'classify'), 'several numbers', 'argmax(1)');
  assert.not.match(asked, /--task/);
  refused(() => scan(folder([1, 0.5, 0], [3]), 'multilabel'), 'row 1, column 0 is no label, got 0.5, expected 0 or 1');
  refused(() => scan(folder([1, 2, Number.NaN, 4], [2, 2]), 'regress'), 'row 1, column 0 is no finite number, got NaN');
  refused(() => scan(folder(new Array(8).fill(1), [2, 2, 2]), 'regress'), 'has the wrong shape, got [2, 2, 2], expected [N] or');
  const root = folder([1, 2], [2]);
  writeArray(join(root, 'train', 'targets.npy'), '<f4', [3], [1, 2, 3]);
  refused(() => scan(root, 'regress'), 'has another number of labels than', 'got 3, expected 2');
});

test('an array of targets does not say which picture a row is of', () => {
  const root = newFolder();
  mkdirSync(join(root, 'a'));
  for (const path of ['1.jpg', 'a/2.jpg']) writeFileSync(join(root, path), '');
  writeArray(join(root, 'targets.npy'), '<f4', [2], [1, 2]);
  refused(() => scan(root, 'regress'), 'targets.npy: does not say which picture each of its rows is of', 'labels.csv with file,value');
  const flat = newFolder();
  writeFileSync(join(flat, '1.jpg'), '');
  writeArray(join(flat, 'y.npy'), '<f4', [1], [1]);
  refused(() => scan(flat), 'y.npy: does not say which picture');
});

test('600 tables and arrays of chance: refused with a sentence, or targets for every output', () => {
  const { readers, failures } = fuzzTargets({ count: 600, seed: 3, onInput: () => {} });
  assert.equal(failures, []);
  for (const [name, { refused, passed }] of Object.entries(readers))
    assert.ok(refused > 20 && passed > 20, `${name}: ${refused}, ${passed}`);
});

test.run();
