/** Pictures that are not square: planned, trained, judged, packed and merged; the board's bytes are Node's. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import type { ImageSize } from '../../src/input/fields.ts';
import { trainJob } from '../../src/training/job.ts';
import { loadClassifier } from '../../src/use/classifier.ts';
import { mergeAdapter } from '../../src/use/merge/merge.ts';
import { asks, does, refuses } from '../cli/command.ts';
import { close } from '../support/close.ts';
import { newFolder, refused } from '../support/folder.ts';
import { logitsOf, movedAdapter } from '../support/mergecase.ts';
import { pictureFolder } from '../support/pictures.ts';
import { published, publishedFolder } from '../support/publishedcase.ts';
import { adapterDigest, pack } from '../wasi/board.ts';

const DATA = pictureFolder({ train: 4, val: 3, noise: 120 });
/** Height and width asked for where they are not the model's own; a method. */
const CASES: [string, ImageSize | undefined, string, [number, number]][] = [
  ['vit-wide', undefined, 'bias+prompt:rank=2+side:ratio=4', [24, 40]],
  ['vit-bare', [40, 24], 'bias', [40, 24]],
  ['swin-wide', undefined, 'full', [32, 64]],
  ['resnet-bare', [48, 80], 'bias', [48, 80]],
  ['mobilenetv2-bare', [32, 48], 'bias', [32, 48]],
  ['vit-timm-wide', undefined, 'bias', [24, 40]],
];

for (const [name, imageSize, method, size] of CASES)
  test(`${name} at ${size.join('x')}: the board learns what Node learns, and both see alike`, async () => {
    const model = publishedFolder(published[name]!);
    const job = {
      ...{ model, data: DATA, method, epochs: 2, batchSize: 4, rate: 0.02, seed: 3, augment: { shift: 3, flip: true } },
      ...(imageSize === undefined ? {} : { imageSize }),
    };
    const [out, there] = [newFolder(), newFolder()];
    await trainJob({ ...job, out });
    const board = await pack(job);
    const ran = board.train(there);
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(there), adapterDigest(out));
    const adapter = readAdapter(out);
    adapter.weights.close();
    assert.equal(adapter.base.imageSize, size);
    const classifier = loadClassifier(out, { model });
    const pixels = Uint8Array.from({ length: size[0] * size[1] * 3 }, (_, i) => (i * 37) % 251);
    const [best] = classifier.predictPrepared(pixels);
    const told = board.run('predict', ['--adapter', '/out'], { out, stdin: pixels });
    assert.is(told.code, 0, told.err);
    assert.is(/^0\s+(\S+)/.exec(told.out)![1], best!.label);
    // Goes on where it was, without being told the size again.
    await trainJob({ model, data: DATA, from: out, out: newFolder(), epochs: 1, batchSize: 4 });
  });

test('a merged folder takes the same pictures', () => {
  for (const [name, imageSize] of [
    ['vit-wide', undefined],
    ['vit-bare', [40, 24]],
    ['swin-wide', undefined],
    ['vit-timm-wide', undefined],
  ] as [string, ImageSize | undefined][]) {
    const model = publishedFolder(published[name]!);
    const [adapter, out] = [newFolder(), newFolder()];
    movedAdapter(model, 'bias', adapter, { imageSize });
    mergeAdapter({ model, adapter, out });
    close(logitsOf(out, undefined).logits, logitsOf(model, adapter).logits, 2e-5, name);
  }
  // Resized until it covers height and width: no image processor of the other library does that.
  const model = publishedFolder(published['resnet-bare']!);
  const [adapter, out] = [newFolder(), newFolder()];
  movedAdapter(model, 'bias', adapter, { imageSize: [48, 80] });
  refused(() => mergeAdapter({ model, adapter, out }), 'no image processor', '48x80');
});

test('on the command line: plan, train, eval, predict', () => {
  const model = publishedFolder(published['resnet-bare']!);
  const out = newFolder();
  assert.match(does('plan', model, '--image-size', '48x80').stdout, /^resnet 48x80, /);
  assert.equal(asks<{ imageSize: number[] }>('plan', model, '--image-size', '64').imageSize, [64, 64]);
  does('train', model, DATA, '--out', out, '--epochs', '1', '--image-size', '48x80', '--augment', 'crop,flip');
  assert.match(does('eval', model, out, DATA).stdout, /^accuracy /);
  assert.match(does('predict', model, out, join(DATA, 'val', 'class-0', '0.png')).stdout, /class-\d/);
  assert.match(readFileSync(join(out, 'adapter_config.json'), 'utf8'), /"imageSize": \[\s*48,\s*80\s*\]/);
  for (const value of ['48x', 'x80', '48x80x3', '48,80', 'wide', '0x80', '48x5000', '0'])
    refuses(2, ['plan', model, '--image-size', value], '--image-size', value.includes('0') && /^\d+(x\d+)?$/.test(value) ? '4096' : value);
});

test.run();
