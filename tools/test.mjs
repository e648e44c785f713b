// Builds test/**/*.test.ts (or those whose path contains an argument) and runs them: `--deno` under Deno, else here.
// test/cases, what people met run as a person runs it, is left out unless named: `npm run test:cases`.
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { DENO, missing } from './runtimes.mjs';
import { BUILT } from './suite.mjs';
import { runPool } from './testpool.mjs';

const deno = process.argv.includes('--deno');
const wanted = process.argv.slice(2).filter((arg) => arg !== '--deno');
const files = readdirSync('test', { recursive: true })
  .map((f) => `test/${f}`)
  .filter((f) => f.endsWith('.test.ts') && (wanted.length === 0 ? !f.startsWith('test/cases/') : wanted.some((w) => f.includes(w))))
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
