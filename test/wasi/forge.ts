/**
 * Forged programs: packed ones whose instructions, layout and lists are changed and whose checksum is put right again, so that nothing but the
 * checks of s2a.wasm stands between them and its kernels. Each is refused in one sentence before anything is written, or runs to an end of its
 * own, and JavaScript's decoder is of the same opinion; never a trap, and never a byte of the program's file, of the code or past the arena
 * that is not what it was.
 * `npm run fuzz` takes 20,000, a test a slice of them.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointHead, EpochRecord } from '../../assembly/abi/checkpoint.ts';
import { Instruction } from '../../assembly/abi/ops.ts';
import { LayoutWord, ParameterWord, ProgramFile, Section, WeightWord } from '../../assembly/abi/program.ts';
import { RunField } from '../../assembly/abi/run.ts';
import { SIGNATURES } from '../../src/program/arguments.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { type PackJob, packJob } from '../../src/use/pack.ts';
import { createWasi, type Wasi } from '../../targets/wasi/host.ts';
import { modelFolder } from '../support/golden.ts';
import { pictureFolder } from '../support/pictures.ts';
import { decoded, type FuzzReport, generator, type Random, SPECIAL, withCrc } from './fuzz.ts';

/** Families, methods and precisions that have every operator between them. */
const BOARDS: readonly [string, Partial<PackJob>][] = [
  ['vit-timm-gap', { method: 'bias', dropout: 0.1, augment: { shift: 2, flip: true } }],
  ['deit3-timm', { method: 'bias+prompt+side', keep: 's2a,gelu=8,softmax=4', weights: 'int8' }],
  ['swin-timm', { method: 'full', keep: 's2a,ln=8', optimizer: 'sgd' }],
  ['convnext-timm', { method: 'lora:all=1', weights: 'int8' }],
  ['mobilenetv3-timm', { method: 'bias+side', keep: 's2a,gate=8', weights: 'int4' }],
  ['resnet50gn-timm', { method: 'full', keep: 's2a,gn=8' }],
];

/** Whose turn it is: the deep ones', a run of which takes as long as ten of the others', seldom. */
const DEEP = 4;
const turn = (n: number, boards: number): number =>
  n % 40 === 39 && boards > DEEP ? DEEP + (Math.floor(n / 40) % (boards - DEEP)) : n % Math.min(boards, DEEP);

interface Board {
  name: string;
  folder: string;
  module: WebAssembly.Module;
  program: Uint8Array;
  /** Word offsets in the file of every instruction, and whether evaluation alone runs it. */
  instructions: readonly { at: number; words: number; isEval: boolean }[];
  /** First word and words of each section. */
  sections: ReadonlyMap<number, { at: number; words: number }>;
}

async function makeBoard(folder: string, name: string, options: Partial<PackJob>): Promise<Board> {
  const model = modelFolder(name);
  mkdirSync(folder);
  const job = { model, data: pictureFolder({ train: 1, val: 1 }), out: folder, batchSize: 2, microBatch: 1, epochs: 1, method: 'bias' };
  await packJob({ ...job, ...options });
  cpSync(model, join(folder, 'model'), { recursive: true, dereference: true });
  const program = new Uint8Array(readFileSync(join(folder, 'program.s2a')));
  const view = new DataView(program.buffer);
  const word = (i: number): number => view.getUint32(4 * i, true);
  const sections = new Map(
    Array.from({ length: word(5) }, (_, i) => {
      const at = ProgramFile.HeaderWords + 3 * i;
      return [word(at), { at: word(at + 1) / 4, words: word(at + 2) >> 2 }];
    }),
  );
  const { entries, programOffset } = decodeProgram(program);
  const instructions: { at: number; words: number; isEval: boolean }[] = [];
  for (const [phase, { start, end }] of Object.entries(entries)) {
    const origin = sections.get(Section.Image)!.at - programOffset / 4;
    for (let at = start / 4 + origin; at < end / 4 + origin; at += word(at + Instruction.Words))
      instructions.push({ at, words: word(at + Instruction.Words), isEval: phase === 'eval' });
  }
  const module = new WebAssembly.Module(new Uint8Array(readFileSync(join(folder, 's2a.wasm'))));
  return { name, folder, module, program, instructions, sections };
}

interface Forgery {
  file: Uint8Array;
  /** Whether evaluation shows it, and not a step of training. */
  isEval: boolean;
}

