// The command line, as the measurements beside this file call it.
import { spawnSync } from 'node:child_process';

/**
 * What it wrote to standard output; an error where it did not end well.
 *
 * @param {string[]} args
 */
export function s2a(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/s2a.js', ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`s2a ${args.join(' ')}: ${stderr}`);
  return stdout;
}
