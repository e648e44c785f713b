/** What may not depend on how a step is carried out: the policy, where it is exact, and the size of a micro-batch. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Io } from '../../assembly/abi/program.ts';
import { type JobResult, type TrainJob, trainJob } from '../../src/training/job.ts';
import { close } from '../support/close.ts';
import { newFolder } from '../support/folder.ts';
import { builtCases, goldenValues } from '../support/golden.ts';
import { goldenEngine } from '../support/goldenengine.ts';
import { pictureFolder } from '../support/pictures.ts';

const MOBILENET = 'test/golden/mobilenetv2-hf-symmetric';
const RESNET = 'test/golden/resnet-hf';
const VIT = 'test/golden/vit-timm-gap';
const DATA = pictureFolder({ train: 6, val: 4, noise: 120 });
const CACHE = newFolder();

interface Told {
  result: JobResult;
  losses: number[];
  adapter: string;
}

async function run(model: string, more: Partial<TrainJob>): Promise<Told> {
  const out = newFolder();
  const losses: number[] = [];
  const job: TrainJob = {
    model,
    data: DATA,
    out,
    cacheFolder: CACHE,
    epochs: 2,
    batchSize: 4,
    rate: 1e-2,
    augment: { shift: 4, flip: true },
  };
  const result = await trainJob({ ...job, ...more }, { onStep: ({ loss }) => losses.push(loss) });
  return { result, losses, adapter: readFileSync(join(out, 'adapter_model.safetensors')).toString('base64') };
}

for (const [model, method] of [
  [MOBILENET, 'bias'],
  [MOBILENET, 'probe'],
  [RESNET, 'bias'],
] as const)
  test(`${model}, ${method}: s2a and exact give the same adapter byte for byte`, async () => {
    const [s2a, exact] = [await run(model, { method, keep: 's2a' }), await run(model, { method, keep: 'exact' })];
    assert.equal(s2a.losses, exact.losses);
    assert.ok(s2a.adapter === exact.adapter);
    const kept = (told: Told) => told.result.plan.keptBytesPerImage;
    if (method === 'bias') assert.ok(kept(s2a) < kept(exact) / 4, `${kept(s2a)} and ${kept(exact)} bytes are kept`);
  });

test('MobileNetV2, full: what s2a keeps is smaller, and it learns nearly the same', async () => {
  // At the higher rate the small network's losses jump about, and differences grow with every step.
  const of = (keep: 's2a' | 'exact') => run(MOBILENET, { method: 'full', keep, rate: 1e-3 });
  const [s2a, exact] = [await of('s2a'), await of('exact')];
  assert.is(s2a.losses[0], exact.losses[0]);
  assert.is.not(s2a.adapter, exact.adapter);
  const [few, all] = [s2a, exact].map((told) => told.result.plan.keptBytesPerImage) as [number, number];
  assert.ok(few < all / 4, `${few} and ${all} bytes are kept`);
  close(s2a.losses, exact.losses, 0.05, 'losses');
});

test('ViT: s2a approximates, and learns nearly the same', async () => {
  const [s2a, exact] = [await run(VIT, { keep: 's2a' }), await run(VIT, { keep: 'exact' })];
  assert.is(s2a.losses[0], exact.losses[0]);
  assert.is.not(s2a.adapter, exact.adapter);
  close(s2a.losses, exact.losses, 0.05, 'losses');
});

for (const name of builtCases)
  test(`${name}: forward is bit-identical under both policies`, () => {
    const values = goldenValues(name);
    const [s2a, exact] = (['s2a', 'exact'] as const).map((keep) => {
      const engine = goldenEngine(name, values, { method: 'bias', keep });
      engine.run('eval');
      const logits = [...engine.ints(Io.Logits)];
      engine.run('train');
      return { logits, losses: [...engine.ints(Io.Losses)], evalLosses: [...engine.ints(Io.EvalLosses)] };
    });
    assert.equal(s2a, exact);
    assert.equal(s2a!.losses, s2a!.evalLosses, 'training sees what evaluation sees');
  });

for (const model of [VIT, MOBILENET])
  test(`${model}: micro-batches of 1, 2 and 4 train alike`, async () => {
    // SGD: AdamW would turn what rounding leaves of a vanishing gradient into a whole step.
    const of = (microBatch: number) => run(model, { microBatch, optimizer: 'sgd', rate: 1e-2, keep: 'exact' });
    const [one, two, four] = [await of(1), await of(2), await of(4)];
    assert.is(one.losses.length, 10);
    close(one.losses, four.losses, 1e-5, 'one by one');
    close(two.losses, four.losses, 1e-5, 'two by two');
    assert.is(one.result.epochs[0]!.val.count, 12);
  });

test.run();
