/** Which runtime the tests are on: the suite runs under Node and, by `npm run test:deno`, under Deno. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';

export const isDeno = process.versions.deno !== undefined;

/** A test of something that only Node has. Under Deno it counts as skipped. */
export const nodeTest: (name: string, run: () => void | Promise<void>) => void = isDeno ? (name, run) => test.skip(name, run) : test;

/**
 * The exit code of a child that was asked to stop: Deno tells the signal that was sent, whatever the child made of it; `asked` is then taken for its code. What it said
 * tells the rest.
 */
export const exitCode = (code: number | null, signal: NodeJS.Signals | null, asked = 130): number | null =>
  isDeno && (signal === 'SIGINT' || signal === 'SIGTERM') ? asked : code;

/** Makes a pipe in a folder and returns its path; nothing where the system has none. */
export function makePipe(folder: string, name = 'pipe'): string | undefined {
  const path = join(folder, name);
  return spawnSync('mkfifo', [path]).status === 0 ? path : undefined;
}
