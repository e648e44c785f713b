// Builds test/**/*.test.ts (or those whose path contains an argument) and runs them: `--deno` under Deno, else here.
// Left out unless named, so that `npm test` takes a few minutes on two slow cores: test/cases, what people met run as a person runs it
// (`npm run test:cases`), and the slowest of the wide tests, over many sizes and networks (`--slow`: `npm run test:slow`). Deno runs these too.
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { DENO, missing } from './runtimes.mjs';
import { BUILT } from './suite.mjs';
import { runPool } from './testpool.mjs';

const deno = process.argv.includes('--deno');
const slow = process.argv.includes('--slow');
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const SLOW = new Set(
  [
    ...['base/precision', 'cli/badinput', 'cli/grid', 'cli/serve', 'cli/watch', 'fleet/gateway', 'fleet/join', 'fleet/node'],
    ...['import/checkweights', 'parity/losses', 'parity/methods', 'parity/onnxexport', 'passes/rates', 'passes/tiling/tiles'],
    ...['plan/verify', 'system/arrays', 'system/budgets', 'system/digests', 'system/fleetdisk', 'system/fleetkill', 'system/gap'],
    ...['system/howto', 'system/kill', 'system/lowering', 'system/modules', 'system/nonsquare', 'system/poison', 'system/policies'],
    ...['system/products', 'system/targets', 'system/week', 'use/fidelity/fidelity', 'use/merge/merge'],
  ].map((name) => `test/${name}.test.ts`),
);
const isUsual = (file) => !file.startsWith('test/cases/') && (deno || !SLOW.has(file));
const isWanted = (file) => (slow ? SLOW.has(file) : wanted.length === 0 ? isUsual(file) : wanted.some((part) => file.includes(part)));
const files = readdirSync('test', { recursive: true })
  .map((f) => `test/${f}`)
  .filter((f) => f.endsWith('.test.ts') && isWanted(f))
  .sort();
rmSync(BUILT, { recursive: true, force: true });
await build({
  entryPoints: files,
  outdir: BUILT,
  outbase: 'test',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  sourcemap: 'inline',
  logLevel: 'error',
});
process.exit(await run());

async function run() {
  const why = deno ? missing.deno() : undefined;
  if (why !== undefined) {
    console.log(why);
    return 1;
  }
  const command = deno ? [DENO, 'run', '--no-prompt', '-A', 'tools/suite.mjs'] : [process.execPath, 'tools/suite.mjs'];
  return runPool(command, files);
}
