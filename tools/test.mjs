// Runs test/**/*.test.ts (or those whose path contains an argument) and closes with `N passed, N failed, N skipped`.
// uvu has no reporter hook, so the suites are read from its queue; a file that forgets test.run() fails the run.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const wanted = process.argv.slice(2);
const files = readdirSync('test', { recursive: true })
  .map((f) => `test/${f}`)
  .filter((f) => f.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((w) => f.includes(w))))
  .sort();
const out = 'build/test';
rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: files,
  outdir: out,
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

let passed = 0;
let failed = 0;
let skipped = 0;
globalThis.UVU_DEFER = 1;
globalThis.UVU_QUEUE = [];
for (const file of files) {
  const began = Date.now();
  const before = { passed, failed };
  const fault = (name, error) => {
    failed++;
    console.log(`  FAIL ${file} > ${name}\n${indent(error?.details ?? '')}${indent(error?.stack ?? String(error))}`);
  };
  if (!/\.run\(\)/.test(readFileSync(file, 'utf8'))) fault('(file)', new Error('the file never calls test.run()'));
  const queue = [];
  globalThis.UVU_INDEX = 0;
  globalThis.UVU_QUEUE = [queue];
  try {
    await import(pathToFileURL(`${out}/${file.slice(5, -3)}.js`).href);
    for (const suite of queue) {
      // A uvu suite resolves to [errors, passed, skipped, total].
      const [errors, ran, skips, total] = await suite();
      passed += ran;
      skipped += skips;
      failed += Math.max(0, total - ran);
      if (errors !== true) console.log(errors);
    }
  } catch (error) {
    fault('(load)', error);
  }
  if (passed === before.passed && failed === before.failed) fault('(file)', new Error('no test ran'));
  console.log(`${failed > before.failed ? 'not ok' : 'ok    '} ${file}  ${passed - before.passed} tests, ${Date.now() - began} ms`);
}
if (passed + failed === 0) {
  console.log('no test ran');
  failed = 1;
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed > 0 ? 1 : 0);

function indent(text) {
  return String(text)
    .split('\n')
    .filter(Boolean)
    .map((l) => `    ${l}\n`)
    .join('');
}
