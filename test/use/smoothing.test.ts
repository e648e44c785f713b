/** Means over time. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Prediction } from '../../src/task/index.ts';
import { createSmoothing } from '../../src/use/smoothing.ts';
import { refused } from '../support/folder.ts';

const said = (a: number, more: Partial<Prediction> = {}): Prediction[] =>
  [
    { label: 'a', index: 0, probability: a, ...more },
    { label: 'b', index: 1, probability: 1 - a, ...more },
  ].sort((x, y) => y.probability - x.probability);
const first = ([one]: readonly Prediction[]): [string, number] => [one!.label, Number(one!.probability.toFixed(6))];

test('the mean of the last three, of fewer at the beginning, the likeliest first', () => {
  const smooth = createSmoothing(3);
  assert.equal(
    [0.9, 0.5, 0.1, 0.1, 0.1].map((a) => first(smooth(said(a)))),
    [
      ['a', 0.9],
      ['a', 0.7],
      ['a', 0.5],
      ['b', 0.766667],
      ['b', 0.9],
    ],
  );
});

test('one frame alone is said as it is', () => {
  const smooth = createSmoothing(1);
  smooth(said(0.9));
  assert.equal(smooth(said(0.2, { known: false })), said(0.2, { known: false }));
});

test('known is what most say; of two halves the newest decides', () => {
  const smooth = createSmoothing(4);
  const known = [true, false, false, true, false, false].map((one) => smooth(said(0.8, { known: one }))[0]!.known);
  assert.equal(known, [true, false, false, true, false, false]);
  const labels = createSmoothing(3);
  assert.equal(
    [true, false, true].map((one) => labels(said(0.8, { answered: one }))[0]!.answered),
    [true, false, true],
  );
});

test('numbers keep their order', () => {
  const smooth = createSmoothing(2);
  const of = (a: number, b: number): Prediction[] =>
    [a, b].map((value, index) => ({ label: 'xy'[index]!, index, probability: Number.NaN, value }));
  smooth(of(1, 10));
  assert.equal(
    smooth(of(2, 30)).map(({ label, value }) => [label, value]),
    [
      ['x', 1.5],
      ['y', 20],
    ],
  );
});

test('a count that is none', () => {
  for (const frames of [0, 1.5, Number.NaN, 20_000]) refused(() => createSmoothing(frames), 'frames', 'whole number');
});

test.run();
