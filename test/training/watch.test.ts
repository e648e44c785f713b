/** The watch over a run: its rules, a run that goes back, and that whatever stops it there changes no byte of what it ends in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Astray, astray, beatsMost, constantTerm, isTime, ln, showsLearning } from '../../assembly/abi/watch.ts';
import { Interrupted } from '../../src/base/error.ts';
import { type JobResult, type TrainJob, trainJob } from '../../src/training/job.ts';
import type { TrainHooks } from '../../src/training/train.ts';
import { newFolder } from '../support/folder.ts';
import { pictureFolder } from '../support/pictures.ts';

test('ln is the logarithm', () => {
  for (let x = 1; x > 1e-9; x *= 0.937) assert.ok(Math.abs(ln(x) - Math.log(x)) <= 1e-15 * (1 - Math.log(x)), `ln ${x}`);
  assert.is(ln(1), 0);
});

test('the loss of the best constant answer: entropy of the frequencies, smoothed where the targets are', () => {
  const loss = (counts: number[], smoothing: number): number => {
    const total = counts.reduce((a, b) => a + b);
    return counts.reduce((sum, n) => sum + constantTerm(n, total, counts.length, smoothing), 0);
  };
  const near = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-12, `${a} is not ${b}`);
  near(loss([7, 7, 7, 7], 0), Math.log(4));
  near(loss([2, 1, 1], 0), 1.5 * Math.log(2));
  near(loss([4, 0], 0), 0);
  near(loss([7, 7, 7, 7], 0.1), Math.log(4));
  // Targets 0.95 and 0.05 of one class alone: the same as a coin of these odds.
  near(loss([4, 0], 0.1), -0.95 * Math.log(0.95) - 0.05 * Math.log(0.05));
  near(loss([10000, 5], 0), -(10000 / 10005) * Math.log(10000 / 10005) - (5 / 10005) * Math.log(5 / 10005));
});

test('more right than luck: three standard deviations above the most frequent class', () => {
  assert.is(beatsMost(19, 100, 10), false);
  assert.is(beatsMost(20, 100, 10), true);
  assert.is(beatsMost(100, 100, 100), false, 'one class');
  assert.is(beatsMost(5, 5, 4), false, 'few pictures prove nothing');
  assert.is(beatsMost(3, 100, 10), false);
});

const TEN = Math.log(10);
/** Means of an epoch over 400 pictures, 100 judged, ten classes alike, the first step at ln 10. */
const look = (
  loss: number,
  valLoss: number,
  valCorrect: number,
  isOneAnswer = false,
  { before = TEN, constant = TEN, most = 10 } = {},
): Astray =>
  showsLearning(400 * loss, 40, 400, most * 4, constant) || showsLearning(100 * valLoss, valCorrect, 100, most, constant)
    ? Astray.No
    : astray(loss, before, constant, TEN, isOneAnswer);

test('networks that a rate has destroyed are seen', () => {
  // An ImageNet network at 2e-2, and another at 1e-1: epochs as they were measured.
  assert.is(look(2.3495, 2.305, 10, true), Astray.OneAnswer);
  assert.is(look(4.1516, 2.854, 6), Astray.Loss);
  assert.is(look(9.6081, 6.949, 10), Astray.Loss);
  // With a head that began at what the features say.
  assert.is(look(2.33, 2.31, 10, true, { before: 0.8 }), Astray.OneAnswer);
  // Uneven classes that are not merely unlearnt.
  assert.is(look(3.1, 2.5, 70, false, { constant: 1.2, most: 70 }), Astray.Loss);
});

test('slow, hot and uneven runs that are sound are left alone', () => {
  assert.is(look(2.301, 2.3, 12), Astray.No, 'a small rate');
  assert.is(look(TEN, TEN, 10, true), Astray.No, 'so small that nothing moves');
  assert.is(look(2.31, 2.304, 10, true), Astray.No, 'other pictures of the same class come an epoch later');
  assert.is(look(3.4, 2.9, 45), Astray.No, 'hot, but right');
  assert.is(look(3.4, 1.9, 20), Astray.No, 'hot, and better on what it never saw');
  assert.is(
    look(0.5, 0.4, 99, true, { before: 0.69, constant: 0.04, most: 99 }),
    Astray.No,
    'few and many: one answer is the first thing learnt',
  );
  assert.is(look(5.2, 6, 10, false, { before: 8 }), Astray.No, 'an adapter that meets other classes');
});

test('when it looks: from the second epoch and some steps on, after one that was no better; at the last where there is something to judge by', () => {
  assert.is(isTime(1, 20, 500, 100, false), false);
  assert.is(isTime(2, 20, 15, 100, false), false);
  assert.is(isTime(2, 20, 16, 100, false), true);
  assert.is(isTime(2, 20, 16, 100, true), false, 'a single bad epoch may pass');
  assert.is(isTime(2, 20, 16, 0, false), true);
  assert.is(isTime(1, 1, 2, 100, false), true);
  assert.is(isTime(2, 2, 2, 100, true), false, 'what was learnt before it is kept');
  assert.is(isTime(1, 1, 2, 0, false), false);
});

