import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { scanFolder } from '../../src/data/scan.ts';
import { newFolder, refused } from '../folder.ts';

function make(...paths: string[]): string {
  const root = newFolder();
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path.endsWith('/')) mkdirSync(join(root, path), { recursive: true });
    else writeFileSync(join(root, path), 'x');
  }
  return root;
}

test('root/class: sorted by bytes, any case of the ending, hidden files ignored', () => {
  const root = make('b/2.PNG', 'b/10.jpg', 'b/.hidden.jpg', 'a/é.JPEG', 'a/z.jpg', 'Z/1.Jpg', '.git/1.jpg', 'README.md', 'b/Thumbs.db');
  const folder = scanFolder(root);
  assert.equal(folder.classes, ['Z', 'a', 'b']);
  assert.equal(
    folder.train.map((s) => [s.path, s.label]),
    [
      ['Z/1.Jpg', 0],
      ['a/z.jpg', 1],
      ['a/é.JPEG', 1],
      ['b/10.jpg', 2],
      ['b/2.PNG', 2],
    ],
  );
  assert.equal([folder.val, folder.test, folder.skipped], [null, null, []]);
  assert.is(folder.train[0]!.bytes, 1);
});

test('root/{train,val,test}/class', () => {
  const folder = scanFolder(make('train/a/1.jpg', 'train/b/1.jpg', 'val/a/2.jpg', 'test/b/3.jpg'));
  assert.equal(folder.classes, ['a', 'b']);
  assert.equal(
    [folder.train, folder.val!, folder.test!].map((part) => part.map((s) => `${s.path}=${s.label}`)),
    [['train/a/1.jpg=0', 'train/b/1.jpg=1'], ['val/a/2.jpg=0'], ['test/b/3.jpg=1']],
  );
});

test('a class may be named train where other classes stand beside it', () => {
  assert.equal(scanFolder(make('train/1.jpg', 'bus/1.jpg')).classes, ['bus', 'train']);
  assert.equal(scanFolder(make('train/1.jpg', 'val/1.jpg')).classes, ['train', 'val']);
});

test('links count as what they lead to; what is not used is named', () => {
  const root = make('a/1.jpg', 'a/2.heic', 'a/notes.txt', 'a/inner/3.jpg', 'c/1.jpg');
  symlinkSync(join(root, 'a'), join(root, 'b'));
  symlinkSync(join(root, 'nowhere.jpg'), join(root, 'c', 'broken.jpg'));
  symlinkSync(join(root, 'a', '1.jpg'), join(root, 'c', 'link.jpg'));
  const folder = scanFolder(root);
  assert.equal(
    folder.train.map((s) => s.path),
    ['a/1.jpg', 'b/1.jpg', 'c/1.jpg', 'c/link.jpg'],
  );
  const reasons = Object.fromEntries(folder.skipped.map((s) => [s.path, s.reason]));
  assert.match(reasons['a/2.heic']!, /HEIC/);
  assert.match(reasons['a/notes.txt']!, /not .jpg/);
  assert.match(reasons['a/inner']!, /folder inside/);
  assert.match(reasons['c/broken.jpg']!, /broken link/);
});

test('folders that cannot train', () => {
  refused(() => scanFolder('/no/such/folder'), '/no/such/folder: no such folder');
  refused(() => scanFolder('package.json'), 'not a folder');
  refused(() => scanFolder(make()), 'no class folders');
  refused(() => scanFolder(make('1.jpg', '2.jpg')), 'no class folders', 'root/class');
  refused(() => scanFolder(make('cats/1.jpg')), 'only one class, got cats');
  refused(() => scanFolder(make('val/a/1.jpg')), 'only one class', 'train folder');
  refused(() => scanFolder(make('a/', 'b/')), 'no pictures');
  refused(() => scanFolder(make('a/1.jpg', 'b/')), '/b: no pictures in this class folder');
  refused(() => scanFolder(make('train/a/1.jpg', 'train/b/1.jpg', 'val/c/1.jpg')), 'val/c', 'train folder lacks');
});

test.run();
