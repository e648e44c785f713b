/** How close the layout of temporaries comes to its lower bound on the small configurations, whose few blocks are the hardest to lay well. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { readModel } from '../../src/import/index.ts';
import { builtCases, modelFolder } from '../support/golden.ts';

for (const [method, keep] of [
  ['bias+prompt:rank=2', 's2a'],
  ['full', 'exact'],
] as const)
  test(`${method}, ${keep}: temporaries of every golden model lie within five per cent of the most that is ever alive`, () => {
    for (const name of builtCases) {
      const { temporaries, lowerBound } = compile({ model: readModel(modelFolder(name)), classes: 7, microBatch: 2, method, keep }).plan;
      assert.ok(temporaries.bytes >= lowerBound);
      const over = temporaries.bytes / lowerBound - 1;
      assert.ok(over <= 0.05, `${name}: ${(100 * over).toFixed(1)} % over`);
    }
  });

test.run();
