/** The built command line as a person meets it: a process of its own, its answer, its sentence, its exit code. */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { encode } from 'fast-png';
import * as assert from 'uvu/assert';
import { isFolder } from '../../src/base/files.ts';
import { newFolder } from '../support/folder.ts';
import { exitCode } from '../support/runtime.ts';

export const CLI = resolve('dist/s2a.js');

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `s2a …args` to its end. Its variables are those of a pipe, whatever terminal the tests run in. */
export function s2a(...args: string[]): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 120e3 });
  return { code: status, stdout, stderr };
}

/** Runs it with bytes on its standard input. */
export function feed(input: Uint8Array, ...args: string[]): Ran {
  const how = { encoding: 'utf8', input, maxBuffer: 1 << 26, timeout: 120e3 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], how);
  return { code: status, stdout, stderr };
}

/** Runs it and expects success. */
export function does(...args: string[]): Ran {
  const ran = s2a(...args);
  assert.is(ran.code, 0, `s2a ${args.join(' ')}\n${ran.stderr}`);
  return ran;
}

/** Runs it and returns its answer under --json. */
export const asks = <T>(...args: string[]): T => JSON.parse(does(...args, '--json').stdout) as T;

/**
 * Runs what must be refused: this exit code; as the last line on standard error, and the only one of its kind, the sentence
 * `s2a: where: what…`, which holds every one of `words`; no stack; nothing half-written in `out`. Returns the sentence.
 */
export function refuses(code: number, args: string[], ...words: string[]): string {
  const ran = s2a(...args);
  const text = `s2a ${args.join(' ')}\n(exit ${ran.code}) ${ran.stderr}`;
  assert.is(ran.code, code, text);
  const sentences = ran.stderr.split('\n').filter((line) => line.startsWith('s2a: '));
  assert.is(sentences.length, 1, text);
  assert.ok(ran.stderr.endsWith(`${sentences[0]}\n`), `the sentence comes last\n${text}`);
  assert.match(sentences[0]!, /^s2a: [^:]+: \S/, text);
  assert.not.match(ran.stderr, /^\s+at /m, `no stack\n${text}`);
  for (const word of words) assert.ok(sentences[0]!.includes(word), `“${sentences[0]}” lacks “${word}”`);
  const at = args.indexOf('--out');
  if (at >= 0) assert.equal(files(args[at + 1]!).filter(isTemporary), [], `half-written files\n${text}`);
  return sentences[0]!;
}

/** Starts it, calls `during` with what has been written to standard error so far whenever that grows, and waits for the end. */
export function watched(args: string[], during: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void): Promise<Ran> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120e3 });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    during(stderr, (signal) => void child.kill(signal));
  });
  return new Promise((done) => child.on('close', (code, signal) => done({ code: exitCode(code, signal), stdout, stderr })));
}

const isTemporary = (path: string): boolean => /\.tmp$/.test(path);

/** Every file below a folder; none where it does not exist. */
export function files(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile())
    .sort();
}

/** Names and contents of a folder's files, to see that nothing changed. */
export const contents = (folder: string): [string, string][] => files(folder).map((path) => [path, readFileSync(path, 'base64')]);

export const COLOURS = ['blue', 'green', 'red'];

/** One 40 × 30 picture of a class: its channel is bright, the rest dark noise. */
export function colourPng(label: number, number: number): Uint8Array {
  const data = Uint8Array.from(
    { length: 40 * 30 * 3 },
    (_, k) => (k % 3 === 2 - label ? 200 : 30) + ((k * 7 + number * 31 + (k >> 5)) % 25),
  );
  return encode({ width: 40, height: 30, data, channels: 3, depth: 8 });
}

/** A folder of coloured pictures, `count` of each of three classes. */
export function pictureFolder(count = 6): string {
  const root = newFolder();
  for (const [label, name] of COLOURS.entries()) {
    mkdirSync(join(root, name));
    for (let i = 0; i < count; i++) writeFileSync(join(root, name, `${i}.png`), colourPng(label, i));
  }
  return root;
}

/** A copy of a golden model folder, of which `edit` changes the configuration. */
export function modelCopy(name: string, edit: (config: Record<string, unknown>) => void = () => {}): string {
  const folder = newFolder();
  cpSync(join('test/golden', name), folder, { recursive: true });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  edit(config);
  writeFileSync(path, JSON.stringify(config));
  return folder;
}

export const VIT = 'test/golden/vit-hf';
/** A short run, to which tests add. */
export const SHORT = ['--epochs', '2', '--batch-size', '4'];
