/** Pictures changed at random on a board: the adapter that training writes, byte for byte. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { trainJob } from '../../src/use/library.ts';
import { pictureFolder, VIT } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { adapterDigest, pack } from './board.ts';

test('every part at once', async () => {
  const amounts = { turn: 20, scale: 0.2, brightness: 0.3, contrast: 0.3, saturation: 0.3, grey: 0.2, blur: 0.3, erase: 0.3 };
  const job = { model: VIT, data: pictureFolder(), epochs: 1, batchSize: 4, augment: { shift: 4, flip: true, ...amounts } };
  const [here, board] = [newFolder(), newFolder()];
  await trainJob({ ...job, out: here });
  const { code, err } = (await pack(job)).train(board);
  assert.is(code, 0, err);
  assert.is(adapterDigest(board), adapterDigest(here));
});

test('pictures mixed in pairs, the last batch a half one', async () => {
  const augment = { shift: 0, flip: true, mixup: 0.5, cutmix: 0.5 };
  const job = { model: VIT, data: pictureFolder(5), epochs: 2, batchSize: 4, augment, smoothing: 0.1 };
  const [here, board] = [newFolder(), newFolder()];
  await trainJob({ ...job, out: here });
  const { code, err } = (await pack(job)).train(board);
  assert.is(code, 0, err);
  assert.is(adapterDigest(board), adapterDigest(here));
});

test.run();
