/** What a real run holds beside linear memory, in processes of its own, with photos as cameras make them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError } from '../src/error.ts';
import { shareProcess } from '../src/footprint.ts';
import type { JobResult } from '../src/job.ts';
import { asks } from './cli/command.ts';
import { photo } from './data/photo.ts';
import { newFolder } from './folder.ts';
import { modelFolder } from './golden.ts';
import { nodeTest } from './runtime.ts';

const MIB = 1 << 20;

// In Deno the decoder is a thread, and the system's peak covers the whole run.
nodeTest('12-megapixel photos: under 160 MiB while preparing, under 80 MiB beyond linear memory while training', async () => {
  const data = newFolder();
  for (const [label, name] of ['a', 'b'].entries()) {
    mkdirSync(join(data, name));
    const jpeg = await photo(4032, 3024, 60 + 20 * label);
    for (let i = 0; i < 4; i++) writeFileSync(join(data, name, `${i}.jpg`), jpeg);
  }
  const { memory, skipped } = asks<JobResult>('train', modelFolder('mobilenetv2-hf'), data, '--out', newFolder(), '--epochs', '2');
  assert.equal(skipped, []);
  assert.is(memory.linearBytes, memory.plannedBytes);
  const beyond = (memory.residentPeakBytes - memory.linearBytes) / MIB;
  assert.ok(beyond < 80, `${beyond.toFixed(1)} MiB beyond linear memory`);
  assert.ok(memory.residentPeakPreparingBytes < 160 * MIB, `${memory.residentPeakPreparingBytes / MIB} MiB while preparing`);
  assert.ok(memory.decoderPeakBytes > 40 * MIB && memory.decoderPeakBytes < 160 * MIB, `decoder ${memory.decoderPeakBytes / MIB} MiB`);
});

test('a whole-process budget is shared between the phases, or refused', () => {
  const decoder = { wantedBytes: 128 * MIB, overheadBytes: 44 * MIB };
  assert.is(shareProcess(1 << 30, 16 * MIB, 1, decoder), decoder.wantedBytes);
  const idle = process.memoryUsage.rss();
  const tight = shareProcess(idle + 100 * MIB, 16 * MIB, 1, decoder);
  assert.ok(tight >= 16 * MIB && tight <= 57 * MIB, `${tight / MIB} MiB for the decoder`);
  const refused = (budget: number, linear: number, what: RegExp): void => {
    assert.throws(
      () => shareProcess(budget, linear, 1, decoder),
      (e: unknown) => e instanceof BudgetError && what.test(e.message) && e.smallestBytes > budget,
    );
  };
  refused(idle + 30 * MIB, 4 * MIB, /preparing pictures needs/);
  refused(idle + 90 * MIB, 90 * MIB, /training needs linear memory/);
  // Each thread has a runtime of its own.
  assert.throws(() => shareProcess(idle + 70 * MIB, 16 * MIB, 5, decoder), /training needs/);
});

test.run();
