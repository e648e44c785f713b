// Builds everything: AssemblyScript -> build/*.wasm, esbuild -> dist/. `--types` adds the declarations for npm.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { dispatchSource } from './dispatch.mjs';

mkdirSync('build', { recursive: true });
mkdirSync('dist', { recursive: true });

/** Runs asc with our asconfig only; a bare file beside an asconfig.json would silently add that file's own entries. */
function asc(entry, target, ...more) {
  const asc = 'node_modules/assemblyscript/bin/asc.js';
  execFileSync('node', [asc, entry, '--config', 'asconfig.json', '--target', target, ...more], { stdio: 'inherit' });
}

writeFileSync('assembly/dispatch.ts', dispatchSource());
asc('assembly/index.ts', 'engine');
asc('assembly/kernels.ts', 'kernels');
copyFileSync('build/engine.wasm', 'dist/engine.wasm');

// The picture decoder's thread is an entry of its own.
await build({
  entryPoints: { decoder: 'src/data/worker.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'error',
});
