// Runs built test files on whatever JavaScript runtime this is and closes with `N passed, N failed, N skipped`.
// uvu has no reporter hook, so the suites are read from its queue; a file that forgets test.run() fails the run.
//
//     node tools/suite.mjs test/assembly/abi.test.ts …      after tools/test.mjs has built them
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

/** Where tools/test.mjs puts what it builds. */
export const BUILT = 'build/test';

/** Runs test files by their path in test/; returns the exit code. */
export async function runSuite(files) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  globalThis.UVU_DEFER = 1;
  globalThis.UVU_QUEUE = [];
  for (const file of files) {
    const began = Date.now();
    const before = { passed, failed, skipped };
    const fault = (name, error) => {
      failed++;
      console.log(`  FAIL ${file} > ${name}\n${indent(error?.details ?? '')}${indent(error?.stack ?? String(error))}`);
    };
    if (!/\.run\(\)/.test(readFileSync(file, 'utf8'))) fault('(file)', new Error('the file never calls test.run()'));
    const queue = [];
    globalThis.UVU_INDEX = 0;
    globalThis.UVU_QUEUE = [queue];
    try {
      await import(pathToFileURL(`${BUILT}/${file.slice(5, -3)}.js`).href);
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
    if (passed === before.passed && failed === before.failed && skipped === before.skipped) fault('(file)', new Error('no test ran'));
    console.log(`${failed > before.failed ? 'not ok' : 'ok    '} ${file}  ${passed - before.passed} tests, ${Date.now() - began} ms`);
  }
  if (passed + failed + skipped === 0) {
    console.log('no test ran');
    failed = 1;
  }
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 ? 1 : 0;
}

function indent(text) {
  return String(text)
    .split('\n')
    .filter(Boolean)
    .map((l) => `    ${l}\n`)
    .join('');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exit(await runSuite(process.argv.slice(2)));
