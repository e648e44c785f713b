/** What a run says of its figures and of itself: which pictures they come from, what chance is, that nothing was learnt, that nothing is judged. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobResult } from '../../src/training/job.ts';
import { cutMetrics } from '../../targets/cli/metrics.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { asks, does, refuses } from './command.ts';

const MODEL = 'test/golden/vit-timm-gap';
const DATA = pictureFolder({ train: 5, val: 4 });
const CACHE = newFolder();
const common = (out: string, data = DATA): string[] => [
  'train',
  MODEL,
  data,
  '--out',
  out,
  '--cache',
  CACHE,
  '--batch-size',
  '6',
  '--micro-batch',
  '2',
];
const FEW = ['--epochs', '2', '--lr', '0.01'];
const ASTRAY = ['--epochs', '2', '--lr', '1', '--seed', '2'];

/** A folder of its own with fewer pictures of one class in a part, or a part without any that can be read. */
function changed(change: (folder: string) => void): string {
  const folder = newFolder();
  cpSync(DATA, folder, { recursive: true });
  change(folder);
  return folder;
}
const keepFirst = (folder: string, n: number): void => {
  for (const name of readdirSync(folder).sort().slice(n)) rmSync(join(folder, name));
};

test('the pictures that the accuracy comes from, and chance: page and terminal alike', () => {
  const out = newFolder();
  const page = join(out, 'page.html');
  const { stdout, stderr } = does(...common(out), ...FEW, '--report', page);
  const line = /^accuracy +(\d+\.\d %) on 12 pictures of val, epoch \d; chance 33\.3 %$/m.exec(stdout);
  assert.ok(line, stdout);
  assert.not.match(stdout, /balanced|warning/);
  assert.not.match(stderr, /fewer than|nothing to judge/);
  const html = readFileSync(page, 'utf8');
  assert.ok(html.includes(`<b>${line![1]}</b>`), 'the page has the same accuracy');
  assert.ok(html.includes('12 pictures of val') && html.includes('<b>33.3 %</b>'));
  const held = asks<JobResult>(...common(newFolder(), join(DATA, 'train')), ...FEW);
  assert.is(held.judged.part, 'held out');
  assert.is(held.judged.pictures, 3);
});

test('uneven classes: chance is the larger one, with balanced accuracy and the worst class, on the page too', () => {
  const data = changed((folder) => {
    for (const part of ['train', 'val']) keepFirst(join(folder, part, 'class-2'), 1);
  });
  const out = newFolder();
  const page = join(out, 'page.html');
  const { stdout, stderr } = does(...common(out, data), ...FEW, '--report', page);
  assert.match(
    stdout,
    /on 9 pictures of val, epoch \d; chance 44\.4 % \(always class-0\)\n +balanced \d+\.\d %, the mean over classes; worst class-\d: \d of \d$/m,
  );
  assert.match(stderr, /fewer than 5 pictures of class-2 \(2\)/);
  assert.ok(
    readFileSync(page, 'utf8').includes(
      /balanced (\d+\.\d %), the mean over classes; worst class-\d: \d of \d/.exec(stdout)![0].replace('b', 'B'),
    ),
  );
});

