/** Of a file of prepared pictures nothing is believed but what its checksums say: the run's own listing tells the rest. */
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';
import { type Cache, type Listing, openCache, writeCache } from '../../src/data/cache.ts';
import { type Prepared, type PrepareOptions, prepare } from '../../src/data/prepare.ts';
import { fuzzCaches } from '../support/cachefuzz.ts';
import { newFolder, refused } from '../support/folder.ts';
import { asIs } from '../support/pattern.ts';

const small = readFileSync('test/golden/pictures/rgb.jpg');
const NAMES = ['a/1.jpg', 'a/2.jpg', 'b/1.jpg', 'b/bad.jpg'];

/** A folder of pictures, prepared with a cache beside it; `again` prepares it another time and returns what was said. */
async function prepared(more: Partial<PrepareOptions> = {}) {
  const root = newFolder();
  for (const name of NAMES) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), name.includes('bad') ? 'words' : small);
  }
  const said: string[] = [];
  const options = { root, preprocess: asIs(8, 8), cacheFolder: join(root, '.cache'), seed: 1, warn: (s: string) => void said.push(s) };
  const again = async (extra: Partial<PrepareOptions> = {}): Promise<Prepared> => {
    said.length = 0;
    return prepare({ ...options, ...more, ...extra });
  };
  return { root, again, said, first: await again() };
}

const all = (cache: Cache): string[] =>
  cache.pictures.map((_, i) => {
    const target = new Uint8Array(cache.pictureBytes);
    cache.readInto(i, target);
    return Buffer.from(target).toString('hex');
  });

/** Changes one bit of a file. */
function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 4;
  writeFileSync(path, bytes);
}

test('one bit anywhere in the pixels is found before the run, said, and the picture decoded anew into its place', async () => {
  const { again, said, first } = await prepared();
  const pixels = all(first.cache);
  const before = readFileSync(first.cache.path);
  flip(first.cache.path, 192 + 77);
  const second = await again();
  assert.match(said.join(), /damaged copies are prepared anew: a\/2\.jpg$/);
  assert.is(second.bytesWritten, 192);
  assert.equal(all(second.cache), pixels);
  assert.ok(readFileSync(first.cache.path).equals(before));
  await again();
  assert.equal(said, []);
});

test('a bit anywhere in what stands behind the pixels costs the cache, said', async () => {
  const { again, said, first } = await prepared();
  const { path, bytes } = first.cache;
  const before = readFileSync(path);
  for (const at of [-1, -9, -40, -44, -60, 3 * 192, 3 * 192 + 40]) {
    flip(path, at);
    const next = await again();
    assert.match(said.join(), /is not the cache of these pictures, or is damaged; pictures are prepared anew/, String(at));
    assert.is(next.bytesWritten, bytes);
    assert.ok(readFileSync(path).equals(before), 'the same file again');
  }
});

test('a file that is cut, longer or another is made again', async () => {
  const { again, said, first } = await prepared();
  const { path } = first.cache;
  const before = readFileSync(path);
  for (const content of [before.subarray(0, -5), before.subarray(1), Buffer.concat([before, before]), Buffer.from('x'), Buffer.alloc(0)]) {
    writeFileSync(path, content);
    await again();
    assert.is(said.length, 1, said.join());
    assert.equal(all((await again()).cache), all(first.cache));
  }
});

test('a damaged copy of a picture that is gone ends the run and names it; one whose picture has changed is prepared with all others', async () => {
  const { root, again, said, first } = await prepared();
  flip(first.cache.path, 5);
  const error = await again({ vanished: ['a/1.jpg'] }).then(
    () => new Error('nothing was refused'),
    (e: unknown) => e as Error,
  );
  assert.instance(error, InputError);
  assert.match(error.message, /a\/1\.jpg: gone since the run began, and its prepared copy in .* is damaged; put it back/);
  // Other bytes of the same size behind the same time.
  const other = Buffer.from(readFileSync('test/golden/pictures/rgb.jpg'));
  other[other.length - 40]! ^= 1;
  const { modifiedMs } = first.cache.outcomes[0]!;
  writeFileSync(join(root, 'a/1.jpg'), other);
  utimesSync(join(root, 'a/1.jpg'), modifiedMs / 1000, (modifiedMs + 0.5) / 1000);
  const next = await again();
  assert.ok(said.length > 0);
  assert.ok(next.bytesWritten > 0);
  all(next.cache);
});

test('a bit that flips while the run goes on is found as it is read', async () => {
  const { first } = await prepared();
  const { cache } = first;
  const target = new Uint8Array(192);
  cache.readInto(1, target);
  flip(cache.path, 2 * 192 - 1);
  cache.readInto(0, target);
  const error = refused(() => cache.readInto(1, target), 'the prepared copy of a/2.jpg was damaged since the run began', '--resume');
  assert.match(error, /\.pictures: /);
  writeFileSync(cache.path, '');
  refused(() => cache.readInto(0, target), 'a/1.jpg was damaged');
  assert.throws(() => cache.readInto(3, target), RangeError);
  assert.throws(() => cache.readInto(0, new Uint8Array(191)), RangeError);
});

test('another listing than the one it was made of is refused, whatever the file says', () => {
  const path = join(newFolder(), 'x.pictures');
  const picture = (name: string) => ({ path: name, label: 0, bytes: 1, modifiedMs: 1, part: 'train' as const });
  const listing: Listing = {
    digest: 'd'.repeat(64),
    size: { height: 1, width: 1 },
    pictureBytes: 3,
    pictures: [picture('a'), picture('b')],
    skipped: [],
  };
  const writer = writeCache(path, 3);
  writer.add({ modifiedMs: 1, reason: 'words' });
  writer.add({ modifiedMs: 1, reason: 'x'.repeat(9999) });
  writer.finish(listing.digest);
  assert.is(openCache(path, listing).skipped.length, 2);
  for (const other of [
    { ...listing, digest: 'e'.repeat(64) },
    { ...listing, pictures: [picture('a')] },
    { ...listing, pictures: [...listing.pictures, picture('c')] },
  ])
    refused(() => openCache(path, other), 'is not the cache of these pictures, or is damaged');
  rmSync(path);
  refused(() => openCache(path, listing), 'no such file');
  assert.not.ok(existsSync(path));
});

test('2,000 damaged and forged caches: refused, or every byte that is read is one that was written', async () => {
  const { readers, failures } = await fuzzCaches({ count: 2000, seed: 3, onInput: () => {} });
  assert.equal(failures, []);
  for (const [name, { refused: no }] of Object.entries(readers)) assert.ok(no > 0, name);
});

test.run();
