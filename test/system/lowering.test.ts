/** A budget lowered page by page: a plan within it, or a BudgetError that says what would do; never a wrong plan. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError } from '../../src/base/error.ts';
import type { PlanOptions } from '../../src/budget/search.ts';
import { planForBudget } from '../../src/compile.ts';
import { recomputeName, recomputeOf } from '../../src/passes/recompute.ts';
import { largestAlive, PAGE } from '../../src/plan/memory.ts';
import { attempt } from '../support/attempt.ts';
import { network } from '../support/network.ts';

for (const [name, more] of [
  ['vit-hf', {}],
  ['vit-hf', { keep: 'exact' }],
  ['swin-hf', { method: 'bias+prompt:rank=2+side:ratio=4' }],
  ['mobilenetv2-hf-symmetric', { method: 'probe', maxThreads: 3 }],
  ['resnet-hf', { weights: 'auto' }],
] as const)
  test(`${name} ${JSON.stringify(more)}: lowered by 64 KiB until nothing fits`, () => {
    const options: PlanOptions = { model: network(name).model, classes: 5, batchSize: 8, maxThreads: 1, ...more };
    const comfortable = planForBudget(options);
    assert.is(comfortable.program.about.microBatch, 8);
    const ways = new Set<string>();
    let before = 0;
    let refused: BudgetError | undefined;
    let budgetBytes = comfortable.plan.linearBytes + 2 * PAGE;
    // Where little changes in 64 KiB, a few larger steps do; every page counts near the end.
    const end = (attempt({ ...options, budgetBytes: PAGE }) as BudgetError).smallestBytes;
    for (; budgetBytes >= 0; budgetBytes -= PAGE * (budgetBytes > end + 12 * PAGE && name !== 'vit-hf' ? 8 : 1)) {
      const found = attempt({ ...options, budgetBytes });
      if (found instanceof BudgetError) {
        refused ??= found;
        // Once nothing fits, nothing smaller does, and the sentence stays the same but for what was got.
        assert.is(found.smallestBytes, refused.smallestBytes);
        if (budgetBytes < refused.smallestBytes - 2 * PAGE) break;
        continue;
      }
      assert.is(refused, undefined, 'a smaller budget fits, a larger one did not');
      assert.ok(found.plan.linearBytes <= budgetBytes);
      assert.is(found.program.linearBytes, found.plan.linearBytes);
      const { microBatch, recompute, relativeTime, keep, weights } = found.chosen;
      assert.is(found.program.about.microBatch, microBatch);
      assert.is(found.program.about.recompute, recomputeName(recompute));
      // A kind of way that costs the gradient more is only looked at where those before have nothing that fits.
      const kind = `${weights} ${keep} ${[...recompute.values()].includes(4) ? 4 : 8}`;
      if (!ways.has(kind)) before = 0;
      ways.add(kind);
      ways.add(`${microBatch} ${recomputeName(recompute)} ${keep} ${weights}`);
      assert.ok(relativeTime >= before, 'a smaller budget, a faster step');
      before = relativeTime;
    }
    assert.ok(refused);
    assert.ok(ways.size > 2, [...ways].join('; '));

    const { smallestBytes } = refused;
    const smallest = planForBudget({ ...options, budgetBytes: smallestBytes });
    assert.is(smallest.plan.linearBytes, smallestBytes);
    assert.instance(attempt({ ...options, budgetBytes: smallestBytes - PAGE }), BudgetError);
    assert.instance(attempt({ ...options, budgetBytes: smallestBytes - 1 }), BudgetError);

    // One sentence: the node at the peak, the five largest values, what would fit and how.
    const { message } = refused;
    assert.ok(message.includes(`peak at ${smallest.plan.peak.node}, `), message);
    const largest = largestAlive(smallest.graph, smallest.plan, 5);
    assert.is(largest.length, 5);
    for (const { name: value, bytes } of largest) {
      const size = bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(2)} MiB`;
      assert.ok(message.includes(`${value} ${size}`), message);
    }
    assert.ok(message.includes(`the smallest budget that fits is ${smallestBytes / 1024}KiB (--micro-batch 1`), message);
    assert.is(message.includes('--keep s2a needs less'), 'keep' in more);
    // What it says is what it takes.
    const { keep, recompute, weights, microBatch } = smallest.chosen;
    const again = recomputeOf(recomputeName(recompute));
    const same = planForBudget({ ...options, keep, weights, microBatch, recompute: again, budgetBytes: smallestBytes });
    assert.is(same.plan.linearBytes, smallestBytes);
  });

test.run();
