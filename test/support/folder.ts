/** A folder of the test's own, gone when the process ends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';

const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 's2a-test-'));
  folders.push(folder);
  return folder;
}

/** Runs what must be refused and returns the sentence, which must hold every one of `words`. */
export function refused(action: () => unknown, ...words: string[]): string {
  let error: unknown;
  try {
    action();
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof InputError)) throw error ?? new Error(`nothing was refused; expected: ${words.join(' … ')}`);
  for (const word of words) assert.ok(error.message.includes(word), `“${error.message}” lacks “${word}”`);
  assert.not.ok(error.message.includes('\n'), 'the sentence is one line');
  return error.message;
}

/** The same of what is refused later. */
export async function refusedLater(action: Promise<unknown>, ...words: string[]): Promise<string> {
  const error: unknown = await action.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  return refused(
    () => {
      if (error !== undefined) throw error;
    },
    ...words,
  );
}
