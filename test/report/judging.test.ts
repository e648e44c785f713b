/** Judged pictures on the terminal and on the page: the same numbers, nothing that is markup, nothing that is not there. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Evaluation, evaluationPage } from '../../src/report/evaluation.ts';
import { figuresOf, figuresText } from '../../src/report/judging.ts';
import { type ClassFigures, createJudging } from '../../src/task/judging.ts';
import { sample } from './sample.ts';

/** Answers as given: [truth, answered]. */
function figures(labels: string[], answers: readonly (readonly [number, number])[]): ClassFigures {
  const judging = createJudging(labels);
  for (const [truth, answered] of answers) {
    const logits = new Float32Array(labels.length);
    logits[answered] = 2;
    judging.add(truth, answered, logits);
  }
  return judging.found();
}

const evaluation = (f: ClassFigures): Evaluation => ({
  title: 'judged',
  summary: 'some',
  loss: 0.5,
  figures: f,
  worst: { count: 24, wrong: 24, pictures: sample().pictures },
  skipped: [{ file: 'x.gif', reason: 'not read' }],
  command: 's2a eval m a p',
});

const THREE = figures(
  ['cat', 'dog', 'owl'],
  [
    [0, 0],
    [0, 1],
    [1, 1],
    [1, 1],
    [2, 0],
  ],
);

test('terminal and page say the same', () => {
  const [text, page] = [figuresText(THREE), evaluationPage(evaluation(THREE))];
  for (const { name, text: value } of figuresOf(THREE)) {
    assert.ok(text.includes(`${name} ${value}`), name);
    assert.ok(page.includes(`<tr><th>${name}</th><td>${value}</td></tr>`), name);
  }
  assert.match(text, /^dog +2\/2 +100.0 % +66.7 % +80.0 %$/m);
  assert.ok(page.includes('<tr><th>dog</th><td>2/2</td><td>100.0 %</td><td>66.7 %</td><td>80.0 %</td></tr>'));
  assert.match(text, /^cat +1 +1 +·$/m);
  assert.ok(page.includes('title="owl taken for cat: 1 of 1">1</td>'));
  assert.ok(page.includes('60.0 %'));
  assert.not.match(page, /NaN|undefined|Infinity|\[object/);
  assert.ok(page.includes('x.gif') && page.includes('s2a eval m a p'));
});

test('pictures of one class: no means over classes, and no rows of classes that were not seen', () => {
  const one = figures(
    ['a', 'b', 'c', 'd', 'e', 'f'],
    [
      [2, 2],
      [2, 4],
    ],
  );
  const text = figuresText(one);
  assert.match(text, /^among the first 5 100.0 %, calibration error/);
  assert.match(text, /^c +1\/2 +50.0 % +100.0 % +66.7 %\ne +0\/0 +- +0.0 % +0.0 %\nand 4 more/m);
  assert.match(text, /^is \\ taken for +c +e\nc +1 +1$/m);
});

test('too many classes for a matrix have their confusions told', () => {
  const labels = Array.from({ length: 50 }, (_, i) => `k${i}`);
  const many = figures(labels, [...labels.map((_, i) => [i, (i + (i % 2)) % 50] as const), [3, 4] as const]);
  assert.match(figuresText(many), /^most often confused\nk3 +taken for k4 +2\n/m);
  const page = evaluationPage(evaluation(many));
  assert.not.match(page, /class="matrix"/);
  assert.ok(page.includes('<tr><th>k3</th><td>taken for k4</td><td>2</td></tr>'));
});

test('names from outside are text', () => {
  const evil = '<img src=x onerror=alert(1)>';
  const page = evaluationPage({ ...evaluation(figures([evil, 'b'], [[0, 1]])), title: evil, summary: evil, command: evil });
  assert.not.match(page, /<img src=x/);
});

test('nothing wrong: no pictures, and it is said', () => {
  const f = figures(
    ['a', 'b'],
    [
      [0, 0],
      [1, 1],
    ],
  );
  const page = evaluationPage({ ...evaluation(f), worst: { count: 2, wrong: 0, pictures: [] } });
  assert.ok(page.includes('Nothing was taken for anything else'));
  assert.not.match(page, /Worst mistakes/);
  assert.not.match(figuresText(f), /taken for/);
});

test('another task: its figures, and the pictures furthest off', () => {
  const metric = { name: 'R2', value: 0.91, isShare: false };
  const { figures: _, ...rest } = evaluation(THREE);
  const page = evaluationPage({
    ...rest,
    measured: { all: [metric], outputs: [{ label: 'angle', metrics: [metric] }] },
    worst: { count: 30, wrong: null, pictures: sample().pictures.slice(0, 3) },
  });
  assert.ok(page.includes('<tr><th>angle</th><td>0.91</td></tr>') && page.includes('The 3 of 30 pictures whose answers are furthest off.'));
});

test.run();
