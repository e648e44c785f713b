/** `s2a.wasm info`: what the command writes is what the WASI program reads, and nothing in a file makes it trap. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program.ts';
import { crc32 } from '../../src/base/crc.ts';
import { planForBudget } from '../../src/compile.ts';
import { readModel } from '../../src/import/index.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { encodeProgram } from '../../src/program/program.ts';
import { runWasi } from '../../targets/wasi/host.ts';
import { newFolder } from '../support/folder.ts';
import { cases } from '../support/golden.ts';
import { MOBILENETS, VITS } from '../support/realnetwork.ts';

const wasm = readFileSync('build/s2a.wasm');
const module = new WebAssembly.Module(wasm);
const folder = newFolder();

function run(args: string[], preopens: Record<string, string> = { '/': folder }): { code: number; out: string; err: string } {
  const parts: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
  const code = runWasi(module, {
    args: ['s2a.wasm', ...args],
    preopens,
    stdout: (bytes) => void parts.out.push(bytes),
    stderr: (bytes) => void parts.err.push(bytes),
  });
  const text = (list: Uint8Array[]): string => new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(list));
  return { code, out: text(parts.out), err: text(parts.err) };
}

/** What `info` says of these bytes. */
function info(file: Uint8Array): { code: number; out: string; err: string } {
  const path = join(folder, 'program.s2a');
  // Anew: a file system may wait for the disk when a file is emptied and written again.
  rmSync(path, { force: true });
  writeFileSync(path, file);
  return run(['info', 'program.s2a']);
}

/** Refused in one sentence that names the file and holds these words. */
function refuses({ code, out, err }: ReturnType<typeof run>, ...words: string[]): void {
  assert.is(code, 2, out);
  assert.is(out, '');
  assert.match(err, /^s2a: [^\n]+\n$/);
  for (const word of words) assert.ok(err.includes(word), `“${err}” lacks “${word}”`);
}

/** A copy with its words changed and the checksum made right again. */
function changed(file: Uint8Array, change: (words: Uint32Array) => void): Uint8Array {
  const copy = Uint8Array.from(file);
  const words = new Uint32Array(copy.buffer);
  change(words);
  words[3] = crc32(copy.subarray(4 * ProgramFile.UncheckedWords));
  return copy;
}
const isProgram = (bytes: Uint8Array): boolean => {
  try {
    return decodeProgram(bytes) !== undefined;
  } catch {
    return false;
  }
};
const sectionWord = (words: Uint32Array, id: number, part: number): number => {
  for (let i = 0; i < words[5]!; i++) if (words[ProgramFile.HeaderWords + 3 * i] === id) return ProgramFile.HeaderWords + 3 * i + part;
  throw new Error(`no section ${id}`);
};
const at = (words: Uint32Array, id: number): number => words[sectionWord(words, id, 1)]! / 4;

const small = planForBudget({ model: readModel('test/golden/vit-hf'), classes: 7, batchSize: 4, rates: 'relative' });
const file = encodeProgram(small.program);

test('small, and asks for nothing but files, arguments and an end', () => {
  // Of it 9 KiB tell unknown pictures, classes one by one, and JSON; 2 KiB weigh classes and fetch partners, 2 KiB are mirror images and means of frames.
  assert.ok(wasm.length < 240 * 1024);
  const names = WebAssembly.Module.imports(module).map(({ name }) => name);
  assert.equal(
    names.filter((name) => /environ|random|clock|sock|poll|path_(?!open|filestat_get|rename|unlink_file|create_directory)/.test(name)),
    [],
  );
  assert.equal([...new Set(WebAssembly.Module.imports(module).map((i) => i.module))], ['wasi_snapshot_preview1']);
});

test('without arguments, and with wrong ones', () => {
  for (const args of [[], ['--help'], ['help', 'info']]) {
    const { code, out } = run(args);
    assert.is(code, 0);
    assert.match(out, /s2a\.wasm info +<program\.s2a>/);
  }
  refuses(run(['learn']), 'learn: unknown command');
  refuses(run(['info']), 'the program is missing');
  refuses(run(['train', 'a']), '--model: is missing');
  refuses(run(['train', 'a', '--model']), '--model: has no value');
  refuses(run(['train', 'a', '--model', 'm', '--model', 'm']), '--model: is given twice');
  refuses(run(['train', 'a', '--model', 'm', '--data', 'd', '--out', 'o', '--steps', '0']), '--steps: wrong value');
  writeFileSync(join(folder, 'plain.s2a'), file);
  refuses(run(['info', 'plain.s2a', 'b']), 'b: unknown option or one word too many');
  refuses(run(['info', 'plain.s2a', '--model', 'm']), 'holds no run; write it with s2a pack');
  refuses(run(['in\u001b[31mfo\u009b']), 'in\\u001b[31mfo\\u009b');
  refuses(run(['a\n\u202e\u{e0041}größe👩\u200d🚒']), 'a\\n\\u202e\\u{e0041}größe👩\u200d🚒');
});

