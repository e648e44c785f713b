/** What is refused, counted; the area under the ROC curve against scikit-learn's (tools/golden/judging.py). */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { areaUnderRoc, createRefusing } from '../../src/task/refusing.ts';

const { roc } = JSON.parse(readFileSync('test/golden/judging.json', 'utf8')) as { roc: { near: number[]; far: number[]; area: number }[] };

test("the area is scikit-learn's", () => {
  for (const { near, far, area } of roc) assert.ok(Math.abs(areaUnderRoc(near, far) - area) < 1e-12, `${area}`);
  assert.ok(Number.isNaN(areaUnderRoc([1], [])));
});

test('known pictures by whether they are named, and rightly; others beside them', () => {
  const refusing = createRefusing();
  refusing.add(1, false, true);
  refusing.add(2, false, false);
  refusing.add(9, true, true);
  const known = { count: 3, refused: 1, named: { count: 2, correct: 1 } };
  assert.equal(refusing.found(), { ...known, others: null });
  refusing.addOther(10, true);
  refusing.addOther(2, false);
  assert.equal(refusing.found(), { ...known, others: { count: 2, refused: 1, auroc: 4.5 / 6 } });
});

test.run();
