/** How people lay out arrays of many examples, and what is said of other ways. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import { meaningOf } from '../../src/data/stacks.ts';
import { writeArray } from '../support/arrays.ts';
import { newFolder, refused } from '../support/folder.ts';

const images = (root: string, name: string, shape: readonly number[], type: '|u1' | '<f4' = '<f4'): void =>
  writeArray(join(root, name), type, shape, new Array<number>(shape.reduce((n, d) => n * d, 1)).fill(1));
const labels = (root: string, name: string, values: readonly number[], shape: readonly number[] = [values.length]): void =>
  writeArray(join(root, name), '<i4', shape, values);

test('names of files', () => {
  assert.equal(meaningOf('x.npy'), { role: 'x' });
  assert.equal(meaningOf('X_train.npy'), { role: 'x', part: 'train' });
  assert.equal(meaningOf('train-images.npy'), { role: 'x', part: 'train' });
  assert.equal(meaningOf('y_valid.npy'), { role: 'y', part: 'val' });
  assert.equal(meaningOf('test_labels.npy'), { role: 'y', part: 'test' });
  for (const name of ['x.txt', 'xtrain.npy', 'x_1.npy', 'train.npy', 'a_b_c.npy', 'x_y.npy']) assert.is(meaningOf(name), undefined, name);
});

test('a folder for each part, a file for each part, one file alone', () => {
  const one = newFolder();
  for (const part of ['train', 'val']) {
    images(one, `${part}/x.npy`, [4, 3, 5, 2]);
    labels(one, `${part}/y.npy`, [1, 0, 10, 1]);
  }
  const two = newFolder();
  images(two, 'X_train.npy', [4, 3, 5], '|u1');
  labels(two, 'y_train.npy', [1, 0, 10, 1], [4, 1]);
  images(two, 'X_test.npy', [1, 3, 5], '|u1');
  labels(two, 'y_test.npy', [10]);
  const three = newFolder();
  images(three, 'images.npy', [4, 3, 5], '|u1');
  labels(three, 'labels.npy', [1, 0, 10, 1]);
  const [a, b, c] = [one, two, three].map((root) => scanFolder(root)) as [
    ReturnType<typeof scanFolder>,
    ReturnType<typeof scanFolder>,
    ReturnType<typeof scanFolder>,
  ];
  assert.equal(a.arrays, { height: 3, width: 5, channels: 2, element: 'f32' });
  assert.equal(b.arrays, { height: 3, width: 5, channels: 1, element: 'u8' });
  // Numbers in their order, not in that of their letters.
  for (const { classes } of [a, b, c]) assert.equal(classes, ['0', '1', '10']);
  assert.equal(
    a.train.map(({ path, label }) => [path, label]),
    [
      ['train/x.npy[1]', 0],
      ['train/x.npy[0]', 1],
      ['train/x.npy[3]', 1],
      ['train/x.npy[2]', 2],
    ],
  );
  assert.equal([a.val?.length, a.test, b.val, b.test?.length, c.val], [4, null, null, 1, null]);
});

test('classes.txt names the numbers', () => {
  const root = newFolder();
  images(root, 'x.npy', [3, 2, 2]);
  labels(root, 'y.npy', [0, 2, 2]);
  writeFileSync(join(root, 'classes.txt'), 'cat\ndog\nbird\n');
  assert.equal(scanFolder(root).classes, ['cat', 'bird']);
  writeFileSync(join(root, 'classes.txt'), 'cat\ndog\n');
  refused(() => scanFolder(root), 'class 2 has no name', 'classes.txt');
  writeFileSync(join(root, 'classes.txt'), 'cat\ncat\ndog\n');
  refused(() => scanFolder(root), 'classes.txt: names cat twice');
});

test('what does not go together', () => {
  const made = (...files: (readonly [string, readonly number[]] | readonly [string, readonly number[], 'labels'])[]): string => {
    const root = newFolder();
    for (const [name, values, isLabels] of files) isLabels ? labels(root, name, values) : images(root, name, values);
    return root;
  };
  const scans = (root: string) => () => scanFolder(root);
  refused(scans(made(['x.npy', [2, 3, 3]])), 'x.npy: has no labels beside it');
  refused(scans(made(['x.npy', [2, 3, 3]], ['y.npy', [0, 1, 1], 'labels'])), 'another number of labels', 'got 3, expected 2');
  refused(scans(made(['x.npy', [2, 3]], ['y.npy', [0, 1], 'labels'])), 'wrong shape, got [2, 3], expected [N, H, W] or [N, H, W, C]');
  refused(scans(made(['x.npy', [2, 3, 3]], ['images.npy', [2, 3, 3]], ['y.npy', [0, 1], 'labels'])), 'two arrays for x of train');
  refused(scans(made(['x.npy', [2, 3, 3]], ['y.npy', [0, -1], 'labels'])), 'label 1 is no class, got -1');
  refused(scans(made(['x.npy', [2, 3, 3]], ['y.npy', [1, 1], 'labels'])), 'only one class, got 1');
  refused(
    scans(made(['x_train.npy', [2, 3, 3]], ['y_train.npy', [0, 1], 'labels'], ['x_val.npy', [1, 3, 4]], ['y_val.npy', [0], 'labels'])),
    'x_val.npy: has another shape, got 3x4x1, expected 3x3x1, as',
  );
  refused(
    scans(made(['x_train.npy', [2, 3, 3]], ['y_train.npy', [0, 1], 'labels'], ['x_val.npy', [1, 3, 3]], ['y_val.npy', [7], 'labels'])),
    'a class that the train part lacks, got 7',
  );
  const hot = made(['x.npy', [2, 3, 3]]);
  labels(hot, 'y.npy', [0, 1, 1, 0], [2, 2]);
  refused(scans(hot), 'several numbers for each example', 'argmax(1)');
  const archive = newFolder();
  writeFileSync(join(archive, 'data.npz'), 'PK');
  refused(scans(archive), 'several arrays in one', 'np.load(p).items()');
});

test('parts without labels are said and not used', () => {
  const root = newFolder();
  images(root, 'x_train.npy', [2, 3, 3]);
  labels(root, 'y_train.npy', [0, 1]);
  images(root, 'x_test.npy', [2, 3, 3]);
  const { test: left, notes } = scanFolder(root);
  assert.is(left, null);
  assert.match(notes.join(), /x_test\.npy: not used, no array of labels stands beside it/);
});

test('class folders of a file for each example', () => {
  const root = newFolder();
  for (const name of ['a/1.npy', 'a/2.npy', 'b/1.npy']) images(root, name, [3, 4], '|u1');
  const { classes, train, arrays } = scanFolder(root);
  assert.equal(
    [classes, train.map(({ path }) => path)],
    [
      ['a', 'b'],
      ['a/1.npy', 'a/2.npy', 'b/1.npy'],
    ],
  );
  assert.equal(arrays, { height: 3, width: 4, channels: 1, element: 'u8' });
  images(root, 'b/2.npy', [3, 4, 1]);
  assert.is(scanFolder(root).arrays!.element, 'f32');
  images(root, 'b/3.npy', [4, 4]);
  refused(() => scanFolder(root), '3.npy: has another shape, got 4x4x1, expected 3x4x1');
  const table = newFolder();
  for (const name of ['1.npy', '2.npy']) images(table, name, [3, 4]);
  writeFileSync(join(table, 'labels.csv'), 'file,label\n1.npy,cat\n2.npy,dog\n');
  assert.equal(scanFolder(table).classes, ['cat', 'dog']);
});

test('pictures with arrays among them stay pictures', () => {
  const root = newFolder();
  for (const name of ['a', 'b']) {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, '1.png'), 'no picture, but named as one');
  }
  images(root, 'a/1.npy', [3, 4]);
  const { arrays, skipped } = scanFolder(root);
  assert.is(arrays, undefined);
  assert.equal(skipped, [{ path: 'a/1.npy', reason: 'not .jpg, .jpeg, .png or .webp' }]);
});

test.run();
