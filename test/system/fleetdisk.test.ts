/** A board whose disk is full in the middle of a round: the round is answered with one sentence, what it has stays, and it goes on when there is room. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { joinFleet, nodeOf, photos, scriptOf } from '../support/fleetrun.ts';
import { FleetServer } from '../support/fleetserver.ts';
import { nodeTest } from '../support/runtime.ts';

const fs = createRequire(import.meta.url)('node:fs') as typeof import('node:fs');
const real = fs.writeSync;
const data = photos();

const adapterIn = (out: string): string[] =>
  readdirSync(out).flatMap((name) => (name.startsWith('adapter') ? [name, readFileSync(join(out, name), 'base64')] : []));

/** A run of three rounds whose disk is full while question `at` is answered: 4 is the second round's learning, 3 the first one's judgement. */
async function run(at: number, writesBefore = 0) {
  let [isFull, left] = [false, 0];
  const before: string[][] = [];
  const after: string[][] = [];
  const change: Parameters<typeof scriptOf>[0]['change'] = (question, n) => {
    if (n === at) before.push(adapterIn(node.job.out));
    if (n === at + 1) after.push(adapterIn(node.job.out));
    isFull = n === at;
    left = writesBefore;
    return question;
  };
  const server = await new FleetServer({ script: scriptOf({ rounds: 3, change }) }).open();
  const node = nodeOf(server.url, data);
  const full = (fd: number, ...rest: unknown[]): number => {
    if (isFull && fd > 2 && left-- <= 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    return (real as (...args: unknown[]) => number)(fd, ...rest);
  };
  Object.assign(fs, { writeSync: full });
  syncBuiltinESMExports();
  try {
    await joinFleet(node);
  } finally {
    Object.assign(fs, { writeSync: real });
    syncBuiltinESMExports();
    await server.close();
  }
  return { server, node, told: server.told, before: before[0]!, after: after[0]! };
}

nodeTest('while it learns, and while it takes the fleet’s adapter to judge it', async () => {
  for (const [at, writes] of [
    [4, 0],
    [4, 3],
    [3, 0],
  ] as const) {
    const { told, node, before, after, server } = await run(at, writes);
    assert.match(told[at]!.error, /^[^\n]*cannot be written: no space left on the device[^\n]*$/, `question ${at}, write ${writes}`);
    assert.is(before.length, 4, 'two files');
    assert.equal(after, before, 'its last adapter stays');
    assert.equal(
      told.flatMap(({ error }, n) => (error === '' ? [] : [n])),
      [at],
      'it goes on when there is room',
    );
    assert.is(told.length, 8);
    assert.is(server.doubled, 0);
    assert.is(node.events.at(-1)!.event, 'left');
    const left = readdirSync(node.job.out, { recursive: true }).map(String);
    assert.equal(
      left.filter((name) => name.endsWith('.tmp') || /message|answer/.test(name)),
      [],
      'nothing is half done',
    );
    if (writes === 0) assert.ok(node.events.some((e) => e.event === 'warning' && /until there is room/.test(e.text)));
  }
});

test.run();
