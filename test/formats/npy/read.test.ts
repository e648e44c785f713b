/** NumPy's own files (tools/golden/arrays.py): what is read is what NumPy says is in them, what is not read is refused with the line that converts it. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openNpy } from '../../../src/formats/npy/read.ts';
import { npyHead } from '../../../src/formats/npy/write.ts';
import { newFolder, refused } from '../../support/folder.ts';

const folder = 'test/golden/arrays';
const golden = JSON.parse(readFileSync(`${folder}/arrays.json`, 'utf8')) as Record<
  string,
  { shape: number[]; descr: string; numbers: number[] }
>;

test('numbers of every type, order of bytes and version', () => {
  const names = Object.keys(golden).filter((name) => name !== 'statistics' && name !== 'fortran');
  assert.ok(names.length > 9);
  for (const name of names) {
    const { shape, descr, numbers } = golden[name]!;
    const npy = openNpy(`${folder}/${name}.npy`);
    assert.equal([npy.shape, npy.descr], [shape, descr], name);
    assert.equal([...npy.readNumbers(0, numbers.length)], numbers, name);
    assert.equal([...npy.readNumbers(3, 2)], numbers.slice(3, 5), `${name}: a range`);
    npy.close();
  }
});

test('what is not read is refused with the line that converts it', () => {
  const refuses = (name: string, ...words: string[]): string => refused(() => openNpy(`${folder}/${name}.npy`), `${name}.npy`, ...words);
  refuses('fortran', 'column by column', 'np.ascontiguousarray(np.load(p))');
  refuses('complex', 'a type that is not read, got <c', 'expected bool', 'np.abs(np.load(p)).astype("float32")');
  refuses('text', 'a type that is not read', 'a table of labels');
  refuses('records', 'records of several fields', 'np.load(p)["field"]');
});

test('broken files', () => {
  const path = join(newFolder(), 'a.npy');
  const head = npyHead('<f4', [2, 3]);
  const write = (bytes: Uint8Array): void => writeFileSync(path, bytes);
  const whole = new Uint8Array(head.length + 24);
  whole.set(head);
  write(whole);
  openNpy(path).close();
  truncateSync(path, whole.length - 1);
  refused(() => openNpy(path), 'the wrong number of bytes, got 23, expected 24', 'was the copy complete?');
  truncateSync(path, 40);
  refused(() => openNpy(path), 'is cut off');
  write(new Uint8Array(0));
  refused(() => openNpy(path), 'is not a .npy file');
  write(Buffer.from('PK\x03\x04 and so on'));
  refused(() => openNpy(path), 'several arrays in one', 'np.load(p).items()');
  const edited = (from: string, to: string): void => {
    const text = Buffer.from(whole).toString('latin1');
    assert.ok(text.includes(from));
    write(Buffer.from(text.replace(from, to), 'latin1'));
  };
  edited("'fortran_order': False", "'fortran_order': Maybe");
  refused(() => openNpy(path), 'has a header that NumPy would not write');
  edited("'shape': (2, 3)", "'shape': (2, x)");
  refused(() => openNpy(path), 'has a header that NumPy would not write');
  edited("'descr'", "'shape'");
  refused(() => openNpy(path), 'has a header that NumPy would not write');
  edited('\x01\x00', '\x09\x00');
  refused(() => openNpy(path), 'of an unknown version, got 9, expected 3');
});

test.run();
