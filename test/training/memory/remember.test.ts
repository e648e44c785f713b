/** One class after the other: with a memory nothing is forgotten, without one everything but new rows is held. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../src/base/error.ts';
import { readAdapter } from '../../../src/formats/adapterfile.ts';
import { readMemory } from '../../../src/formats/memoryfile.ts';
import { FINEST, finenessOf } from '../../../src/pictures/coded.ts';
import { type JobResult, type TrainJob, trainJob } from '../../../src/training/job.ts';
import { herd } from '../../../src/training/memory/remember.ts';
import { loadClassifier } from '../../../src/use/classifier.ts';
import { newFolder } from '../../support/folder.ts';
import { pictureFolder } from '../../support/pictures.ts';

const MODEL = 'test/golden/vit-timm-gap';
const CACHE = newFolder();
const of = (...only: number[]): string => pictureFolder({ classes: 5, train: 12, val: 8, noise: 20, only });
const [FIRST, FOURTH, FIFTH] = [of(0, 1, 2), of(3), of(4)];
const ALL = of(0, 1, 2, 3, 4);
const learn = (data: string, more: Partial<TrainJob> = {}, said: string[] = []): Promise<JobResult> =>
  trainJob({ model: MODEL, data, out: newFolder(), cacheFolder: CACHE, epochs: 8, batchSize: 4, ...more }, { warn: (s) => said.push(s) });

async function refusedJob(run: Promise<unknown>, ...words: string[]): Promise<void> {
  try {
    await run;
  } catch (error) {
    assert.instance(error, InputError, (error as Error).stack);
    for (const word of words) assert.ok((error as Error).message.includes(word), `“${(error as Error).message}” lacks “${word}”`);
    return;
  }
  assert.unreachable(`nothing was refused; expected: ${words.join(' … ')}`);
}

test('herding keeps the mean of those so far nearest to that of all', () => {
  const rows = [
    [1, 0],
    [0, 1],
    [0.5, 0.5],
    [0.9, 0.2],
  ].map((row) => Float64Array.from(row));
  // The mean is (0.6, 0.425): the third is nearest, then it and the fourth together, then the second with them.
  assert.equal(herd([10, 11, 12, 13], rows), [12, 13, 11, 10]);
  assert.equal(herd([], []), []);
});

test('with a memory the classes of before are learnt and judged with the new ones', async () => {
  const first = await learn(FIRST, { memory: '96KiB' });
  assert.ok(first.remembered!.pictures === 60 && first.remembered!.bytes <= 96 << 10, JSON.stringify(first.remembered));
  assert.is(first.remembered!.bytes, statSync(join(first.adapter, 'memory.safetensors')).size);
  const said: string[] = [];
  const second = await learn(FOURTH, { from: first.adapter }, said);
  assert.equal(second.rehearsed.val, 24);
  assert.equal([second.isHeld, second.unjudged, said.filter((s) => s.includes('held'))], [false, [], []]);
  assert.is(second.judged.pictures, 32);
  assert.is(second.remembered!.pictures, 80);
  const third = await learn(FIFTH, { from: second.adapter });
  assert.ok(third.accuracy! > 0.7, `accuracy ${third.accuracy}`);
  const again = await learn(FIFTH, { from: second.adapter, threads: 1 });
  for (const name of ['adapter_model.safetensors', 'memory.safetensors', 'known.safetensors'])
    assert.equal(readFileSync(join(again.adapter, name)), readFileSync(join(third.adapter, name)), name);
  const none = await learn(FIFTH, { from: second.adapter, memory: 0, epochs: 1 });
  assert.is(none.remembered, null);
  assert.not.ok(existsSync(join(none.adapter, 'memory.safetensors')));
});

test('a small memory holds some of each class; too small a one is refused before a step', async () => {
  const { remembered, adapter } = await learn(FIRST, { memory: 4000, epochs: 1 });
  assert.ok(remembered!.pictures >= 3 && remembered!.bytes <= 4000, JSON.stringify(remembered));
  const more = await learn(FOURTH, { from: adapter, epochs: 1 });
  assert.equal(more.unjudged, []);
  await refusedJob(learn(FIRST, { memory: 600 }), '--memory', 'too small for one picture of each class', 'got 600 bytes');
});

test('where there is room pictures are coded finely; where more come they are coded again before one is given up', async () => {
  const finest = (path: string): number[] => {
    const adapter = readAdapter(path);
    const { entries } = readMemory(adapter)!;
    adapter.weights.close();
    return entries.map(({ code }) => finenessOf(code));
  };
  const first = await learn(FIRST, { memory: '96KiB', epochs: 1 });
  assert.equal(new Set(finest(first.adapter)), new Set([FINEST]));
  const { bytes, pictures } = first.remembered!;
  const more = await learn(FOURTH, { from: first.adapter, memory: bytes, epochs: 1 });
  assert.is(more.remembered!.pictures, pictures + 20);
  assert.ok(more.remembered!.bytes <= bytes && Math.max(...finest(more.adapter)) < FINEST, String(more.remembered!.bytes));
});

test('without a memory all but the new rows stays, and what cannot be judged is named', async () => {
  const { adapter } = await learn(FIRST);
  const said: string[] = [];
  const held = await learn(FOURTH, { from: adapter }, said);
  assert.ok(
    said.some((s) => s.includes('class-0, class-1, class-2') && s.includes('held')),
    said.join('\n'),
  );
  assert.equal([held.isHeld, held.unjudged, held.warning], [true, ['class-0', 'class-1', 'class-2'], null]);
  const [before, after] = [readAdapter(adapter), readAdapter(held.adapter)];
  for (const tensor of before.weights.tensors.values()) {
    if (tensor.name === 's2a.rates') continue;
    const bytes = (file: typeof before): Uint8Array => {
      const all = new Uint8Array(file.weights.tensor(tensor.name).bytes);
      file.weights.read(file.weights.tensor(tensor.name), all);
      return all.subarray(0, tensor.bytes);
    };
    assert.equal(bytes(after), bytes(before), tensor.name);
  }
  before.weights.close();
  after.weights.close();
  // What is unknown is told with the new class too.
  assert.ok('judged' in held.known && held.known.judged === 32);
  assert.ok('share' in loadClassifier(held.adapter, { model: MODEL }).unknown);
  const next = await learn(FIFTH, { from: held.adapter });
  assert.is(next.isHeld, true);
});

test('what cannot be learnt without forgetting is refused; --lr learns all the same', async () => {
  const { adapter } = await learn(FIRST, { epochs: 1 });
  await refusedJob(learn(of(0), { from: adapter }), 'only classes that', 'class-1, class-2', '--memory');
  const said: string[] = [];
  const forced = await learn(FOURTH, { from: adapter, rate: 1e-3, epochs: 1 }, said);
  assert.ok(!forced.isHeld && said.some((s) => s.includes('may cost')));
  await refusedJob(learn(FOURTH), 'only one class');
  await refusedJob(learn(ALL, { memory: 'much' as never }), '--memory');
});

test.run();
