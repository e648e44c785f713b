import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digest, fileDigest } from '../../src/base/digest.ts';
import {
  bytesWritten,
  createFile,
  guarded,
  makeFolder,
  openFile,
  readJson,
  removeLeftovers,
  writeAtomic,
  writeText,
} from '../../src/base/files.ts';
import { openSafetensors } from '../../src/formats/safetensors.ts';
import { baseDigest } from '../../src/formats/weightsfile.ts';
import { newFolder, refused } from '../support/folder.ts';

const folder = newFolder();
const text = (value: string) => new TextEncoder().encode(value);

test('a file is written whole, replaces the one before, and its bytes are counted', () => {
  const path = join(folder, 'a.txt');
  const before = bytesWritten();
  writeText(path, 'first');
  writeAtomic(path, (write) => {
    write(text('sec'));
    assert.is(readFileSync(path, 'utf8'), 'first', 'the old file stands until the new one is whole');
    write(new Uint8Array());
    write(text('ond'));
  });
  assert.is(readFileSync(path, 'utf8'), 'second');
  assert.is(bytesWritten() - before, 11);
  assert.equal(readdirSync(folder), ['a.txt']);
});

test('shared memory, as the threads of an engine use, is written like any other', () => {
  const path = join(folder, 'shared');
  const arena = new Uint8Array(new SharedArrayBuffer(16)).fill(7);
  writeAtomic(path, (write) => write(arena.subarray(4, 8)));
  assert.equal([...readFileSync(path)], [7, 7, 7, 7]);
  const source = openFile(path);
  source.readAt(1, arena.subarray(0, 2));
  source.close();
  assert.is(digest(arena), digest(new Uint8Array(16).fill(7)));
});

test('a failed write leaves the old file and nothing else', () => {
  const path = join(folder, 'a.txt');
  const names = readdirSync(folder);
  const fault = new Error('in the middle');
  assert.throws(
    () =>
      writeAtomic(path, (write) => {
        write(text('half'));
        throw fault;
      }),
    (error: unknown) => error === fault,
  );
  assert.is(readFileSync(path, 'utf8'), 'second');
  assert.equal(readdirSync(folder), names);
});

