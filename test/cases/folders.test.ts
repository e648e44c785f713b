/** Folders of pictures as people, cameras and systems leave them. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { does, pictureFolder, SHORT, VIT } from '../cli/command.ts';
import { newFolder } from '../folder.ts';

const LEARNT = /pictures: 15 to learn from, 3 to judge by; cache/;

test('what editors and systems leave behind is no class and no picture', () => {
  const data = pictureFolder();
  for (const folder of [data, join(data, 'red')]) {
    mkdirSync(join(folder, '.ipynb_checkpoints'));
    copyFileSync(join(data, 'red', '0.png'), join(folder, '.ipynb_checkpoints', '0.png'));
    for (const name of ['.DS_Store', 'Thumbs.db', 'desktop.ini']) writeFileSync(join(folder, name), '');
  }
  copyFileSync(join(data, 'red', '0.png'), join(data, 'red', '._0.png'));
  const { stderr } = does('train', VIT, data, '--out', newFolder(), ...SHORT);
  assert.match(stderr, /3 classes/);
  assert.match(stderr, LEARNT);
});

test.run();
