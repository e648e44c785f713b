/** Gradients of the kept codes against f32, on drawings by people, after 20 steps: how true they must be, and that the measure itself is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fidelityRows } from '../../../src/report/fidelity.ts';
import { trainJob } from '../../../src/training/job.ts';
import { type FidelityJob, fidelity } from '../../../src/use/fidelity/fidelity.ts';
import type { Fidelity } from '../../../src/use/fidelity/measure.ts';
import { asks, does, refuses } from '../../cli/command.ts';
import { drawings } from '../../support/drawings.ts';
import { newFolder } from '../../support/folder.ts';
import { modelFolder } from '../../support/golden.ts';

const DRAWINGS = drawings(['apple', 'cat', 'fish', 'star'], 10);
const CACHE = newFolder();

const measure = (name: string, more: Partial<FidelityJob> = {}): Promise<Fidelity> =>
  fidelity({ model: name === OURS ? OURS : modelFolder(name), data: DRAWINGS, cacheFolder: CACHE, batches: 2, ...more });

/** Our ViT, pretrained; the other models' weights are random. */
const OURS = 'models/sketch-vit';

/** Model, picture size, method. */
const CASES: readonly (readonly [string, number | undefined, string])[] = [
  [OURS, undefined, 'bias'],
  [OURS, undefined, 'bias+prompt:rank=8+side:ratio=8'],
  ['vit-hf', 32, 'bias'],
  ['vit-hf', 32, 'bias+prompt:rank=2+side:ratio=6'],
  ['vit-timm', 32, 'lora'],
  ['deit3-timm', 32, 'full'],
  ['swin-hf', 32, 'bias'],
  ['swin-timm', 32, 'bias+prompt:rank=2+side:ratio=2'],
  ['convnext-hf', 44, 'bias'],
  ['convnext-timm', 64, 'bias+prompt:rank=2'],
  ['mobilenetv3-timm', 48, 'bias'],
  ['mobilenetv3-timm', 48, 'bias+prompt:rank=2+side:ratio=2'],
];

for (const [name, imageSize, method] of CASES)
  test(`${name}, ${method}: 0.99 for the whole, 0.95 for every module of every block`, async () => {
    const f = await measure(name, { method, ...(imageSize ? { imageSize } : {}) });
    assert.is(f.steps, 20);
    assert.is(f.pictures, 32);
    assert.ok(f.whole.cosine >= 0.99, `whole: ${f.whole.cosine}`);
    assert.ok(f.least.cosine >= 0.95, `${f.least.module} of block ${f.least.block}: ${f.least.cosine}`);
    assert.ok(f.whole.cosine < 1 && f.whole.error > 0 && f.whole.error < 0.15, `error ${f.whole.error}`);
    assert.ok(f.whole.bits > 1 && f.whole.bits < 16, `${f.whole.bits} bits`);
    const sum = (key: 'keptBytes' | 'tensors') => f.blocks.reduce((n, b) => n + b[key], 0);
    assert.is(sum('tensors'), f.whole.tensors);
    assert.ok(sum('keptBytes') <= f.whole.keptBytes);
    for (const block of f.blocks) {
      assert.is(
        block.modules.reduce((n, m) => n + m.tensors, 0),
        block.tensors,
      );
      const norm = Math.sqrt(block.modules.reduce((n, m) => n + m.norm ** 2, 0));
      assert.ok(Math.abs(norm / block.norm - 1) < 1e-9);
    }
    if (method.includes('side')) assert.ok(f.blocks.some((b) => b.modules.some((m) => m.module === 'side')));
  });

test('where every code is exact nothing differs: MobileNetV2, and exact itself', async () => {
  for (const [name, keep] of [
    ['mobilenetv2-hf-symmetric', 's2a'],
    ['vit-timm-gap', 'exact'],
  ] as const) {
    const f = await measure(name, { keep, imageSize: 48, steps: 2, batches: 1 });
    assert.is(f.whole.cosine, 1);
    assert.is(f.whole.error, 0);
    assert.is(f.whole.bits === 32, keep === 'exact');
  }
});

test('fewer bits are seen', async () => {
  const [eight, four] = [await measure('vit-hf', { keep: 's2a' }), await measure('vit-hf', { keep: 's2a,qkv=4' })];
  assert.ok(four.whole.error > eight.whole.error, `${four.whole.error} and ${eight.whole.error}`);
  // Heads of 16 channels: what four bits save, the headers of groups so small cost.
  assert.ok(four.whole.bits <= eight.whole.bits);
  assert.ok(four.blocks.every((b, i) => b.keptBytes <= eight.blocks[i]!.keptBytes));
});

test('where an adapter stands, without steps; as text, JSON and a page', async () => {
  const model = modelFolder('vit-timm-gap');
  const adapter = newFolder();
  await trainJob({ model, data: DRAWINGS, out: adapter, epochs: 2, batchSize: 8, method: 'bias+prompt:rank=2' });
  const before = readFileSync(join(adapter, 'adapter_model.safetensors'));
  const page = join(newFolder(), 'page.html');
  const args = [model, DRAWINGS, '--adapter', adapter, '--batches', '1', '--cache', CACHE];
  const f = asks<Fidelity>('fidelity', ...args, '--report', page);
  assert.is(f.method, 'bias+prompt:rank=2');
  assert.is(f.steps, 0);
  assert.ok(f.whole.cosine > 0.99);
  assert.equal(readFileSync(join(adapter, 'adapter_model.safetensors')), before);
  const html = readFileSync(page, 'utf8');
  assert.match(html, /<h2>Fidelity of the gradients<\/h2>/);
  const lines = does('fidelity', ...args).stdout.split('\n');
  for (const [name, , cosine] of fidelityRows(f)) {
    assert.ok(
      lines.some((line) => line.startsWith(name!) && line.includes(cosine!)),
      name,
    );
    assert.ok(html.includes(`<td>${cosine}</td>`));
  }
  assert.ok(lines.every((line, i) => i === 0 || line.length <= 80));
  refuses(2, ['fidelity', model, DRAWINGS, '--adapter', adapter, '--method', 'bias'], 'another method');
  refuses(2, ['train', model, DRAWINGS, '--out', newFolder(), '--fidelity'], '--fidelity', '--report');
  const trained = join(newFolder(), 'trained.html');
  does('train', model, DRAWINGS, '--out', newFolder(), '--epochs', '1', '--report', trained, '--fidelity');
  assert.match(readFileSync(trained, 'utf8'), /Fidelity of the gradients/);
});

test.run();
