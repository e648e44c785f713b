/** trainJob leaves the event loop its turns: a service goes on answering while it trains. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createPace } from '../../src/base/pace.ts';
import { trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

/** Longest time between two turns of a timer, by what the job was at. */
async function gapsOf(job: Partial<Parameters<typeof trainJob>[0]>): Promise<{ gaps: Record<string, number>; seconds: number }> {
  const gaps: Record<string, number> = {};
  let [part, last] = ['plan', performance.now()];
  const look = (): void => {
    const now = performance.now();
    gaps[part] = Math.max(gaps[part] ?? 0, now - last);
    last = now;
  };
  const to = (next: string): void => {
    look();
    part = next;
  };
  const timer = setInterval(look, 1);
  let began = 0;
  const base = { model: 'models/sketch-vit', data: pictureFolder({ train: 8, val: 8 }), out: newFolder(), imageSize: 84, threads: 1 };
  try {
    await trainJob(
      { ...base, epochs: 2, batchSize: 8, microBatch: 8, ...job },
      {
        onPrepared: () => to('before the first step'),
        onStart: () => {
          to('train');
          began = performance.now();
        },
      },
    );
    look();
  } finally {
    clearInterval(timer);
  }
  return { gaps, seconds: (performance.now() - began) / 1000 };
}

for (const job of [{ method: 'bias' }, { method: 'bias', calibrate: 8 }, { method: 'probe', head: 'ridge' as const }])
  test(`${JSON.stringify(job)}: no pass keeps the event loop waiting for 50 ms`, async () => {
    // A busy machine may take a turn away for longer than that; one try of five must show that we do not.
    let found: Awaited<ReturnType<typeof gapsOf>> | undefined;
    for (let attempt = 0; attempt < 5; attempt++) {
      found = await gapsOf(job);
      if (found.gaps.train! < 50) break;
    }
    assert.ok(found!.gaps.train! < 50, JSON.stringify(found));
  });

test('a range is walked whole, in order, whatever its pieces, and one that has grown slow is measured again', async () => {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const words = new Int32Array(memory.buffer);
  // Ten instructions of five words.
  for (let i = 0; i < 10; i++) words[5 * i + 1] = 5;
  const walked: [number, number][] = [];
  let ms = 3;
  const pace = createPace(memory, async ({ start, end }) => {
    walked.push([start, end]);
    const until = performance.now() + (ms * (end - start)) / 20;
    while (performance.now() < until);
  });
  const pass = async (): Promise<number> => {
    walked.length = 0;
    await pace({ start: 0, end: 200 });
    assert.is(walked[0]![0], 0);
    assert.is(walked.at(-1)![1], 200);
    for (let i = 1; i < walked.length; i++) assert.is(walked[i]![0], walked[i - 1]![1]);
    return walked.length;
  };
  assert.is(await pass(), 10);
  const few = await pass();
  assert.ok(few >= 4 && few < 10, `${few} pieces`);
  ms = 30;
  await pass();
  assert.is(await pass(), 10);
});

test.run();
