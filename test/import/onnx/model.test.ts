/** Files that are broken, hostile, or hold what is not supported: each is refused in one sentence, before a weight is read. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../src/base/error.ts';
import { openOnnxModel } from '../../../src/import/onnx/index.ts';
import * as w from '../../support/onnxwrite.ts';

function refused(bytes: Uint8Array, ...words: string[]): void {
  try {
    openOnnxModel(w.onnxFile(bytes)).weights.close();
  } catch (error) {
    assert.instance(error, InputError);
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

const of = (...graph: w.Bytes[]): Uint8Array => w.modelBytes({ graph });
const without = (graph: w.Bytes[], ...gone: number[]): w.Bytes[] => graph.filter((_, i) => !gone.includes(i));

test('the smallest network is read: its head, its classes, its weights by name', () => {
  const { model, weights } = openOnnxModel(w.onnxFile(of(...w.smallest())));
  assert.equal(model.image, [8, 8]);
  assert.equal(model.labels, ['LABEL_0', 'LABEL_1']);
  const bytes = new Uint8Array(24);
  weights.read(weights.tensor('w'.length > 0 ? [...weights.tensors.keys()].find((n) => n.endsWith('.weight'))! : ''), bytes);
  assert.equal([...new Float32Array(bytes.buffer)], [1, 2, 3, 4, 5, 6]);
  weights.close();
});

test('a matrix that is stored the other way round is read turned, whatever piece is asked for', () => {
  const values = Array.from({ length: 3 * 5 }, (_, i) => i);
  const graph = [
    w.node('GlobalAveragePool', ['x'], ['p']),
    w.node('Flatten', ['p'], ['f']),
    w.node('MatMul', ['f', 'm'], ['y']),
    w.floatTensor(5, 'm', [3, 5], values),
    w.port(11, 'x', ['n', 3, 8, 8]),
    w.port(12, 'y', ['n', 5]),
  ];
  const { weights } = openOnnxModel(w.onnxFile(of(...graph)));
  const tensor = [...weights.tensors.values()].find(({ shape }) => shape.length === 2)!;
  assert.equal(tensor.shape, [5, 3]);
  for (const [from, count] of [
    [0, 60],
    [4, 8],
    [20, 40],
    [56, 4],
  ] as const) {
    const bytes = new Uint8Array(count);
    weights.read(tensor, bytes, from);
    const want = Array.from({ length: 15 }, (_, i) => (i % 3) * 5 + Math.floor(i / 3)).slice(from / 4, (from + count) / 4);
    assert.equal([...new Float32Array(bytes.buffer)], want);
  }
  weights.close();
});

test('bytes that are no ONNX file', () => {
  refused(new Uint8Array(0), 'no graph in this file');
  refused(new TextEncoder().encode('<!doctype html><html>'), 'model.onnx');
  refused(Uint8Array.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f]), 'a field of');
  refused(Uint8Array.from([0x3a, 0x80]), 'a number runs over the end');
  refused(Uint8Array.from([0x08, ...Array(10).fill(0xff), 0x01]), 'more than ten bytes');
  refused(Uint8Array.from([0x00]), 'without a number');
  refused(Uint8Array.from([0x0b]), 'a field of type 3');
});

test('every file that ends early is refused, or its network is whole', () => {
  const whole = of(...w.smallest());
  for (let n = 0; n < whole.length; n++) {
    try {
      openOnnxModel(w.onnxFile(whole.subarray(0, n))).weights.close();
      assert.unreachable(`${n} of ${whole.length} bytes were taken`);
    } catch (error) {
      assert.instance(error, InputError, `${n} bytes: ${(error as Error).stack}`);
    }
  }
});

test('sizes that lie', () => {
  const [pool, flatten, gemm, , bias, x, y] = w.smallest();
  const weight = (...fields: w.Bytes[]): Uint8Array =>
    of(pool!, flatten!, gemm!, w.message(5, w.text(8, 'w'), w.number(2, 1), ...fields), bias!, x!, y!);
  refused(
    weight(w.number(1, 2), w.number(1, 3), w.message(9, w.f32s([1, 2]))),
    'another number of elements',
    'got 8 bytes',
    'expected 24 bytes',
  );
  refused(weight(w.number(1, 2 ** 40), w.number(1, 2 ** 40), w.message(9, [])), 'bad shape');
  refused(weight(w.number(1, -1), w.number(1, 3), w.message(9, [])), 'bad shape');
  refused(weight(...Array.from({ length: 20 }, () => w.number(1, 1)), w.message(9, w.f32s([1]))), 'more than 12 numbers');
  refused(of(...w.smallest(w.floatTensor(5, 'b', [1], [1]))), 'is there twice');
  refused(of(...w.smallest(w.node('Relu', ['f'], ['p']))), 'is made twice');
});

test('external data stays in the folder', () => {
  const [pool, flatten, gemm, , bias, x, y] = w.smallest();
  const place = (location: string, more: w.Bytes[] = []): Uint8Array =>
    of(
      ...[pool!, flatten!, gemm!, bias!, x!, y!],
      w.message(
        5,
        w.number(1, 2),
        w.number(1, 3),
        w.number(2, 1),
        w.text(8, 'w'),
        w.message(13, w.text(1, 'location'), w.text(2, location)),
        ...more,
        w.number(14, 1),
      ),
    );
  for (const location of ['../w.bin', '/etc/passwd', 'a/../../w.bin', 'c:\\w.bin', ''])
    refused(place(location), 'outside the folder of the model');
  refused(place('w.bin'), 'w.bin', 'no such file');
  refused(place('w.bin', [w.message(13, w.text(1, 'offset'), w.text(2, '-4'))]), 'bad offset');
  const path = w.onnxFile(place('w.bin'));
  writeFileSync(join(path, '..', 'w.bin'), new Uint8Array(20));
  assert.throws(() => openOnnxModel(path), /lies outside this file.*got 20 bytes/);
  writeFileSync(join(path, '..', 'w.bin'), Float32Array.from([6, 5, 4, 3, 2, 1]));
  const { weights } = openOnnxModel(path);
  const bytes = new Uint8Array(24);
  weights.read([...weights.tensors.values()].find((t) => t.bytes === 24)!, bytes);
  assert.equal([...new Float32Array(bytes.buffer)], [6, 5, 4, 3, 2, 1]);
  weights.close();
});

test('graphs that cannot be: cycles, values that nothing makes, operators that are not known', () => {
  const [, flatten, gemm, weight, bias, x, y] = w.smallest();
  const rest = [weight!, bias!, x!, y!];
  refused(
    of(w.node('Add', ['p2', 'x'], ['p']), w.node('Relu', ['p'], ['p2']), flatten!, gemm!, ...rest),
    'reads p2, which nothing makes before it',
  );
  refused(of(w.node('Frobnicate', ['x'], ['p']), flatten!, gemm!, ...rest), 'the Frobnicate', 'is not supported');
  refused(
    of(w.node('If', ['x'], ['p'], w.message(5, w.text(1, 'then_branch'), w.message(6))), flatten!, gemm!, ...rest),
    'the If',
    'a graph of its own',
  );
  refused(of(w.node('Relu', ['x'], ['p'], w.text(7, 'com.microsoft')), flatten!, gemm!, ...rest), 'another domain', 'com.microsoft');
  refused(of(w.node('Reshape', ['x', 's'], ['p']), w.intTensor(5, 's', [1, 7, -1]), flatten!, gemm!, ...rest), 'does not fit the shape');
  const wrong = [
    w.node('GlobalAveragePool', ['x'], ['p']),
    flatten!,
    gemm!,
    w.floatTensor(5, 'w', [2, 4], Array(8).fill(0)),
    bias!,
    x!,
    y!,
  ];
  refused(of(...wrong), 'a weight that does not fit its input');
});

test('networks without a row of numbers at their end, in training mode, and with nodes without end', () => {
  const x = w.port(11, 'x', [1, 3, 8, 8]);
  refused(of(w.node('Relu', ['x'], ['y']), x, w.port(12, 'y', [1, 3, 8, 8])), 'no output of one row of numbers', 'y [8,8,3]', '--features');
  const three = ['s', 'b', 'm', 'v'].map((name) => w.floatTensor(5, name, [3], [1, 1, 1]));
  refused(
    of(
      w.node('BatchNormalization', ['x', 's', 'b', 'm', 'v'], ['y'], w.int('training_mode', 1)),
      ...three,
      x,
      w.port(12, 'y', [1, 3, 8, 8]),
    ),
    'the BatchNormalization',
    'is a batch norm in training mode',
    'model.eval()',
  );
  const one = Uint8Array.from(w.node('Relu', ['x'], ['y']));
  const graph = new Uint8Array(one.length * 1_000_000);
  for (let i = 0; i < 1_000_000; i++) graph.set(one, i * one.length);
  const head = w.modelBytes({ graph: [] });
  const began = performance.now();
  refused(Buffer.concat([Uint8Array.from([...w.varint(7 * 8 + 2), ...w.varint(graph.length)]), graph, head.subarray(4)]), 'too many nodes');
  assert.ok(performance.now() - began < 10e3);
});

test('inputs and opsets that are not supported', () => {
  const graph = w.smallest();
  const input = (...ports: w.Bytes[]): Uint8Array => of(...without(graph, 5), ...ports);
  refused(input(w.port(11, 'x', [8, 3, 8, 8])), 'fixed number of pictures', 'got 8');
  refused(input(w.port(11, 'x', ['n', 3, 'h', 'w'])), 'leaves the size of its pictures open', '--image-size');
  refused(input(w.port(11, 'x', ['n', 7, 8, 8])), 'no batch of');
  refused(input(w.port(11, 'x', ['n', 3, 8, 8], 2)), 'another type than f32 or f16');
  refused(input(w.port(11, 'x', ['n', 3, 8, 8]), w.port(11, 'z', [1])), 'more inputs than one');
  refused(input(), 'has no input');
  refused(w.modelBytes({ graph, opset: 9 }), 'opset 9', 'expected 11 to');
  refused(w.modelBytes({ graph, opset: 99 }), 'opset 99');
  refused(of(...without(graph, 6), w.port(12, 'q', [1])), 'no output follows from the picture');
});

test('the size is asked for where the file leaves it open, and is the file’s own where not', () => {
  const open = w.onnxFile(of(...without(w.smallest(), 5), w.port(11, 'x', ['n', 3, 'h', 'w'])));
  const { model, weights } = openOnnxModel(open, { asked: [12, 10] });
  assert.equal(model.image, [12, 10]);
  weights.close();
  assert.throws(
    () => openOnnxModel(w.onnxFile(of(...w.smallest())), { asked: [12, 10] }),
    /not the size that the file was exported for, got 12x10, expected 8x8/,
  );
});

test('files with bytes changed at random are refused or read, never more', () => {
  const whole = readFileSync('test/golden/onnx/efficientnet-timm-dynamo.onnx');
  let state = 7;
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let i = 0; i < 150; i++) {
    const bytes = Uint8Array.from(whole);
    for (let k = 0; k <= random(4); k++) bytes[random(i % 2 === 0 ? bytes.length : 6000)] = random(256);
    try {
      openOnnxModel(w.onnxFile(bytes)).weights.close();
    } catch (error) {
      assert.instance(error, InputError, `file ${i}: ${(error as Error).stack}`);
    }
  }
});

test.run();
