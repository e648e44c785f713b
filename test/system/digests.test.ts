/** One digest for every runtime: Node's part of the matrix (`npm run test:matrix` has the others). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';

const lines = (text: string): string[] => text.split('\n').filter(Boolean);

test('twenty steps of every case end in the adapter that test/golden/digests.txt names', () => {
  const folder = newFolder();
  execFileSync(process.execPath, ['tools/matrix/pictures.mjs', join(folder, 'pictures')]);
  const found = execFileSync(process.execPath, ['tools/matrix/digest.mjs', folder], { encoding: 'utf8' });
  assert.equal(lines(found), lines(readFileSync('test/golden/digests.txt', 'utf8')));
  assert.ok(lines(found).length >= 16);
});

test.run();
