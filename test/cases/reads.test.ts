/** A pipe, a device or a folder where a file should be, and files without an end: a sentence at once, never a hang or all of the memory. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { colourPng, does, modelCopy, pictureFolder, refuses, SHORT, s2a, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { makePipe, nodeTest } from '../support/runtime.ts';

const data = pictureFolder(3);
const adapter = newFolder();

nodeTest('a model folder whose files are no files', () => {
  does('train', VIT, data, '--out', adapter, '--epochs', '1', '--batch-size', '4', '--save-every', '1');
  for (const name of ['config.json', 'preprocessor_config.json', 'model.safetensors']) {
    const model = modelCopy('vit-hf');
    const path = join(model, name);
    const train = ['train', model, data, '--out', newFolder(), ...SHORT];
    rmSync(path);
    symlinkSync('/dev/zero', path);
    refuses(2, train, path, 'is not an ordinary file');
    rmSync(path);
    if (makePipe(model, name)) refuses(2, train, path, 'is not an ordinary file');
    rmSync(path, { force: true });
    mkdirSync(path);
    refuses(2, train, path, 'is a folder, not a file');
    if (name === 'model.safetensors') continue;
    // A file that names 64 GiB and has not one.
    rmSync(path, { recursive: true });
    writeFileSync(path, '{}');
    truncateSync(path, 2 ** 36);
    refuses(2, train, path, 'is too large for a JSON file', 'expected at most 16777216');
  }
});

nodeTest('labels, pictures and adapters that are no files', () => {
  const folder = newFolder();
  const pipe = makePipe(folder, 'pipe.png') ?? '/dev/zero';
  for (const path of [pipe, '/dev/zero']) {
    refuses(2, ['train', VIT, data, '--labels', path, '--out', newFolder()], path, 'is not an ordinary file');
    refuses(2, ['predict', VIT, adapter, path], path, 'is not an ordinary file');
    refuses(2, ['train', VIT, data, '--tables', path, '--out', newFolder(), ...SHORT], path, 'is not an ordinary file');
  }
  const huge = join(folder, 'huge.png');
  writeFileSync(huge, colourPng(0, 0));
  truncateSync(huge, 2 ** 36);
  const good = join(data, 'red/0.png');
  const ran = s2a('predict', VIT, adapter, huge, pipe, good);
  assert.is(ran.code, 2);
  assert.match(ran.stderr, /huge\.png: cannot be used, nor can 1 more; all others are answered/);
  assert.match(ran.stderr, /huge\.png: is too large for a picture, got 68719476736 bytes, expected at most 134217728/);
  assert.match(ran.stderr, /skipped .*: is not an ordinary file/);
  assert.match(ran.stdout, /red\/0\.png {2}\w/);
  const pictures = pictureFolder(3);
  renameSync(huge, join(pictures, 'red/huge.png'));
  symlinkSync('/dev/zero', join(pictures, 'red/zero.png'));
  makePipe(join(pictures, 'red'), 'pipe.png');
  const trained = does('train', VIT, pictures, '--out', newFolder(), ...SHORT);
  assert.match(trained.stderr, /skipped red\/huge\.png: is too large for a picture/);
  assert.match(trained.stderr, /zero\.png.*a special file/);
});

nodeTest('where prepared pictures cannot be kept is said before the first picture', () => {
  const file = join(newFolder(), 'file');
  writeFileSync(file, 'mine');
  const train = ['train', VIT, data, '--out', newFolder(), ...SHORT, '--cache'];
  const hint = '--cache names another folder';
  for (const place of [file, join(file, 'below')]) refuses(2, [...train, place], file, hint);
  if (process.platform === 'linux') {
    refuses(2, [...train, '/proc/s2a'], '/proc/s2a: cannot be made', hint);
    refuses(2, ['eval', VIT, adapter, data, '--cache', '/proc'], '/proc/', 'cannot be written', hint);
  }
  assert.is(readFileSync(file, 'utf8'), 'mine');
});

nodeTest('a cache that is there serves from a folder that cannot be written (root may write everywhere)', () => {
  const cache = join(newFolder(), 'cache');
  const evaluate = ['eval', VIT, adapter, data, '--cache', cache];
  does(...evaluate);
  chmodSync(cache, 0o500);
  does(...evaluate);
  if (process.getuid?.() !== 0) refuses(2, ['eval', VIT, adapter, pictureFolder(2), '--cache', cache], cache, 'permission denied');
  chmodSync(cache, 0o700);
});

nodeTest("a run's own files that are no files any more", () => {
  const run = join(adapter, 'run');
  const resume = ['train', VIT, data, '--out', adapter, '--epochs', '1', '--batch-size', '4', '--save-every', '1', '--resume'];
  const metrics = join(run, 'metrics.jsonl');
  rmSync(metrics);
  if (makePipe(run, 'metrics.jsonl')) {
    const ran = s2a(...resume);
    assert.is(ran.code, 2);
    assert.match(ran.stderr, /metrics\.jsonl: is not an ordinary file; the run goes on without this log/);
    assert.match(ran.stdout, /adapter/);
    rmSync(metrics);
  }
  makePipe(run, 'lock-7');
  does(...resume);
  const list = join(run, 'pictures.json');
  rmSync(list);
  symlinkSync('/dev/zero', list);
  refuses(2, resume, list, 'is not an ordinary file');
});

test.run();
