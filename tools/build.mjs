// Builds everything: AssemblyScript -> build/*.wasm, esbuild -> dist/. `--types` adds the declarations for npm.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { dispatchSource } from './dispatch.mjs';

mkdirSync('build', { recursive: true });
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist', { recursive: true });

/** Runs asc with the named configuration only; a bare file beside an asconfig.json would silently add that file's own entries. */
function asc(args, config = 'asconfig.json') {
  execFileSync('node', ['node_modules/assemblyscript/bin/asc.js', ...args, '--config', config], { stdio: 'inherit' });
}

writeFileSync('assembly/dispatch.ts', dispatchSource());
asc(['assembly/index.ts', '--target', 'engine']);
asc(['assembly/index.mt.ts', '--target', 'mt']);
asc(['assembly/index.ts', '--target', 'fast']);
asc(['assembly/index.mt.ts', '--target', 'fast-mt']);
asc(['assembly/kernels.ts', '--target', 'kernels']);
asc([], 'asconfig.wasi.json');
for (const name of ['engine.wasm', 'engine.mt.wasm', 'engine.fast.wasm', 'engine.fast.mt.wasm', 's2a.wasm'])
  copyFileSync(`build/${name}`, `dist/${name}`);

/** The library, the command, and the picture decoder and the engine's other threads, which are entries of their own. */
await build({
  entryPoints: { index: 'src/index.ts', s2a: 'targets/cli/main.ts', decoder: 'src/data/worker.ts', thread: 'src/thread.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'error',
});
chmodSync('dist/s2a.js', 0o755);
if (process.argv.includes('--types'))
  execFileSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.types.json'], { stdio: 'inherit' });
