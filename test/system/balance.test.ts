/** Uneven classes drawn alike: counted, resumed as such, and the same adapter on a board. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/training/job.ts';
import { COLOURS, colourPng, refuses, VIT } from '../cli/command.ts';
import { newFolder, refusedLater } from '../support/folder.ts';
import { adapterDigest, pack } from '../wasi/board.ts';

const data = newFolder();
for (const [label, name] of COLOURS.entries()) {
  mkdirSync(join(data, 'train', name), { recursive: true });
  mkdirSync(join(data, 'val', name), { recursive: true });
  for (let i = 0; i < [6, 4, 1][label]!; i++) writeFileSync(join(data, 'train', name, `${i}.png`), colourPng(label, i));
  for (let i = 0; i < 2; i++) writeFileSync(join(data, 'val', name, `${i}.png`), colourPng(label, 10 + i));
}
const JOB = { model: VIT, data, batchSize: 4, epochs: 2, budget: '3MiB', balance: true };

test('each class as often as the largest, on a board to the byte', async () => {
  const out = newFolder();
  let seen = 0;
  await trainJob(
    { ...JOB, out },
    {
      onStart: ({ train }) => {
        seen = train;
      },
    },
  );
  assert.is(seen, 18);
  const board = await pack(JOB);
  const there = newFolder();
  const ran = board.train(there);
  assert.is(ran.code, 0, ran.err);
  assert.match(ran.err, /^18 pictures to learn from, 6 to judge by/m);
  assert.is(adapterDigest(there), adapterDigest(out));
  const plain = newFolder();
  await trainJob({ ...JOB, balance: false, out: plain });
  assert.is.not(adapterDigest(plain), adapterDigest(out));
});

test('a remembered picture is remembered once, and a run is resumed as it began', async () => {
  const out = newFolder();
  const { remembered } = await trainJob({ ...JOB, out, memory: '64KiB' });
  // 11 that are learnt from, and 6 that judge.
  assert.is(remembered!.pictures, 17);
  assert.ok(readFileSync(join(out, 'memory.safetensors')).length > 0);
  const stopped = newFolder();
  let steps = 0;
  const broken = trainJob({ ...JOB, out: stopped }, { stopping: () => ++steps > 3 });
  assert.is(await broken.catch((error: Error) => error.name), 'Interrupted');
  await refusedLater(trainJob({ ...JOB, balance: false, out: stopped, resume: true }), 'pictures');
});

test('labels of which a picture has several cannot be drawn alike', () => {
  const table = join(newFolder(), 'labels.csv');
  writeFileSync(table, `file,labels\n${COLOURS.map((name) => `train/${name}/0.png,${name}|x`).join('\n')}\n`);
  refuses(2, ['train', VIT, data, '--labels', table, '--balance', '--out', newFolder()], '--balance', 'is for classes');
});

test.run();
