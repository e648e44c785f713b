/** A run learns from the pictures that it began with. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { keepList, listPictures } from '../../src/data/list.ts';
import { scanFolder } from '../../src/data/scan.ts';
import { type TrainJob, trainJob } from '../../src/training/job.ts';
import { newFolder, refused } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

const first = 'train/class-0/0.png';

/** A folder of pictures and a run that has listed it. */
function begun() {
  const [run, root] = [newFolder(), pictureFolder({ train: 3, val: 2 })];
  const folder = scanFolder(root);
  const content = createHash('sha256')
    .update(readFileSync(join(root, first)))
    .digest('hex');
  keepList(run, folder, { pictures: [{ ...folder.train[0]!, part: 'train', content }], unused: [] });
  return { run, root };
}

test('new pictures are not used, vanished ones are named', () => {
  const { run, root } = begun();
  const before = scanFolder(root).train.map(({ path }) => path);
  writeFileSync(join(root, 'val/class-1/new.png'), 'x');
  rmSync(join(root, first));
  const { folder, vanished, added } = listPictures(run, root, true);
  assert.equal(
    folder.train.map(({ path }) => path),
    before,
  );
  assert.equal(vanished, [first]);
  assert.equal(added, ['val/class-1/new.png']);
  const fresh = listPictures(run, root, false);
  assert.equal([fresh.folder.train.length, fresh.folder.val!.length, fresh.vanished.length], [8, 7, 0]);
});

test('a folder that is gone altogether', () => {
  const { run, root } = begun();
  rmSync(root, { recursive: true });
  const { folder, vanished, added } = listPictures(run, root, true);
  assert.is(vanished.length, 15);
  assert.equal([folder.train.length, added], [9, []]);
});

test('a changed picture and a damaged list are refused', () => {
  const { run, root } = begun();
  const bytes = readFileSync(join(root, first));
  utimesSync(join(root, first), 1e9, 1e9);
  assert.equal(listPictures(run, root, true).vanished, [], 'the same bytes at another time');
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(join(root, first), bytes);
  refused(() => listPictures(run, root, true), first, 'changed', '--resume');
  writeFileSync(join(run, 'pictures.json'), '{"classes":["a","b"],"train":[{}],"val":null,"test":null,"skipped":[]}');
  refused(() => listPictures(run, root, true), 'pictures.json', 'damaged list');
  writeFileSync(join(run, 'pictures.json'), '{"classes":["a"');
  refused(() => listPictures(run, root, true), 'pictures.json');
});

test('a run goes on while its folder changes, into the same adapter', async () => {
  const root = pictureFolder({ train: 4, val: 2, noise: 120 });
  const job = (more: Partial<TrainJob> = {}): TrainJob => ({
    ...{ model: 'test/golden/vit-timm-gap', data: root, out: newFolder(), epochs: 2, batchSize: 4, rate: 0.1 },
    ...more,
  });
  const adapter = (out: string): string => readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');
  const whole = job();
  await trainJob(whole);

  const cut = job();
  let asked = 0;
  try {
    await trainJob(cut, { stopping: () => ++asked === 2 });
    assert.unreachable('not interrupted');
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
  rmSync(join(root, first));
  writeFileSync(join(root, 'train/class-2/new.png'), readFileSync(join(root, 'train/class-2/1.png')));
  const said: string[] = [];
  await trainJob({ ...cut, resume: true }, { warn: (sentence) => said.push(sentence) });
  assert.ok(adapter(cut.out) === adapter(whole.out));
  assert.is(said.length, 2);
  assert.match(said[0]!, /gone since the run began: train\/class-0\/0\.png.*prepared copies/);
  assert.match(said[1]!, /not used: train\/class-2\/new\.png/);

  // Without its prepared copy it cannot be had any more.
  const run = join(cut.out, 'run');
  for (const name of readdirSync(run)) if (name.endsWith('.pictures')) rmSync(join(run, name));
  let sentence = '';
  await trainJob({ ...cut, resume: true }).catch((error) => {
    sentence = error.message;
  });
  assert.match(sentence, /train\/class-0\/0\.png: gone since the run began.*start anew/);
});

test.run();