test('a file written over a long time, given up or committed', () => {
  const path = join(folder, 'long');
  const given = createFile(path);
  given.write(text('half'));
  given.discard();
  given.discard();
  const file = createFile(path);
  file.write(text('whole'));
  assert.not.ok(readdirSync(folder).includes('long'));
  file.commit();
  file.discard();
  assert.is(readFileSync(path, 'utf8'), 'whole');
  mkdirSync(join(folder, 'way', 'x'), { recursive: true });
  const blocked = createFile(join(folder, 'way'));
  refused(() => blocked.commit(), 'way', 'cannot be written');
  blocked.discard();
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('where nothing can be written, one sentence says why', () => {
  mkdirSync(join(folder, 'taken', 'x'), { recursive: true });
  refused(() => writeText(join(folder, 'no/where'), ''), 'no/where', 'cannot be written', 'no such file or folder');
  refused(() => writeText(join(folder, 'a.txt/b'), ''), 'a.txt/b', 'cannot be written', 'is a file, not a folder');
  refused(() => writeText(join(folder, 'taken'), ''), 'taken', 'cannot be written');
  refused(() => writeText(join(folder, 'n'.repeat(300)), ''), 'too long');
  refused(() => makeFolder(join(folder, 'a.txt')), 'a.txt', 'cannot be made');
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('the codes of an operating system become sentences, other faults pass', () => {
  const fails = (code: string) => () => {
    throw Object.assign(new Error(`${code}: x`), { code });
  };
  refused(() => guarded('card', 'cannot be written', fails('ENOSPC')), 'card: cannot be written: no space left on the device');
  refused(() => guarded('card', 'cannot be written', fails('EROFS')), 'read-only');
  refused(() => guarded('card', 'cannot be written', fails('EACCES')), 'permission denied');
  refused(() => guarded('card', 'cannot be read', fails('EIO')), 'the device reports a fault');
  refused(() => guarded('card', 'cannot be read', fails('EXYZ')), 'EXYZ');
  assert.throws(() => guarded('card', 'x', fails('ERR_INVALID_ARG_TYPE')), /ERR_INVALID_ARG_TYPE: x/);
  assert.throws(() => guarded('card', 'x', () => undefined!['a' as never]), TypeError);
});

if (process.getuid?.() !== 0) {
  test('a folder without permission', () => {
    const closed = join(folder, 'closed');
    mkdirSync(closed);
    chmodSync(closed, 0o500);
    refused(() => writeText(join(closed, 'a'), ''), 'closed', 'permission denied');
  });
}

test('what a killed process left is removed, what others still write is not', () => {
  const place = join(folder, 'leftovers');
  mkdirSync(place);
  const dead = '.a.txt.4194305-0123abcd.tmp';
  const own = `.a.txt.${process.pid}-0123abcd.tmp`;
  const alive = `.a.txt.${process.ppid}-0123abcd.tmp`;
  for (const name of [dead, own, alive, 'b.tmp', '.hidden']) writeFileSync(join(place, name), '');
  writeAtomic(join(place, 'new'), (write) => {
    removeLeftovers(place);
    write(text('x'));
  });
  assert.equal(readdirSync(place).sort(), [alive, '.hidden', 'b.tmp', 'new'].sort());
});

test('reading by ranges', () => {
  const path = join(folder, 'ranges');
  writeFileSync(path, 'abcdefgh');
  const source = openFile(path);
  assert.is(source.size, 8);
  const target = new Uint8Array(3);
  source.readAt(5, target);
  assert.equal(target, text('fgh'));
  source.readAt(8, new Uint8Array());
  refused(() => source.readAt(6, target), 'ranges', 'ends early, got 8 bytes, expected 9');
  truncateSync(path, 2);
  refused(() => source.readAt(0, target), 'ends early, got 2 bytes');
  source.close();
  refused(() => openFile(folder), folder, 'is a folder, not a file');
  refused(() => openFile(join(folder, 'none')), 'none', 'cannot be opened: no such file');
  symlinkSync(join(folder, 'none'), join(folder, 'dangling'));
  refused(() => openFile(join(folder, 'dangling')), 'dangling', 'no such file');
});

test('a folder where none can be made is refused, and at once', () => {
  makeFolder(join(folder, 'x/y/z'));
  makeFolder(join(folder, 'x/y/z'));
  assert.ok(existsSync(join(folder, 'x/y/z')));
  // Node's own recursive mkdir does not come back from this one.
  if (existsSync('/proc/self')) refused(() => makeFolder('/proc/s2a-none/run'), '/proc/s2a-none', 'cannot be made');
});

test('JSON files', () => {
  const path = join(folder, 'a.json');
  writeFileSync(path, '\ufeff{"a":[1]}');
  assert.equal(readJson(path), { a: [1] });
  refused(() => readJson(path, 5), 'a.json', 'too large', 'at most 5');
  refused(() => readJson(folder), folder);
  refused(() => readJson(join(folder, 'none.json')), 'none.json', 'no such file');
});

test('digests are SHA-256', () => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
  assert.is(digest('a', text('bc')), abc);
  const path = join(folder, 'abc');
  writeFileSync(path, 'abc');
  assert.is(fileDigest(openFile(path)), abc);
  const long = new Uint8Array((5 << 19) + 3).map((_, i) => i);
  writeFileSync(path, long);
  assert.is(fileDigest(openFile(path)), digest(long));
  const golden = 'test/golden/tiny.safetensors';
  assert.is(baseDigest(openSafetensors(golden)), digest(readFileSync(golden)));
});

test.run();
