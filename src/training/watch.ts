/**
 * The watch over a run: whether an epoch has gone astray (the rules are those of assembly/abi/watch.ts), and the way back. Twin of
 * targets/wasi/watch.ts: both decide from the same numbers, so both end in the same bytes.
 */
import { State } from '../../assembly/abi/head.ts';
import { AdamWArg, SgdArg } from '../../assembly/abi/ops/update.ts';
import { Instruction, Op } from '../../assembly/abi/ops.ts';
import { Astray, astray, constantTerm, isTime, MOST_BACKS, SMALLER, showsLearning } from '../../assembly/abi/watch.ts';
import { InputError } from '../base/error.ts';
import type { Engine } from '../engine/engine.ts';
import { numel } from '../graph/graph.ts';
import { type CountedEpoch, countLabels, mostFrequent } from './figures.ts';

/** What an answer that does not look at the picture reaches on some pictures. */
interface Blind {
  /** Right, by always saying the most frequent class. */
  most: number;
  /** The least mean loss. */
  loss: number;
  /** Classes that there are pictures of. */
  classes: number;
}

type Labelled = Parameters<typeof countLabels>[0];

function blind(samples: Labelled, classes: number, smoothing: number): Blind {
  const counts = countLabels(samples, classes);
  const most = mostFrequent(counts);
  let loss = 0;
  if (samples.count > 0) for (const n of counts) loss += constantTerm(n, samples.count, classes, smoothing);
  return { most: most.count, loss, classes: most.classes };
}

/** The numbers of an epoch as they were counted, before it is known whether it stands. */
export type Epoch = Omit<CountedEpoch, 'learnt' | 'best'>;

export interface Watch {
  /** Whether an epoch shows that something was learnt. */
  learnt(epoch: Epoch): boolean;
  /** What is wrong with an epoch; `before`: mean loss of the run's first step, `steps`: done so far, `wasLearnt`: of the epoch before it. */
  look(epoch: Epoch, run: { epochs: number; steps: number; before: number; wasLearnt: boolean }): Astray;
}

export function createWatch(data: { train: Labelled; val: Labelled }, classes: number, smoothing: number): Watch {
  const train = blind(data.train, classes, smoothing);
  const val = blind(data.val, classes, smoothing);
  const uniform = blind({ count: classes, label: (i) => i }, classes, smoothing).loss;
  const learnt = (e: Epoch): boolean =>
    showsLearning(e.train.lossSum, e.train.correct, e.train.count, train.most, train.loss) ||
    showsLearning(e.val.lossSum, e.val.correct, e.val.count, val.most, val.loss);
  return {
    learnt,
    look(e, { epochs, steps, before, wasLearnt }) {
      if (!isTime(e.epoch, epochs, steps, e.val.count, wasLearnt) || learnt(e)) return Astray.No;
      return astray(e.train.lossSum / e.train.count, before, train.loss, uniform, val.classes > 1 && e.judged.answers === 1);
    },
  };
}

/** Puts the state block where `epoch` epochs have ended after `step` steps, with a smaller rate, and forgets gradients and moments. */
export function rewind(engine: Engine, epoch: number, step: number): void {
  const { state } = engine;
  state.setInt32(State.Step, step, true);
  state.setFloat32(State.BaseRate, state.getFloat32(State.BaseRate, true) * SMALLER, true);
  for (const field of [State.Rate, State.Norm, State.ClipFactor]) state.setFloat32(field, 0, true);
  for (const field of [State.SumSquares, State.LossSum]) state.setFloat64(field, 0, true);
  for (const field of [State.Beta1Power, State.Beta2Power]) state.setFloat64(field, 1, true);
  for (const field of [State.Correct, State.Count, State.Position]) state.setUint32(field, 0, true);
  state.setUint32(State.Epoch, epoch, true);
  forget(engine);
}

/** Clears what the update accumulates: every gradient and every moment that its instructions name. */
function forget({ program, memory }: Engine): void {
  const words = new Int32Array(memory.buffer);
  const { start, end } = program.entries.update;
  for (let at = start / 4; at < end / 4; at += words[at + Instruction.Words]!) {
    const argument = (i: number): number => words[at + Instruction.Arguments + i]!;
    const clear = (count: number, ...values: number[]): void => {
      for (const value of values) words.fill(0, argument(value) / 4, argument(value) / 4 + argument(count));
    };
    if (words[at] === Op.AdamW) clear(AdamWArg.N, AdamWArg.G, AdamWArg.MEAN, AdamWArg.VARIANCE);
    if (words[at] === Op.Sgd) clear(SgdArg.N, SgdArg.G, SgdArg.MOMENTUM);
  }
}

/** Whether every learnable number is finite: what the last step of a run without judged pictures is asked. */
export const hasFiniteParameters = ({ program, memory }: Engine): boolean =>
  program.parameters.every(({ offset, dims }) => new Float32Array(memory.buffer, offset, numel(dims)).every(Number.isFinite));

/** Refuses numbers that neither loop can count with. */
export function checkWatch({ retries, patience }: { retries: number; patience: number }): void {
  const check = (where: string, got: number, most: number): void => {
    if (Number.isInteger(got) && got >= 0 && got <= most) return;
    throw new InputError({ where, what: 'wrong value', got, expected: `a whole number from 0 to ${most}` });
  };
  check('--retries', retries, MOST_BACKS);
  check('--patience', patience, 0x7fffffff);
}

/** The reason as the end of "the run goes back: ". */
export const REASONS: Readonly<Record<Astray, string>> = {
  [Astray.No]: '',
  [Astray.NotFinite]: 'the loss or the gradient is not finite',
  [Astray.Loss]: 'the loss is above its start, and above that of a constant answer',
  [Astray.OneAnswer]: 'one answer for every picture, and a loss no better than a constant one',
};
