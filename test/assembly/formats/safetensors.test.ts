/** The header's stream reader, which the WASI program stands on, beside the reader that the host has. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as header from '../../../assembly/formats/safetensors.ts';
import { fault, isGood } from '../../../assembly/formats/scan.ts';
import { type Dtype, dtypeBytes, dtypes } from '../../../src/base/tensor.ts';
import { wordsOf } from '../../../src/base/words.ts';
import { openSafetensors } from '../../../src/formats/safetensors.ts';

const room = new DataView(new ArrayBuffer(header.ROOM_BYTES));
const words = wordsOf(() => room);

/** Every tensor of a file, by name; what is wrong, where something is. */
function read(bytes: Uint8Array): Map<string, { type: number; shape: number[]; offset: number }> | string {
  const found = new Map<string, { type: number; shape: number[]; offset: number }>();
  if (header.openHeader((at) => bytes[at]!, bytes.length, words, 0))
    while (header.nextTensor()) {
      const name = new TextDecoder().decode(new Uint8Array(room.buffer, 0, header.nameBytes));
      const shape = Array.from({ length: header.rank }, (_, i) => header.axis(i));
      found.set(name, { type: header.type, shape, offset: header.offset });
    }
  return isGood() && header.fillsFile() ? found : fault;
}

const TYPES = header.TYPES.split(' ');

test('every golden file: the same names, shapes and places', () => {
  const paths = readdirSync('test/golden', { recursive: true }).map((name) => join('test/golden', String(name)));
  let files = 0;
  for (const path of paths.filter((name) => name.endsWith('.safetensors'))) {
    const found = read(readFileSync(path));
    if (typeof found === 'string') throw new Error(`${path}: ${found}`);
    const file = openSafetensors(path);
    file.close();
    const expected = [...file.tensors.values()].map(({ name, dtype, shape, offset }) => [
      name,
      { type: TYPES.indexOf(dtype), shape: [...shape], offset },
    ]);
    assert.equal(
      [...found].sort(([a], [b]) => (a < b ? -1 : 1)),
      expected.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
    );
    files++;
  }
  assert.ok(files > 5);
});

const file = (text: string, dataBytes: number): Uint8Array => {
  const json = new TextEncoder().encode(text);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
};
const one = (dtype: string, shape: string, range: string): string => `{"a":{"dtype":${dtype},"shape":${shape},"data_offsets":${range}}}`;

test('every type by its bytes', () => {
  assert.equal([...TYPES].sort(), [...dtypes].sort());
  assert.equal(TYPES.slice(0, header.WEIGHT_TYPES), ['F32', 'F16', 'BF16']);
  for (const [i, dtype] of TYPES.entries()) {
    const bytes = 3 * dtypeBytes(dtype as Dtype);
    const found = read(file(one(JSON.stringify(dtype), '[3]', `[0,${bytes}]`), bytes));
    assert.is(typeof found === 'string' ? found : found.get('a')!.type, i);
  }
});

test('escapes, spaces and members in any order are read', () => {
  const text = ' { "\\u0061\\n\\ud83d\\ude92" : { "data_offsets" : [0 , 4], "shape":[ ] , "dtype":"F32" } } '.trimStart();
  assert.equal([...(read(file(text, 4)) as Map<string, unknown>).keys()], ['a\n🚒']);
  assert.is((read(file('{"__metadata__":{"a":"b","c":"d"}}', 0)) as Map<string, unknown>).size, 0);
});

test('what is wrong is named', () => {
  const foreign = 'the header is not that of a safetensors file';
  for (const [text, data, wrong] of [
    ['', 0, foreign],
    ['[]', 0, foreign],
    ['{"a"', 0, foreign],
    ['{}{}', 0, foreign],
    ['{"a":1}', 0, 'its header entry is not an object'],
    ['{"\\x":{}}', 0, foreign],
    ['{"\\ud800":{}}', 0, foreign],
    ['{"__metadata__":{"a":1}}', 0, '__metadata__ holds what is not a text'],
    ['{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1, 'has a member twice, or one that the format does not know'],
    ['{"a":{"shape":[1],"data_offsets":[0,1]}}', 1, 'lacks its dtype, shape or data_offsets'],
    [one('"U8"', '[1]', '[1,0]'), 1, 'data_offsets run backwards'],
    [one('"U8"', '[1]', '[0,1],'), 1, foreign],
    [one('"X8"', '[1]', '[0,1]'), 1, 'unknown dtype'],
    [one('"F32"', '[1]', '[0,8]'), 4, 'lies outside the file'],
    [one('"F32"', '[2]', '[0,4]'), 4, 'does not fit its range'],
    [one('"U8"', '[9007199254740991,9]', '[0,1]'), 1, 'bad shape'],
    [one('"U8"', '[1,1,1,1,1,1,1,1,1]', '[0,1]'), 1, 'has too many axes'],
    [one('"U8"', '[1]', '[0,1]'), 2, 'its tensors do not fill it'],
  ] as const)
    assert.is(read(file(text, data)), wrong, text);
  assert.is(read(new Uint8Array(7)), 'is too short for a safetensors file');
  assert.is(read(file('{}', 0).subarray(0, 9)), 'the header is cut off');
});

test.run();
