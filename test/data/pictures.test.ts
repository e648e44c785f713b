/** Pictures below folders, whatever their layout. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { picturesOf } from '../../src/data/pictures.ts';
import { newFolder, refused } from '../support/folder.ts';

test('files as named, then what lies below a folder in byte order; links that lead round are not followed twice', () => {
  const root = newFolder();
  mkdirSync(join(root, 'b', 'deep'), { recursive: true });
  mkdirSync(join(root, 'a'));
  for (const file of ['z.jpg', 'notes.txt', 'a/2.png', 'a/10.png', 'b/deep/x.webp']) writeFileSync(join(root, file), '');
  symlinkSync(root, join(root, 'b', 'round'));
  assert.equal(picturesOf(['one.jpg', root]), [
    { file: 'one.jpg', label: '' },
    { file: join(root, 'z.jpg'), label: '' },
    { file: join(root, 'a/10.png'), label: 'a' },
    { file: join(root, 'a/2.png'), label: 'a' },
    { file: join(root, 'b/deep/x.webp'), label: 'deep' },
  ]);
  refused(() => picturesOf([newFolder()]), 'no picture lies in it');
});

test.run();
