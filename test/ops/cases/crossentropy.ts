/** Cross-entropy with label smoothing, of a label or of two (mix.ts), against its oracle and finite differences. */
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { f32, i32 } from '../../../src/graph/graph.ts';
import { differences } from '../../oracle/linear.ts';
import { crossEntropy } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { SCALE, SMOOTHING, stateBlock } from './state.ts';
import { TAILS } from './tails.ts';

export interface Loss {
  op: 'CrossEntropy' | 'MixCrossEntropy';
  batch: number;
  n: number;
  train: boolean;
  /** Factor on the logits. */
  spread: number;
  /** The operands after the labels. */
  more?: Direct['inputs'];
  /** The loss of row b, whose label is `label`. */
  lossOf(row: readonly number[], label: number, b: number, labels: Int32Array): number;
}

/** The last row is padding, where there are two or more. */
export function lossCase({ op, batch, n, train, spread, more = [], lossOf }: Loss): Direct {
  const logits = numbers(batch * n, 100 + n, spread);
  const labels = Int32Array.from({ length: batch }, (_, b) => (b > 0 && b === batch - 1 ? -1 : (b * 7) % n));
  const total = (x: ArrayLike<number>): Float64Array =>
    Float64Array.from(labels, (label, b) => (label < 0 ? 0 : lossOf(Array.from(x).slice(b * n, (b + 1) * n), label, b, labels)));
  return {
    op,
    name: `${op} [${batch},${n}]${train ? '' : ', evaluation'}${spread === 3 ? '' : `, logits × ${spread}`}`,
    phase: train ? 'train' : 'eval',
    inputs: [plain(logits, [batch, n]), plain(labels, [batch], 'batch'), ...more],
    updates: [plain(stateBlock(), [State.Bytes], 'state')],
    attributes: { train: Number(train) },
    types: [f32(batch), i32(batch), ...(train ? [f32(batch, n)] : [])],
    check([losses, choices, dlogits], [state]) {
      const want = total(logits);
      close(new Float32Array(losses!.buffer), want, 1e-6, 'losses');
      const best = Array.from(labels, (_, b) => {
        const row = logits.subarray(b * n, (b + 1) * n);
        return row.indexOf(Math.max(...row));
      });
      assert.equal([...new Int32Array(choices!.buffer)], best, 'choices');
      const view = new DataView(state!.buffer);
      close([view.getFloat64(State.LossSum, true) - 10], [want.reduce((a, b) => a + b, 0)], 1e-6, 'sum of losses');
      assert.is(view.getInt32(State.Correct, true) - 100, best.filter((choice, b) => choice === labels[b]).length);
      assert.is(view.getInt32(State.Count, true) - 200, labels.filter((label) => label >= 0).length);
      if (!train) return;
      const slopes = differences(Float64Array.from(logits), new Float64Array(batch).fill(SCALE), total);
      close(new Float32Array(dlogits!.buffer), slopes, 1e-6, 'gradient of the logits');
    },
  };
}

const loss = (batch: number, n: number, train: boolean, spread = 3): Direct =>
  lossCase({
    op: 'CrossEntropy',
    batch,
    n,
    train,
    spread,
    lossOf: (row, label) => crossEntropy(row, label, SMOOTHING),
  });

export const crossEntropyCases: readonly Direct[] = [
  ...TAILS.map((n) => loss(3, n, true)),
  ...TAILS.map((batch) => loss(batch, 5, batch % 2 === 0)),
  loss(2, 1000, true),
  loss(4, 9, true, 0),
  loss(4, 9, true, 300),
];
