/** Archives that lie about what is in them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openFile } from '../../../src/base/files.ts';
import { zipEntries } from '../../../src/formats/torch/zip.ts';
import { newFolder, refused } from '../../support/folder.ts';
import { type Entry, zip } from '../../support/torchwrite.ts';

const path = join(newFolder(), 'x.pth');
const ignore = (): void => undefined;

function read(bytes: Uint8Array): [string, string][] {
  writeFileSync(path, bytes);
  const source = openFile(path);
  try {
    return [...zipEntries(path, source, ignore)].map(([name, { offset, bytes: count }]) => {
      const data = Buffer.alloc(count);
      source.readAt(offset, data);
      return [name, String(data)];
    });
  } finally {
    source.close();
  }
}
const refuse = (bytes: Uint8Array, ...words: string[]): string => refused(() => read(bytes), 'x.pth', ...words);
const entry = (name: string, text = name, rest: Partial<Entry> = {}): Entry => ({ name, data: Buffer.from(text), ...rest });
const two = [entry('x/a', 'first'), entry('x/b', 'second')];

test('entries, with numbers of 32 bits and of 64', () => {
  const expected = [
    ['x/a', 'first'],
    ['x/b', 'second'],
  ];
  assert.equal(read(zip(two)), expected);
  assert.equal(read(zip(two, { isLong: true })), expected);
  assert.equal(read(zip(two.map((e) => ({ ...e, isLong: true })))), expected);
  assert.equal(read(zip([])), []);
});

test('a file cut anywhere, or with anything behind it', () => {
  for (const whole of [zip(two), zip(two, { isLong: true })]) {
    for (let cut = 0; cut < whole.length; cut++) refuse(whole.subarray(0, cut), 'zip');
    refuse(Buffer.concat([whole, Buffer.from('x')]), 'without its end');
  }
});

test('names that lead elsewhere', () => {
  for (const name of ['../x', 'x/../../y', '/etc/passwd', 'x\\y', 'C:x', 'x\0', ''])
    refuse(zip([entry(name)]), 'a name that leads elsewhere');
  refuse(zip([entry('x/a', '', { ownName: '../a' })]), 'leads elsewhere');
  refuse(zip([entry('x/a', '', { ownName: 'x/b' })]), 'another name in its own header, got x/b');
  refuse(zip([entry('x/a'), entry('x/a')]), 'stands twice');
});

test('what PyTorch does not write', () => {
  refuse(zip([entry('x/a', 'a', { method: 8 })]), 'is compressed, got method 8');
  refuse(zip([entry('x/a', 'a', { flags: 1 })]), 'is encrypted');
});

test('sizes and places that are not so', () => {
  refuse(zip([two[0]!, entry('x/b', 'second', { size: 7 })]), 'overlaps');
  refuse(zip([entry('x/a', 'first', { size: 0x7fffffff }), two[1]!]), 'overlaps');
  refuse(zip([entry('x/a', 'first', { packed: 4 })]), 'two sizes, got 5 and 4');
  refuse(zip([two[0]!, entry('x/b', 'second', { offset: 0 })]), 'x.pth');
  refuse(zip([entry('x/a', 'first', { offset: 3 })]), 'is not where the list of entries says');
  refuse(zip([entry('x/a', 'first', { offset: 0x7ffffff0 })]), 'is not where');
  refuse(zip([entry('x/a', 'first', { isLong: true, offset: 2 ** 52 })]), 'is not where');
  refuse(zip([entry('x/a', 'first', { isLong: true, size: 2 ** 60 })]), 'overlaps');
  // Two names for one stretch, of which the second begins within the first.
  const inner = zip([entry('x/b', 'inner')]);
  const nested = entry('x/a', Buffer.from(inner).toString('latin1'));
  refuse(zip([{ ...nested, data: inner }, entry('x/b', 'inner', { offset: 33 })]), 'x.pth');
});

test('lists of entries that are not where their end says', () => {
  for (const end of [
    { count: 3 },
    { count: 1 },
    { count: 0xfffe },
    { bytes: 10 },
    { bytes: 0x7fffffff },
    { offset: 1 },
    { offset: 0x7fffffff },
  ])
    for (const isLong of [false, true]) refuse(zip(two, { ...end, isLong }), 'its list');
});

test.run();
