/** What a real run holds beside linear memory, in processes of its own, with photos as cameras make them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError } from '../../src/base/error.ts';
import { checkProcess, decoderShare, reserve } from '../../src/base/processmemory.ts';
import type { JobResult } from '../../src/training/job.ts';
import { asks } from '../cli/command.ts';
import { newFolder } from '../support/folder.ts';
import { modelFolder } from '../support/golden.ts';
import { photo } from '../support/photo.ts';
import { nodeTest } from '../support/runtime.ts';

const MIB = 1 << 20;

// In Deno the decoder is a thread, and the system's peak covers the whole run.
nodeTest('12-megapixel photos: under 160 MiB while preparing, under 80 MiB beyond linear memory while training', async () => {
  const data = await photos(4);
  const { memory, skipped } = asks<JobResult>('train', modelFolder('mobilenetv2-hf'), data, '--out', newFolder(), '--epochs', '2');
  assert.equal(skipped, []);
  assert.is(memory.linearBytes, memory.plannedBytes);
  const beyond = (memory.residentPeakBytes - memory.linearBytes) / MIB;
  assert.ok(beyond < 80, `${beyond.toFixed(1)} MiB beyond linear memory`);
  assert.ok(memory.residentPeakPreparingBytes < 160 * MIB, `${memory.residentPeakPreparingBytes / MIB} MiB while preparing`);
  assert.ok(memory.decoderPeakBytes > 40 * MIB && memory.decoderPeakBytes < 160 * MIB, `decoder ${memory.decoderPeakBytes / MIB} MiB`);
});

const photos = async (count: number): Promise<string> => {
  const data = newFolder();
  for (const [label, name] of ['a', 'b'].entries()) {
    mkdirSync(join(data, name));
    const jpeg = await photo(4032, 3024, 60 + 20 * label);
    for (let i = 0; i < count; i++) writeFileSync(join(data, name, `${i}.jpg`), jpeg);
  }
  return data;
};

nodeTest('a whole-process budget holds the decoder to its share, picture after picture', async () => {
  const budget = 158 * MIB;
  const args = ['--out', newFolder(), '--epochs', '1', '--process-budget', String(budget)];
  const { memory, skipped } = asks<JobResult>('train', modelFolder('mobilenetv2-hf'), await photos(2), ...args);
  assert.equal(skipped, []);
  const most = reserve.decoder! + decoderShare(budget, 1 << 30);
  assert.ok(memory.decoderPeakBytes < most, `decoder ${memory.decoderPeakBytes / MIB} MiB of ${most / MIB}`);
  assert.ok(memory.residentPeakBytes < budget);
});

test('a whole-process budget is shared between the phases by fixed figures, or refused with the smallest that serves', () => {
  assert.is(decoderShare(1 << 30, 128 * MIB), 128 * MIB);
  assert.is(decoderShare(reserve.preparing + 40 * MIB, 128 * MIB), 40 * MIB);
  assert.is(decoderShare(reserve.preparing - 1, 128 * MIB), 0);
  const refused = (budget: number, linear: number, threads: number, what: RegExp): void => {
    let smallest = 0;
    assert.throws(
      () => checkProcess(budget, linear, threads),
      (e: unknown) => {
        smallest = e instanceof BudgetError ? e.smallestBytes : 0;
        return what.test((e as Error).message) && smallest > budget;
      },
    );
    checkProcess(smallest, linear, threads);
    assert.throws(() => checkProcess(smallest - 1, linear, threads));
  };
  refused(reserve.preparing, 4 * MIB, 1, /preparing pictures needs/);
  // On Deno preparing takes more beside than training: so much linear memory that training needs the most anywhere.
  const linear = reserve.preparing;
  refused(reserve.training + linear - MIB, linear, 1, /training needs linear memory/);
  // Each thread has a runtime of its own.
  checkProcess(reserve.training + linear, linear, 1);
  refused(reserve.training + linear, linear, 3, /training needs/);
});

test.run();
