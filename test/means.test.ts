/** Rows of a head from class means: the formula by hand, rows that join others, and a run that begins with them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readAdapter } from '../src/adapterfile.ts';
import { Interrupted } from '../src/error.ts';
import { type TrainJob, trainJob } from '../src/job.ts';
import { nearestMean } from '../src/means.ts';
import { distance } from './close.ts';
import { newFolder } from './folder.ts';
import { pictureFolder } from './pictures.ts';

/** Logits of x. */
const logits = (w: Float32Array, b: Float32Array, x: readonly number[]): number[] =>
  [...b].map((bias, c) => x.reduce((sum, v, k) => sum + v * w[c * x.length + k]!, bias));

test('the nearest mean wins, and stands out by the margin at its own place', () => {
  const means = [
    [1, 0, 2],
    [-1, 0, 2],
    [0, 3, 2],
  ];
  const counts = Int32Array.from([2, 5, 1]);
  const sums = Float64Array.from(means.flatMap((mean, c) => mean.map((v) => v * counts[c]!)));
  const [w, b] = [new Float32Array(9), new Float32Array(3)];
  nearestMean({ w, b, sums, counts, features: 3, first: 0 });
  for (const x of [
    [0.9, 0.1, 5],
    [-2, 0, 0],
    [0.2, 2, 1],
    [0.1, 0.4, 2],
  ]) {
    const away = means.map((mean) => mean.reduce((sum, v, k) => sum + (v - x[k]!) ** 2, 0));
    const z = logits(w, b, x);
    // Differences of logits are those of half the squared distances, scaled alike.
    const scale = (z[0]! - z[1]!) / (away[1]! - away[0]!);
    assert.ok(scale > 0 && Math.abs((z[0]! - z[2]!) / (away[2]! - away[0]!) - scale) < 1e-6);
  }
  assert.is(
    logits(w, b, [0, 1, 2])
      .reduce((a, z) => a + z, 0)
      .toFixed(5),
    (-3).toFixed(5),
    'at the centre half the margin below the level, on average',
  );
});

test('rows that join others have their size and their level; a class without pictures stays zero', () => {
  const features = 2;
  const w = Float32Array.from([3, 4, -3, -4, 0, 0, 0, 0]);
  const b = Float32Array.from([1, 2, 0, 0]);
  const sums = Float64Array.from([0, 0, 0, 0, 6, 0, 0, 0]);
  const counts = Int32Array.from([2, 2, 2, 0]);
  const older = [...w.subarray(0, 4)];
  nearestMean({ w, b, sums, counts, features, first: 2 });
  assert.equal([...w.subarray(0, 4)], older);
  assert.equal([...b.subarray(0, 2)], [1, 2]);
  assert.ok(Math.abs(Math.hypot(w[4]!, w[5]!) - 5) < 1e-6, 'the older rows are 5 long about their mean');
  const [first, second, third, none] = logits(w, b, [1, 0]) as [number, number, number, number];
  assert.ok(Math.abs(third - (first + second) / 2) < 1e-5, 'where the means have their mean');
  assert.is(none, 0);
});

const DATA = pictureFolder({ classes: 4, train: 5, val: 3 });
const run = (out: string, more: Partial<TrainJob> = {}): TrainJob => ({
  model: 'test/golden/vit-timm-gap',
  data: DATA,
  out,
  epochs: 1,
  batchSize: 4,
  rate: 0,
  head: 'means',
  ...more,
});
const headOf = (path: string): Float32Array[] => {
  const { weights, head } = readAdapter(path);
  const tensors = head.map((name) => {
    const tensor = weights.tensor(name);
    const bytes = new Uint8Array(tensor.bytes);
    weights.read(tensor, bytes);
    return new Float32Array(bytes.buffer);
  });
  weights.close();
  return tensors;
};

test('without a step the pictures are told apart, with any threads and micro-batch alike; and it resumes', async () => {
  const whole = newFolder();
  const { accuracy } = await trainJob(run(whole, { method: 'bias+prompt:rank=2+side:ratio=4' }));
  assert.ok(accuracy! > 0.7, `accuracy ${accuracy}`);
  const other = newFolder();
  await trainJob(run(other, { method: 'bias+prompt:rank=2+side:ratio=4', threads: 2, microBatch: 1 }));
  headOf(whole).forEach((tensor, i) => {
    assert.ok(distance(headOf(other)[i]!, tensor) < 1e-5);
  });
  const [learnt, cut] = [newFolder(), newFolder()];
  const steps = { rate: 1e-2, epochs: 2 };
  await trainJob(run(learnt, steps));
  let asked = 0;
  await trainJob(run(cut, steps), { stopping: () => ++asked === 4 }).then(
    () => assert.unreachable('not interrupted'),
    (error) => assert.instance(error, Interrupted),
  );
  await trainJob(run(cut, { ...steps, resume: true }));
  assert.equal(headOf(cut), headOf(learnt));
});

test.run();
