/** The program without JavaScript over streamed weights: the adapter of Node's run over resident ones, and files that do not stay as they were. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { nodeTest } from '../support/runtime.ts';
import { adapterDigest, type Board, pack } from './board.ts';

const DATA = pictureFolder({ train: 5, val: 4, noise: 120 });
const CACHE = newFolder();
const job = (model: string) => ({
  ...{ model: `test/golden/${model}`, data: DATA, cacheFolder: CACHE, epochs: 2, batchSize: 6, microBatch: 2, rate: 0.01, seed: 2 },
});
const references: Record<string, string> = {};
const boards: Record<string, Board> = {};

for (const [model, weights] of [
  ['vit-hf', 'int8'],
  ['resnet-hf', 'f32'],
] as const)
  test(`${model}, ${weights}: streamed there, resident here: the same adapter`, async () => {
    const out = newFolder();
    await trainJob({ ...job(model), weights, out });
    references[model] = adapterDigest(out);
    boards[model] = await pack({ ...job(model), weights: `${weights},stream` });
    const there = newFolder();
    const ran = boards[model]!.train(there);
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(there), references[model]);
    assert.not.ok(existsSync(join(there, 'run', 'weights.s2aw')));
  });

test('a damaged file: one sentence, and the run goes on to the same adapter', () => {
  const out = newFolder();
  const board = boards['vit-hf']!;
  const stopped = board.train(out, '--steps', '2');
  assert.is(stopped.code, 5, stopped.err);
  const path = join(out, 'run', 'weights.s2aw');
  assert.ok(existsSync(path));
  const fd = openSync(path, 'r+');
  writeSync(fd, new Uint8Array(64).fill(7), 0, 64, statSync(path).size >> 1);
  closeSync(fd);
  const resumed = board.train(out, '--resume');
  assert.is(resumed.code, 0, resumed.err);
  assert.is(adapterDigest(out), references['vit-hf']);
});

// Deno's module of files cannot be replaced.
nodeTest('a disk that fills up while the file is written: one sentence, and no half file', () => {
  const fs = createRequire(import.meta.url)('node:fs') as typeof import('node:fs');
  const write = fs.writeSync;
  for (const most of [0, 1]) {
    const out = newFolder();
    const path = join(out, 'run', 'weights.s2aw');
    let left = most;
    const limited = (fd: number, data: Uint8Array, offset?: number, length?: number, position?: number): number => {
      if (existsSync(path) && fstatSync(fd).ino === statSync(path).ino && left-- <= 0) throw Object.assign(new Error(), { code: 'ENOSPC' });
      return write(fd, data, offset, length, position);
    };
    Object.assign(fs, { writeSync: limited });
    syncBuiltinESMExports();
    try {
      const { code, err } = boards['vit-hf']!.train(out);
      assert.is(code, 2, err);
      assert.match(err, /weights\.s2aw: cannot be written: no space left on the device/);
      assert.not.ok(existsSync(path));
    } finally {
      Object.assign(fs, { writeSync: write });
      syncBuiltinESMExports();
    }
  }
});

test('eval wants a file, and refuses another program’s', () => {
  const out = newFolder();
  const board = boards['vit-hf']!;
  assert.is(board.train(out).code, 0);
  const words = ['--adapter', '/out', '--data', '/board'];
  const without = board.run('eval', words, { out });
  assert.is(without.code, 2);
  assert.match(without.err, /--stored: is missing/);
  const ran = board.run('eval', [...words, '--stored', '/out/weights.s2aw'], { out });
  assert.is(ran.code, 0, ran.err);
  assert.match(ran.out, /^accuracy /);
  writeFileSync(join(out, 'diary.txt'), 'Dear diary');
  const refused = board.run('eval', [...words, '--stored', '/out/diary.txt'], { out });
  assert.is(refused.code, 2);
  assert.match(refused.err, /is no file of stored weights/);
  assert.is(readFileSync(join(out, 'diary.txt'), 'utf8'), 'Dear diary');
});

test.run();
