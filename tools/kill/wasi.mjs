// Runs s2a.wasm under our own preview1 host, for runs that are to be killed: node tools/kill/wasi.mjs <folder> <words…>
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { runWasi } from '../../build/wasi-host.js';

const [folder, ...words] = process.argv.slice(2);
process.exitCode = runWasi(new Uint8Array(readFileSync('dist/s2a.wasm')), {
  args: ['s2a.wasm', ...words],
  preopens: { '.': folder },
  writable: true,
});
