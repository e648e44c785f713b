/**
 * Damaged and hostile files for every reader: each must end in a status and, where it is refused, one sentence; never in a trap, and never in
 * more memory than was planned, which the packed program's own maximum sees to. `npm run fuzz` takes 100,000, a test a slice of them.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProgramFile } from '../../assembly/abi/program.ts';
import { crc32 } from '../../src/base/crc.ts';
import { digest } from '../../src/base/digest.ts';
import { InputError } from '../../src/base/error.ts';
import { decodeProgram } from '../../src/program/decode.ts';
import { packJob } from '../../src/use/pack.ts';
import { runWasi } from '../../targets/wasi/host.ts';
import { pictureFolder } from '../support/pictures.ts';

export interface FuzzReport {
  /** Of each reader: inputs that were refused, and that got through. */
  readers: Record<string, { refused: number; passed: number }>;
  /** What must not be: the reader, the input's number, what happened. */
  failures: string[];
}

/** Reproducible whole numbers below n. */
export function generator(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}
export type Random = ReturnType<typeof generator>;

export const SPECIAL = [0, 1, 2, 3, 4, 15, 16, 0x7f, 0xff, 0xffff, 65536, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** Bytes changed, cut, repeated, or moved. */
export function damaged(file: Uint8Array, random: Random, within = file.length): Uint8Array {
  const copy = Uint8Array.from(file);
  switch (random(8)) {
    case 0:
      return copy.subarray(0, random(file.length + 1));
    case 1:
      return Uint8Array.from([...copy, ...copy.subarray(0, 1 + random(64))]);
    case 2:
      copy.copyWithin(random(within), random(within), random(within));
      return copy;
    case 3:
      return copy.fill(random(256), random(within), random(within));
    default:
      for (let n = random(8); n >= 0; n--) copy[random(within)] = random(3) === 0 ? random(256) : copy[random(within)]! ^ (1 << random(8));
      return copy;
  }
}

/** Words changed among the first `most`. */
function words(file: Uint8Array, random: Random, most: number): Uint8Array {
  const copy = Uint8Array.from(file);
  const view = new DataView(copy.buffer);
  for (let n = random(4); n >= 0; n--) {
    const at = 4 * random(Math.floor(Math.min(most, copy.length - 3) / 4));
    view.setUint32(at, random(2) === 0 ? SPECIAL[random(SPECIAL.length)]! : (view.getUint32(at, true) + random(9) - 4) >>> 0, true);
  }
  return copy;
}

const TOKENS = [
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  ':',
  ',',
  '\\',
  '\\u12',
  '\\ud800',
  '0',
  '-1',
  '1e9',
  '99999999999999999999',
  ' ',
  'True',
  'null',
  'F32',
  '<f4',
  '|u1',
];

/** A text changed in a few places. */
function tokens(text: string, random: Random): string {
  let result = text;
  for (let n = random(3); n >= 0; n--) {
    const at = random(result.length + 1);
    const more = random(4) === 0 ? result.slice(at, at + random(40)) : TOKENS[random(TOKENS.length)]!;
    result = result.slice(0, at) + (random(3) === 0 ? '' : more) + result.slice(at + random(4));
  }
  return result;
}

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** A header of a length prefix and a text, its text changed; the prefix follows it most of the time. */
export function header(file: Uint8Array, random: Random, { at, prefix }: { at: number; prefix: 2 | 8 }): Uint8Array {
  const view = Buffer.from(file);
  const length = prefix === 2 ? view.readUInt16LE(at) : Number(view.readBigUInt64LE(at));
  const start = at + prefix;
  const text = Buffer.from(tokens(latin(file.subarray(start, start + length)), random), 'latin1');
  const front = Buffer.from(file.subarray(0, start));
  const said = random(5) === 0 ? SPECIAL[random(SPECIAL.length)]! : text.length;
  if (prefix === 2) front.writeUInt16LE(said & 0xffff, at);
  else front.writeBigUInt64LE(BigInt(said), at);
  return Buffer.concat([front, text, file.subarray(start + length)]);
}

/** With the checksum that belongs to it. */
export function withCrc(file: Uint8Array): Uint8Array {
  if (file.length < 16) return file;
  const view = new DataView(file.buffer, file.byteOffset);
  view.setUint32(8, file.length, true);
  view.setUint32(12, crc32(file.subarray(4 * ProgramFile.UncheckedWords)), true);
  return file;
}
const sealed = (file: Uint8Array): Uint8Array => {
  const body = file.subarray(0, Math.max(0, file.length - 32));
  return Buffer.concat([body, Buffer.from(digest(body), 'hex')]);
};

interface Reader {
  name: string;
  /** Where the file stands below the folder, and what reads it. */
  path: string;
  words: string[];
  mutate(file: Uint8Array, random: Random): Uint8Array;
}

const ALL = ['--model', 'model', '--data', '.', '--out', 'run-of', '--adapter', 'adapter'];
const programs = (file: Uint8Array, random: Random): Uint8Array => {
  if (random(4) === 0) return damaged(file, random);
  // Right checksum, wrong words, most of them where the lengths are.
  return withCrc(words(file, random, [160, 400, file.length][random(3)]!));
};
const READERS: readonly Reader[] = [
  { name: 'program', path: 'program.s2a', words: [], mutate: programs },
  { name: 'program and all it names', path: 'program.s2a', words: ALL, mutate: programs },
  {
    name: 'images',
    path: 'train-images.npy',
    words: ['--data', '.'],
    mutate: (file, random) => (random(2) === 0 ? damaged(file, random, 128) : header(file, random, { at: 8, prefix: 2 })),
  },
  {
    name: 'labels',
    path: 'train-labels.npy',
    words: ['--data', '.', '--out', 'run-of'],
    mutate: (file, random) => (random(2) === 0 ? damaged(file, random) : header(file, random, { at: 8, prefix: 2 })),
  },
  {
    name: 'checkpoint',
    path: 'run-of/run/checkpoint-2.s2ac',
    words: ['--data', '.', '--out', 'run-of'],
    mutate: (file, random) =>
      random(3) === 0 ? damaged(file, random) : sealed(random(3) === 0 ? damaged(file, random, 1200) : words(file, random, 300)),
  },
  ...(
    [
      ['weights', 'model/model.safetensors', ['--model', 'model']],
      ['adapter', 'adapter/adapter_model.safetensors', ['--adapter', 'adapter']],
    ] as const
  ).map(([name, path, readBy]) => ({
    ...{ name: `safetensors: ${name}`, path, words: [...readBy] },
    mutate: (file: Uint8Array, random: Random) =>
      random(3) === 0 ? damaged(file, random, 2000) : header(file, random, { at: 0, prefix: 8 }),
  })),
];

/** Makes a small board, and gives every reader its share of `count` inputs. `onInput`: told before each, to see where it hangs. */
export async function fuzz(options: { count: number; seed: number; onInput?(n: number): void }): Promise<FuzzReport> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 's2a-fuzz-'));
  try {
    return await fuzzIn(folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function fuzzIn(folder: string, { count, seed, onInput }: Parameters<typeof fuzz>[0]): Promise<FuzzReport> {
  const model = 'test/golden/vit-timm-gap';
  await packJob({ model, data: pictureFolder({ train: 2, val: 1 }), out: folder, batchSize: 2, microBatch: 1, epochs: 3, method: 'bias' });
  const module = new WebAssembly.Module(new Uint8Array(readFileSync(join(folder, 's2a.wasm'))));
  mkdirSync(join(folder, 'model'));
  cpSync(join(model, 'model.safetensors'), join(folder, 'model', 'model.safetensors'));
  const run = (args: string[]): { code: number; out: string; err: string } => {
    const parts: Record<'out' | 'err', Uint8Array[]> = { out: [], err: [] };
    const [stdout, stderr] = (['out', 'err'] as const).map((to) => (bytes: Uint8Array) => void parts[to].push(bytes));
    const code = runWasi(module, {
      args: ['s2a.wasm', ...args],
      preopens: { '.': folder },
      writable: true,
      stdout: stdout!,
      stderr: stderr!,
    });
    return { code, out: Buffer.concat(parts.out).toString(), err: Buffer.concat(parts.err).toString() };
  };
  const train = ['train', 'program.s2a', '--model', 'model', '--data', '.', '--out'];
  if (run([...train, 'adapter']).code !== 0 || run([...train, 'run-of', '--steps', '2']).code !== 5)
    throw new Error('the board does not train');
  const originals = new Map(READERS.map(({ path }) => [path, new Uint8Array(readFileSync(join(folder, path)))]));
  const checkpoints = readdirSync(join(folder, 'run-of', 'run')).filter((name) => name.endsWith('.s2ac'));
  if (checkpoints.length !== 1) throw new Error(`not one checkpoint: ${checkpoints.join(', ')}`);

  const report: FuzzReport = { readers: {}, failures: [] };
  const total = (name: string): { refused: number; passed: number } => {
    report.readers[name] ??= { refused: 0, passed: 0 };
    return report.readers[name];
  };
  const random = generator(seed);
  for (let n = 0; n < count; n++) {
    onInput?.(n);
    const reader = READERS[n % READERS.length]!;
    const original = originals.get(reader.path)!;
    const mutant = reader.mutate(original, random);
    const fail = (what: string): void => void report.failures.push(`${reader.name}, seed ${seed}, input ${n}: ${what}`);
    if (reader.path === 'program.s2a') {
      const found = decoded(mutant);
      if (found !== undefined && found !== '') fail(`JavaScript: ${found}`);
      total('program, JavaScript')[found === undefined ? 'passed' : 'refused']++;
    }
    const path = join(folder, reader.path);
    // Anew: a file system may wait for the disk when a file is emptied and written again.
    rmSync(path, { force: true });
    writeFileSync(path, mutant);
    try {
      const { code, out, err } = run(['info', 'program.s2a', ...reader.words]);
      const lines = err.split('\n');
      const isRefusal = (code === 2 || code === 3) && out === '' && /^s2a: .+: \S/.test(lines.at(-2) ?? '') && err.endsWith('\n');
      if (code !== 0 && !isRefusal) fail(`code ${code}: ${err}`);
      if (code === 0 && out === '') fail('code 0 and nothing said');
      // Only a program says how much memory is needed.
      if (code === 3 && reader.path !== 'program.s2a') fail(`memory: ${err}`);
      total(reader.name)[code === 0 ? 'passed' : 'refused']++;
    } catch (error) {
      fail(String((error as Error).stack ?? error));
    }
    rmSync(path, { force: true });
    writeFileSync(path, original);
  }
  return report;
}

/** undefined where the decoder takes it, '' where it refuses as it should, else what happened. */
export function decoded(bytes: Uint8Array): string | undefined {
  try {
    decodeProgram(bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof InputError)) return String((error as Error).stack ?? error);
    return error.message.includes('\n') ? `not one line: ${error.message}` : '';
  }
}
