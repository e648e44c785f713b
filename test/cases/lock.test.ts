/** Two runs and one folder: at once, and one after the other. */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asks, CLI, contents, does, files, pictureFolder, type Ran, refuses, VIT, watched } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const DATA = pictureFolder();
const train = (out: string, epochs: number, ...more: string[]): string[] => [
  'train',
  VIT,
  DATA,
  '--out',
  out,
  '--method',
  'probe',
  '--epochs',
  String(epochs),
  '--batch-size',
  '4',
  '--threads',
  '1',
  ...more,
];

function started(args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60e3 });
  let stderr = '';
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((done) => child.on('close', (code) => done({ code, stdout: '', stderr })));
}

const REFUSED = /^s2a: .*run: another run is going on in this folder, got process \d+; wait until it has ended, or choose another --out$/m;

nodeTest('a second run is refused before it looks at a picture, and the first one ends as if alone', async () => {
  const [out, alone] = [newFolder(), newFolder()];
  let second: Ran | undefined;
  const first = await watched(train(out, 30), (stderr, kill) => {
    if (second || !stderr.includes('pictures:')) return;
    // It stands still while the other one looks, so that it cannot have ended.
    kill('SIGSTOP');
    second = { code: 2, stdout: '', stderr: refuses(2, train(out, 30, '--seed', '5', '--overwrite'), out, 'another run is going on') };
    kill('SIGCONT');
  });
  assert.is(first.code, 0, first.stderr);
  assert.match(second!.stderr, REFUSED);
  does(...train(alone, 30));
  const adapter = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'), 'base64');
  assert.is(adapter(out), adapter(alone));
  assert.equal(
    files(out).filter((path) => /lock/.test(path)),
    [],
  );
});

nodeTest('four runs at the same moment, over the lock of one that is gone: one learns', async () => {
  const out = newFolder();
  mkdirSync(join(out, 'run'));
  writeFileSync(join(out, 'run', 'lock-3'), JSON.stringify({ pid: process.pid, began: '1', boot: 'another', run: 1 }));
  const ran = await Promise.all([1, 2, 3, 4].map(() => started(train(out, 40))));
  assert.equal(ran.map(({ code }) => code).sort(), [0, 2, 2, 2], ran.map(({ stderr }) => stderr).join('\n'));
  for (const { code, stderr } of ran) if (code !== 0) assert.match(stderr, REFUSED);
});

test('a run that was interrupted is thrown away only on request; a finished one is replaced', async () => {
  const out = newFolder();
  const args = train(out, 300);
  let isStopped = false;
  await watched(args, (stderr, kill) => {
    if (!isStopped && /^epoch +2\/300/m.test(stderr)) kill('SIGTERM');
    isStopped ||= /^epoch +2\/300/m.test(stderr);
  });
  const before = contents(out);
  refuses(2, args, out, 'interrupted', 'step', 'of 300 epochs', '--resume', '--overwrite');
  refuses(2, train(out, 2), out, 'of 300 epochs');
  refuses(2, [...args, '--resume', '--overwrite'], '--overwrite', '--resume');
  assert.equal(contents(out), before);
  const { epochs } = asks<{ epochs: unknown[] }>(...train(out, 2, '--overwrite'));
  assert.is(epochs.length, 2);
  assert.match(does(...train(out, 1)).stderr, /holds an earlier run that is finished: this one replaces it/);
});

test('the same pictures, copied again, are the same: nothing is decoded anew, and an interrupted run goes on', async () => {
  const [out, copy] = [newFolder(), newFolder()];
  const args = (data: string, ...more: string[]) => train(out, 40, ...more).map((word) => (word === DATA ? data : word));
  await watched(args(DATA), (stderr, kill) => void (/^epoch +2\/40/m.test(stderr) && kill('SIGTERM')));
  for (const path of files(DATA)) {
    const to = join(copy, path.slice(DATA.length));
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(path, to);
    utimesSync(to, 1e9, 1e9);
  }
  const { stderr } = does(...args(copy, '--resume'));
  assert.match(stderr, /cache .*, reused/);
  assert.match(stderr, /going on from step/);
  assert.match(does(...args(copy)).stderr, /cache .*, reused/);
  const picture = join(copy, 'red', '0.png');
  writeFileSync(picture, readFileSync(join(copy, 'red', '1.png')));
  assert.match(does(...args(copy)).stderr, /cache .*, [\d.]+ KiB written/);
});

test('an interrupted run whose checkpoints are damaged is not thrown away either', async () => {
  const out = newFolder();
  mkdirSync(join(out, 'run'));
  writeFileSync(join(out, 'run', 'checkpoint-3.s2ac'), 'x');
  refuses(2, train(out, 1), out, 'cannot be read', '--overwrite');
  does(...train(out, 1, '--overwrite'));
});

test.run();
