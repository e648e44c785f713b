import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { splitSamples } from '../../src/data/split.ts';

const labels = (...counts: number[]) => counts.flatMap((n, label) => new Array<number>(n).fill(label));

test('each class gives its share, at least one and never all', () => {
  const of = labels(10, 5, 2, 1, 100);
  const { train, val } = splitSamples(of, 0.2, 7);
  const counts = (list: number[]) => [0, 1, 2, 3, 4].map((c) => list.filter((i) => of[i] === c).length);
  assert.equal(counts(val), [2, 1, 1, 0, 20]);
  assert.equal(counts(train), [8, 4, 1, 1, 80]);
  assert.equal(
    [...train, ...val].sort((a, b) => a - b),
    [...of.keys()],
  );
});

test('the seed alone decides', () => {
  const of = labels(30, 30);
  assert.equal(splitSamples(of, 0.3, 1), splitSamples(of, 0.3, 1));
  assert.not.equal(splitSamples(of, 0.3, 1).val, splitSamples(of, 0.3, 2).val);
  assert.equal(splitSamples(labels(12, 9), 0.25, 42).val, splitSamples(Uint8Array.from(labels(12, 9)), 0.25, 42).val);
  assert.equal(splitSamples(of, 0, 1).val, []);
});

test('every picture is as likely as another to be held out', () => {
  const hits = new Array<number>(10).fill(0);
  for (let seed = 0; seed < 2000; seed++) for (const i of splitSamples(labels(10), 0.3, seed).val) hits[i]!++;
  for (const n of hits) assert.ok(Math.abs(n - 600) < 100, `held out ${n} times of 2000, expected about 600`);
});

test.run();
