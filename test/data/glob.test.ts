/** Names with *, ?, […] and ** in them. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { expandGlob, isGlob } from '../../src/data/glob.ts';
import { newFolder, refused } from '../support/folder.ts';

const root = newFolder();
for (const folder of ['a/deep/er', 'b', '.hidden']) mkdirSync(join(root, folder), { recursive: true });
for (const name of [
  '1.jpg',
  '2.jpg',
  '10.jpg',
  'x.png',
  'a/1.jpg',
  'a/deep/2.jpg',
  'a/deep/er/3.jpg',
  'b/[x].jpg',
  'b/(1)+.jpg',
  '.dot.jpg',
  '.hidden/1.jpg',
])
  writeFileSync(join(root, name), '');
const found = (pattern: string): string[] => expandGlob(join(root, pattern)).map((path) => path.slice(root.length + 1));

test('each sign, in byte order', () => {
  assert.equal(found('*.jpg'), ['1.jpg', '10.jpg', '2.jpg']);
  assert.equal(found('?.jpg'), ['1.jpg', '2.jpg']);
  assert.equal(found('[!1].*'), ['2.jpg', 'x.png']);
  assert.equal(found('[0-1]*.jpg'), ['1.jpg', '10.jpg']);
  assert.equal(found('*/*.jpg'), ['a/1.jpg', 'b/(1)+.jpg', 'b/[x].jpg']);
  assert.equal(found('a/**/*.jpg'), ['a/1.jpg', 'a/deep/2.jpg', 'a/deep/er/3.jpg']);
  assert.equal(found('**/[0-9].jpg'), ['1.jpg', '2.jpg', 'a/1.jpg', 'a/deep/2.jpg', 'a/deep/er/3.jpg']);
  assert.equal(found('b/(*'), ['b/(1)+.jpg']);
  assert.equal(found('[ab]'), ['a', 'b']);
  assert.equal(found('.hidden/*'), ['.hidden/1.jpg']);
});

test('a link that leads back names nothing twice', () => {
  const folder = newFolder();
  for (const name of ['a', 'b']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, '1.jpg'), '');
    symlinkSync(folder, join(folder, name, 'back'));
  }
  const names = expandGlob(join(folder, '**/*.jpg')).map((path) => path.slice(folder.length + 1));
  assert.equal(names, ['a/1.jpg', 'b/1.jpg']);
});

test('what is there is no pattern, and a pattern that names nothing is refused', () => {
  assert.not(isGlob(join(root, 'b/[x].jpg')));
  assert.ok(isGlob(join(root, 'b/[y].jpg')));
  assert.not(isGlob(join(root, 'b/nothing.jpg')));
  refused(() => expandGlob(join(root, '*.gif')), '*.gif', 'no file has such a name');
  refused(() => expandGlob(join(root, '[z-a].gif')), 'is no pattern', '[z-a].gif');
});

test.run();
