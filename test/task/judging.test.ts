/** Figures of a classifier against scikit-learn's (tools/golden/judging.py). */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ClassFigures, confusionMatrix, createJudging } from '../../src/task/judging.ts';

interface Case {
  n: number;
  c: number;
  only: number | null;
  confusion: number[][];
  precision: (number | null)[];
  recall: (number | null)[];
  f1: (number | null)[];
  support: number[];
  mean: [number, number, number];
  top5: number | null;
  bins: [confidence: number, accuracy: number][];
  ece: number;
}

const { cases } = JSON.parse(readFileSync('test/golden/judging.json', 'utf8')) as { cases: Case[] };

/** The golden script's answers. */
function judged({ n, c, only }: Case): ClassFigures {
  const judging = createJudging(Array.from({ length: c }, (_, k) => `c${k}`));
  for (let i = 0; i < n; i++) {
    const truth = only ?? (i * 7 + Math.floor(i / 3)) % c;
    const logits = Float32Array.from({ length: c }, (_, k) => {
      const noise = (i * i * 13 + k * k * 29 + i * k * 17 + i * 5 + k * 11) % 127;
      return (noise - (k === c - 1 ? 200 : 0) + (k === truth ? 60 : 0) + k / 64) / 16;
    });
    const answered = logits.indexOf(Math.max(...logits));
    judging.add(truth, answered, logits);
  }
  return judging.found();
}

const near = (got: number, want: number | null, what: string): void =>
  assert.ok(want === null ? Number.isNaN(got) : Math.abs(got - want) < 1e-6, `${what}: ${got}, scikit-learn ${want}`);

for (const golden of cases)
  test(`${golden.n} pictures of ${golden.c} classes as scikit-learn judges them`, () => {
    const figures = judged(golden);
    assert.equal(confusionMatrix(figures), golden.confusion);
    for (const [i, one] of figures.classes.entries()) {
      assert.is(one.count, golden.support[i]);
      for (const key of ['precision', 'recall', 'f1'] as const) near(one[key], golden[key][i]!, `${key} of ${one.label}`);
    }
    const { precision, recall, f1 } = figures.mean;
    for (const [i, value] of [precision, recall, f1].entries()) near(value, golden.mean[i]!, `mean ${i}`);
    if (golden.top5 === null) assert.is(figures.top5, null);
    else near(figures.top5!, golden.top5, 'top 5');
    const filled = figures.bins.filter(({ count }) => count > 0);
    assert.is(filled.length, golden.bins.length);
    for (const [i, { confidence, accuracy }] of filled.entries()) {
      near(confidence, golden.bins[i]![0], 'confidence');
      near(accuracy, golden.bins[i]![1], 'accuracy');
    }
    near(figures.calibrationError, golden.ece, 'calibration error');
    assert.is(figures.count, golden.n);
    assert.is(figures.correct + figures.mistakes.reduce((sum, [, , times]) => sum + times, 0), golden.n);
  });

test('logits that are no numbers are refused', () => {
  const judging = createJudging(['a', 'b']);
  assert.throws(() => judging.add(0, 1, Float32Array.of(Number.NaN, 1)), /not finite/);
});

test('a thousand and one classes have their mistakes told, not a million zeros', () => {
  const judging = createJudging(Array.from({ length: 1001 }, (_, i) => String(i)));
  const logits = new Float32Array(1001);
  logits[3] = 1;
  judging.add(7, 3, logits);
  judging.add(3, 3, logits);
  const found = judging.found();
  assert.is(confusionMatrix(found), null);
  assert.equal(found.mistakes, [[7, 3, 1]]);
  // Equal logits count in the order of their classes, as the engine answers: 3, 0, 1, 2, 4, and 7 is not among them.
  assert.is(found.top5, 0.5);
});

test.run();
