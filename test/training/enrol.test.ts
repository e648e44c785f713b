/** Classes without training: as many right as a trained probe, the same bytes again, rows of an earlier adapter untouched. */
import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { enrolJob } from '../../src/training/enrol.ts';
import { trainJob } from '../../src/training/job.ts';
import { enrolJob as publicEnrol } from '../../src/use/library.ts';
import { judgeAdapter } from '../../targets/cli/judge.ts';
import { drawings } from '../support/drawings.ts';
import { newFolder, refusedLater } from '../support/folder.ts';

const MODEL = 'models/sketch-vit';
const CLASSES = ['bicycle', 'cat', 'house', 'star', 'tree'];
// The first five of each to learn from; those behind them to judge by.
const five = drawings(CLASSES, 5);
const others = drawings(CLASSES, 17);
for (const name of CLASSES) for (let i = 0; i < 5; i++) rmSync(join(others, name, `${i}.png`));
const accuracy = async (adapter: string): Promise<number> => {
  const { tally } = await judgeAdapter({ model: MODEL, adapter, data: others, split: 'all' });
  return tally.correct / tally.count;
};
const enrolled = newFolder();

/** A folder with some of the classes. */
function only(names: readonly string[]): string {
  const root = newFolder();
  for (const name of names) {
    mkdirSync(join(root, name));
    cpSync(join(five, name), join(root, name), { recursive: true });
  }
  return root;
}

test('five pictures a class: within two points of a trained probe, and an adapter that training goes on from', async () => {
  const found = await enrolJob({ model: MODEL, data: five, out: enrolled });
  assert.equal([found.classes, found.added, found.head!.pictures, found.skipped], [CLASSES, CLASSES, 25, []]);
  const probe = newFolder();
  await trainJob({ model: MODEL, data: five, out: probe, method: 'probe', holdOut: 0, epochs: 5 });
  const [own, trained] = [await accuracy(enrolled), await accuracy(probe)];
  assert.ok(own >= trained - 0.02 && own > 0.7, `enrolled ${own}, trained ${trained}`);
  const later = newFolder();
  const { classes } = await trainJob({ model: MODEL, data: five, out: later, from: enrolled, epochs: 1, batchSize: 10 });
  assert.equal(classes, CLASSES);
});

test('the same bytes on any number of threads', async () => {
  const again = newFolder();
  await enrolJob({ model: MODEL, data: five, out: again, threads: 3 });
  const bytes = (folder: string): string => readFileSync(join(folder, 'adapter_model.safetensors')).toString('base64');
  assert.is(bytes(again), bytes(enrolled));
});

test('classes join an adapter whose rows stay as they are', async () => {
  const [first, second] = [newFolder(), newFolder()];
  await trainJob({ model: MODEL, data: only(['cat', 'star']), out: first, epochs: 2, batchSize: 10, holdOut: 0 });
  const { classes, added } = await enrolJob({ model: MODEL, data: only(['bicycle', 'cat', 'house']), out: second, from: first });
  assert.equal(
    [classes, added],
    [
      ['cat', 'star', 'bicycle', 'house'],
      ['bicycle', 'house'],
    ],
  );
  const [before, after] = [readAdapter(first), readAdapter(second)];
  assert.is(after.method, before.method);
  for (const record of before.weights.tensors.values()) {
    if (record.name === 's2a.rates') continue;
    const [old, now] = [new Float32Array(record.bytes / 4), new Float32Array(after.weights.tensor(record.name).bytes / 4)];
    before.weights.read(record, new Uint8Array(old.buffer));
    after.weights.read(after.weights.tensor(record.name), new Uint8Array(now.buffer));
    assert.equal(now.subarray(0, old.length), old, record.name);
    if (now.length > old.length) assert.ok(now.subarray(old.length).some((v) => v !== 0));
  }
  before.weights.close();
  after.weights.close();
});

test('one class joins others of which no picture is there', async () => {
  const [first, second] = [newFolder(), newFolder()];
  await enrolJob({ model: MODEL, data: only(['bicycle', 'cat', 'house', 'star']), out: first });
  const { added } = await enrolJob({ model: MODEL, data: only(['tree']), out: second, from: first });
  assert.equal(added, ['tree']);
  const [joined, together] = [await accuracy(second), await accuracy(enrolled)];
  assert.ok(joined >= together - 0.12, `one after the other ${joined}, all at once ${together}`);
  // Without what the adapter knew of its own classes there is nothing to tell them by.
  rmSync(join(first, 'known.safetensors'));
  await refusedLater(
    enrolJob({ model: MODEL, data: only(['tree']), out: newFolder(), from: first }),
    'only one class',
    'known.safetensors is not beside it',
  );
});

test('what cannot be enrolled is refused', async () => {
  await refusedLater(
    enrolJob({ model: MODEL, data: five, out: newFolder(), from: enrolled }),
    'no class that the adapter lacks',
    'train --from',
  );
  await refusedLater(enrolJob({ model: MODEL, data: only(['cat']), out: newFolder() }), 'only one class');
  await refusedLater(enrolJob({ model: MODEL, data: five, out: enrolled, from: enrolled }), 'is the folder of --from');
  await refusedLater(enrolJob({ model: MODEL, data: five, out: join(five, 'x') }), '--out');
  await refusedLater(publicEnrol({ model: MODEL, data: five, out: newFolder(), epochs: 3 } as never), 'epochs', 'unknown option');
});

test.run();
