/** Examples by ranges: exact numbers, whatever they are stored as, and no more of a file than is asked for. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { npyHead } from '../../src/formats/npy/write.ts';
import { arrayReader, checkArrayPreparation, placeOf, rowPath, storedDigest } from '../../src/input/example.ts';
import { newFolder, refused } from '../support/folder.ts';

const golden = JSON.parse(readFileSync('test/golden/arrays/arrays.json', 'utf8')) as Record<string, { numbers: number[] }>;
const path = (name: string, row: number): string => rowPath(`test/golden/arrays/${name}.npy`, row);

test('places', () => {
  assert.equal(placeOf('a/b.npy'), { file: 'a/b.npy' });
  assert.equal(placeOf(rowPath('a/b.npy', 12)), { file: 'a/b.npy', row: 12 });
  assert.equal(placeOf('a[1]/b.png'), { file: 'a[1]/b.png' });
});

test('every type becomes the same numbers in f32, or is refused where they are not', () => {
  const reader = arrayReader();
  for (const [name, channels] of [
    ['f4', 2],
    ['f4-big', 2],
    ['f2', 2],
    ['f8-exact', 2],
    ['i2', 1],
    ['i8-big', 1],
    ['u1', 1],
    ['bool', 1],
  ] as const) {
    const facts = { height: 3, width: 4, channels, element: 'f32' as const };
    const size = 12 * channels;
    const { bytes } = reader.read(path(name, 3), facts);
    assert.equal([...new Float32Array(bytes.buffer)], golden[name]!.numbers.slice(3 * size, 4 * size), name);
  }
  const facts = { height: 3, width: 4, channels: 2, element: 'f32' as const };
  refused(() => reader.read(path('f8', 1), facts), 'f8.npy[1]: holds numbers that float32 does not', 'astype("float32")');
  refused(() => reader.read(path('f4', 5), facts), 'f4.npy: has fewer examples, got 5, expected more than 5');
  refused(() => reader.read(path('f4', 0), { ...facts, width: 5 }), 'has another shape, got 3x4x2, expected 3x5x2');
  refused(() => reader.read(path('f4', 0), { ...facts, element: 'u8' }), 'another type, got <f4, expected uint8');
  const bytes = { height: 3, width: 4, channels: 1, element: 'u8' as const };
  assert.equal([...reader.read(path('u1', 2), bytes).bytes], golden.u1!.numbers.slice(24, 36));
  assert.equal([...reader.read(path('bool', 2), bytes).bytes], golden.bool!.numbers.slice(24, 36));
  reader.close();
});

test('of a large file only the example is read', () => {
  const file = join(newFolder(), 'x.npy');
  const head = npyHead('<f4', [1_000_000, 64, 64]);
  writeFileSync(file, head);
  truncateSync(file, head.length + 1_000_000 * 64 * 64 * 4);
  const before = process.memoryUsage.rss();
  const reader = arrayReader();
  const { bytes } = reader.read(rowPath(file, 999_999), { height: 64, width: 64, channels: 1, element: 'f32' });
  reader.close();
  assert.is(bytes.length, 16384);
  assert.is(storedDigest(rowPath(file, 5)), storedDigest(rowPath(file, 6)));
  assert.ok(process.memoryUsage.rss() - before < 64 << 20);
});

test('a preparation from a file is checked field by field', () => {
  const good = { input: 'array', height: 3, width: 4, channels: 2, element: 'f32', from: 'measured', scale: 1, mean: [1, 2], std: [3, 4] };
  assert.equal(checkArrayPreparation({ ...good }, 'a'), good);
  for (const [edit, key] of [
    [{ height: 0 }, 'height'],
    [{ channels: 1.5 }, 'channels'],
    [{ element: 'f16' }, 'element'],
    [{ from: 'guess' }, 'from'],
    [{ mean: [1] }, 'mean'],
    [{ std: [1, 0] }, 'std'],
    [{ scale: 'x' }, 'scale'],
  ] as const)
    refused(() => checkArrayPreparation({ ...good, ...edit }, 'a'), 'a:', key);
});

test.run();
