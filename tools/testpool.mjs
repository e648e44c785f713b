// Runs built test files in two processes at a time, a few files each; what a process prints comes in one piece when it has ended. Tests that watch
// the clock or the machine's threads come after all others, alone.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';

const PROCESSES = Math.min(2, availableParallelism());
/** Few enough that the last batch does not keep the others waiting, enough that a process is worth its start. */
const BATCH = 4;
/** They judge milliseconds, memory of the whole process, or threads. */
const ALONE = /^test\/(base\/(pace|processmemory)|system\/(threads|kill|week)|cli\/board)\.test\.ts$/;

/**
 * Runs the files by `command`, which takes their names and ends with `N passed, N failed, N skipped`. Returns the exit code.
 * @param {string[]} command
 * @param {string[]} files
 */
export async function runPool(command, files) {
  const sums = { passed: 0, failed: 0, skipped: 0 };
  const queue = batches(files.filter((file) => !ALONE.test(file)));
  const worker = async () => {
    for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) add(sums, await runBatch(command, batch));
  };
  await Promise.all(Array.from({ length: PROCESSES }, worker));
  for (const file of files.filter((name) => ALONE.test(name))) add(sums, await runBatch(command, [file]));
  if (sums.passed + sums.failed + sums.skipped === 0) {
    console.log('no test ran');
    sums.failed = 1;
  }
  console.log(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
  return sums.failed > 0 ? 1 : 0;
}

/** @param {string[]} files */
function batches(files) {
  const list = [];
  for (let i = 0; i < files.length; i += BATCH) list.push(files.slice(i, i + BATCH));
  return list;
}

/** One process over some files: its counts; one that ends without them has failed. */
function runBatch(command, batch) {
  const [program, ...args] = /** @type {[string, ...string[]]} */ (command);
  return new Promise((resolve) => {
    const child = spawn(program, [...args, ...batch], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      text += piece;
    });
    child.on('close', (code, signal) => {
      const found = /(\d+) passed, (\d+) failed, (\d+) skipped\n$/.exec(text);
      process.stdout.write(found ? text.slice(0, found.index) : text);
      if (!found) console.log(`  FAIL ${batch.join(' ')}: the process ended before its tests, ${signal ?? `exit code ${code}`}`);
      const [passed, failed, skipped] = found ? found.slice(1).map(Number) : [0, 1, 0];
      resolve({ passed, failed, skipped });
    });
  });
}

const add = (sums, more) => {
  for (const key of Object.keys(sums)) sums[key] += more[key];
};