test('says what the program holds', () => {
  const { code, out, err } = info(file);
  assert.equal([code, err], [0, '']);
  const line = (name: string): string => new RegExp(`^${name} +(.*)$`, 'm').exec(out)?.[1] ?? '';
  const { program, graph, plan } = small;
  const count = (list: readonly { dims: readonly number[] }[]): number => list.reduce((n, w) => n + w.dims.reduce((a, b) => a * b, 1), 0);
  assert.is(line('linear memory'), `${plan.linearBytes} bytes`);
  assert.is(line('program file'), `${file.length} bytes, version ${ProgramFile.Version}`);
  assert.is(line('threads'), `at most ${program.maxThreads}`);
  const { init, train, update, eval: evaluation } = graph.phases;
  assert.is(line('instructions'), `init ${init.length}, train ${train.length}, update ${update.length}, eval ${evaluation.length}`);
  assert.is(line('weights'), `${program.weights.length} tensors, ${count(program.weights)} numbers`);
  assert.is(line('parameters'), `${program.parameters.length} tensors, ${count(program.parameters)} numbers`);
  assert.equal(JSON.parse(line('about')), program.about);
});

test('every program that the compiler makes is in order', () => {
  const models = [...cases.map((name) => readModel(join('test/golden', name))), VITS['vit-tiny']!, MOBILENETS['mobilenetv2-1.0']!];
  for (const model of models) {
    for (const method of ['bias', 'probe', 'full', 'bias+prompt+side']) {
      const { code, err } = info(encodeProgram(planForBudget({ model, classes: 3, batchSize: 2, method }).program));
      assert.equal([code, err], [0, ''], `${model.type} ${method}`);
    }
  }
});

test('plan --program writes the file, whole', () => {
  const out = newFolder();
  const path = join(out, 'vit.s2a');
  const plan = (...args: string[]) => spawnSync('node', ['dist/s2a.js', 'plan', 'test/golden/vit-hf', '--classes', '7', ...args]);
  const { stdout, status } = plan('--batch-size', '4', '--json', '--program', path);
  assert.is(status, 0);
  assert.is(JSON.parse(String(stdout)).linearBytes, decodeProgram(readFileSync(path)).linearBytes);
  assert.equal(readFileSync(path), Buffer.from(file));
  assert.equal(readdirSync(out), ['vit.s2a']);
  assert.is(run(['info', 'vit.s2a'], { '/': out }).code, 0);
  const refused = plan('--program', join(out, 'none', 'vit.s2a'));
  assert.is(refused.status, 2);
  assert.match(String(refused.stderr), /^s2a: .*vit\.s2a: cannot be written: no such file or folder\n$/);
});

test('the folder whose name the path begins with', () => {
  const [one, two] = [newFolder(), newFolder()];
  mkdirSync(join(two, 'sub'));
  writeFileSync(join(two, 'sub', 'p'), file);
  const found = (path: string, preopens: Record<string, string>): number => run(['info', path], preopens).code;
  for (const path of ['sub/p', '/sub/p', './sub/p', './/sub/p'])
    for (const name of ['/', '.', './', '']) assert.is(found(path, { [name]: two }), 0);
  for (const path of ['models/sub/p', '/models/sub/p'])
    for (const name of ['models', '/models', './models', '/models/'])
      assert.is(found(path, { '/': one, [name]: two, '/mod': one }), 0, name);
  assert.is(found('models/sub/p', { 'models/sub': join(two, 'sub'), models: one }), 0);
  refuses(run(['info', 'modelss/p'], { models: two }), 'outside the folders');
  refuses(run(['info', 'p'], {}), 'outside the folders');
  refuses(run(['info', '../p']), 'outside the folders');
  refuses(run(['info', 'none.s2a']), 'none.s2a', 'no such file');
  refuses(run(['info', 'sub'], { '/': two }), 'is a folder');
  refuses(run(['info', '.'], { '/': two }), 'is a folder');
});

/** Scratch before the checkpoint region, which takes its place at the end. */
function outOfOrder(words: Uint32Array): void {
  const layout = at(words, Section.Layout);
  const { region, scratch } = small.program;
  words[layout + LayoutWord.ScratchOffset] = region.offset;
  words[layout + LayoutWord.ScratchBytes] = 1024;
  words[layout + LayoutWord.RegionOffset] = scratch.offset;
}