const CACHE = newFolder();
const JOB = {
  ...{ model: 'test/golden/vit-timm-gap', data: pictureFolder({ train: 5, val: 4, noise: 60 }), cacheFolder: CACHE },
  ...{ epochs: 2, batchSize: 6, microBatch: 2, rate: 1, seed: 2, augment: { shift: 4, flip: true } },
};
/** Each with where it goes back: reason, epoch, target. */
const CASES: readonly [name: string, job: object, backs: readonly [Astray, number, number][]][] = [
  ['a loss too high in the last epoch', {}, [[Astray.Loss, 2, 0]]],
  [
    'numbers that are not finite, then a loss too high',
    { optimizer: 'sgd', clipNorm: 0, rate: 1e4 },
    [
      [Astray.NotFinite, 2, 0],
      [Astray.Loss, 2, 0],
    ],
  ],
  [
    'a rate that rises until it destroys: back to the best epoch',
    { warmup: 1, epochs: 6, batchSize: 3, microBatch: 3 },
    [[Astray.Loss, 5, 1]],
  ],
];

type Back = Parameters<NonNullable<TrainHooks['onBack']>>[0];
const adapter = (out: string): string => readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');

interface Whole {
  out: string;
  result: JobResult;
  backs: Back[];
  /** How often `stopping` was asked, and how often before each going back. */
  asked: number;
  around: number[];
}

async function whole(job: object): Promise<Whole> {
  const out = newFolder();
  const backs: Back[] = [];
  const around: number[] = [];
  let asked = 0;
  const result = await trainJob(
    { ...JOB, ...job, out },
    {
      stopping: () => ++asked < 0,
      onBack(back) {
        backs.push(back);
        around.push(asked);
      },
    },
  );
  return { out, result, backs, asked, around };
}

async function interrupted(job: TrainJob, after: number): Promise<void> {
  let asked = 0;
  try {
    await trainJob(job, { stopping: () => ++asked === after });
  } catch (error) {
    if (error instanceof Interrupted) return;
    throw error;
  }
  assert.unreachable(`not interrupted after ${after}`);
}

for (const [name, job, wanted] of CASES)
  test(`${name}: it goes back with a tenth of the rate, and resumed at any moment ends in the same bytes`, async () => {
    const { out, result, backs, asked, around } = await whole(job);
    assert.equal(
      backs.map(({ reason, epoch, to }) => [reason, epoch, to]),
      wanted,
    );
    assert.is(result.wentBack, wanted.length);
    const rate = { ...JOB, ...job }.rate * 0.1 ** wanted.length;
    assert.ok(Math.abs(result.finalRate / rate - 1) < 1e-6, `${result.finalRate} is not ${rate}`);
    assert.is(result.epochs.length, { ...JOB, ...job }.epochs, 'all epochs are learnt');
    const reference = adapter(out);
    // Every point near a going back; of the others some.
    for (let after = 1; after < asked; after++) {
      if (!around.some((at) => Math.abs(after - at) <= 3) && after % 11 !== 0) continue;
      const again = { ...JOB, ...job, out: newFolder(), saveEvery: 1 + (after % 3) };
      await interrupted(again, after);
      const ended = await trainJob({ ...again, resume: true });
      assert.ok(adapter(again.out) === reference, `interrupted after ${after}`);
      assert.is(ended.wentBack, wanted.length);
      assert.equal(ended.judged, result.judged);
    }
    // Threads that leave a phase which failed find the next one.
    const three = newFolder();
    await trainJob({ ...JOB, ...job, out: three, threads: 3 });
    assert.ok(adapter(three) === reference, 'three threads');
  });

test('the first case is saved by it, and without it is told of in words', async () => {
  const { result } = await whole({});
  assert.is(result.warning, null);
  assert.ok(result.accuracy! > 0.9, `accuracy ${result.accuracy}`);
  const plain = await whole({ retries: 0, rate: 10 });
  assert.is(plain.backs.length, 0);
  assert.match(
    plain.result.warning!,
    /^the same answer for every picture: no better than always saying class-\d; try a smaller --lr, more pictures, .*--depth$/,
  );
  const hot = await whole({ rate: 1e4 });
  assert.is(hot.backs.length, 2, 'twice at most');
  assert.match(hot.result.warning!, /even with a hundredth of the rate/);
});

test('going back to the start is the run that began with the smaller rate', async () => {
  const { out } = await whole({});
  const small = newFolder();
  // 1 times a tenth, as f32.
  await trainJob({ ...JOB, out: small, rate: Math.fround(0.1) });
  assert.ok(adapter(out) === adapter(small));
});

test('sound runs never go back: slow, few steps, one epoch, one picture a class, smoothed, uneven', async () => {
  const few = pictureFolder({ train: 1, val: 1, classes: 6 });
  for (const job of [
    { rate: 1e-7, epochs: 6 },
    { rate: 1e-4, epochs: 1 },
    { rate: 1e-3, epochs: 1, batchSize: 16, microBatch: 16 },
    { rate: 1e-3, epochs: 6, batchSize: 16, microBatch: 4 },
    { rate: 1e-2, epochs: 20, data: few },
    { rate: 1e-6, epochs: 20, data: few, batchSize: 2 },
    { rate: 1e-2, epochs: 4, smoothing: 0.2 },
    { rate: 1e-7, epochs: 6, smoothing: 0.2, optimizer: 'sgd' },
  ]) {
    const { backs } = await whole(job);
    assert.equal(backs, [], JSON.stringify(job));
  }
});

test.run();
