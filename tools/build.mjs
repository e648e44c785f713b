// Builds everything: AssemblyScript -> build/*.wasm, esbuild -> dist/. `--types` adds the declarations for npm; `--check` checks types meanwhile,
// of tools and benchmarks too.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { writeBuiltTypes } from './built-types.mjs';
import { argumentsSource, dispatchSource, extentsSource } from './dispatch.mjs';
import { fitTables } from './fit-tables.mjs';
import { activations, curvesSource, kindsSource, withActivations } from './kinds.mjs';

mkdirSync('build', { recursive: true });
mkdirSync('assembly/generated', { recursive: true });
rmSync('dist', { recursive: true, force: true });
mkdirSync('dist', { recursive: true });

const rows = await activations();
for (const [path, text] of [
  ['assembly/generated/kinds.ts', kindsSource(rows)],
  ['assembly/generated/bykind.ts', curvesSource(rows)],
  ['docs/keep.md', withActivations(readFileSync('docs/keep.md', 'utf8'), rows)],
  ['assembly/generated/dispatch.ts', dispatchSource()],
  ['assembly/generated/extents.ts', extentsSource()],
  ['assembly/generated/arguments.ts', argumentsSource()],
])
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);

for (const name of await fitTables()) console.log(`src/passes/codebooktables.ts: fitted the codes of ${name}`);

const isPublished = process.argv.includes('--types');
// With real declarations beside it, dist/ has no need of those that name our sources.
if (!isPublished) writeBuiltTypes();

/** The type checker over one configuration; ends well or throws. */
async function checkTypes(configuration) {
  const [code] = await once(spawn('node', [TSC, '-p', configuration, '--noEmit'], { stdio: 'inherit' }), 'exit');
  if (code !== 0) throw new Error(`${configuration}: types are wrong`);
}
const TSC = 'node_modules/typescript/bin/tsc';
const CHECKS = process.argv.includes('--check') ? ['tsconfig.json', 'tsconfig.tools.json'] : [];

const AS = 'node_modules/assemblyscript';
const sourcesOf = (folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, String(name)));
const ENGINE = ['asconfig.json', ...sourcesOf('assembly')];
const WASI = ['asconfig.wasi.json', ...sourcesOf('assembly'), ...sourcesOf('targets/wasi')];

/**
 * Runs asc, unless what it made last time was made of the same bytes. With the named configuration only: a bare file beside an
 * asconfig.json would silently add that file's own entries.
 */
async function asc(out, args, sources) {
  const hash = createHash('sha256').update(JSON.stringify(args));
  for (const file of [`${AS}/package.json`, ...sources.filter((name) => /\.(ts|json)$/.test(name)).sort()])
    hash.update(file).update(readFileSync(file));
  const digest = hash.digest('hex');
  const stamp = `build/${out}.made`;
  if (existsSync(`build/${out}`) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  rmSync(stamp, { force: true });
  const made = spawn('node', [`${AS}/bin/asc.js`, ...args], { stdio: 'inherit' });
  const [code] = await once(made, 'exit');
  if (code !== 0) throw new Error(`asc ${args.join(' ')}: exit code ${code}`);
  writeFileSync(stamp, digest);
}

const engine = (out, entry, target) => asc(out, [entry, '--target', target, '--config', 'asconfig.json'], ENGINE);
await Promise.all([
  ...CHECKS.map(checkTypes),
  engine('engine.wasm', 'assembly/index.ts', 'engine'),
  engine('engine.mt.wasm', 'assembly/index.mt.ts', 'mt'),
  engine('engine.fast.wasm', 'assembly/index.ts', 'fast'),
  engine('engine.fast.mt.wasm', 'assembly/index.mt.ts', 'fast-mt'),
  engine('engine.dots.wasm', 'assembly/index.ts', 'dots'),
  engine('engine.dots.mt.wasm', 'assembly/index.mt.ts', 'dots-mt'),
  engine('kernels.wasm', 'assembly/kernels.ts', 'kernels'),
  asc('s2a.wasm', ['--config', 'asconfig.wasi.json'], WASI),
]);
for (const name of [
  'engine.wasm',
  'engine.mt.wasm',
  'engine.fast.wasm',
  'engine.fast.mt.wasm',
  'engine.dots.wasm',
  'engine.dots.mt.wasm',
  's2a.wasm',
])
  copyFileSync(`build/${name}`, `dist/${name}`);

/** The library and the command; what runs in processes and threads of its own: the picture decoder, the engine's other threads, a whole run, a round of a watch. */
await build({
  entryPoints: {
    ...{ index: 'src/index.ts', s2a: 'targets/cli/main.ts' },
    ...{ decoder: 'src/input/worker.ts', thread: 'src/engine/worker.ts', train: 'src/use/trainworker.ts' },
    ...{ round: 'src/live/roundworker.ts' },
  },
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
if (isPublished) execFileSync('node', [TSC, '-p', 'tsconfig.types.json'], { stdio: 'inherit' });