test('what is wrong is named', () => {
  refuses(info(new Uint8Array(0)), 'is not a program file');
  refuses(info(new Uint8Array(4096)), 'is not a program file');
  refuses(info(file.subarray(0, 23)), 'is not a program file');
  refuses(info(file.subarray(0, file.length - 4)), 'has the wrong length', `got ${file.length - 4}`);
  refuses(info(Buffer.concat([file, file])), 'has the wrong length');
  refuses(info(file.map((byte, i) => (i === 100 ? byte ^ 1 : byte))), 'checksum');
  const cases: [string, (words: Uint32Array) => void][] = [
    ['another version', (w) => w[1]!++],
    ['number of sections', (w) => (w[5] = 0xffffffff)],
    ['not whole pages', (w) => w[4]!++],
    ['layout outside', (w) => (w[4] = 65536)],
    ['section outside', (w) => (w[sectionWord(w, Section.About, 2)] = 0xfffffff0)],
    ['section outside', (w) => (w[sectionWord(w, Section.Image, 1)] = 24)],
    ['repeated section', (w) => (w[sectionWord(w, Section.Image, 0)] = Section.Layout)],
    ['unknown', (w) => (w[sectionWord(w, Section.Image, 0)] = 99)],
    ['broken instructions', (w) => (w[at(w, Section.Image) + 1] = 0)],
    ['broken instructions', (w) => (w[at(w, Section.Image) + 1] = 0xffffffff)],
    ['broken instructions', (w) => (w[at(w, Section.Image) + 2] = 0x7fffffff)],
    ['broken instructions', (w) => (w[at(w, Section.Image)] = 99)],
    ['broken instructions', (w) => (w[at(w, Section.Image) + 3] = 2)],
    ['goes beyond what it may touch: ', (w) => (w[at(w, Section.Image) + 4] = 4)],
    ['operator', (w) => (w[at(w, Section.Image) + 4] = 0xfffffff0)],
    [', argument 0; compile', (w) => (w[at(w, Section.Image) + 4] = w[4]!)],
    ['not aligned', (w) => (w[at(w, Section.Layout) + LayoutWord.RegionOffset]! += 4)],
    ['overlaps', (w) => (w[at(w, Section.Layout) + LayoutWord.RegionOffset] = small.program.programOffset)],
    ['threads', (w) => (w[at(w, Section.Layout) + LayoutWord.MaxThreads] = 257)],
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.D0] = 0)],
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.S2] = 0xffffffff)],
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.Start] = 0xffffffff)],
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.Offset] = 0)],
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.Rank] = 5)],
    ['without a name', (w) => (w[at(w, Section.Weights)] = 0xffff)],
    ['a parameter lies outside', (w) => (w[at(w, Section.Parameters) + WeightWord.Offset] = 0xfffffff0)],
    ['has a port outside', (w) => (w[at(w, Section.Io) + 2] = 0xffffffff)],
    // Nothing that is filled from a file lies on the code, on scratch or, but for parameters, in the checkpoint region's state.
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.Offset] = small.program.programOffset)],
    ['a weight lies outside', (w) => (w[at(w, Section.Weights) + WeightWord.Offset] = small.program.scratch.offset)],
    ['a parameter lies outside', (w) => (w[at(w, Section.Parameters) + WeightWord.Offset] = small.program.region.offset)],
    ['a parameter lies outside', (w) => (w[at(w, Section.Parameters) + ParameterWord.Gradient] = small.program.weights[0]!.offset)],
    ['has a port outside', (w) => (w[at(w, Section.Io) + 1] = small.program.programOffset)],
    ['no scratch', (w) => (w[at(w, Section.Layout) + LayoutWord.ScratchBytes] = 16)],
    ['out of order', outOfOrder],
  ];
  for (const [words, change] of cases) refuses(info(changed(file, change)), words);
});

test('1,000 damaged files: one sentence or a report, never a trap', () => {
  let seed = 1;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  const values = [0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 65536, 4096];
  const ends = { refused: 0, passed: 0 };
  for (let i = 0; i < 1000; i++) {
    let mutant: Uint8Array;
    if (i % 4 === 0) {
      mutant = Uint8Array.from(file).subarray(0, random(3) === 0 ? random(file.length) : file.length);
      for (let n = random(8); n >= 0 && mutant.length > 0; n--) mutant[random(mutant.length)] = random(256);
    } else {
      // Right checksum, wrong words: most in the header and the sections of records, where the checks are.
      mutant = changed(file, (words) => {
        const header = ProgramFile.HeaderWords + 3 * words[5]!;
        const [layout, records] = [at(words, Section.Layout), at(words, Section.Weights)];
        for (let n = random(3); n >= 0; n--) {
          const where = [random(header), layout + random(14), random(words.length), records + random(words.length - records)];
          const k = where[random(4)]!;
          words[k] = random(2) === 0 ? values[random(values.length)]! : words[k]! + random(9) - 4;
        }
      });
    }
    const result = info(mutant);
    if (isProgram(mutant)) assert.is(result.code, 0, `the host reads what info refuses: ${result.err}`);
    if (result.code === 0) ends.passed++;
    else {
      refuses(result);
      ends.refused++;
    }
  }
  assert.ok(ends.refused > 500, `only ${ends.refused} were refused`);
  assert.ok(ends.passed > 10, `only ${ends.passed} got through`);
});

test.run();
