/** Flower's messages, objects, arrays and records, against flwr's own bytes (tools/golden/fleet.py). */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { digest } from '../../src/base/digest.ts';
import { InputError } from '../../src/base/error.ts';
import { readPulled } from '../../src/fleet/api.ts';
import { readArray } from '../../src/fleet/arrays.ts';
import { announced, type Metadata, readContent, replyObject } from '../../src/fleet/message.ts';
import { makeObject, namesIn, objectsIn, parseObject, treeMessage } from '../../src/fleet/objects.ts';
import { readRecord, type Value, writeRecord } from '../../src/fleet/records.ts';
import { unpackTensors } from '../../src/fleet/tensors.ts';
import { whole } from '../../src/formats/wirewriter.ts';
import { refused } from '../support/folder.ts';

interface Golden {
  id: string;
  objects: Record<string, string>;
  tree: string;
  announced: string;
  error: string;
  pull: string;
}
const golden = JSON.parse(readFileSync('test/golden/fleet.json', 'utf8')) as Golden;
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/** The message that the golden one answers: an answer goes back where its question came from. */
const asked: Metadata = {
  ...{
    run: 2n ** 64n - 5n,
    id: 'ab'.repeat(32),
    from: 2n ** 63n + 11n,
    to: 1n,
    group: '7',
    ttl: 3600.5,
    type: 'train',
    created: 1700000000.25,
  },
  ...{ fromTask: 2n ** 63n + 1n, toTask: 3n },
};
const CREATED = 1700000000.25;
const metrics = new Map<string, Value>([
  ['num-examples', 20n],
  ['loss', 0.25],
  ['label-counts', [3n, 0n, -1n, 2n ** 40n]],
  ['rates', [0.5, 0.125]],
]);
const config = new Map<string, Value>([
  ['format', 1n],
  ['name', 'böard'],
  ['own', true],
  ['labels', ['cat', 'dog']],
  ['blob', Uint8Array.of(0, 255)],
  ['least', -(2n ** 63n)],
  ['rate', 1e-3],
]);
const eighths = Float32Array.from({ length: 6 }, (_, i) => i / 8);
const arrays = new Map([
  ['head.weight', { shape: [2, 3], values: eighths }],
  ['größe', { shape: [2], values: Float64Array.of(0.1, -2.5) }],
  ['twice', { shape: [2, 3], values: eighths }],
]);

test('an answer is the same objects, under the same names, as flwr makes of it', () => {
  const object = replyObject(asked, { arrays, metrics, config }, CREATED);
  const made = Object.fromEntries([...objectsIn(object)].map(([id, { content }]) => [id, base64(content)]));
  assert.equal(made, golden.objects);
  assert.is(object.id, golden.id);
  assert.is(base64(whole(treeMessage(object))), golden.tree);
  assert.is(base64(whole(announced(asked, object.id, object, '', CREATED))), golden.announced);
});

test('an error has no objects but its own', () => {
  const object = replyObject(asked, { error: 'no pictures left' }, CREATED);
  assert.is(base64(object.content), golden.error);
  assert.is(object.children.length, 0);
});

test('a message is read to the same values', () => {
  const { asked: found, tree } = readPulled(bytesOf(golden.pull))!;
  assert.is(found.run, 2n ** 64n - 5n);
  assert.is(found.to, 2n ** 63n + 11n);
  assert.equal([found.id, found.group, found.type, found.ttl, found.created], [golden.id, '7', 'train', 3600.5, CREATED]);
  assert.equal([...namesIn(tree)].sort(), Object.keys(golden.objects).sort());
  const of = (id: string) => parseObject('server', id, bytesOf(golden.objects[id]!));
  const content = readContent('server', of(tree.id), of, { bytes: 1 << 20 });
  assert.equal(content.values.get('metrics'), metrics);
  assert.equal(content.values.get('config'), config);
  assert.equal(content.arrays.get('arrays'), arrays);
});

test('an object that is cut off, changed or another is refused in a sentence', () => {
  const [id, text] = Object.entries(golden.objects)[0]!;
  const bytes = bytesOf(text);
  refused(() => parseObject('server', id, bytes.subarray(0, -1)), 'is not the one its name says (SHA-256)');
  const flipped = bytes.slice();
  flipped[20]! ^= 1;
  refused(() => parseObject('server', id, flipped), 'is not the one its name says (SHA-256)');
  const lying = makeObject('ArrayChunk', [], new Uint8Array(9));
  const shorter = lying.content.subarray(0, -1);
  refused(() => parseObject('server', digest(shorter), shorter), 'is cut off', '8 bytes, expected 9');
});

test('pieces that are named again and again are counted before there is room for them', () => {
  const piece = makeObject('ArrayChunk', [], new Uint8Array(1000));
  const order = Array<number>(500).fill(0);
  const about = { dtype: 'float32', shape: [9], stype: 'numpy.ndarray', arraychunk_ids: order };
  const array = makeObject('Array', [piece], new TextEncoder().encode(JSON.stringify(about)));
  const read = (bytes: number) =>
    readArray('server', parseObject('server', array.id, array.content), () => parseObject('server', piece.id, piece.content), { bytes });
  refused(() => read(499_999), 'larger than any adapter of this network', '500000 bytes');
});

test('a layout asks for the numbers that are there, no more and no fewer, each name once', () => {
  const packed = new Map([['adapter', { shape: [6], values: new Float32Array(6) }]]);
  const read = (layout: string) => () => unpackTensors('server', packed, layout);
  assert.equal([...read('[["a",[2,2]],["b",[2]]]')().keys()], ['a', 'b']);
  refused(read('[["a",[2,2]]]'), 'does not account for', 'got 6, expected 4');
  refused(read('[["a",[1e15,1e15]]]'), 'does not account for');
  refused(read('[["a",[2]],["a",[4]]]'), 'names no tensor');
  refused(read('[["a",[0]]]'), 'names no tensor');
  refused(read('{"a":[6]}'), 'is no list');
  refused(read('[['), 'is no JSON');
});

test('a list of more elements than are believed is refused in a sentence, whatever they are', () => {
  for (const list of [Array<number>(200_000).fill(0.5), Array<bigint>(200_000).fill(1n), Array<string>(70_000).fill('a')])
    refused(() => readRecord('server', writeRecord(new Map<string, Value>([['list', list]]))), 'more than 65536');
});

test('nothing that waits is nothing; a message cut anywhere is refused, not read', () => {
  assert.is(readPulled(new Uint8Array()), undefined);
  const whole = bytesOf(golden.pull);
  for (let end = 1; end < whole.length; end++) {
    try {
      const found = readPulled(whole.subarray(0, end));
      // What ends between two fields is a shorter message.
      assert.ok(found === undefined || found.tree.id === golden.id);
    } catch (error) {
      assert.instance(error, InputError);
    }
  }
});

test.run();
