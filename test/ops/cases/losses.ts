/** Losses of several labels and of numbers. */
import * as assert from 'uvu/assert';
import { State } from '../../../assembly/abi/head.ts';
import { f32, i32 } from '../../../src/graph/graph.ts';
import { differences } from '../../oracle/linear.ts';
import { binaryCrossEntropy, huber } from '../../oracle/losses.ts';
import { close, numbers } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { SCALE, SMOOTHING, stateBlock } from './state.ts';
import { TAILS } from './tails.ts';

const PADDING = new Float32Array(Uint32Array.of(0xffffffff).buffer)[0]!;

/** Targets whose last row is padding, where there are two rows or more; the mark's own bits, which a NaN of JavaScript's need not keep. */
function padded(targets: Float32Array, batch: number, n: number): Float32Array {
  if (batch > 1) new Uint32Array(targets.buffer).fill(0xffffffff, (batch - 1) * n, batch * n);
  assert.ok(Number.isNaN(PADDING));
  return targets;
}

interface Sums {
  losses: Float64Array;
  correct: number;
  count: number;
}

function checkSums(state: Uint8Array, losses: Uint8Array, want: Sums): void {
  const view = new DataView(state.buffer);
  close(new Float32Array(losses.buffer), want.losses, 1e-6, 'losses');
  close([view.getFloat64(State.LossSum, true) - 10], [want.losses.reduce((a, b) => a + b, 0)], 1e-6, 'sum of losses');
  assert.is(view.getInt32(State.Correct, true) - 100, want.correct, 'correct');
  assert.is(view.getInt32(State.Count, true) - 200, want.count, 'count');
}

/** `of`: the loss of row b. Rows of padding have none. */
const byRow =
  (batch: number, n: number, rows: number, of: (x: number[], b: number) => number) =>
  (x: ArrayLike<number>): Float64Array =>
    Float64Array.from({ length: batch }, (_, b) => (b < rows ? of(Array.from(x).slice(b * n, (b + 1) * n), b) : 0));

/** A loss of labels, by the f64 reference of a picture's. */
interface OfLabels {
  op: string;
  loss: typeof binaryCrossEntropy;
}
const BCE: OfLabels = { op: 'BinaryCrossEntropy', loss: binaryCrossEntropy };

function binary(batch: number, n: number, train: boolean, spread = 3, { op, loss }: OfLabels = BCE): Direct {
  const logits = numbers(batch * n, 300 + n, spread);
  const rows = batch > 1 ? batch - 1 : batch;
  const wanted = Float32Array.from({ length: batch * n }, (_, i) => ((i * 7 + (i >> 2)) % 3 === 0 ? 1 : 0));
  // A target may be any share from 0 to 1.
  wanted[0] = 0.75;
  const thresholds = Float32Array.from({ length: n }, (_, j) => 0.1 + 0.8 * (j / n));
  const total = byRow(batch, n, rows, (x, b) => loss(x, wanted.slice(b * n, (b + 1) * n), SMOOTHING));
  const answers = Int32Array.from(logits, (x, i) => Number(1 / (1 + Math.exp(-x)) >= thresholds[i % n]!));
  return {
    op,
    name: `${op} [${batch},${n}]${train ? '' : ', evaluation'}${spread === 3 ? '' : `, logits × ${spread}`}`,
    phase: train ? 'train' : 'eval',
    inputs: [plain(logits, [batch, n]), plain(padded(wanted.slice(), batch, n), [batch, n], 'batch'), plain(thresholds, [n])],
    updates: [plain(stateBlock(), [State.Bytes], 'state')],
    attributes: { train: Number(train) },
    types: [f32(batch), i32(batch, n), ...(train ? [f32(batch, n)] : [])],
    check([losses, choices, dlogits], [state]) {
      assert.equal([...new Int32Array(choices!.buffer)], [...answers], 'choices');
      const right = Array.from({ length: rows }, (_, b) =>
        Array.from({ length: n }, (_, j) => b * n + j).every((i) => (answers[i] === 1) === wanted[i]! >= 0.5),
      );
      checkSums(state!, losses!, { losses: total(logits), correct: right.filter(Boolean).length, count: rows });
      if (!train) return;
      const slopes = differences(Float64Array.from(logits), new Float64Array(batch).fill(SCALE), total);
      close(new Float32Array(dlogits!.buffer), slopes, 1e-6, 'gradient of the logits');
    },
  };
}

function numeric(batch: number, n: number, train: boolean, delta: number, spread = 1): Direct {
  const logits = numbers(batch * n, 500 + n, spread);
  const rows = batch > 1 ? batch - 1 : batch;
  const targets = numbers(batch * n, 700 + n, 20).map((v) => v + 100);
  const scale = Float32Array.from({ length: 2 * n }, (_, i) => (i < n ? 90 + i : 15 + (i - n)));
  const wanted = Float64Array.from(targets, (t, i) => (t - scale[i % n]!) / scale[n + (i % n)]!);
  const total = byRow(batch, n, rows, (x, b) => huber(x, wanted.slice(b * n, (b + 1) * n), delta));
  return {
    op: 'Huber',
    name: `Huber [${batch},${n}], delta ${delta}${train ? '' : ', evaluation'}${spread === 1 ? '' : `, logits × ${spread}`}`,
    phase: train ? 'train' : 'eval',
    inputs: [plain(logits, [batch, n]), plain(padded(targets.slice(), batch, n), [batch, n], 'batch'), plain(scale, [2, n])],
    updates: [plain(stateBlock(), [State.Bytes], 'state')],
    attributes: { train: Number(train), delta },
    types: [f32(batch), f32(batch, n), ...(train ? [f32(batch, n)] : [])],
    check([losses, answers, dlogits], [state]) {
      close(
        new Float32Array(answers!.buffer),
        Float64Array.from(logits, (x, i) => x * scale[n + (i % n)]! + scale[i % n]!),
        1e-6,
        'answers in units',
      );
      checkSums(state!, losses!, { losses: total(logits), correct: 0, count: rows });
      if (!train) return;
      const slopes = differences(Float64Array.from(logits), new Float64Array(batch).fill(SCALE), total);
      close(new Float32Array(dlogits!.buffer), slopes, 2e-5, 'gradient of the logits');
    },
  };
}

export const lossesCases: readonly Direct[] = [
  ...TAILS.map((n) => binary(3, n, true)),
  ...TAILS.map((batch) => binary(batch, 5, batch % 2 === 0)),
  binary(2, 1000, true),
  binary(4, 9, true, 300),
  ...TAILS.map((n) => numeric(3, n, true, 1)),
  ...TAILS.map((batch) => numeric(batch, 3, batch % 2 === 0, 0)),
  numeric(4, 9, true, 0.5, 5),
  numeric(4, 9, true, 0, 5),
];
