/** The contract between host and engine: every op has arguments, a kernel and a definition; the engine is memory-only and small. */
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPS } from '../../src/ops/index.ts';
import { SIGNATURES } from '../../src/program/arguments.ts';

/** The operators and their arguments, without comments. */
const abi = ['ops.ts', ...readdirSync('assembly/abi/ops').map((file) => `ops/${file}`)]
  .map((file) => readFileSync(`assembly/abi/${file}`, 'utf8'))
  .join('\n')
  .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');

/** Names of an enum's members, in order. */
function members(name: string): string[] | undefined {
  const body = new RegExp(`\\bconst enum ${name} \\{([^}]*)\\}`).exec(abi)?.[1];
  return body?.split(',').flatMap((member) => /\w+/.exec(member)?.[0] ?? []);
}

const ops = members('Op')!;

test('the ops have arguments, kernels and definitions, and nothing else has', () => {
  assert.ok(ops.length >= 30);
  assert.is(new Set(ops).size, ops.length);
  const enums = [...abi.matchAll(/const enum (\w+)Arg\b/g)].map(([, op]) => op!);
  assert.equal(enums.toSorted(), ops.toSorted());
  // A view has no instruction of its own: where it cannot be one it lowers to another's.
  const own = Object.entries(OPS).filter(([name, { view }]) => ops.includes(name) || view === undefined);
  assert.equal(own.map(([name]) => name).sort(), ops.toSorted());
  const kernels = readdirSync('assembly/kernels').flatMap((file) => [
    ...readFileSync(`assembly/kernels/${file}`, 'utf8').matchAll(/^export function (\w+)\(p: usize\): void/gm),
  ]);
  const names = kernels.map(([, name]) => name![0]!.toUpperCase() + name!.slice(1));
  assert.equal(names.sort(), ops.toSorted());
});

test('every kernel reads its arguments through the op’s own enum', () => {
  const source = readdirSync('assembly/kernels')
    .map((file) => readFileSync(`assembly/kernels/${file}`, 'utf8'))
    .join('\n');
  assert.equal(
    ops.filter((op) => !new RegExp(`\\b${op}Arg( as |\\.)`).test(source)),
    [],
  );
});

test('an argument is printed and checked as what its kernel reads', () => {
  const read = new Map<string, string>();
  for (const file of readdirSync('assembly/kernels')) {
    const text = readFileSync(`assembly/kernels/${file}`, 'utf8');
    const short = new Map([...text.matchAll(/(\w+Arg) as (\w+)/g)].map(([, name, alias]) => [alias!, name!]));
    for (const [, kind, owner, name] of text.matchAll(/\b(address|int|float)\(p, (\w+)\.(\w+)\)/g))
      read.set(`${short.get(owner!) ?? owner}.${name}`, kind === 'int' ? 'integer' : kind!);
  }
  /** `X0 + i`: the operands of a list, one after the other. */
  const lists = new Map<string, string>();
  for (const file of readdirSync('assembly/kernels'))
    for (const [, kind, owner, name] of readFileSync(`assembly/kernels/${file}`, 'utf8').matchAll(
      /\b(address|int)\(p, (\w+)\.([A-Z]+)0 \+ i\)/g,
    ))
      lists.set(`${owner}.${name}`, kind === 'int' ? 'integer' : kind!);
  for (const { op, arguments: list } of SIGNATURES.values())
    for (const { name, kind } of list) {
      // Where no kernel reads it by its name it is a number: only addresses must not be missed.
      const found = read.get(`${op}Arg.${name}`) ?? lists.get(`${op}Arg.${name.replace(/\d$/, '')}`);
      assert.is(found ?? (kind === 'address' ? 'nothing' : kind), kind, `${op} ${name}`);
    }
});

test('the engine imports its memory and nothing else, and exports functions beside it', async () => {
  const engine = await WebAssembly.compile(readFileSync('build/engine.wasm'));
  assert.equal(
    WebAssembly.Module.imports(engine).map(({ module, name, kind }) => `${kind} ${module}.${name}`),
    ['memory env.memory'],
  );
  for (const { name, kind } of WebAssembly.Module.exports(engine)) assert.is(kind, name === 'memory' ? 'memory' : 'function', name);
});

/** Ids of the sections of a wasm binary, in order. */
function sections(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  for (let at = 8; at < bytes.length; ) {
    ids.push(bytes[at++]!);
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7) {
      size |= (bytes[at]! & 127) << shift;
      more = bytes[at++]! > 127;
    }
    at += size;
  }
  return ids;
}

test('the engine has neither data nor a start function, no table of functions, and is below 128 KiB', () => {
  const bytes = readFileSync('build/engine.wasm');
  const found = sections(bytes);
  assert.ok(found.includes(10), 'a code section');
  const forbidden: [number, string][] = [
    [4, 'table'],
    [5, 'memory of its own'],
    [8, 'start function'],
    [9, 'elements'],
    [11, 'data'],
    [12, 'data count'],
  ];
  for (const [id, what] of forbidden) assert.not.ok(found.includes(id), what);
  assert.ok(bytes.length < 128 << 10, `${bytes.length} bytes`);
});

test.run();