test('a run that is destroyed goes back and says so; one that stays destroyed ends with a warning, in --json too', () => {
  const out = newFolder();
  const page = join(out, 'page.html');
  const { stdout, stderr } = does(...common(out), ...ASTRAY, '--report', page);
  assert.match(stderr, /^epoch 2: .*; the run goes back to its start and goes on with a tenth of the rate: 0\.1$/m);
  assert.not.match(stdout, /warning/);
  assert.match(readFileSync(page, 'utf8'), /went back, then learnt at<\/th><td><code>0\.1</);
  const log = readFileSync(join(out, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  assert.is(log.filter((line) => line.startsWith('{"step":')).length, 12);
  assert.match(log[8]!, /^\{"back":1,"epoch":2,"to":0,"reason":"the loss is above .*","rate":0\.1/);

  const still = ['--epochs', '2', '--lr', '100', '--retries', '0'];
  const lost = does(...common(newFolder()), ...still).stdout;
  assert.match(
    lost,
    /\nwarning: .*no better than always saying class-\d; try a smaller --lr, more pictures, another checkpoint, or --depth\n$/,
  );
  const result = asks<JobResult>(...common(newFolder()), ...still);
  assert.is(result.wentBack, 0);
  assert.match(result.warning!, /no better than always saying/);
});

test('nothing to judge by: the last epoch, no accuracy, one line; for each of its reasons', () => {
  const single = changed((folder) => {
    for (const name of readdirSync(join(folder, 'train'))) keepFirst(join(folder, 'train', name), 1);
    rmSync(join(folder, 'val'), { recursive: true });
  });
  const unread = changed((folder) => {
    for (const name of readdirSync(join(folder, 'val')))
      for (const file of readdirSync(join(folder, 'val', name))) writeFileSync(join(folder, 'val', name, file), 'no picture');
  });
  const empty = changed((folder) => {
    rmSync(join(folder, 'val'), { recursive: true });
    mkdirSync(join(folder, 'val'));
  });
  for (const [data, why, ...more] of [
    [join(DATA, 'train'), 'nothing is held out', '--hold-out', '0'],
    [single, 'no class has a picture to spare'],
    [unread, 'val holds no picture that can be read'],
    [empty, 'val holds no picture that can be read'],
  ] as [string, string, ...string[]][]) {
    const out = newFolder();
    const page = join(out, 'page.html');
    const { stdout, stderr } = does(...common(out, data), ...FEW, ...more, '--report', page);
    assert.is(stderr.split(`nothing to judge by: ${why}; the last epoch is kept, and no accuracy is known`).length, 2, stderr);
    assert.match(stdout, /^accuracy +nothing to judge by: the last epoch is kept, and no accuracy is known$/m);
    assert.not.match(stdout + stderr, /NaN|undefined/);
    assert.not.match(readFileSync(page, 'utf8'), /NaN|undefined|null/);
    const result = asks<JobResult>(...common(newFolder(), data), ...FEW, ...more);
    assert.equal([result.accuracy, result.judged.part, result.bestEpoch], [null, 'none', 2]);
    // The last epoch's loss is that of the adapter.
    const judged = asks<{ loss: number }>('eval', MODEL, out, data, '--split', 'all');
    assert.ok(judged.loss < result.epochs[1]!.train.loss + 0.05);
    refuses(2, [...common(newFolder(), data), ...FEW, ...more, '--patience', '2'], '--patience', 'nothing to judge by', why);
  }
});

test('patience; a rate of 0; what is no number of them', () => {
  const out = newFolder();
  const result = asks<JobResult>(...common(out), '--epochs', '30', '--lr', '0.1', '--patience', '2');
  assert.is(result.epochs.length, result.bestEpoch + 2);
  assert.ok(result.epochs.length < 30);
  refuses(2, [...common(out), '--epochs', '30', '--lr', '0.1', '--patience', '3', '--resume'], 'another patience', 'got 3', 'expected 2');
  refuses(2, [...common(out), '--lr', '0'], '--lr', 'with a rate of 0 nothing is learnt', 'above 0');
  refuses(2, [...common(out), '--patience', '0'], '--patience', 'at least 1');
  refuses(2, [...common(out), '--retries', '3'], '--retries', 'from 0 to 2');
  refuses(2, [...common(out), '--hold-out', '1'], '--hold-out', 'from 0 to 0.9');
});

test('a log is cut where its run goes on, though steps begin anew where it went back', () => {
  const path = join(newFolder(), 'metrics.jsonl');
  const step = (n: number): string => `{"step":${n},"epoch":${Math.ceil(n / 2)}}`;
  const first = [step(1), step(2), '{"epoch":1}', step(3), step(4), '{"epoch":2}', '{"back":1,"epoch":2,"to":0}'];
  const second = [step(1), step(2), '{"epoch":1}', step(3)];
  const cut = (step: number, epochsDone: number, backs: number): string[] => {
    writeFileSync(path, `${[...first, ...second].join('\n')}\n{"st`);
    cutMetrics(path, { step, epochsDone, backs });
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  };
  assert.equal(cut(3, 1, 1), [...first, ...second]);
  assert.equal(cut(1, 0, 1), [...first, step(1)]);
  assert.equal(cut(0, 0, 1), first);
  assert.equal(cut(3, 1, 0), first.slice(0, 4));
});

test.run();
