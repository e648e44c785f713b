/** A new row beside older ones: as strong as keeps most right, and the older ones as they are. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { settleRows } from '../../../src/training/memory/settle.ts';

test('a row that answers everything, or nothing, is brought to where it answers its own', () => {
  for (const start of [50, -50]) {
    // Two older classes along the first axis, the new one along the second.
    const rows = [
      [3, 0],
      [2, 1],
      [-3, 0],
      [-2, 1],
      [0, 4],
      [1, 3],
    ].map((row) => Float32Array.from(row));
    const weight = Float32Array.of(1, 0, -1, 0, 0, 1);
    const bias = Float32Array.of(0, 0, start);
    settleRows({ features: 2, labels: [0, 0, 1, 1, 2, 2], read: (i) => rows[i]!, weight, bias }, 2);
    const answers = rows.map((x) => {
      const logits = [0, 1, 2].map((c) => weight[2 * c]! * x[0]! + weight[2 * c + 1]! * x[1]! + bias[c]!);
      return logits.indexOf(Math.max(...logits));
    });
    assert.equal(answers, [0, 0, 1, 1, 2, 2]);
    assert.equal([...weight.subarray(0, 4), ...bias.subarray(0, 2)], [1, 0, -1, 0, 0, 0]);
  }
});

test('a class without features keeps its row', () => {
  const weight = Float32Array.of(1, 2);
  const bias = Float32Array.of(3, 4);
  settleRows({ features: 1, labels: [0], read: () => Float32Array.of(1), weight, bias }, 1);
  assert.equal([...weight, ...bias], [1, 2, 3, 4]);
});

test.run();
