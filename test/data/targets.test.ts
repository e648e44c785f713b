/** Tables of labels and of numbers: which task they are for, their targets, and what is refused because it could be meant in two ways. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import type { TaskName } from '../../src/task/index.ts';
import { newFolder, refused } from '../support/folder.ts';

function make(files: Record<string, string>): string {
  const root = newFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}
/** Pictures 1.jpg to 4.jpg and a table of them. */
const withTable = (text: string): string =>
  make({ ...Object.fromEntries(['1', '2', '3', '4'].map((n) => [`${n}.jpg`, 'x'])), 'labels.csv': text });
const read = (text: string, task?: TaskName) => scanFolder(withTable(text), { task });
const values = (text: string, task?: TaskName) => read(text, task).train.map((sample) => sample.values);

test('a column of names with | between them: several labels, sorted; an empty one is none', () => {
  const { task, classes, train, notes } = read('file,labels,who\n1.jpg,sun|sea,Bo\n2.jpg,,Al\n3.jpg, rain | sea ,Bo\n4.jpg,sun,Al\n');
  assert.is(task, 'multilabel');
  assert.equal(classes, ['rain', 'sea', 'sun']);
  assert.equal(
    train.map((s) => s.values),
    [
      [0, 1, 1],
      [0, 0, 0],
      [1, 1, 0],
      [0, 0, 1],
    ],
  );
  assert.match(notes.join(), 'not used: column who');
  assert.equal(values('file,tags\n1.jpg,b|a\n2.jpg,a\n'), [
    [1, 1],
    [1, 0],
  ]);
});

test('a column for each label, 0 or 1, in the order of the header', () => {
  const { task, classes, train, notes } = read(
    'file,sun,rain,snow,split\n1.jpg,1,0,0,train\n2.jpg,1,1,0,train\n3.jpg,0,0,0,val\n',
    'multilabel',
  );
  assert.is(task, 'multilabel');
  assert.equal(classes, ['sun', 'rain', 'snow']);
  assert.equal(
    train.map((s) => s.values),
    [
      [1, 0, 0],
      [1, 1, 0],
    ],
  );
  assert.match(notes.join(), 'no picture to learn from has the label snow');
});

test('columns of numbers: value, target, or any by --task regress', () => {
  const { task, classes, train } = read('file,value\n1.jpg,1.5\n2.jpg,-3e2\n');
  assert.is(task, 'regress');
  assert.equal(classes, ['value']);
  assert.equal(
    train.map((s) => s.values),
    [[1.5], [-300]],
  );
  assert.equal(read('file,target_x,target_y\n1.jpg,1,2\n2.jpg,3,4\n').classes, ['target_x', 'target_y']);
  assert.equal(values('file,angle,size\n1.jpg,1,2\n2.jpg,3,4\n', 'regress'), [
    [1, 2],
    [3, 4],
  ]);
  assert.equal(values('file,label\n1.jpg,0.25\n2.jpg,3\n', 'regress'), [[0.25], [3]]);
  // What lies in the arena is f32.
  assert.equal(values('file,value\n1.jpg,0.1\n2.jpg,1\n'), [[Math.fround(0.1)], [1]]);
});

test('what could be meant in two ways is refused, and --task decides', () => {
  refused(
    () => read('file,sun,rain\n1.jpg,1,0\n'),
    'others that may be labels or numbers',
    'sun, rain',
    '--task multilabel',
    '--task regress',
  );
  refused(
    () => read('file,label,value\n1.jpg,cat,3\n'),
    'more than one task',
    'label (classify), value (regress)',
    '--task classify or --task regress',
  );
  refused(() => read('file,label\n1.jpg,cat|dog\n2.jpg,cat\n'), 'line 2', 'one class or several labels: cat|dog', '--task multilabel');
  refused(() => read('file,label\n1.jpg,1.5\n2.jpg,2\n'), 'a class or a measured number', '--task regress', '--task classify');
  refused(() => read('file,labels\n1.jpg,"cat, dog"\n'), 'one label or several: cat, dog', '|');
  assert.equal(read('file,label\n1.jpg,cat|dog\n2.jpg,cat\n', 'classify').classes, ['cat', 'cat|dog']);
  assert.equal(read('file,label\n1.jpg,cat|dog\n2.jpg,cat\n', 'multilabel').classes, ['cat', 'dog']);
  assert.equal(read('file,label\n1.jpg,7\n2.jpg,3\n').classes, ['3', '7']);
});

test('bad tables: one sentence each', () => {
  refused(
    () => read('file,sun,who\n1.jpg,1,Bo\n', 'multilabel'),
    'line 2',
    'column who is no label',
    'got Bo',
    '0 or 1',
    'leave others out',
  );
  refused(() => read('file,value\n1.jpg,2\n2.jpg,big\n'), 'line 3', 'column value holds no number', 'got big');
  refused(() => read('file,value\n1.jpg,\n'), 'column value holds no number', 'got nothing');
  refused(() => read('file;value\n1.jpg;3,5\n'), 'column value holds no number', 'with a point: 3.5');
  refused(() => read('file,value\n1.jpg,inf\n'), 'column value holds no number', 'got inf');
  refused(() => read('file,labels\n1.jpg,cat|cat\n'), 'the label cat stands twice');
  refused(() => read('file,labels\n1.jpg,\n2.jpg,\n'), 'no picture to learn from has a label');
  refused(
    () => read('file,labels,split\n1.jpg,cat,train\n2.jpg,cats,val\n'),
    'a label that no picture to learn from has',
    'cats',
    'did you mean cat?',
  );
  refused(() => read('file,split\n1.jpg,train\n', 'regress'), 'no column of numbers');
  refused(() => read('file,value,value\n1.jpg,1,2\n'), 'two columns of the name value');
});

test('one task for a folder', () => {
  const pictures = Object.fromEntries(['train/1.jpg', 'train/2.jpg', 'val/3.jpg', 'val/cat/3.jpg'].map((name) => [name, 'x']));
  const train = { ...pictures, 'train/labels.csv': 'file,value\n1.jpg,1\n2.jpg,2\n' };
  refused(
    () => scanFolder(make({ ...train, 'val/labels.csv': 'file,labels\n3.jpg,cat\n' })),
    'another task than beside it',
    'multilabel',
    'regress',
  );
  refused(() => scanFolder(make({ ...train, 'val/labels.csv': 'file,target\n3.jpg,3\n' })), 'other columns', 'target', 'value');
  refused(() => scanFolder(make(train)), 'val', 'another task than beside it', 'classify', 'regress');
  refused(() => scanFolder(make({ 'cat/1.jpg': 'x', 'dog/1.jpg': 'x' }), { task: 'regress' }), 'class folders do not say', 'file,value');
  const { val } = scanFolder(make({ ...train, 'val/labels.csv': 'file,value\n3.jpg,3\ncat/3.jpg,4\n' }));
  assert.equal(
    val!.map((s) => s.values),
    [[3], [4]],
  );
});

test.run();
