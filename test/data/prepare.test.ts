import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError, Interrupted } from '../../src/base/error.ts';
import { type PrepareOptions, prepare } from '../../src/data/prepare.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import { newFolder } from '../support/folder.ts';
import { asIs } from '../support/pattern.ts';
import { oriented, photo, resized } from '../support/photo.ts';

const pictures = 'test/golden/pictures';
const small = new Uint8Array(readFileSync(`${pictures}/rgb.jpg`));
const spec: Preprocess = { ...asIs(8, 8), resample: 'bicubic' };

function folderOf(files: Record<string, Uint8Array | string>): string {
  const root = newFolder();
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  return root;
}

const options = (root: string, more: Partial<PrepareOptions> = {}): PrepareOptions => ({
  root,
  preprocess: spec,
  cacheFolder: join(root, '.cache'),
  seed: 1,
  ...more,
});

async function refusedAsync(run: Promise<unknown>, ...words: string[]): Promise<void> {
  try {
    await run;
  } catch (error) {
    assert.instance(error, InputError);
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

test('a disk without room for the pictures is told before the first is decoded; an earlier cache needs none', async () => {
  const root = folderOf({ 'a/1.jpg': small, 'b/1.jpg': small });
  const full = { space: () => 2 * 8 * 8 * 3 - 1, start: () => assert.unreachable('nothing is decoded') as never };
  await refusedAsync(prepare(options(root, full)), 'too little space for 2 prepared pictures of 8x8', 'MiB free', '--cache');
  assert.equal(readdirSync(join(root, '.cache')), []);
  const made = await prepare(options(root, { space: () => 2 * 8 * 8 * 3 }));
  made.cache.close();
  (await prepare(options(root, full))).cache.close();
});

test('12-megapixel photos in all eight orientations among bad pictures', async () => {
  const big = await photo(4032, 3024, 90);
  const files: Record<string, Uint8Array | string> = {
    'other/1.jpg': small,
    'other/2.png': new Uint8Array(readFileSync(`${pictures}/alpha.png`)),
    'other/big.jpg': resized(big, 32768, 32768),
    'other/cut.jpg': big.subarray(0, big.length >> 1),
    'other/words.jpg': 'these are words',
    'other/nothing.jpg': '',
    'other/phone.jpg': Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'),
  };
  for (let o = 1; o <= 8; o++) files[`photo/${o}.JPG`] = oriented(big, o);
  const seen: string[] = [];
  const prepared = await prepare(options(folderOf(files), { onProgress: ({ done, total }) => seen.push(`${done}/${total}`) }));
  const { cache, skipped } = prepared;
  assert.equal([seen.length, seen.at(-1)], [15, '15/15']);
  assert.is(cache.pictures.length, 10);
  assert.equal(
    skipped.map((s) => s.path),
    ['other/big.jpg', 'other/cut.jpg', 'other/nothing.jpg', 'other/phone.jpg', 'other/words.jpg'],
  );
  for (const [i, word] of ['too large', 'truncated', 'empty', 'HEIC', 'text'].entries()) assert.match(skipped[i]!.reason, word);
  // Which side each orientation turns the slopes to: the file's red grows right and its green down.
  const slopes: Record<number, [number, number, number, number]> = {
    1: [1, 0, 0, 1],
    2: [-1, 0, 0, 1],
    3: [-1, 0, 0, -1],
    4: [1, 0, 0, -1],
    5: [0, 1, 1, 0],
    6: [0, 1, -1, 0],
    7: [0, -1, -1, 0],
    8: [0, -1, 1, 0],
  };
  const pixels = new Uint8Array(cache.pictureBytes);
  for (const [index, picture] of cache.pictures.entries()) {
    if (picture.label !== 1) continue;
    cache.readInto(index, pixels);
    const at = (x: number, y: number, c: number) => pixels[(y * 8 + x) * 3 + c]!;
    const way = (a: number, b: number) => (Math.abs(b - a) < 8 ? 0 : Math.sign(b - a));
    const got = [0, 1].flatMap((c) => [way(at(1, 4, c), at(6, 4, c)), way(at(4, 1, c), at(4, 6, c))]);
    assert.equal(got, slopes[Number(picture.path[6])], picture.path);
    assert.ok(Math.abs(at(4, 4, 2) - 90) < 4);
  }
  assert.is(prepared.bytesWritten, cache.bytes);
  assert.equal(prepared.classes, ['other', 'photo']);
  assert.match(prepared.decoder, /@jsquash\/jpeg \d.*fflate \d/);
  cache.close();
});

test('the cache is found again, and made again when a picture or the specification changes', async () => {
  const root = folderOf({ 'a/1.jpg': small, 'a/2.jpg': small, 'b/1.jpg': small, 'b/2.jpg': small, 'b/bad.jpg': 'x' });
  const first = await prepare(options(root));
  assert.ok(first.bytesWritten > 0);
  const second = await prepare(options(root, { seed: 9 }));
  assert.is(second.bytesWritten, 0);
  assert.is(second.digest, first.digest);
  assert.equal(second.skipped, first.skipped);
  assert.is((await prepare(options(root, { preprocess: { ...spec, resample: 'bilinear' } }))).bytesWritten > 0, true);
  for (const name of ['a/1.jpg', 'b/bad.jpg']) utimesSync(join(root, name), 1, 1);
  const copied = await prepare(options(root));
  assert.is(copied.bytesWritten, 0, 'the same bytes, copied again, are the same pictures');
  const other = Uint8Array.from(small);
  other[other.length - 1] = 0xd8;
  writeFileSync(join(root, 'a/1.jpg'), other);
  const third = await prepare(options(root));
  assert.ok(third.bytesWritten > 0);
  writeFileSync(join(root, 'b/bad.jpg'), small.subarray(0, 1));
  const fourth = await prepare(options(root));
  assert.ok(fourth.bytesWritten > 0, 'what could not be used may be another file now');
  // A damaged cache is not trusted.
  truncateSync(third.cache.path, third.cache.bytes - 5);
  assert.ok((await prepare(options(root))).bytesWritten > 0);
  assert.not.ok(readdirSync(join(root, '.cache')).some((f) => f.endsWith('.tmp')));
});

test('a given val part is used, else a part is held out', async () => {
  const held = await prepare(options(folderOf({ 'a/1.jpg': small, 'a/2.jpg': small, 'b/1.jpg': small, 'b/2.jpg': small })));
  assert.equal([held.train.length, held.val.length, held.valGiven], [2, 2, false]);
  const files = { 'train/a/1.jpg': small, 'train/b/1.jpg': small, 'val/a/1.jpg': small, 'test/b/1.jpg': small, 'val/b/x.jpg': 'x' };
  const given = await prepare(options(folderOf(files)));
  assert.equal([given.train, given.val, given.test, given.valGiven], [[0, 1], [2], [3], true]);
});

test('a class left without a readable picture ends the run, and leaves nothing', async () => {
  const root = folderOf({ 'a/1.jpg': small, 'b/1.jpg': 'words', 'b/2.jpg': '' });
  await refusedAsync(prepare(options(root)), 'no readable picture in this class', 'b/1.jpg: a text file');
  assert.equal(readdirSync(join(root, '.cache')), []);
  await refusedAsync(prepare(options(root, { cacheFolder: '/dev/null/x' })), 'cannot be made');
});

test('an interruption leaves nothing behind', async () => {
  const root = folderOf({ 'a/1.jpg': small, 'b/1.jpg': small, 'b/2.jpg': small });
  const stop = new AbortController();
  try {
    await prepare(options(root, { signal: stop.signal, onProgress: () => stop.abort() }));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, Interrupted);
  }
  assert.equal(readdirSync(join(root, '.cache')), []);
});

test('a temporary file of a process that is gone is removed', async () => {
  const root = folderOf({ 'a/1.jpg': small, 'b/1.jpg': small, '.cache/.0123.pictures.999999999-0123abcd.tmp': 'left' });
  await prepare(options(root));
  assert.not.ok(existsSync(join(root, '.cache/.0123.pictures.999999999-0123abcd.tmp')));
});

test.run();
