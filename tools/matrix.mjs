// One digest: every case of tools/matrix/cases.mjs ends in the same adapter, byte for byte, on every runtime.
//
//     npm run test:matrix                          all runtimes that are installed (npm run runtimes)
//     npm run test:matrix -- --only node,deno      some of them
//     npm run test:matrix -- --filter "vit-hf bias" some of the cases
//     npm run test:matrix -- --write               rewrites test/golden/digests.txt from Node, for a reviewer to see move
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { CASES, isForBoards, MODELS } from './matrix/cases.mjs';
import { makePictures } from './matrix/pictures.mjs';
import { DENO, missing, NODE_ARM64, QEMU } from './runtimes.mjs';

const GOLDEN = 'test/golden/digests.txt';
const folder = 'build/matrix';
const program = ['tools/matrix/digest.mjs', folder];
const denoRun = ['run', '--no-prompt', `--allow-read=dist,node_modules,test/golden,${folder}`, `--allow-write=${folder}`];
const arm = process.arch === 'arm64' ? [process.execPath] : [QEMU, NODE_ARM64];

/**
 * What runs the cases: a command that prints digests with names, and why it cannot run here. Node comes first: aarch64 and the WASI program
 * have their pictures from it, since digests are compared for one decoder; Deno prepares its own. `split`: a process for each model, since an
 * emulator gives nothing back.
 */
const wasi = ['tools/matrix/wasi.mjs', folder];
/** @typedef {{ name: string, command: string[], missing?: () => string | undefined, split?: boolean }} Kind */
/** @type {Kind[]} */
const RUNTIMES = [
  { name: 'node', command: [process.execPath, ...program] },
  { name: 'node 2t', command: [process.execPath, ...program, '--threads', '2'] },
  { name: 'deno', command: [DENO, ...denoRun, ...program, '--cache', 'cache-deno'], missing: missing.deno },
  { name: 'deno 2t', command: [DENO, ...denoRun, ...program, '--cache', 'cache-deno', '--threads', '2'], missing: missing.deno },
  { name: 'wasi node', command: [process.execPath, ...wasi] },
  { name: 'wasi deno', command: [DENO, ...denoRun, ...wasi], missing: missing.deno },
  { name: 'wasmtime', command: [process.execPath, ...wasi, '--runtime', 'wasmtime'], missing: missing.wasmtime },
  { name: 'wazero', command: [process.execPath, ...wasi, '--runtime', 'wazero'], missing: missing.wazero },
  { name: 'aarch64', command: [...arm, ...program], missing: missing.arm64, split: true },
  { name: 'aarch64 2t', command: [...arm, ...program, '--threads', '2'], missing: missing.arm64, split: true },
];

const { values } = parseArgs({
  options: { only: { type: 'string' }, filter: { type: 'string', default: '' }, write: { type: 'boolean', default: false } },
});
const wanted = values.write ? ['node'] : (values.only?.split(',') ?? RUNTIMES.map(({ name }) => name));
const unknown = wanted.find((name) => !RUNTIMES.some((runtime) => runtime.name === name));
if (unknown !== undefined) throw new Error(`--only: no runtime ${unknown}; there are ${RUNTIMES.map(({ name }) => name).join(', ')}`);

/** Whether it is s2a.wasm that runs there. */
const isBoard = (name) => /^wa/.test(name);

/** Digest by case name. */
const parse = (text) =>
  new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => [line.slice(65), line.slice(0, 64)]),
  );

/** @param {Kind} kind */
function run({ name, command: [file, ...args], missing: why, split = false }) {
  const reason = why?.();
  if (reason !== undefined) {
    console.log(`SKIPPED ${name}: ${reason}`);
    return { name, digests: undefined };
  }
  const began = Date.now();
  let text = '';
  for (const model of split ? MODELS : ['']) {
    const filters = [values.filter, model].filter(Boolean).flatMap((filter) => ['--filter', filter]);
    try {
      text += execFileSync(file, [...args, ...filters], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 900e3 });
    } catch (error) {
      // What it had printed counts; the cases it never reached have failed.
      console.log(`${name}: ${error.message.split('\n')[0]}`);
      text += error.stdout ?? '';
    }
  }
  console.log(`${name}: ${((Date.now() - began) / 1000).toFixed(0)} s`);
  return { name, digests: parse(text) };
}

/** What the WASI program trains from, and its host as one file. */
async function pack() {
  await build({
    entryPoints: ['targets/wasi/host.ts'],
    outfile: 'build/wasi-host.js',
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  execFileSync(process.execPath, ['tools/matrix/pack.mjs', folder, '--filter', values.filter], { stdio: ['ignore', 'ignore', 'inherit'] });
}

rmSync(folder, { recursive: true, force: true });
makePictures(`${folder}/pictures`);
const results = [];
for (const runtime of RUNTIMES.filter(({ name }) => name === 'node' || wanted.includes(name))) {
  results.push(run(runtime));
  if (runtime.name === 'node' && wanted.some(isBoard)) await pack();
}

if (values.write) {
  const digests = values.filter === '' ? results[0].digests : new Map([...parse(readFileSync(GOLDEN, 'utf8')), ...results[0].digests]);
  writeFileSync(GOLDEN, [...digests].map(([name, digest]) => `${digest} ${name}\n`).join(''));
  console.log(`${GOLDEN}: ${results[0].digests.size} digests written`);
}

/** The matrix: a row for each case, a column for each runtime; what differs is shown by the start of its digest. */
const golden = parse(readFileSync(GOLDEN, 'utf8'));
const cases = CASES.filter(({ name }) => name.includes(values.filter));
const columns = results.map(({ name }) => Math.max(8, name.length));
const row = (first, cells) => console.log([first.padEnd(52), ...cells.map((cell, i) => cell.padEnd(columns[i]))].join('  ').trimEnd());
let [passed, failed, skipped] = [0, 0, 0];
const cell = ({ name, job }, { name: runtime, digests }) => {
  if (isBoard(runtime) && !isForBoards({ job })) return 'none';
  if (digests === undefined) {
    skipped++;
    return 'skipped';
  }
  const digest = digests.get(name);
  if (digest !== undefined && digest === golden.get(name)) {
    passed++;
    return 'same';
  }
  failed++;
  return digest?.slice(0, 8) ?? 'MISSING';
};
row(
  'case, and its digest',
  results.map(({ name }) => name),
);
for (const one of cases)
  row(
    `${(golden.get(one.name) ?? 'MISSING').slice(0, 8)} ${one.name}`,
    results.map((result) => cell(one, result)),
  );
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
