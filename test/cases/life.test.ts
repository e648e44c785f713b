/** What ends around a run while it goes on: its terminal, who reads it, the disk that its log or its page lies on. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, does, files, pictureFolder, refuses, s2a, VIT, watched } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { nodeTest } from '../support/runtime.ts';

const DATA = pictureFolder();
const ADAPTER = 'adapter_model.safetensors';
const PROBE = ['--method', 'probe', '--epochs', '2', '--batch-size', '4', '--threads', '1'];
const STACK = /^\s+at /m;

const reference = newFolder();
does('train', VIT, DATA, '--out', reference, ...PROBE);
const adapterIn = (folder: string): string => readFileSync(join(folder, ADAPTER), 'base64');

/** Runs a line of a shell in which "$@" is s2a with these arguments. */
function shell(line: string, ...args: string[]) {
  return spawnSync('bash', ['-c', `set -o pipefail; ${line}`, 's2a', process.execPath, CLI, ...args], { encoding: 'utf8', timeout: 60e3 });
}

nodeTest('a lost terminal: the run is saved as by SIGTERM, and goes on', async () => {
  const out = newFolder();
  const args = ['train', VIT, DATA, '--out', out, '--epochs', '40', '--batch-size', '4', '--threads', '1'];
  let isKilled = false;
  const ran = await watched(args, (stderr, kill) => {
    if (isKilled || !/^epoch +2\/40/m.test(stderr)) return;
    isKilled = true;
    // A shell and its terminal each send one.
    kill('SIGHUP');
    kill('SIGHUP');
  });
  assert.is(ran.code, 130, ran.stderr);
  assert.match(ran.stderr, /interrupted; the run is saved in .*--resume continues it/);
  assert.match(does(...args, '--resume').stderr, /going on from step/);
});

/** Where standard error goes to nobody. */
const NOBODY = ['2>/dev/full', '2>&-', '2>&1 >/dev/null | head -c 1 >/dev/null', '>&- 2>&-', '2>&1 | true'];
for (const way of NOBODY)
  nodeTest(`train ${way}: the adapter is that of any other run`, () => {
    const out = newFolder();
    const { stderr } = shell(`"$@" ${way}; test -f ${join(out, ADAPTER)}`, 'train', VIT, DATA, '--out', out, ...PROBE);
    assert.not.match(stderr, STACK);
    assert.ok(existsSync(join(out, ADAPTER)), stderr);
    assert.is(adapterIn(out), adapterIn(reference));
  });

nodeTest('train >/dev/full: the adapter is written, the summary is said to be lost', () => {
  const out = newFolder();
  const { status, stderr } = shell('"$@" >/dev/full', 'train', VIT, DATA, '--out', out, ...PROBE);
  assert.is(adapterIn(out), adapterIn(reference));
  assert.is(status, 2, stderr);
  assert.match(stderr, /^s2a: standard output: cannot be written: no space left on the device$/m);
  assert.not.match(stderr, STACK);
});

nodeTest('train | true: who reads nothing is no fault', () => {
  const out = newFolder();
  const { status, stderr } = shell('"$@" | true', 'train', VIT, DATA, '--out', out, ...PROBE);
  assert.is(status, 0, stderr);
  assert.not.match(stderr, STACK);
  assert.ok(existsSync(join(out, ADAPTER)));
});

const OTHERS: [string, string[]][] = [
  ['predict', ['predict', VIT, reference, ...files(DATA)]],
  ['plan', ['plan', VIT]],
  ['print', ['print', VIT]],
];
for (const [name, args] of OTHERS) {
  nodeTest(`${name} | head -c 1: no stack, exit code 0`, () => {
    const { status, stderr } = shell('"$@" | head -c 1 >/dev/null', ...args);
    assert.is(status, 0, stderr);
    assert.not.match(stderr, STACK);
  });
  nodeTest(`${name} >/dev/full: one sentence, exit code 2`, () => {
    const { status, stderr } = shell('"$@" >/dev/full', ...args);
    assert.is(status, 2, stderr);
    assert.match(stderr, /^s2a: standard output: cannot be written: no space left on the device$/m);
    assert.not.match(stderr, STACK);
  });
}

test('--report into a folder that is not there makes it; into what can be none, the run is refused before its first picture', () => {
  const out = newFolder();
  const page = join(newFolder(), 'none', 'r.html');
  does('train', VIT, DATA, '--out', out, '--report', page, ...PROBE);
  assert.ok(existsSync(page));
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  const args = (report: string) => ['train', VIT, DATA, '--out', newFolder(), '--report', report, ...PROBE];
  for (const [report, word] of [
    [join(file, 'r.html'), file],
    [newFolder(), 'is a folder'],
    ['/proc/none/r.html', '/proc/none'],
  ] as const) {
    refuses(2, args(report), word);
    assert.not.match(s2a(...args(report)).stderr, /pictures:/);
  }
});

test('--out where nothing can be written is refused before the first picture', () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  refuses(2, ['train', VIT, DATA, '--out', join(file, 'out'), ...PROBE], file);
  assert.not.match(s2a('train', VIT, DATA, '--out', join(file, 'out'), ...PROBE).stderr, /preparing|pictures:/);
});

nodeTest('a page that cannot be written in the end is said, after the adapter, the summary and the result as JSON', async () => {
  const [out, page] = [newFolder(), join(newFolder(), 'r.html')];
  let isDone = false;
  const ran = await watched(['train', VIT, DATA, '--out', out, '--report', page, '--json', ...PROBE], (stderr) => {
    // A folder takes its name while the run learns.
    if (isDone || !stderr.includes('pictures:')) return;
    isDone = true;
    mkdirSync(page);
  });
  assert.is(ran.code, 2, ran.stderr);
  assert.ok(existsSync(join(out, ADAPTER)));
  assert.is((JSON.parse(ran.stdout) as { adapter: string }).adapter, out);
  assert.match(ran.stderr, /^s2a: .*r\.html: the report was not written: /m);
});

nodeTest('a log that cannot be written ends the log, not the run', () => {
  const out = newFolder();
  mkdirSync(join(out, 'run', 'metrics.jsonl'), { recursive: true });
  const { code, stderr, stdout } = s2a('train', VIT, DATA, '--out', out, ...PROBE);
  assert.is(code, 2, stderr);
  assert.is(adapterIn(out), adapterIn(reference));
  assert.match(stderr, /metrics\.jsonl: cannot be written: .*; the run goes on without this log/);
  assert.match(stdout, /^adapter/m);
});

test.run();
