/** A budget: a plan within it, or a BudgetError that says what would do; what is asked for is kept. test/system/lowering.test.ts lowers it page by page. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError, InputError } from '../../src/base/error.ts';
import { divisors, type PlanOptions } from '../../src/budget/search.ts';
import { planForBudget } from '../../src/compile.ts';
import { recomputeOf } from '../../src/passes/recompute.ts';
import { largestAlive, PAGE } from '../../src/plan/memory.ts';
import { attempt } from '../support/attempt.ts';
import { network } from '../support/network.ts';
import { MOBILENETS, VITS } from '../support/realnetwork.ts';

test('what is asked for is kept: recompute, weights', () => {
  const options: PlanOptions = { model: VITS['vit-tiny']!, classes: 100, batchSize: 2 };
  assert.is(planForBudget(options).program.about.recompute, 'none');
  assert.is(planForBudget({ ...options, recompute: 3 }).chosen.recompute.size, 3);
  assert.is(planForBudget({ ...options, recompute: 'all', keep: 'exact' }).program.about.recompute, '0-11:32');
  assert.is(planForBudget({ ...options, recompute: recomputeOf('2-4:8,7:4') }).program.about.recompute, '2-4:8,7:4');
  assert.is(planForBudget(options).chosen.weights, 'f32');
  const tight: PlanOptions = { ...options, weights: 'auto', budgetBytes: 14 << 20 };
  assert.is(planForBudget(tight).chosen.weights, 'int8');
  assert.is(planForBudget({ ...tight, budgetBytes: 30 << 20 }).chosen.weights, 'f32');
  assert.instance(attempt({ ...tight, weights: 'f32' }), BudgetError);
  for (const text of ['', 'some', '3-', '1:16', 'stem', '0-5', '-1'])
    assert.throws(
      () => recomputeOf(text),
      (e: Error) => e instanceof InputError,
    );
});

for (const more of [{}, { weights: 'int8', keep: 'exact' }] as const)
  test(`${JSON.stringify(more)}: weights go into a file where no plan holds them, and never before`, () => {
    const options: PlanOptions = { model: network('vit-hf').model, classes: 5, batchSize: 4, maxThreads: 1, ...more };
    const resident = (attempt({ ...options, budgetBytes: PAGE }) as BudgetError).smallestBytes;
    for (const budgetBytes of [resident, resident + 8 * PAGE]) {
      const [without, with_] = [planForBudget({ ...options, budgetBytes }), planForBudget({ ...options, budgetBytes, mayStream: true })];
      assert.equal(with_.chosen, without.chosen);
      assert.is(with_.chosen.streaming, undefined);
      assert.equal(with_.program.image, without.program.image);
    }
    const refused = attempt({ ...options, budgetBytes: PAGE, mayStream: true }) as BudgetError;
    assert.ok(refused.smallestBytes < resident, `${refused.smallestBytes}`);
    assert.ok(refused.message.includes(',stream'), refused.message);
    for (const budgetBytes of [resident - PAGE, refused.smallestBytes]) {
      const { chosen, plan } = planForBudget({ ...options, budgetBytes, mayStream: true });
      assert.ok(chosen.streaming);
      assert.is(chosen.residentNeedsBytes, resident);
      assert.ok(plan.linearBytes <= budgetBytes);
    }
    assert.is(planForBudget({ ...options, weights: 'f32,stream', mayStream: true }).chosen.residentNeedsBytes, undefined);
  });

for (const more of [{}, { weights: 'auto', mayStream: true, method: 'bias' }] as const)
  test(`${JSON.stringify(more)}: the search takes under two seconds for ViT-Large, however little there is`, () => {
    const options: PlanOptions = { model: VITS['vit-large']!, classes: 100, batchSize: 8, method: 'bias+prompt+side', ...more };
    const began = process.cpuUsage();
    assert.instance(attempt({ ...options, budgetBytes: PAGE }), BudgetError);
    const { user, system } = process.cpuUsage(began);
    // Processor time, and twice what is asked for: this machine may be slow and is not alone.
    assert.ok(user + system < 4e6, `${(user + system) / 1e6} s`);
  });

test('a hopeless budget is refused with what is enough, whatever lies between in precision and window', () => {
  const options: PlanOptions = { model: network('vit-hf').model, classes: 5, batchSize: 4, weights: 'auto', mayStream: true };
  const { smallestBytes, message } = attempt({ ...options, budgetBytes: PAGE }) as BudgetError;
  assert.ok(message.includes('--weights int4,stream'), message);
  assert.ok(planForBudget({ ...options, budgetBytes: smallestBytes }).plan.linearBytes <= smallestBytes);
  assert.instance(attempt({ ...options, budgetBytes: smallestBytes - PAGE }), BudgetError);
});

test('a micro-batch that was asked for is kept, and refused with what would fit', () => {
  const model = MOBILENETS['mobilenetv2-1.0']!;
  const options: PlanOptions = { model, classes: 100, batchSize: 8, microBatch: 4, budgetBytes: 20 << 20 };
  const refused = attempt(options) as BudgetError;
  assert.instance(refused, BudgetError);
  assert.is(refused.exitCode, 3);
  const { smallestBytes, message } = refused;
  assert.is(planForBudget({ ...options, budgetBytes: smallestBytes }).program.about.microBatch, 4);
  assert.instance(attempt({ ...options, budgetBytes: smallestBytes - PAGE }), BudgetError);
  assert.ok(message.includes('(--micro-batch 4 ') && message.endsWith('without --micro-batch less is enough)'), message);
  assert.is(planForBudget({ ...options, microBatch: 4, budgetBytes: 64 << 20 }).program.about.microBatch, 4);
});

test('what is alive at the peak: never a value and the operand whose place it took', () => {
  const { graph, plan } = planForBudget({ model: VITS['vit-tiny']!, classes: 100, batchSize: 1 });
  const all = largestAlive(graph, plan, Number.POSITIVE_INFINITY);
  const bytes = all.reduce((sum, v) => sum + v.bytes, 0);
  assert.ok(bytes <= plan.linearBytes);
  assert.is(new Set(all.map((v) => v.name)).size, all.length);
});

test('more than 4 GiB is refused as a budget is: no wasm memory is larger', () => {
  const model = VITS['vit-large']!;
  assert.instance(attempt({ model, classes: 100, batchSize: 8, method: 'full', microBatch: 8, keep: 'exact' }), BudgetError);
});

test('the micro-batches to choose from', () => {
  assert.equal(divisors(12), [12, 6, 4, 3, 2, 1]);
  assert.equal(divisors(2 ** 31, 8), [8, 4, 2, 1]);
  assert.throws(
    () => planForBudget({ model: VITS['vit-tiny']!, classes: 10, batchSize: 0 }),
    (e: Error) => e instanceof InputError,
  );
});

test.run();
