/** The packed program on a board, as people misuse it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { asks, COLOURS, does, pictureFolder, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { type Board, pack } from '../wasi/board.ts';

const DATA = pictureFolder();
let board: Board;

test.before(async () => {
  board = await pack({ model: VIT, data: DATA, epochs: 1, batchSize: 4, method: 'probe' });
});

/** Changes the label of the second picture; the file keeps its head. */
function withLabel(value: number): Buffer {
  const path = join(board.folder, 'train-labels.npy');
  const before = readFileSync(path);
  const changed = Buffer.from(before);
  const start = 10 + changed.readUInt16LE(8);
  const size = Number(/'descr': '[<|][iu](\d)'/.exec(changed.toString('latin1', 10, start))![1]);
  changed.writeIntLE(value, start + size, Math.min(size, 6));
  if (size > 6) changed.fill(value < 0 ? 0xff : 0, start + size + 6, start + 2 * size);
  writeFileSync(path, changed);
  return before;
}

test('a label of a class that the program lacks: the label is named, its picture, and how many classes there are', () => {
  for (const label of [3, 7, -1]) {
    const before = withLabel(label);
    const { code, err } = board.train(newFolder());
    writeFileSync(join(board.folder, 'train-labels.npy'), before);
    assert.is(code, 2, err);
    assert.match(
      err,
      new RegExp(`train-labels\\.npy: label ${label} of picture 1 is a class that the program lacks: it was packed for 3; `),
    );
  }
});

test('a run that was interrupted is thrown away only on request; a finished one is replaced', () => {
  const out = newFolder();
  assert.is(board.train(out, '--steps', '1').code, 5);
  const { code, err } = board.train(out);
  assert.is(code, 2, err);
  assert.match(
    err,
    /run: holds a run that was interrupted, got step 1, 0 epochs done; --resume goes on with it, --overwrite throws it away/,
  );
  assert.is(board.train(out, '--resume', '--overwrite').code, 2);
  for (const words of [['--overwrite'], [], ['--resume']]) assert.is(board.train(out, ...words).code, 0, words.join());
});

test('info names the classes, and how pictures were prepared', () => {
  const { code, out, err } = board.run('info', []);
  assert.is(code, 0, err);
  assert.match(out, new RegExp(`^labels +3: ${COLOURS.join(', ')}$`, 'm'));
  const prepared = JSON.parse(/^prepared by +(\{.*\})$/m.exec(out)![1]!) as { resize: unknown; crop: unknown; resample: string };
  assert.equal(Object.keys(prepared).sort(), ['crop', 'mean', 'resample', 'resize', 'scale', 'std']);
});

test('a folder that was not opened says --dir', () => {
  for (const words of [
    ['--data', '/elsewhere', '--out', '/board/o'],
    ['--data', '/board', '--out', '/elsewhere/o'],
  ]) {
    const { code, err } = board.run('train', words);
    assert.is(code, 2, err);
    assert.match(err, /elsewhere.*--dir FOLDER/);
  }
});

test('help of a command is help', () => {
  for (const command of ['train', 'info', 'predict', 'eval']) {
    const { code, out } = board.run(command, ['--help']);
    assert.is(code, 0);
    assert.match(out, /s2a\.wasm train +<program\.s2a> --model M/);
  }
});

test('pack prints the line that prepares frames as it prepared pictures', () => {
  const out = newFolder();
  assert.match(
    does('pack', VIT, DATA, '--out', out, '--epochs', '1').stdout,
    /ffmpeg -i new\.jpg -vf 'format=rgb24,scale=.*' -f rawvideo -pix_fmt rgb24 - \| s2a\.wasm predict/,
  );
  const { frames } = asks<{ frames: string }>('pack', VIT, DATA, '--out', newFolder(), '--epochs', '1');
  assert.match(frames, /^ffmpeg -i FILE -vf /);
});

test.run();
