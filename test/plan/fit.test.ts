/** A budget lowered page by page: a plan within it, or a BudgetError that says what would do; never a wrong plan. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BudgetError, InputError } from '../../src/error.ts';
import { divisors, type FitOptions, fit } from '../../src/fit.ts';
import { largestAlive, PAGE } from '../../src/plan/memory.ts';
import { network } from './network.ts';
import { MOBILENETS, VITS } from './real.ts';

const attempt = (options: FitOptions) => {
  try {
    return fit(options);
  } catch (error) {
    if (error instanceof BudgetError) return error;
    throw error;
  }
};

for (const [name, more] of [
  ['vit-hf', {}],
  ['vit-hf', { keep: 'exact' }],
  ['vit-timm', { method: 'full' }],
  ['mobilenetv2-hf', {}],
  ['mobilenetv2-hf-symmetric', { method: 'probe', maxThreads: 3 }],
] as const)
  test(`${name} ${JSON.stringify(more)}: lowered by 64 KiB until nothing fits`, () => {
    const options: FitOptions = { model: network(name).model, classes: 5, batchSize: 8, ...more };
    const comfortable = fit(options);
    assert.is(comfortable.program.about.microBatch, 8);
    const microBatches = new Set<number>();
    let before = 8;
    let refused: BudgetError | undefined;
    let budgetBytes = comfortable.plan.linearBytes + 2 * PAGE;
    for (; budgetBytes >= 0; budgetBytes -= PAGE) {
      const found = attempt({ ...options, budgetBytes });
      if (found instanceof BudgetError) {
        refused ??= found;
        // Once nothing fits, nothing smaller does, and the sentence stays the same but for what was got.
        assert.is(found.smallestBytes, refused.smallestBytes);
        continue;
      }
      assert.is(refused, undefined, 'a smaller budget fits, a larger one did not');
      assert.ok(found.plan.linearBytes <= budgetBytes);
      assert.is(found.program.linearBytes, found.plan.linearBytes);
      const { microBatch } = found.program.about;
      assert.ok(microBatch <= before, 'a smaller budget, a larger micro-batch');
      before = microBatch;
      microBatches.add(microBatch);
    }
    assert.ok(refused);
    assert.equal([...microBatches], [8, 4, 2, 1]);

    const { smallestBytes } = refused;
    const smallest = fit({ ...options, budgetBytes: smallestBytes });
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
  });

test('a micro-batch that was asked for is kept, and refused with the one that would fit', () => {
  const model = MOBILENETS['mobilenetv2-1.0']!;
  const options: FitOptions = { model, classes: 100, batchSize: 8, microBatch: 4, budgetBytes: 20 << 20 };
  const refused = attempt(options) as BudgetError;
  assert.instance(refused, BudgetError);
  assert.is(refused.exitCode, 3);
  assert.is(fit({ ...options, microBatch: 1, maxThreads: 1 }).plan.linearBytes, refused.smallestBytes);
  assert.is(fit({ ...options, microBatch: 4, budgetBytes: 64 << 20 }).program.about.microBatch, 4);
});

test('what is alive at the peak: never a value and the operand whose place it took', () => {
  const { graph, plan } = fit({ model: VITS['vit-tiny']!, classes: 100, batchSize: 1 });
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
    () => fit({ model: VITS['vit-tiny']!, classes: 10, batchSize: 0 }),
    (e: Error) => e instanceof InputError,
  );
});

test.run();