/** Changes a few words of one or two instructions. */
function forgeCode(board: Board, random: Random): Forgery {
  const file = Uint8Array.from(board.program);
  const view = new DataView(file.buffer);
  const { instructions } = board;
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const victim = pick(instructions);
  const word = (i: number): number => view.getUint32(4 * i, true);
  const set = (i: number, value: number): void => view.setUint32(4 * i, value, true);
  const first = victim.at + Instruction.Arguments;
  const count = victim.words - Instruction.Arguments;
  const kinds = SIGNATURES.get(word(victim.at))!.arguments.map(({ kind }) => kind);
  const of = (kind: string): number[] => kinds.flatMap((k, i) => (k === kind ? [first + i] : []));
  const change = (): void => {
    const [addresses, integers] = [of('address'), of('integer')];
    switch (random(12)) {
      case 0:
        set(first + random(count), pick(SPECIAL));
        break;
      case 1:
        set(first + random(count), word(first + random(count)));
        break;
      case 2: {
        // The same opcode elsewhere, or any: its arguments, under this node's number.
        const other = pick(instructions.filter(({ words }) => words === victim.words));
        for (const i of [Instruction.Op, ...Array.from({ length: count }, (_, k) => Instruction.Arguments + k)])
          set(victim.at + i, word(other.at + i));
        break;
      }
      case 3: {
        const fitting = [...SIGNATURES].filter(([, { arguments: list }]) => list.length === count);
        set(victim.at, pick(fitting)[0]);
        break;
      }
      case 4:
        if (random(8) === 0) set(victim.at + random(Instruction.Arguments), pick(SPECIAL));
        break;
      case 5:
      case 6:
        if (addresses.length > 0) {
          const at = pick(addresses);
          const elsewhere = [0, 16 * random(view.getUint32(16, true) / 16), word(at) + 16 * (random(65) - 32), word(pick(addresses))];
          set(at, pick(elsewhere) >>> 0);
        }
        break;
      default:
        if (integers.length > 0) {
          const at = pick(integers);
          const now = word(at);
          const other = pick(integers);
          const near = [now - 1, now + 1, 0, 1, 2, now * 2, now >> 1, now * 3, random(70), word(other), -now];
          if (random(6) === 0) set(other, now);
          set(at, pick(near) >>> 0);
        }
    }
  };
  for (let n = [0, 0, 0, 1, 2][random(5)]!; n >= 0; n--) change();
  return { file: withCrc(file), isEval: victim.isEval };
}

const RECORDS: readonly [Section, number][] = [
  [Section.Layout, LayoutWord.Count],
  [Section.Weights, WeightWord.Count],
  [Section.Parameters, ParameterWord.Count],
  [Section.Io, 3],
  [Section.Run, 50],
  [Section.AdapterOrder, 1],
];

/** Changes a word or two of the layout, of a tensor's or a port's record, of the run. */
function forgeLists(board: Board, random: Random): Forgery {
  const file = Uint8Array.from(board.program);
  const view = new DataView(file.buffer);
  for (let n = random(2); n >= 0; n--) {
    const [id] = RECORDS[random(RECORDS.length)]!;
    const { at, words } = board.sections.get(id)!;
    if (words === 0) continue;
    const [here, there] = [4 * (at + random(words)), 4 * (at + random(words))];
    const now = view.getUint32(here, true);
    const near = [
      now + 1,
      now - 1,
      now * 2,
      now >> 1,
      now + 16,
      now - 16,
      now + 16 * random(1024),
      SPECIAL[random(SPECIAL.length)]!,
      view.getUint32(there, true),
    ];
    view.setUint32(here, near[random(near.length)]! >>> 0, true);
  }
  return { file: withCrc(file), isEval: random(2) === 0 };
}

interface Ran {
  code: number;
  out: string;
  err: string;
  memory: Uint8Array;
}

/** As `runWasi`, but the memory is looked at after the end; the clock of a run that never ends is the caller's. */
function run(board: Board, args: readonly string[]): Ran {
  const parts: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
  const wasi: Wasi = createWasi({
    args: ['s2a.wasm', ...args],
    preopens: { '.': board.folder },
    writable: true,
    stdout: (bytes) => void parts.out.push(bytes),
    stderr: (bytes) => void parts.err.push(bytes),
  });
  const text = (list: Uint8Array[]): string => Buffer.concat(list).toString();
  const end = (code: number): Ran => ({ code, out: text(parts.out), err: text(parts.err), memory: new Uint8Array(wasi.memory.buffer) });
  const imports = Object.fromEntries(WebAssembly.Module.imports(board.module).map(({ name }) => [name, wasi.calls[name]!]));
  try {
    const { exports } = new WebAssembly.Instance(board.module, { wasi_snapshot_preview1: imports });
    wasi.memory = exports.memory as WebAssembly.Memory;
    (exports._start as () => void)();
    return end(0);
  } catch (error) {
    const { status } = error as { status?: number };
    if (status === undefined) throw error;
    return end(status);
  } finally {
    wasi.close();
  }
}

const aligned = (n: number): number => (n + 15) & ~15;

