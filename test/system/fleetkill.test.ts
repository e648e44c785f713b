/** A node's process killed at odd moments, again and again: each answer comes once, and is the bytes that an undisturbed run gives. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chance } from '../../src/base/hostrandom.ts';
import { CLI } from '../cli/command.ts';
import { joinFleet, MODEL, nodeOf, photos, scriptOf, tensorsOf } from '../support/fleetrun.ts';
import { FleetServer, type Told } from '../support/fleetserver.ts';
import { newFolder } from '../support/folder.ts';

const KILLS = 6;
const data = photos();
const script = () =>
  scriptOf({
    rounds: 2,
    more: [
      ['epochs', 3n],
      ['optimizer', 'kept'],
    ],
  });

const bytesOf = (told: readonly Told[]): string[] =>
  told
    .filter(({ content }) => (content?.arrays.size ?? 0) > 0)
    .map((one) =>
      [...tensorsOf(one)]
        .map(([name, { values }]) => `${name} ${Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex')}`)
        .join(),
    );

test(`${KILLS} kills: no round lost, none counted twice, the same bytes`, async () => {
  const calm = await new FleetServer({ script: script() }).open();
  await joinFleet(nodeOf(calm.url, data));
  await calm.close();

  let process_: ChildProcess | undefined;
  let [calls, kills, next] = [0, 0, 5];
  const kill = (): void => {
    process_?.kill('SIGKILL');
    process_ = undefined;
  };
  const server = await new FleetServer({
    script: script(),
    fate(call) {
      if (process_ === undefined || kills >= KILLS || ++calls < next || call === 'activate-node' || call === 'pull-messages') return 'well';
      kills++;
      next = calls + 1 + chance(3, kills, 40);
      // In the middle of its work, or of a call: before the server has done it, or after.
      if (call === 'confirm-message-received') {
        setTimeout(kill, 100 + chance(4, kills, 300));
        return 'well';
      }
      kill();
      return chance(5, kills, 2) === 0 ? 'before' : 'after';
    },
  }).open();
  const out = newFolder();
  const args = [
    'fleet',
    'join',
    server.url,
    '--model',
    MODEL,
    '--data',
    data,
    '--out',
    out,
    '--budget',
    '8MiB',
    '--threads',
    '1',
    '--batch-size',
    '8',
  ];
  let code: number | null = null;
  for (let starts = 0; starts <= KILLS + 1 && code === null; starts++) {
    const started = spawn(process.execPath, [CLI, ...args, '--json'], { stdio: ['ignore', 'ignore', 'inherit'] });
    process_ = started;
    [code] = (await once(started, 'exit')) as [number | null];
  }
  await server.close();
  assert.is(code, 0);
  assert.is(kills, KILLS);
  assert.is(server.doubled, 0);
  assert.is(server.told.length, calm.told.length);
  assert.equal(bytesOf(server.told), bytesOf(calm.told));
  assert.match(readFileSync(join(out, 'fleet', 'key.pem'), 'utf8'), /END PRIVATE KEY/);
  assert.equal(
    readdirSync(join(out, 'fleet')).filter((name) => name.endsWith('.tmp') || /message|answer/.test(name)),
    [],
  );
});

test.run();
