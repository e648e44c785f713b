/** The watch without JavaScript: the same going back, the same bytes, and either goes on where the other stopped around it. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interrupted } from '../../src/base/error.ts';
import { type JobHooks, trainJob } from '../../src/training/job.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';
import { adapterDigest, type Board, pack } from './board.ts';

const CACHE = newFolder();
const JOB = {
  ...{ model: 'test/golden/vit-timm-gap', data: pictureFolder({ train: 5, val: 4, noise: 60 }), cacheFolder: CACHE },
  ...{ epochs: 2, batchSize: 6, microBatch: 2, rate: 1, seed: 2, augment: { shift: 4, flip: true } },
};

interface Pair {
  board: Board;
  digest: string;
  said: string[];
}

/** Trained here, and packed; `said`: what the watch said. */
async function pair(job: object): Promise<Pair> {
  const out = newFolder();
  const said: string[] = [];
  const hooks: JobHooks = { onBack: ({ epoch, to, rate }) => said.push(`${epoch} to ${to} at ${Number(rate.toPrecision(6))}`) };
  await trainJob({ ...JOB, ...job, out }, hooks);
  return { board: await pack({ ...JOB, ...job }), digest: adapterDigest(out), said };
}

/** The same words from what s2a.wasm logged. */
const logged = (out: string): string[] =>
  readFileSync(join(out, 'run', 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { back?: number; epoch: number; to: number; rate: number })
    .filter(({ back }) => back !== undefined)
    .map(({ epoch, to, rate }) => `${epoch} to ${to} at ${Number(rate.toPrecision(6))}`);

const CASES: readonly [string, object][] = [
  ['a loss too high in the last epoch', {}],
  ['numbers that are not finite, then a loss too high', { optimizer: 'sgd', clipNorm: 0, rate: 1e4 }],
  ['back to the best epoch', { warmup: 1, epochs: 6, batchSize: 3, microBatch: 3 }],
  ['smoothed', { smoothing: 0.1 }],
];
for (const [name, job] of CASES)
  test(`${name}: the same adapter, byte for byte, whatever stopped it`, async () => {
    const { board, digest, said } = await pair(job);
    assert.ok(said.length > 0);
    const out = newFolder();
    const ran = board.train(out);
    assert.is(ran.code, 0, ran.err);
    assert.is(adapterDigest(out), digest);
    assert.equal(logged(out), said);
    assert.match(ran.err, /; the run goes back to (its start|the end of epoch \d) and goes on with a tenth of the rate: /);
    // Here and there by turns, two steps each.
    const turns = newFolder();
    for (let turn = 0; ; turn++) {
      assert.ok(turn < 60);
      if (turn % 2 === 0) {
        const { code, err } = board.train(turns, '--resume', '--steps', '2', ...(turn % 3 === 0 ? ['--save-every', '1'] : []));
        if (code === 0) break;
        assert.is(code, 5, err);
      } else if (await stopped({ ...JOB, ...job, out: turns, resume: true }, 5)) break;
    }
    assert.is(adapterDigest(turns), digest);
  });

/** Node's run; false where it was stopped after so many micro-batches. */
async function stopped(job: Parameters<typeof trainJob>[0], after: number): Promise<boolean> {
  let asked = 0;
  try {
    await trainJob(job, { stopping: () => ++asked === after });
    return true;
  } catch (error) {
    if (error instanceof Interrupted) return false;
    throw error;
  }
}

test('what both keep in a run folder is the same, before the first step, after going back and at the end', async () => {
  const { board } = await pair({});
  const [here, there] = [newFolder(), newFolder()];
  await trainJob({ ...JOB, out: here });
  board.train(there);
  const list = (out: string): string[] =>
    readdirSync(join(out, 'run'), { recursive: true })
      .map(String)
      .filter((name) => name.endsWith('.s2ac'))
      .sort();
  assert.equal(list(here), list(there));
  assert.ok(list(here).includes('start/checkpoint-0.s2ac'));
  for (const name of list(here))
    assert.is(Buffer.compare(readFileSync(join(here, 'run', name)), readFileSync(join(there, 'run', name))), 0, name);
});

test('a run that ends where it began says so, and so does one that only went back', async () => {
  const lost = await pack({ ...JOB, rate: 1e4 });
  const ran = lost.train(newFolder());
  assert.is(ran.code, 0, ran.err);
  assert.match(
    ran.out,
    /\nwarning: the same answer for every picture: no better than always saying class-0 even with a hundredth of the rate; pack with a smaller/,
  );
  const off = await pack({ ...JOB, retries: 0 });
  const plain = off.train(newFolder());
  assert.not.match(plain.err, /goes back/);
  const well = (await pair({})).board.train(newFolder());
  assert.not.match(well.out, /warning/);
});

test('patience ends both at the same epoch', async () => {
  const job = { rate: 0.1, epochs: 30, patience: 2, data: pictureFolder({ train: 5, val: 4, noise: 120 }) };
  const out = newFolder();
  const { epochs, bestEpoch } = await trainJob({ ...JOB, ...job, out });
  assert.ok(epochs.length < 30, `${epochs.length} epochs`);
  assert.is(epochs.length, bestEpoch + 2);
  const board = await pack({ ...JOB, ...job });
  const there = newFolder();
  for (let time = 0; board.train(there, '--resume', '--steps', '4').code === 5; time++) assert.ok(time < 60);
  assert.is(adapterDigest(there), adapterDigest(out));
  const log = readFileSync(join(there, 'run', 'metrics.jsonl'), 'utf8');
  assert.is(log.match(/"trainLoss"/g)!.length, epochs.length);
});

test('nothing to judge by: the last epoch, the same bytes, and no word of an accuracy', async () => {
  const job = { rate: 0.1, epochs: 3, holdOut: 0, data: join(JOB.data, 'train') };
  const { board, digest } = await pair(job);
  const out = newFolder();
  const ran = board.train(out, '--resume');
  assert.is(ran.code, 0, ran.err);
  assert.is(adapterDigest(out), digest);
  assert.match(ran.err, /15 pictures to learn from, 0 to judge by\nnothing to judge by: the last epoch is kept/);
  assert.match(ran.out, /^nothing to judge by: the last epoch is kept, and no accuracy is known\nwritten/);
  const judged = board.run('eval', ['--adapter', '/out', '--data', '/board'], { out });
  assert.is(judged.code, 2);
  assert.match(judged.err, /val-images\.npy: holds no pictures/);
  // A last step that leaves numbers which are none is seen without judging.
  const last = {
    ...job,
    method: 'probe',
    optimizer: 'sgd',
    rate: 1e30,
    weightDecay: 1e9,
    epochs: 1,
    batchSize: 16,
    microBatch: 4,
  } as const;
  const hot = await pair(last);
  assert.equal(hot.said, ['1 to 0 at 1e+29']);
  const cooled = newFolder();
  assert.is(hot.board.train(cooled).code, 0);
  assert.is(adapterDigest(cooled), hot.digest);
  const off = (await pack({ ...JOB, ...last, retries: 0 })).train(newFolder());
  assert.is(off.code, 4);
  assert.match(off.err, /a number that was learnt is NaN or infinite; pack with a smaller --lr\n$/);
});

test('uneven classes: the share of the larger, each class alike, and the worst', async () => {
  const data = pictureFolder({ train: 8, val: 8, classes: 2, noise: 60 });
  for (let i = 2; i < 8; i++) rmSync(join(data, 'val', 'class-1', `${i}.png`));
  const job = { ...JOB, data, rate: 0.01 };
  const out = newFolder();
  const { judged } = await trainJob({ ...job, out });
  assert.is(judged.chance, 0.8);
  const board = await pack(job);
  const ran = board.train(newFolder());
  const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
  const { worst } = judged;
  assert.ok(
    ran.out.startsWith(`accuracy ${percent(judged.accuracy!)} on 10 pictures, epoch `) &&
      ran.out.includes(
        `; chance 80.0 % (always class-0)\nbalanced ${percent(judged.balanced!)}, the mean over classes; worst ${worst!.label}: ${worst!.correct} of ${worst!.count}\n`,
      ),
    ran.out,
  );
});

test.run();
