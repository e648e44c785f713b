import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseJson, stableJson } from '../../src/base/json.ts';
import { refused } from '../support/folder.ts';

const parse = (text: string, maxDepth?: number) => parseJson('a.json', new TextEncoder().encode(text), maxDepth);

test('an object is parsed, with or without a byte-order mark', () => {
  const text = ' {"a":[1,{"b":"\\"}:{"}],"ä\\\\":null,"c":{"a":1}, "d" : "a:"}\n';
  assert.equal(parse(text), JSON.parse(text));
  assert.equal(parse(`\ufeff${text}`), JSON.parse(text));
});

test('everything else is one sentence', () => {
  for (const bad of ['', '{', '{"a":1,}', '{"a', '{"a\\', '{"a\\":', '"a":1', '{}}', '{\n"a":\n\n}', '{"\\x":1}', "{'a':1}", '\0']) {
    refused(() => parse(bad), 'a.json', 'is not valid JSON');
  }
  for (const bad of ['[1]', '3', 'null', '"x"', 'true']) refused(() => parse(bad), 'a.json', 'is not a JSON object');
  refused(() => parseJson('a.json', new Uint8Array([0x22, 0xff, 0x22])), 'a.json', 'UTF-8');
});

test('depth is limited before anything is parsed', () => {
  parse('{"a":[[{}]]}', 4);
  refused(() => parse('{"a":[[{}]]}', 3), 'nested too deeply', 'at most 3');
  refused(() => parse(`{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}`), 'nested too deeply');
  parse(`{"a":[${'[],'.repeat(1000)}[]]}`, 3);
});

test('a name may stand once in an object, however it is written', () => {
  parse('{"a":{"a":[{"a":"a"},{"a":1}]},"b":"a"}');
  refused(() => parse('{"a":1,"b":2,"a":3}'), 'the name a stands twice');
  refused(() => parse('{"x":[{"a":1,"\\u0061"\n:3}]}'), 'the name a stands twice');
  refused(() => parse('{"__proto__":1,"__proto__":3}'), '__proto__ stands twice');
});

test('stable JSON does not see the order of keys', () => {
  assert.is(stableJson({ b: [{ d: 1, c: null }], a: 'x' }), '{"a":"x","b":[{"c":null,"d":1}]}');
  assert.is(stableJson({ a: 1, b: 2 }), stableJson({ b: 2, a: 1 }));
  assert.is(stableJson({ a: 1 }, 2), '{\n  "a": 1\n}');
});

test.run();
