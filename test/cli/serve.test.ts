/** `s2a watch` and `s2a serve` as a person meets them: processes that are killed, asked to stop, told to go back, and given wrong options. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { State } from '../../src/live/state.ts';
import { addColours, COLOURS, colourPicture } from '../support/colours.ts';
import { newFolder } from '../support/folder.ts';
import { exitCode } from '../support/runtime.ts';
import { CLI, does, refuses, VIT } from './command.ts';

const QUICK = ['--epochs', '3', '--batch-size', '4', '--after', '3', '--look', '1s', '--threads', '1'];
const photos = newFolder();
for (const [i, name] of COLOURS.entries()) addColours(photos, name, i, 0, 8);
const watched = join(newFolder(), 'watched');

interface Running {
  child: ChildProcess;
  /** Waits until it has said it. */
  says(pattern: RegExp): Promise<string>;
  /** Ends it; its exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

function starts(...args: string[]): Running {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  return {
    child,
    async says(pattern) {
      for (let i = 0; i < 1200; i++) {
        const found = pattern.exec(said);
        if (found) return found[1] ?? found[0];
        assert.is(child.exitCode, null, said);
        await new Promise((done) => setTimeout(done, 50));
      }
      throw new Error(`“${pattern}” was never said:\n${said}`);
    },
    end(signal) {
      const gone = new Promise<number | null>((done) => child.once('exit', (code, by) => done(exitCode(code, by, 0))));
      child.kill(signal);
      return gone;
    },
  };
}
const stateOf = (): State => JSON.parse(readFileSync(join(watched, 'watch.json'), 'utf8')) as State;

test('a watch that is killed in a round goes on with it; one that is asked to stop ends well', async () => {
  const args = ['watch', VIT, photos, '--out', watched, '--save-every', '1', ...QUICK];
  const first = starts(...args, '--epochs', '200');
  await first.says(/round 1 began/);
  await new Promise((done) => setTimeout(done, 1500));
  await first.end('SIGKILL');
  assert.is(stateOf().round?.number, 1);
  const second = starts(...args, '--epochs', '200');
  await second.says(/watching/);
  await new Promise((done) => setTimeout(done, 1000));
  assert.is(await second.end('SIGTERM'), 0);
  assert.is(stateOf().kept.length, 0);
});

test('serve takes it over, answers, and learns what it is given; another process takes it back', async () => {
  // The run of the watch above had more epochs: it does not fit, and the round is begun again.
  const server = starts('serve', VIT, '--watch', photos, '--out', watched, '--port', '0', ...QUICK);
  const url = await server.says(/listening on (\S+)/);
  await server.says(/accepted/);
  const answer = await fetch(`${url}predict?top=1`, { method: 'POST', body: colourPicture(2, 900) as BodyInit });
  assert.equal(((await answer.json()) as { classes: { label: string }[] }).classes.length, 1);
  for (let i = 0; i < 3; i++) await fetch(`${url}pictures?label=red`, { method: 'POST', body: colourPicture(2, 901 + i) as BodyInit });
  await server.says(/round \d+ accepted: it is right on \d+ of \d+ held-out/);
  const { kept } = stateOf();
  assert.is(kept.length, 2);
  refuses(2, ['watch', VIT, photos, '--out', watched], 'another run is going on in this folder');
  const said = does('watch', '--rollback', '--out', watched).stdout;
  assert.is(said.trim(), `in use again: ${join(watched, 'adapters', String(kept[0]!.number))}`);
  await server.says(/rolled back: adapter \d+ is in use again/);
  assert.is(await server.end('SIGTERM'), 0);
  assert.match(
    does('watch', '--status', '--out', watched).stdout,
    /^adapter .+\npictures {2}\d+ learnt from, \d+ held out, \d+ set aside\n/,
  );
  // Its adapter in use is an adapter to other commands too.
  const picture = join(photos, 'red', '1.png');
  assert.ok(does('predict', VIT, watched, picture).stdout.startsWith(`${picture}  `));
  assert.match(does('eval', VIT, watched, photos).stdout, /^accuracy /);
  refuses(2, ['watch', '--rollback', '--out', watched], 'keeps no adapter before the one in use');
});

test('serve follows the folder of a watch, and an adapter; asked to stop it ends well', async () => {
  const { kept } = stateOf();
  for (const adapter of [watched, join(watched, 'adapters', String(kept[0]!.number))]) {
    const server = starts('serve', VIT, adapter, '--port', '0');
    const url = await server.says(/listening on (\S+)/);
    const status = (await (await fetch(`${url}status`)).json()) as { classes: string[]; watch: unknown };
    assert.equal([status.classes, status.watch], [COLOURS, null]);
    assert.is(await server.end('SIGINT'), 0);
  }
});

test('beyond this machine only with a token', async () => {
  refuses(2, ['serve', VIT, watched, '--host', '0.0.0.0', '--port', '0'], '--host: more than this machine could ask', '--token FILE');
  const file = join(newFolder(), 'token');
  const server = starts('serve', VIT, watched, '--host', '0.0.0.0', '--port', '0', '--token', file);
  const [, port, token] = /:(\d+)\/#token=(\S+)/.exec(await server.says(/listening on \S+/))!;
  assert.is(readFileSync(file, 'utf8').trim(), token);
  assert.is((await fetch(`http://127.0.0.1:${port}/status`)).status, 401);
  assert.is((await fetch(`http://127.0.0.1:${port}/status`, { headers: { authorization: `Bearer ${token}` } })).status, 200);
  await server.end('SIGTERM');
});

test('wrong options', () => {
  const target = join(newFolder(), 'w');
  const watch = (...flags: string[]): string[] => ['watch', VIT, photos, '--out', target, ...flags];
  refuses(2, ['watch', VIT, photos], '--out: is missing');
  refuses(2, ['watch', VIT], 'wrong number of them');
  refuses(2, watch('--every', '6'), '--every: wrong value', '15m, 6h or 1d');
  refuses(2, watch('--at', '25:00'), '--at: wrong value', '03:00');
  refuses(2, watch('--after', '0'), '--after: wrong value');
  refuses(2, watch('--keep-last', 'all'), '--keep-last: wrong value');
  refuses(2, watch('--resume'), '--resume: unknown option');
  refuses(2, ['watch', '--rollback', '--out', target], 'is no folder of a watch');
  for (const flag of [['--after', '3'], ['--tolerance', '0.1'], ['--epochs', '5'], ['--balance']])
    refuses(2, ['serve', VIT, watched, ...flag], `${flag[0]}: is of a watch`, '--watch FOLDER');
  refuses(2, ['serve', VIT, watched, '--port', '99999'], '--port: wrong value');
  refuses(3, ['serve', VIT, watched, '--port', '0', '--process-budget', '60MiB'], '--process-budget', 'at least');
  const short = join(newFolder(), 'token');
  writeFileSync(short, 'abc');
  refuses(2, ['serve', VIT, watched, '--port', '0', '--token', short], 'is no token');
  assert.not.ok(existsSync(target));
});

test.run();
