/** Folders of pictures as people, cameras and systems leave them. */
import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asks, colourPng, does, pictureFolder, refuses, SHORT, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

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

/** A folder of pictures in parts, `count` of each class. */
function inParts(...parts: string[]): string {
  const root = newFolder();
  for (const part of parts) renameSync(pictureFolder(2), join(root, part));
  return root;
}
const train = (data: string, ...more: string[]) => does('train', VIT, data, '--out', newFolder(), ...SHORT, ...more).stderr;

test('train with valid, Validation or dev; a third folder is named', () => {
  for (const [a, b] of [
    ['train', 'valid'],
    ['Train', 'Validation'],
  ] as const)
    assert.match(train(inParts(a, b)), /pictures: 6 to learn from, 6 to judge by; cache/);
  const stderr = train(inParts('train', 'dev', 'runs'));
  assert.match(stderr, /passed over, since train stands beside it: runs/);
  assert.match(stderr, /pictures: 6 to learn from, 6 to judge by; cache/);
});

test("folders of systems are no classes, and loose pictures and s2a's own are said", () => {
  const data = pictureFolder();
  for (const name of ['lost+found', 'System Volume Information', '$RECYCLE.BIN', '@eaDir', '__MACOSX/red'])
    mkdirSync(join(data, name), { recursive: true });
  writeFileSync(join(data, '__MACOSX/red/._0.png'), 'x');
  for (let i = 0; i < 20; i++) copyFileSync(join(data, 'red/0.png'), join(data, `loose${i}.png`));
  mkdirSync(join(data, 'adapter'));
  writeFileSync(join(data, 'adapter/adapter_config.json'), '{}');
  const stderr = train(data);
  assert.match(stderr, LEARNT);
  assert.match(stderr, /20 pictures beside the class folders are not used/);
  assert.match(stderr, /adapter: passed over, an adapter of s2a/);
});

nodeTest('a class that cannot be read stops the run, which names it', () => {
  const data = pictureFolder();
  mkdirSync(Buffer.concat([Buffer.from(`${data}/caf`), Buffer.of(0xe9)]));
  refuses(2, ['train', VIT, data, '--out', newFolder()], '/caf\\xe9: a class that cannot be read', 'not UTF-8');
  const other = pictureFolder();
  symlinkSync('/no/such/disk', join(other, 'violet'));
  refuses(2, ['train', VIT, other, '--out', newFolder()], '/violet: a class that cannot be read: a broken link');
});

test('links that lead round in a circle cost a line each', () => {
  const data = pictureFolder();
  symlinkSync('b.png', join(data, 'red/a.png'));
  symlinkSync('a.png', join(data, 'red/b.png'));
  assert.match(train(data), /skipped red\/a.png: a link that leads back to itself/);
});

test('a class keeps its row however its accents are composed', () => {
  const [one, two] = [pictureFolder(2), pictureFolder(2)];
  renameSync(join(one, 'red'), join(one, 'caf\u00e9'));
  renameSync(join(two, 'red'), join(two, 'cafe\u0301'));
  const [first, second] = [newFolder(), newFolder()];
  does('train', VIT, one, '--out', first, ...SHORT);
  const { stderr } = does('train', VIT, two, '--from', first, '--out', second, ...SHORT);
  assert.match(stderr, /3 classes/);
  assert.not.match(stderr, /no pictures of/);
  assert.is(asks<{ count: number }>('eval', VIT, second, one, '--split', 'all').count, 6);
});

test('labels by a table, in the folder or named', () => {
  const data = newFolder();
  const rows = ['blue', 'green', 'red'].flatMap((label, l) => [0, 1, 2].map((i) => [`${label[0]}${i}.png`, label, l, i] as const));
  for (const [name, , label, i] of rows) writeFileSync(join(data, name), colourPng(label, i));
  const table = `\ufefffile;label\r\n${rows.map(([name, label]) => `${name};"${label}"`).join('\r\n')}\r\n`;
  writeFileSync(join(data, 'labels.csv'), table);
  const out = newFolder();
  assert.match(does('train', VIT, data, '--out', out, ...SHORT).stderr, /pictures: 6 to learn from, 3 to judge by; cache/);
  const other = join(newFolder(), 'two.csv');
  writeFileSync(other, 'file,label,note\nb0.png,blue,x\nr1.png,red,y\n');
  const found = asks<{ count: number; classes: { label: string; count: number }[] }>(
    'eval',
    VIT,
    out,
    data,
    '--labels',
    other,
    '--split',
    'all',
  );
  assert.equal(
    found.classes.map(({ count }) => count),
    [1, 0, 1],
  );
  writeFileSync(other, 'file,label\nb0.png,blue\nr7.png,red\n');
  refuses(2, ['eval', VIT, out, data, '--labels', other], 'two.csv line 3: r7.png is not there', 'did you mean');
});

test('a class of one kind that is not read: which, and what converts it', () => {
  const data = pictureFolder();
  for (let i = 0; i < 6; i++) renameSync(join(data, `red/${i}.png`), join(data, `red/${i}.heic`));
  refuses(2, ['train', VIT, data, '--out', newFolder()], 'holds 6 HEIC pictures', 'magick mogrify');
  // By their bytes where names lie.
  const heic = Buffer.from('0000001866747970686569630000000068656963', 'hex');
  for (let i = 0; i < 6; i++) writeFileSync(join(data, `red/${i}.jpg`), heic);
  refuses(2, ['train', VIT, data, '--out', newFolder()], 'holds 6 HEIC pictures', 'magick mogrify -format jpg heic:');
});

test.run();
