/** Labels from a table instead of from folders. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import { newFolder, refused } from '../support/folder.ts';

function make(files: Record<string, string>): string {
  const root = newFolder();
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}
const pictures = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'x']));
const seen = (root: string, labels?: string) => {
  const { classes, train, val, notes } = scanFolder(root, { labels });
  const of = (list: typeof train | null) => list?.map(({ path, label }) => `${path}=${classes[label]}`).join(' ') ?? null;
  return { train: of(train), val: of(val), notes };
};

test('labels.csv, or metadata.csv as Hugging Face has it', () => {
  for (const [name, header] of [
    ['labels.csv', 'file,label'],
    ['metadata.csv', 'file_name,label'],
    ['Labels.csv', 'label;Image'],
  ] as const) {
    const rows = header.startsWith('label') ? 'cat;1.jpg\ndog;in/2.jpg' : '1.jpg,cat\nin/2.jpg,dog';
    const { train, val, notes } = seen(make({ ...pictures('1.jpg', 'in/2.jpg'), [name]: `${header}\n${rows}\n` }));
    assert.equal([train, val, notes], ['1.jpg=cat in/2.jpg=dog', null, []]);
  }
});

test('parts: a table in each, a column, or the folders that the names begin with', () => {
  const expected = ['train/1.jpg=cat train/2.jpg=dog', 'val/3.jpg=dog'];
  const files = pictures('train/1.jpg', 'train/2.jpg', 'val/3.jpg');
  const each = seen(
    make({ ...files, 'train/metadata.csv': 'file_name,label\n1.jpg,cat\n2.jpg,dog\n', 'val/metadata.csv': 'file_name,label\n3.jpg,dog\n' }),
  );
  const names = seen(make({ ...files, 'labels.csv': 'file,label\ntrain/1.jpg,cat\ntrain/2.jpg,dog\nval/3.jpg,dog\n' }));
  const column = seen(
    make({ ...files, 'labels.csv': 'file,label,split\ntrain/1.jpg,cat,train\ntrain/2.jpg,dog,Train\nval/3.jpg,dog,validation\n' }),
  );
  for (const found of [each, names, column]) assert.equal([found.train, found.val, found.notes], [...expected, []]);
  const mixed = make({
    ...pictures('train/1.jpg', 'train/2.jpg', 'val/dog/3.jpg'),
    'train/labels.csv': 'file,label\n1.jpg,cat\n2.jpg,dog\n',
  });
  assert.is(seen(mixed).val, 'val/dog/3.jpg=dog');
});

test('--labels names a table anywhere; its files stand below the pictures', () => {
  const root = make({ ...pictures('cats/1.jpg', 'dogs/2.jpg'), 'labels.csv': 'file,label\ncats/1.jpg,x\n' });
  const table = join(make({ 'any.csv': 'path,class\n./cats\\1.jpg,Katze\ndogs/2.jpg,"Hund, groß"\n' }), 'any.csv');
  const { train, notes } = seen(root, table);
  assert.equal([train, notes], ['dogs/2.jpg=Hund, groß cats/1.jpg=Katze', []]);
});

test('names and labels are compared composed', () => {
  const root = make({
    ...pictures('cafe\u0301.jpg', 'b.jpg', 'c.jpg'),
    'labels.csv': 'file,label\ncaf\u00e9.jpg,e\u0301\nb.jpg,\u00e9\nc.jpg,x\n',
  });
  assert.equal(scanFolder(root).classes, ['x', '\u00e9']);
});

test('what a table leaves open is said', () => {
  const root = make({
    ...pictures('1.jpg', '2.jpg', '3.jpg', 'note.txt', 'x.heic'),
    'labels.csv': 'file,label,width,\n1.jpg,a,3,\n2.jpg,b,4,\nx.heic,b,5,\n',
  });
  const { notes, skipped } = scanFolder(root);
  assert.match(notes[0]!, /labels.csv: not used: columns width,/);
  assert.match(notes[1]!, /labels.csv does not name 1 picture, which is not used: 3.jpg/);
  assert.equal(skipped, [{ path: 'x.heic', reason: 'a HEIC picture, not .jpg, .jpeg, .png or .webp' }]);
  const other = make({ ...pictures('a/1.jpg', 'b/1.jpg'), 'metadata.csv': 'file_name,text\na/1.jpg,a cat\n' });
  const folders = seen(other);
  assert.is(folders.train, 'a/1.jpg=a b/1.jpg=b');
  assert.match(
    folders.notes[0]!,
    /metadata.csv: not used, it has no columns for file and label but file_name, text; classes come from folders/,
  );
  symlinkSync('.', join(root, 'round'));
  assert.match(scanFolder(root).notes[0]!, /round\/ is not looked into: it leads to a folder that was seen already/);
});

test('a table that cannot be meant', () => {
  const files = pictures('1.jpg', '2.jpg');
  const of = (text: string) => scanFolder(make({ ...files, 'labels.csv': text }));
  refused(() => of('1.jpg,cat\n2.jpg,dog\n'), 'no column for the file, got 1.jpg, cat', 'a header such as file,label');
  refused(() => of('file,name\n1.jpg,cat\n'), 'no column for the label');
  refused(() => of('file,path,label\n1.jpg,1.jpg,cat\n'), 'two columns for the file, got file and path');
  refused(() => of('file,label\n'), 'has a header and no rows');
  refused(() => of('file,label\n1.jpg,a\n2.jpg,\n'), 'labels.csv line 3: the label of 2.jpg is empty');
  refused(() => of('file,label\n,a\n'), 'line 2: no file is named');
  refused(() => of('file,label\n1.jpg,a\n1.jpg,a\n'), 'line 3: 1.jpg stands twice, got line 2 too');
  refused(() => of('file,label\n1.jpg,a\n./1.jpg,b\n'), 'line 3: ./1.jpg stands twice, got b, and a on line 2');
  refused(() => of('file,label\n1.jpg,a\n3.jpg,b\n4.jpg,b\n'), 'line 3: 3.jpg is not there, nor is 1 more', 'did you mean 1.jpg');
  refused(() => of('file,label\n../1.jpg,a\n'), 'leads out of the folder');
  refused(() => of('file,label\n/etc/1.jpg,a\n'), 'leads out of the folder');
  refused(() => of('file,label,split\n1.jpg,a,later\n'), 'unknown split, got later, expected train, val or test');
  refused(() => of('file,label,split\n1.jpg,a,val\n2.jpg,b,val\n'), 'no row is of train');
  refused(() => of('file,label\n1.jpg,a\n2.jpg,a\n'), 'only one class, got a');
  const both = make({ ...files, 'labels.csv': 'file,label\n1.jpg,a\n', 'metadata.csv': 'file_name,label\n1.jpg,a\n' });
  refused(() => scanFolder(both), 'two tables of labels', '--labels');
  refused(() => scanFolder(make(files), { labels: '/no/such.csv' }), '/no/such.csv: cannot be opened');
  refused(() => scanFolder(make(files), { labels: '/dev/null' }), 'is not an ordinary file');
});

test.run();
