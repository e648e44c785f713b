/** Tables as spreadsheets write them. The right values are those of Python's csv module, but for spaces, which are trimmed. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCsv } from '../../src/formats/csv.ts';
import { fuzzTables } from '../support/csvfuzz.ts';
import { refused } from '../support/folder.ts';

const parse = (text: string | Uint8Array) => parseCsv(typeof text === 'string' ? new TextEncoder().encode(text) : text, 'x.csv');
const fields = (text: string) => parse(text).rows.map((row) => row.fields);

test('line ends, a byte order mark, empty lines, spaces', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const table = parse(`\ufefffile, label ${end}a.jpg, cat${end}${end}b.jpg,dog${end}`);
    assert.equal(table.header, ['file', 'label']);
    assert.equal(table.rows, [
      { line: 2, fields: ['a.jpg', 'cat'] },
      { line: 4, fields: ['b.jpg', 'dog'] },
    ]);
  }
  assert.equal(fields('file,label\na,b'), [['a', 'b']]);
  assert.equal(fields('a\n""\n'), [['']]);
});

test('quotes', () => {
  assert.equal(fields('f,l\n"a,b.jpg","say ""cat"""\n" x ",""\n'), [
    ['a,b.jpg', 'say "cat"'],
    [' x ', ''],
  ]);
  const { rows } = parse('f,l\n"two\r\nlines",x\nc,d\n');
  assert.equal(rows, [
    { line: 2, fields: ['two\r\nlines', 'x'] },
    { line: 4, fields: ['c', 'd'] },
  ]);
  assert.equal(fields('f,l\n"a" , "b"\n'), [['a', 'b']]);
});

test('the separator is what the header has most of', () => {
  assert.equal(fields('file;label\na,1.jpg;cat\n'), [['a,1.jpg', 'cat']]);
  assert.equal(fields('file\tlabel\na b\tcat\n\tx\n'), [
    ['a b', 'cat'],
    ['', 'x'],
  ]);
  assert.equal(fields('"a;b;c",label\nx,y\n'), [['x', 'y']]);
});

test('what is no table is refused, by its line', () => {
  refused(() => parse(''), 'x.csv: is empty');
  refused(() => parse('file,label\na\n'), 'x.csv line 2: another number of fields than the header has, got 1, expected 2');
  refused(() => parse('file,label\na,b\n\n"c,d\n'), 'x.csv line 4: a quote is not closed');
  refused(() => parse('file,label\n"a"b,c\n'), 'x.csv line 2: text behind a closing quote');
  refused(() => parse('file,label\na"b,c\n'), 'x.csv line 2: a quote inside a field');
  refused(() => parse(Uint8Array.of(0xff, 0xfe, 65, 0)), 'UTF-16');
  refused(() => parse(Uint8Array.of(65, 0xe9)), 'not UTF-8');
  refused(() => parse('a\0b'), 'NUL');
});

test('tables of chance (npm run fuzz takes more of them)', () => {
  assert.equal(fuzzTables({ count: 2000, seed: 5, onInput: () => {} }).failures, []);
});

test('a large table takes no longer than its size', () => {
  const began = Date.now();
  const table = parse(`file,label\n${'"a ""b"" c.jpg",x\n'.repeat(200_000)}`);
  assert.is(table.rows.length, 200_000);
  refused(() => parse(`file,label\n${'"'.repeat(2_000_001)}`), 'a quote is not closed');
  assert.ok(Date.now() - began < 20_000);
});

test.run();