/** What must be in memory as it was: the file as it was read, the code in the arena as it is in the file, nothing past the arena. */
function strayWrites(board: Board, file: Uint8Array, memory: Uint8Array): string | undefined {
  const buffer = Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
  // It is the only thing in memory that begins like the file, but for the look at its head before it is read whole.
  let at = -1;
  for (let found = buffer.indexOf(file.subarray(0, 64)); found >= 0; found = buffer.indexOf(file.subarray(0, 64), found + 1)) at = found;
  if (at < 0 || !buffer.subarray(at, at + file.length).equals(file)) return 'the program in memory was written over';
  const view = new DataView(file.buffer, file.byteOffset);
  const word = (i: number): number => view.getUint32(4 * i, true);
  const { at: image, words } = board.sections.get(Section.Image)!;
  const layout = board.sections.get(Section.Layout)!.at;
  const tensors = Math.max(
    board.sections.get(Section.Weights)!.words / WeightWord.Count,
    board.sections.get(Section.Parameters)!.words / ParameterWord.Count,
  );
  const run = (field: RunField): number => word(board.sections.get(Section.Run)!.at + field / 4);
  const remembered = CheckpointHead.Bytes + EpochRecord.Bytes * run(RunField.Epochs);
  const arena = aligned(at + file.length) + 16 * tensors + remembered + aligned(24 * run(RunField.Classes));
  const code = arena + word(layout + LayoutWord.ProgramOffset);
  if (!buffer.subarray(code, code + 4 * words).equals(file.subarray(4 * image, 4 * (image + words)))) return 'the code was written over';
  if (buffer.subarray(arena + word(4)).some((byte) => byte !== 0)) return 'written past the arena';
  return undefined;
}

/** Makes the boards, and forges `count` programs of them. `onInput`: told before each, to see where it hangs. */
export async function forge(options: { count: number; seed: number; boards?: number; onInput?(n: number): void }): Promise<FuzzReport> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 's2a-forge-'));
  try {
    return await forgeIn(folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function forgeIn(folder: string, { count, seed, boards = BOARDS.length, onInput }: Parameters<typeof forge>[0]): Promise<FuzzReport> {
  const all: Board[] = [];
  for (const [name, options] of BOARDS.slice(0, boards)) all.push(await makeBoard(join(folder, name), name, options));
  for (const board of all) {
    const { code, err } = run(board, ['train', 'program.s2a', '--model', 'model', '--data', '.', '--out', 'adapter']);
    if (code !== 0) throw new Error(`${board.name} does not train: ${err}`);
  }
  const report: FuzzReport = { readers: {}, failures: [] };
  const random = generator(seed);
  for (let n = 0; n < count; n++) {
    onInput?.(n);
    const board = all[turn(n, all.length)]!;
    const isCode = random(5) > 0;
    const { file, isEval } = (isCode ? forgeCode : forgeLists)(board, random);
    const what = `${board.name}, ${isCode ? 'instructions' : 'lists'}`;
    report.readers[what] ??= { refused: 0, passed: 0 };
    const fail = (text: string): void => void report.failures.push(`${what}, seed ${seed}, input ${n}: ${text}`);
    const path = join(board.folder, 'program.s2a');
    rmSync(path, { force: true });
    writeFileSync(path, file);
    const out = join(board.folder, 'out');
    const weights = join(board.folder, 'model', 'model.safetensors');
    const before = statSync(weights).mtimeMs;
    const words = isEval ? ['eval', 'program.s2a', '--adapter', 'adapter'] : ['train', 'program.s2a', '--out', 'out', '--steps', '1'];
    try {
      const { code, out: said, err, memory } = run(board, [...words, '--model', 'model', '--data', '.']);
      const last = err.split('\n').at(-2) ?? '';
      const isRefused = code === 2 || code === 3;
      if (![0, 2, 3, 4, 5].includes(code)) fail(`code ${code}: ${err}`);
      if (code !== 0 && !/^s2a: [^:]+: \S/.test(last)) fail(`code ${code} without a sentence: ${err}`);
      if (isRefused && (said !== '' || existsSync(out))) fail(`refused, but something was written: ${err}`);
      if (!isRefused) {
        const stray = strayWrites(board, file, memory);
        if (stray) fail(stray);
      }
      if (statSync(weights).mtimeMs !== before) fail('the weights were written');
      const found = decoded(file);
      if (found) fail(`JavaScript: ${found}`);
      // Both hold instructions against the same table.
      if (isCode && (found === '') !== (code === 2)) fail(`code ${code}, but JavaScript ${found === '' ? 'refuses' : 'takes'} it: ${err}`);
      report.readers[what][isRefused ? 'refused' : 'passed']++;
    } catch (error) {
      fail(String((error as Error).stack ?? error));
    }
    rmSync(out, { recursive: true, force: true });
  }
  return report;
}
