/** Program files: the same options give the same bytes, every file is read back as it was written, and nothing else is read. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Instruction } from '../../assembly/abi/ops.ts';
import { type Io, ProgramFile } from '../../assembly/abi/program.ts';
import { crc32 } from '../../src/base/crc.ts';
import { InputError } from '../../src/base/error.ts';
import { compile } from '../../src/compile.ts';
import { ABSENT } from '../../src/graph/graph.ts';
import type { CompileOptions } from '../../src/pipeline/options.ts';
import { SIGNATURES } from '../../src/program/arguments.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { printProgram } from '../../src/program/print.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { compileNetwork, instructions, network } from '../support/network.ts';
import { random } from '../support/randomgraph.ts';
import { MOBILENETS, VITS } from '../support/realnetwork.ts';

const VARIANTS: readonly Partial<CompileOptions>[] = [
  {},
  { method: 'full', keep: 'exact', microBatch: 3 },
  { method: 'probe', optimizer: 'sgd', maxThreads: 4 },
  { purpose: 'infer' },
  { augment: { shift: 4, flip: true }, dropout: 0.1, dropPath: 0.2 },
];
const NAMES = ['vit-hf', 'vit-hf@48', 'deit3-timm', 'deit-hf', 'mobilenetv2-hf', 'resnet50gn-timm'];

for (const name of NAMES)
  test(`${name}: a program is read back as it was, and compiling again gives the same bytes`, () => {
    const seen = new Set<string>();
    for (const options of VARIANTS) {
      const { program } = compileNetwork(network(name), options);
      const file = encodeProgram(program);
      assert.equal(decodeProgram(file), program);
      // In the middle of a larger buffer too.
      const shifted = new Uint8Array(file.length + 9).subarray(5, 5 + file.length);
      shifted.set(file);
      assert.equal(decodeProgram(shifted), program);
      assert.is(Buffer.compare(file, encodeProgram(compileNetwork(network(name), options).program)), 0);
      seen.add(Buffer.from(file).toString('base64'));
    }
    assert.is(seen.size, VARIANTS.length);
  });

test('programs of full-size models pass the checks of a file', () => {
  for (const model of [VITS['vit-large']!, ...Object.values(MOBILENETS)])
    for (const method of ['bias', 'probe'] as const) {
      const { program } = compile({ model, classes: 1000, microBatch: 8, method });
      assert.equal(decodeProgram(encodeProgram(program)).entries, program.entries);
    }
});

/** Writes the checksum that belongs to the bytes, so that what lies behind it is tested. */
function sign(file: Uint8Array): void {
  const view = new DataView(file.buffer);
  view.setUint32(8, file.length, true);
  view.setUint32(12, crc32(file.subarray(4 * ProgramFile.UncheckedWords)), true);
}

/** Reads it; undefined where it is refused as it should be. */
function read(file: Uint8Array): Uint8Array | undefined {
  try {
    return encodeProgram(decodeProgram(file));
  } catch (error) {
    assert.instance(error, InputError, `${(error as Error).stack}`);
    assert.ok((error as Error).message.length < 300);
    return undefined;
  }
}

const FLIP = (next: (below: number) => number, file: Uint8Array): Uint8Array => {
  const out = file.slice();
  for (let i = 0; i <= next(3); i++) out[next(out.length)]! ^= 1 << next(8);
  return out;
};

test('2,000 damaged files are refused by their checksum', () => {
  const next = random(7);
  const file = encodeProgram(compileNetwork(network('vit-timm')).program);
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const damaged = next(4) === 0 ? file.slice(0, next(file.length)) : FLIP(next, file);
    if (read(damaged) === undefined) refused++;
    else assert.is(Buffer.compare(damaged, file), 0);
  }
  assert.ok(refused > 1950, `${refused}`);
});

test('2,000 hostile files, their checksum right, are refused or mean exactly what they say', () => {
  const next = random(11);
  const file = encodeProgram(compileNetwork(network('vit-timm')).program);
  const words = file.length >> 2;
  const header = 4 * (ProgramFile.HeaderWords + 3 * 8);
  const mutate: ((out: Uint8Array, view: DataView) => Uint8Array)[] = [
    (out) => FLIP(next, out),
    // A word of the header, or of anything, becomes a hostile number.
    (out, view) => {
      const at = 4 * (next(2) ? next(header / 4) : next(words));
      view.setUint32(at, [0, 1, 3, 4096, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff, next(file.length)][next(9)]!, true);
      return out;
    },
    // Two words change places.
    (out, view) => {
      const [a, b] = [4 * next(words), 4 * next(words)];
      const word = view.getUint32(a, true);
      view.setUint32(a, view.getUint32(b, true), true);
      view.setUint32(b, word, true);
      return out;
    },
    (out) => out.slice(0, 4 * next(words)),
    (out) => Uint8Array.from([...out, ...new Array(4 * (1 + next(4))).fill(next(256))]),
  ];
  let refused = 0;
  for (let i = 0; i < 2000; i++) {
    const copy = file.slice();
    const damaged = mutate[next(mutate.length)]!(copy, new DataView(copy.buffer));
    if (damaged.length >= 4 * ProgramFile.HeaderWords) sign(damaged);
    const again = read(damaged);
    if (again === undefined) refused++;
    else assert.is(Buffer.compare(again, damaged), 0);
  }
  assert.ok(refused > 1000, `${refused}`);
});

