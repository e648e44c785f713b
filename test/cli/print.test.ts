/** `s2a print`: a program file says what the model folder it came from says; whatever is no program is refused in one sentence. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newFolder } from '../support/folder.ts';
import { does, pictureFolder, refuses, VIT } from './command.ts';

const OPTIONS = ['--classes', '3', '--method', 'bias+prompt', '--micro-batch', '2'];
const folder = newFolder();
const file = join(folder, 'program.s2a');
does('plan', VIT, ...OPTIONS, '--program', file);
const good = readFileSync(file);

/** The file with something done to it. */
const changed = (change: (bytes: Buffer) => Uint8Array): string => {
  const path = join(newFolder(), 'changed.s2a');
  writeFileSync(path, change(Buffer.from(good)));
  return path;
};

test('a program file reads as its model folder does, but for the names of values, which it does not hold', () => {
  const named = does('print', VIT, ...OPTIONS).stdout;
  const plain = does('print', file).stdout;
  assert.match(plain, /^; vit 32x32, 3 classes, train, method bias\+prompt.*micro-batch 2\n; linear memory \d+ bytes\n/);
  assert.match(named, /LinearBackwardX[^\n]*\n[^\n]*@\d+ \S/);
  assert.is(named.replace(/(@\d+) [^,\n]+/g, '$1'), plain);
});

test('of a packed program the run, the labels and the files of weights are told too', () => {
  const board = join(newFolder(), 'board');
  does('pack', VIT, pictureFolder(), '--out', board, '--epochs', '3', '--seed', '7');
  const text = does('print', join(board, 'program.s2a')).stdout;
  const run = /\nrun:\n([\s\S]*?)\n\n/.exec(text)?.[1]?.split('\n') ?? [];
  for (const line of ['  epochs 3', '  seed 7', '  method "bias"']) assert.ok(run.includes(line), `${line}\n${run.join('\n')}`);
  assert.match(text, /\nlabels: 3\n {2}blue\n {2}green\n {2}red\n/);
  assert.match(text, /\nweights' files: 1\n {2}model\.safetensors\n/);
});

test('what is no program, or no whole one, is one sentence', () => {
  const config = join(VIT, 'config.json');
  refuses(2, ['print', config], config, 'is not a program file', 's2a plan --program');
  refuses(2, ['print', join(VIT, 'model.safetensors')], 'is not a program file');
  refuses(2, ['print', changed(() => new Uint8Array(0))], 'is not a program file');
  refuses(2, ['print', changed((b) => b.subarray(0, b.length - 8))], 'is truncated');
  refuses(2, ['print', changed((b) => Buffer.concat([b, Buffer.alloc(4)]))], 'changed.s2a');
  refuses(
    2,
    [
      'print',
      changed((b) => {
        b[b.length >> 1]! ^= 1;
        return b;
      }),
    ],
    'is damaged: its checksum does not match',
  );
  refuses(
    2,
    [
      'print',
      changed((b) => {
        b.writeUInt32LE(b.readUInt32LE(4) - 1, 4);
        return b;
      }),
    ],
    'was compiled for version',
    'compile it again',
  );
  refuses(2, ['print', join(folder, 'none.s2a')], 'none.s2a');
});

test('an option of compiling beside a program file is refused, and --json, which print never had', () => {
  for (const option of [
    ['--budget', '30MiB'],
    ['--classes', '3'],
    ['--lr', '1'],
  ])
    refuses(2, ['print', file, ...option], option[0]!, 'a program file is compiled already');
  refuses(2, ['print', file, '--json'], '--json', 'unknown option');
});

test.run();
