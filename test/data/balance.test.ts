/** Uneven classes, drawn alike. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { balanced } from '../../src/data/balance.ts';

const drawn = (sizes: readonly number[]): { list: number[]; labels: number[] } => {
  const labels = sizes.flatMap((n, label) => new Array<number>(n).fill(label));
  return { list: balanced([...labels.keys()], (i) => labels[i]!), labels };
};

test('every class as often as the largest, every picture of a class as often as any other or once more', () => {
  for (const sizes of [[7, 3, 1], [4, 4], [1], [10, 9, 100], [0, 5, 2]]) {
    const { list, labels } = drawn(sizes);
    const most = Math.max(...sizes);
    const times = labels.map((_, i) => list.filter((index) => index === i).length);
    for (const [label, size] of sizes.entries()) {
      const own = times.filter((_, i) => labels[i] === label);
      assert.is(
        own.reduce((a, b) => a + b, 0),
        size === 0 ? 0 : most,
      );
      if (size > 0) assert.ok(Math.max(...own) - Math.min(...own) <= 1 && Math.min(...own) >= 1);
    }
    assert.equal(list.slice(0, labels.length), [...labels.keys()]);
  }
  assert.equal(
    balanced([], () => 0),
    [],
  );
});

test('what is left over is spread over the class', () => {
  assert.equal(drawn([9, 6]).list.slice(15), [9, 11, 13]);
});

test.run();
