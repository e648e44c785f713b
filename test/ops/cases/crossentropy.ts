/** Cross-entropy with label smoothing, of a label or of two, with classes weighed or not, against its oracle and finite differences. */
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { f32, i32 } from '../../../src/graph/graph.ts';
import { differences } from '../../oracle/linear.ts';
import { crossEntropy } from '../../oracle/simple.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { SCALE, SMOOTHING, stateBlock } from './state.ts';
import { TAILS } from './tails.ts';

interface Loss {
  op: 'CrossEntropy' | 'SoftCrossEntropy';
  /** What the name tells beside the shape. */
  about?: string;
  attributes?: Record<string, number>;
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
function lossCase({ op, about = '', attributes = {}, batch, n, train, spread, more = [], lossOf }: Loss): Direct {
  const logits = numbers(batch * n, 100 + n, spread);
  const labels = Int32Array.from({ length: batch }, (_, b) => (b > 0 && b === batch - 1 ? -1 : (b * 7) % n));
  const total = (x: ArrayLike<number>): Float64Array =>
    Float64Array.from(labels, (label, b) => (label < 0 ? 0 : lossOf(Array.from(x).slice(b * n, (b + 1) * n), label, b, labels)));
  return {
    op,
    name: `${op}${about} [${batch},${n}]${train ? '' : ', evaluation'}${spread === 3 ? '' : `, logits × ${spread}`}`,
    phase: train ? 'train' : 'eval',
    inputs: [plain(logits, [batch, n]), plain(labels, [batch], 'batch'), ...more],
    updates: [plain(stateBlock(), [State.Bytes], 'state')],
    attributes: { train: Number(train), ...attributes },
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

interface Soft {
  mixed: boolean;
  weighted: boolean;
}
/** Of two labels a picture, some with none beside; and classes that weigh from a third to three. */
function soft({ mixed, weighted }: Soft, batch: number, n: number, train: boolean, spread = 3): Direct {
  const shares = Float32Array.from({ length: batch }, (_, b) => 0.15 + (0.7 * b) / batch);
  const others = Int32Array.from({ length: batch }, (_, b) => (b % 5 === 2 ? -1 : (b * 11 + 1) % n));
  const weights = Float32Array.from({ length: n }, (_, c) => 3 ** (((c * 5) % 7) / 3 - 1));
  const of = (row: readonly number[], label: number): number => crossEntropy(row, label, SMOOTHING, weighted ? weights : undefined);
  return lossCase({
    op: 'SoftCrossEntropy',
    about: `${mixed ? ', mixed' : ''}${weighted ? ', weighted' : ''}`,
    ...{ batch, n, train, spread },
    attributes: { mixed: Number(mixed), weighted: Number(weighted) },
    more: [...(mixed ? [plain(others, [batch]), plain(shares, [batch])] : []), ...(weighted ? [plain(weights, [n])] : [])],
    lossOf(row, label, b) {
      const other = mixed && others[b]! >= 0 ? others[b]! : label;
      const own = mixed ? shares[b]! : 1;
      return own * of(row, label) + (1 - own) * of(row, other);
    },
  });
}
const softCases = (how: Soft): Direct[] => [
  ...TAILS.map((n) => soft(how, 4, n, true)),
  ...TAILS.map((batch) => soft(how, batch, 5, batch % 2 === 0)),
  soft(how, 2, 1000, true),
  soft(how, 4, 9, true, 0),
  soft(how, 4, 9, true, 300),
];

export const crossEntropyCases: readonly Direct[] = [
  ...softCases({ mixed: true, weighted: false }),
  ...softCases({ mixed: false, weighted: true }),
  ...softCases({ mixed: true, weighted: true }),
  ...TAILS.map((n) => loss(3, n, true)),
  ...TAILS.map((batch) => loss(batch, 5, batch % 2 === 0)),
  loss(2, 1000, true),
  loss(4, 9, true, 0),
  loss(4, 9, true, 300),
];
