import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';
import type { ByteSource } from '../../src/base/files.ts';
import { openSafetensors, openSource, type TensorData, writeSafetensors } from '../../src/formats/safetensors.ts';
import { newFolder, refused } from '../support/folder.ts';

const folder = newFolder();

/** A file in memory. */
function source(bytes: Uint8Array): ByteSource & { closed: boolean } {
  return {
    size: bytes.length,
    closed: false,
    readAt(offset, target) {
      assert.ok(offset >= 0 && offset + target.length <= bytes.length, 'read outside the file');
      target.set(bytes.subarray(offset, offset + target.length));
    },
    close() {
      this.closed = true;
    },
  };
}

/** A file with this header text and so many bytes of data. */
function file(header: unknown, dataBytes: number, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const open = (header: unknown, dataBytes: number, length?: bigint) => openSource('m.safetensors', source(file(header, dataBytes, length)));
const entry = (dtype: unknown, shape: unknown, ...range: unknown[]) => ({ dtype, shape, data_offsets: range });

/** What tools/golden/tiny.py saved. */
const golden: TensorData[] = [
  { name: 'b.weight', dtype: 'F32', shape: [2, 3], data: new Uint8Array(new Float32Array([0, 0.25, 0.5, 0.75, 1, 1.25]).buffer) },
  { name: 'a.weight', dtype: 'F32', shape: [2], data: () => new Uint8Array(new Float32Array([1.5, -2]).buffer) },
  { name: 'größe', dtype: 'F16', shape: [], data: new Uint8Array([0, 0x38]) },
  { name: 'quote"\\line\n', dtype: 'I64', shape: [3], data: new Uint8Array(new BigInt64Array([1n, -2n, 3n]).buffer) },
  { name: 'empty', dtype: 'F64', shape: [0, 5], data: new Uint8Array() },
  { name: 'mask', dtype: 'BOOL', shape: [3], data: new Uint8Array([1, 0, 1]) },
  { name: 'bytes', dtype: 'U8', shape: [5], data: new Uint8Array([0, 1, 2, 3, 4]) },
];

test('a file of the reference writer is read', () => {
  const opened = openSafetensors('test/golden/tiny.safetensors');
  assert.equal([...opened.metadata], [['format', 'np']]);
  assert.is(opened.tensors.size, golden.length);
  for (const { name, dtype, shape, data } of golden) {
    const tensor = opened.tensor(name);
    assert.equal([tensor.dtype, tensor.shape, tensor.file], [dtype, shape, 0]);
    const bytes = new Uint8Array(tensor.bytes);
    opened.read(tensor, bytes);
    assert.equal(bytes, typeof data === 'function' ? data() : data);
  }
  opened.close();
});

test('every weights file that Python saved for other tests opens', () => {
  const paths = readdirSync('test/golden', { recursive: true }).map((name) => join('test/golden', String(name)));
  const opened = paths.filter((path) => path.endsWith('.safetensors')).map(openSafetensors);
  assert.ok(opened.length > 5);
  for (const { tensors, close } of opened) {
    assert.ok(tensors.size > 0);
    close();
  }
});

test('the same tensors are written byte for byte as by the reference writer, in whatever order they come', () => {
  const path = join(folder, 'tiny.safetensors');
  for (const tensors of [golden, golden.toReversed()]) {
    writeSafetensors(path, tensors, { format: 'np' });
    assert.equal(readFileSync(path), readFileSync('test/golden/tiny.safetensors'));
  }
});

test('no tensor at all is a file, too', () => {
  const path = join(folder, 'none.safetensors');
  writeSafetensors(path, []);
  assert.is(openSafetensors(path).tensors.size, 0);
});

test('any range of a tensor can be read, and nothing past its end', () => {
  const path = join(folder, 'ranges.safetensors');
  const data = Uint8Array.from({ length: 4 * 1001 }, (_, i) => i * 7);
  writeSafetensors(path, [{ name: 'x', dtype: 'F32', shape: [7, 143], data }]);
  const opened = openSafetensors(path);
  const whole = new Uint8Array(data.length);
  opened.read(opened.tensor('x'), whole);
  assert.equal(whole, data);
  const part = new Uint8Array(10);
  opened.read(opened.tensor('x'), part, 5);
  assert.equal(part, data.subarray(5, 15));
  assert.throws(() => opened.read(opened.tensor('x'), part, 4000), 'past its end');
  opened.close();
});

test('opening reads the header only', () => {
  const whole = source(file({ x: entry('U8', [1 << 20], 0, 1 << 20) }, 1 << 20));
  let read = 0;
  openSource('m.safetensors', {
    ...whole,
    readAt(offset, target) {
      read += target.length;
      whole.readAt(offset, target);
    },
  });
  assert.ok(read < 10_000);
});

test('a missing tensor is named with its neighbours', () => {
  const names = ['vit.layer.0.attn.weight', 'vit.layer.0.attn.bias', 'vit.layer.1.attn.weight', 'head.weight'];
  const opened = open(Object.fromEntries(names.map((name) => [name, entry('F32', [0], 0, 0)])), 0);
  const said = refused(() => opened.tensor('vit.layer.0.attn.weigth'), 'm.safetensors', 'vit.layer.0.attn.weigth is missing', 'nearest');
  assert.ok(said.indexOf('layer.0.attn.weight,') < said.indexOf('layer.1.attn.weight'));
  refused(() => opened.tensor('?'), 'm.safetensors', '? is missing', '4 tensors');
});

/** Name of the case, header, bytes of data, words of the sentence (the file's name is always one of them). */
const hostile: [string, unknown, number, string[], bigint?][] = [
  ['header longer than the file', '{}', 0, ['cut off', 'expected 9'], 9n],
  ['header length of text', '{}', 0, ['header length'], 0x7974696c61637469n],
  ['header length beyond 2^53', '{}', 0, ['header length'], (1n << 64n) - 1n],
  ['empty header', '', 0, ['not that of']],
  ['array header', '[]', 0, ['not that of']],
  ['leading space', ' {}', 0, ['not that of']],
  ['cut JSON', '{"a":{"dtype"', 0, ['not that of']],
  ['open string', '{"a', 0, ['not that of']],
  ['bad escape', '{"\\x":1}', 0, ['not that of']],
  ['stray bracket', '{}}', 0, ['not that of']],
  ['nested', `{"a":${'['.repeat(100_000)}`, 0, ['tensor a', 'is not an object']],
  ['nested objects', `${'{"a":'.repeat(100_000)}`, 0, ['tensor a', 'a member']],
  [
    'name twice',
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061" :{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    1,
    ['tensor a', 'twice'],
  ],
  ['key twice', '{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1, ['tensor a', 'a member twice']],
  ['metadata key twice', '{"__metadata__":{"a":"b","a":"c"}}', 0, ['__metadata__', 'twice']],
  ['metadata twice', '{"__metadata__":{},"__metadata__":{}}', 0, ['__metadata__', 'twice']],
  ['metadata of numbers', { __metadata__: { epochs: 3 } }, 0, ['__metadata__ holds what is not a text']],
  ['metadata list', { __metadata__: [] }, 0, ['__metadata__', 'not an object']],
  ['entry is a number', { a: 1 }, 0, ['tensor a', 'not an object']],
  ['entry is null', { a: null }, 0, ['tensor a', 'not an object']],
  ['no dtype', { a: { shape: [], data_offsets: [0, 1] } }, 1, ['tensor a', 'lacks its dtype']],
  ['dtype of another world', { a: entry('F37', [1], 0, 4) }, 4, ['tensor a', 'unknown dtype, got "F37"', 'BF16']],
  ['dtype of the prototype', { a: entry('toString', [1], 0, 4) }, 4, ['tensor a', 'unknown dtype']],
  ['member of another world', { a: { ...entry('U8', [1], 0, 1), strides: [1] } }, 1, ['tensor a', 'one that the format does not know']],
  ['nine axes', { a: entry('U8', Array(9).fill(1), 0, 1) }, 1, ['tensor a', 'too many axes']],
  ['dtype is a list', { a: entry(['F32'], [1], 0, 4) }, 4, ['tensor a', 'unknown dtype']],
  ['shape is text', { a: entry('F32', '1', 0, 4) }, 4, ['tensor a', 'bad shape']],
  ['negative length', { a: entry('F32', [-1, -1], 0, 4) }, 4, ['tensor a', 'bad shape', '[-1,-1]']],
  ['half an element', { a: entry('F32', [0.5, 2], 0, 4) }, 4, ['tensor a', 'bad shape']],
  ['length as text', { a: entry('F32', ['1'], 0, 4) }, 4, ['tensor a', 'bad shape']],
  ['overflow', { a: entry('F32', [2 ** 32, 2 ** 32], 0, 4) }, 4, ['tensor a', 'bad shape']],
  ['overflow to zero', { a: entry('F32', [2 ** 40, 2 ** 40, 0], 0, 0) }, 0, ['tensor a', 'bad shape']],
  ['bytes beyond 2^53', { a: entry('F64', [2 ** 52], 0, 8) }, 8, ['tensor a', 'does not fit']],
  ['infinite length', '{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', 4, ['tensor a', 'bad shape']],
  ['no range', { a: { dtype: 'F32', shape: [1] } }, 4, ['tensor a', 'lacks its dtype, shape or data_offsets']],
  ['range of three', { a: entry('F32', [1], 0, 4, 8) }, 4, ['tensor a', 'data_offsets']],
  ['negative range', { a: entry('F32', [1], -4, 0) }, 4, ['tensor a', 'data_offsets']],
  ['fractional range', { a: entry('F32', [1], 0.5, 4.5) }, 5, ['tensor a', 'data_offsets']],
  ['backwards', { a: entry('F32', [1], 4, 0) }, 4, ['tensor a', 'backwards']],
  ['out of the file', { a: entry('F32', [2], 0, 8) }, 4, ['tensor a', 'outside the file', 'got 4, expected 8']],
  ['far out of the file', { a: entry('U8', [2 ** 53 - 1], 0, 2 ** 53 - 1) }, 4, ['tensor a', 'outside the file']],
  ['size does not fit', { a: entry('F16', [2, 3], 0, 8) }, 8, ['tensor a', 'does not fit its range', 'got 8', 'expected 12']],
  ['overlap', { a: entry('F32', [2], 0, 8), b: entry('F32', [1], 4, 8) }, 8, ['tensor b', 'overlaps a']],
  ['same range', { a: entry('F32', [1], 0, 4), b: entry('F32', [1], 0, 4) }, 4, ['tensor b', 'overlaps a']],
  ['inside', { big: entry('U8', [8], 0, 8), nil: entry('U8', [0], 4, 4) }, 8, ['tensor nil', 'overlaps big']],
  ['hole', { b: entry('U8', [1], 3, 4), a: entry('U8', [2], 0, 2) }, 4, ['tensor b', 'hole after a']],
  ['hole at the front', { a: entry('U8', [2], 1, 3) }, 3, ['tensor a', 'hole after the header']],
  ['bytes at the end', { a: entry('U8', [2], 0, 2) }, 3, ['no tensor', 'got 1 after a']],
  ['bytes without tensor', {}, 3, ['no tensor', 'got 3']],
];

for (const [name, header, dataBytes, words, length] of hostile) {
  test(`refused: ${name}`, () => {
    const input = source(file(header, dataBytes, length));
    const said = refused(() => openSource('m.safetensors', input), 'm.safetensors', ...words);
    assert.ok(said.length < 400, 'the sentence is short');
    assert.ok(input.closed, 'the source is closed');
  });
}

test('a name as long as a book or over two lines stays one short sentence', () => {
  assert.ok(refused(() => open({ ['a\nb'.repeat(10_000)]: 1 }, 0), 'a\\nb').length < 300);
});

test('not UTF-8 and a byte-order mark are refused', () => {
  const bytes = file('{"a":1}', 0);
  bytes[10] = 0xff;
  refused(() => openSource('m.safetensors', source(bytes)), 'UTF-8');
  refused(() => open('\ufeff{}', 0), 'not that of');
});

test('names of Object.prototype are names like any other', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const parts = names.map((name, i) => `"${name}":{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`);
  const opened = open(`{"__metadata__":{"__proto__":"x","polluted":"y"},${parts.join(',')}}`, names.length);
  assert.equal([...opened.tensors.keys()], names);
  assert.is(opened.metadata.get('__proto__'), 'x');
  assert.is(({} as Record<string, unknown>).polluted, undefined);
  refused(() => open({}, 0).tensor('constructor'), 'constructor is missing');
});

test('spaces after the header, any order of names and an odd header length are legal', () => {
  const opened = open('{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},\n"a":{"shape":[],"dtype":"U8","data_offsets":[0,1]}}   ', 2);
  assert.equal([...opened.tensors.keys()], ['a', 'b']);
});

test('a file cut anywhere is refused', () => {
  const whole = readFileSync('test/golden/tiny.safetensors');
  for (let n = 0; n < whole.length; n++) refused(() => openSource('m.safetensors', source(whole.subarray(0, n))), 'm.safetensors');
});

test('a file that shrinks while open ends in a sentence', () => {
  const path = join(folder, 'shrinks.safetensors');
  writeSafetensors(path, [{ name: 'x', dtype: 'U8', shape: [100], data: new Uint8Array(100) }]);
  const opened = openSafetensors(path);
  writeFileSync(path, readFileSync(path).subarray(0, 120));
  refused(() => opened.read(opened.tensor('x'), new Uint8Array(100)), path, 'ends early');
});

test('2,000 mutations of a header: refused, or still tensors that cover the file', () => {
  const whole = readFileSync('test/golden/tiny.safetensors');
  const header = 8 + Number(whole.readBigUint64LE(0));
  let state = 1;
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  let kept = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from(whole);
    for (let edits = 1 + random(3); edits > 0; edits--) {
      const at = random(4) === 0 ? random(8) : random(header);
      bytes[at] = random(2) === 0 ? random(256) : whole[8 + random(header - 8)]!;
    }
    try {
      const opened = openSource('m.safetensors', source(bytes));
      let end = -1;
      for (const tensor of opened.tensors.values()) {
        if (end >= 0) assert.is(tensor.offset, end);
        opened.read(tensor, new Uint8Array(tensor.bytes));
        end = tensor.offset + tensor.bytes;
      }
      if (end >= 0) assert.is(end, whole.length);
      kept++;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }
  assert.ok(kept > 10 && kept < 1000, `${kept} were accepted`);
});

test('what cannot be written leaves what was there', () => {
  const path = join(folder, 'tiny.safetensors');
  const before = readFileSync(path);
  const tensor: TensorData = { name: 'x', dtype: 'F32', shape: [2], data: new Uint8Array(7) };
  refused(() => writeSafetensors(path, [tensor]), path, 'tensor x', 'got 7', 'expected 8');
  refused(() => writeSafetensors(path, [golden[0]!, golden[0]!]), 'b.weight', 'twice');
  refused(() => writeSafetensors(path, [{ ...tensor, shape: [-2] }]), 'tensor x', 'bad shape');
  refused(() => writeSafetensors(path, [{ ...tensor, name: '__metadata__' }]), '__metadata__');
  assert.equal(readFileSync(path), before);
  assert.equal(
    readdirSync(folder).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test.run();
