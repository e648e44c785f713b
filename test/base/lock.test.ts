/** A folder's lock: held by one, and by nobody who is gone. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../src/base/error.ts';
import { holdFolder } from '../../src/base/lock.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const locksIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('lock'));
const lockOf = (folder: string): Record<string, unknown> => JSON.parse(readFileSync(join(folder, locksIn(folder)[0]!), 'utf8'));

function isHeld(folder: string): boolean {
  try {
    holdFolder(folder).release();
    return false;
  } catch (error) {
    assert.instance(error, InputError);
    assert.match((error as Error).message, /another run is going on in this folder.*; wait until it has ended, or choose another --out/);
    return true;
  }
}

/** What this process writes into a lock. */
function mine(): Record<string, unknown> {
  const folder = newFolder();
  const lock = holdFolder(folder);
  const text = lockOf(folder);
  lock.release();
  return text;
}

test('one holds it, another is refused, and once it is let go of nothing is left', () => {
  const folder = join(newFolder(), 'a', 'run');
  const lock = holdFolder(folder);
  // Under Deno, which does not say whether a process lives, a holder looks for itself.
  if (process.versions.deno === undefined) assert.ok(isHeld(folder));
  lock.check();
  lock.release();
  assert.not.ok(existsSync(join(folder, '..')), 'folders that were made and stayed empty are gone');
  const again = newFolder();
  mkdirSync(join(again, 'run'));
  assert.not.ok(isHeld(join(again, 'run')));
  assert.equal(readdirSync(join(again, 'run')), [], 'a folder that was there stays');
});

nodeTest('a crash, a power cut, a reboot, a process number that came again leave no lock behind', () => {
  const left: [string, string][] = [
    ['the number of a process that is gone', JSON.stringify({ ...mine(), pid: 2 ** 22 + 1 })],
    ['a number that came again', JSON.stringify({ ...mine(), began: '1' })],
    ['another boot, number and moment as now', JSON.stringify({ ...mine(), boot: '00000000-0000-0000-0000-000000000000' })],
    ['never written', ''],
    ['half written', JSON.stringify(mine()).slice(0, 9)],
    ['written as zeros', '\0'.repeat(80)],
    ['no lock of ours', '{"pid":"x"}'],
  ];
  for (const [what, text] of left) {
    const folder = newFolder();
    writeFileSync(join(folder, 'lock-7'), text);
    const lock = holdFolder(folder);
    assert.equal(locksIn(folder), ['lock-8'], what);
    assert.ok(isHeld(folder), what);
    lock.release();
    assert.equal(locksIn(folder), []);
  }
});

nodeTest('where the moment of a start is not known, who has the number holds it until the machine starts again', () => {
  const booted = Math.round(Date.now() / 1000 - 1000);
  const folder = newFolder();
  const lock = (holder: object) => writeFileSync(join(folder, 'lock-1'), JSON.stringify(holder));
  lock({ pid: process.ppid, began: null, boot: mine().boot, run: 1 });
  assert.ok(isHeld(folder));
  lock({ pid: process.ppid, began: null, boot: booted, run: 1 });
  assert.not.ok(isHeld(folder));
});

nodeTest('a process that ended and was not asked for holds nothing', async () => {
  // The shell's child ends, and the program that takes the shell's place never asks.
  const child = spawn('bash', ['-c', 'sleep 0.1 & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const pid = await new Promise<number>((resolve) => child.stdout.once('data', (text: Buffer) => resolve(Number(text))));
    const stat = () =>
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
    const began = stat()[19];
    while (stat()[0] !== 'Z') await new Promise((resolve) => setTimeout(resolve, 20));
    const folder = newFolder();
    writeFileSync(join(folder, 'lock-1'), JSON.stringify({ ...mine(), pid, began }));
    assert.not.ok(isHeld(folder));
  } finally {
    child.kill();
  }
});

nodeTest('a holder whose lock is gone takes it again; one whose folder has come to another stops', () => {
  const folder = newFolder();
  const lock = holdFolder(folder);
  writeFileSync(join(folder, 'lock-1'), '');
  lock.check();
  assert.equal(locksIn(folder), ['lock-2']);
  const other = JSON.stringify({ ...mine(), run: 0 });
  writeFileSync(join(folder, 'lock-2'), other);
  assert.throws(() => lock.check(), /another run is going on/);
  lock.release();
  assert.is(readFileSync(join(folder, 'lock-2'), 'utf8'), other, "another's is not removed");
});

test.run();
