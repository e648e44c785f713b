// Trains packed cases with s2a.wasm and prints a line for each: digest, name. Under our own preview1 host, on whatever JavaScript runtime this
// is, or under wasmtime or wazero.
//
//     node tools/matrix/wasi.mjs <folder> [--runtime wasmtime|wazero] [--filter F]      after tools/matrix/pack.mjs, and build/wasi-host.js of targets/wasi/host.ts
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { CASES, isForBoards } from './cases.mjs';

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { runtime: { type: 'string' }, filter: { type: 'string', default: '' } },
  allowPositionals: true,
});
const [folder] = positionals;
const wasm = 'dist/s2a.wasm';

/** Runs s2a.wasm with the folder opened as `.`; returns its exit code and what it said. */
async function openRuntime() {
  if (values.runtime) {
    const { wasiRuntimes } = await import('../runtimes/wasi.mjs');
    const runtime = wasiRuntimes().find(({ name }) => name === values.runtime);
    if (runtime === undefined) throw new Error(`${values.runtime} is not installed`);
    return (words) => {
      const { code, err } = runtime.run(wasm, words, { folder, compiled: join(folder, 's2a.compiled') });
      return { code, said: err };
    };
  }
  const { runWasi } = await import('../../build/wasi-host.js');
  const module = new WebAssembly.Module(readFileSync(wasm));
  return (words) => {
    let said = '';
    const stderr = (bytes) => {
      said += new TextDecoder().decode(bytes);
    };
    const code = runWasi(module, { args: ['s2a.wasm', ...words], preopens: { '.': folder }, writable: true, stdout: () => {}, stderr });
    return { code, said };
  };
}

const run = await openRuntime();
const out = `wasi-${process.pid}`;
for (const [i, { name, model, job }] of CASES.entries()) {
  if (!name.includes(values.filter) || !isForBoards({ job })) continue;
  const board = `boards/${i}`;
  mkdirSync(join(folder, out), { recursive: true });
  const { code, said } = run(['train', `${board}/program.s2a`, '--model', `models/${model}`, '--data', board, '--out', out]);
  if (code !== 0) throw new Error(`${name}: exit code ${code}: ${said}`);
  console.log(
    createHash('sha256')
      .update(readFileSync(join(folder, out, 'adapter_model.safetensors')))
      .digest('hex'),
    name,
  );
  rmSync(join(folder, out), { recursive: true });
}