test('what the engine would trust is checked one by one', () => {
  const good = compileNetwork(network('vit-hf')).program;
  const [weight, parameter] = [good.weights[0]!, good.parameters[0]!];
  const end = good.linearBytes;
  const broken: [string, Partial<typeof good>][] = [
    ['memory', { linearBytes: end + 1 }],
    ['memory', { linearBytes: 0 }],
    ['outside the linear memory', { programOffset: 1024 }],
    ['outside the linear memory', { programOffset: end - 16 }],
    ['outside the linear memory', { region: { offset: good.region.offset, bytes: end } }],
    ['overlaps', { region: { offset: good.programOffset, bytes: good.region.bytes } }],
    ['overlaps', { scratch: { ...good.scratch, offset: good.region.offset } }],
    ['scratch', { scratch: { offset: good.scratch.offset, bytes: 0 } }],
    ['threads', { maxThreads: 0 }],
    ['outside the linear memory', { maxThreads: 200 }],
    ['train', { entries: { ...good.entries, train: { start: good.entries.train.start, end: end } } }],
    ['train', { entries: { ...good.entries, train: { start: good.entries.train.start + 4, end: good.entries.train.end } } }],
    ['train', { entries: { ...good.entries, train: { start: good.entries.train.start, end: good.entries.train.end - 4 } } }],
    ['names', { symbols: good.symbols.slice(1) }],
    [weight.name, { weights: [{ ...weight, offset: end - 16 }] }],
    [weight.name, { weights: [{ ...weight, offset: good.programOffset }] }],
    [weight.name, { weights: [{ ...weight, strides: [0, 1 << 20, 1] }] }],
    [weight.name, { weights: [{ ...weight, dims: [0xffffffff, 0xffffffff, 0xffffffff] }] }],
    [weight.name, { weights: [{ ...weight, start: 1 << 20 }] }],
    [parameter.name, { parameters: [{ ...parameter, offset: good.region.offset + good.region.bytes }] }],
    [parameter.name, { parameters: [{ ...parameter, gradient: good.scratch.offset }] }],
    ['port', { io: new Map([[1, { offset: end - 16, bytes: 32 }]]) }],
    ['port', { io: new Map([[77 as Io, { offset: good.region.offset, bytes: 32 }]]) }],
    ['classes', { about: { ...good.about, classes: 0 } }],
    ['purpose', { about: { ...good.about, purpose: 'other' as 'train' } }],
  ];
  for (const [word, change] of broken)
    assert.throws(
      () => decodeProgram(encodeProgram({ ...good, ...change }), 'a.s2ap'),
      (e: Error) => e instanceof InputError && e.message.startsWith('a.s2ap: ') && e.message.includes(word),
      `${word}: ${Object.keys(change)}`,
    );
});

test('the addresses of an instruction are the operands of its node, as the signatures say', () => {
  for (const name of NAMES)
    for (const options of VARIANTS) {
      const compiled = compileNetwork(network(name), options);
      const { graph, plan, program } = compiled;
      const words = new DataView(program.image.buffer);
      for (const { node, start } of instructions(compiled)) {
        const at = start - program.programOffset;
        const { op, arguments: all } = SIGNATURES.get(words.getInt32(at, true))!;
        assert.is(op, node.op);
        const operands = new Set(
          [...node.inputs, ...node.updates, ...node.outputs].filter((id) => id !== ABSENT).map((id) => plan.offsets[id]!),
        );
        const addresses = all
          .flatMap(({ kind }, i) => (kind === 'address' ? [words.getInt32(at + 4 * (Instruction.Arguments + i), true)] : []))
          .filter((a) => a !== 0);
        for (const address of addresses) assert.ok(operands.has(address), `${op} ${node.name}: ${address} is no operand`);
        // An operand that the kernel is not told of is one that it does not use: dead tables and class scores that nothing reads.
        assert.ok(new Set(addresses).size >= operands.size, `${op} ${node.name}`);
      }
      assert.is(graph.values.length, plan.offsets.length);
    }
});

test('a printed program names every node, operator and weight', () => {
  const compiled = compileNetwork(network('mobilenetv2-hf'), { method: 'full' });
  const text = printProgram(compiled.program, compiled);
  for (const { node } of instructions(compiled)) assert.ok(text.includes(`${node.op}  ; ${node.name}\n`), node.name);
  for (const w of [...compiled.program.weights, ...compiled.program.parameters]) assert.ok(text.includes(w.name), w.name);
  assert.ok(/X=@\d+ pictures, Y=@\d+ pixels/.test(text));
  assert.ok(!/undefined|NaN|op \d/.test(text));
  // Without the graph too, as a program that comes from a file.
  assert.ok(printProgram(decodeProgram(encodeProgram(compiled.program))).includes('STRIDE=2'));
});

test.run();
