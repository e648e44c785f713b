/**
 * A run: what it is given before it begins, and where it stands. `next` (runner.ts) moves it on.
 *
 *     arena     stateAt   | state block of the region, which the engine moves on as well |
 *     own       headAt    | head of a checkpoint | a record of 64 bytes for each epoch |
 *     counts    countsAt  | 4 rows of a u32 for each class or label; where the answer is numbers 3 f64 for each |
 *
 * What a run has to remember stands where a checkpoint writes it (abi/checkpoint.ts): saving copies bytes, going on puts them back. Written in what
 * both languages share (abi/bounds.ts), its numbers doubles on either side; the WASI program lays it over static memory, so nothing is allocated.
 */
import { CheckpointHead as Head, EpochRecord } from '../abi/checkpoint.ts';
import { State } from '../abi/head.ts';
import { Answer, Better } from '../abi/task.ts';
import { Astray } from '../abi/watch.ts';
import { Words } from '../formats/words.ts';

/** What `next` asks its host for. */
export const enum Want {
  /** Nothing: all epochs are done, or patience has ended, or all was judged. */
  Done = 0,
  /**
   * `rows` pictures of the epoch's order from place `first` on into the ports, with their numbers; where the program has a port for a partner, the picture of place
   * `partner` too, -1: none; then the phase train.
   */
  Learn,
  /** The phase update. */
  Update,
  /** `rows` pictures to judge by from number `first` on into the ports; then the phase eval. */
  Judge,
  /** A step was taken: it may be told. */
  Step,
  /** The parameters are the best so far: keep a copy. */
  KeepBest,
  /** An epoch is over, its record is written: it may be told. */
  Epoch,
  /** Write a checkpoint. */
  Save,
  /** Put the parameters back that were kept at the end of epoch `to`; 0: those before the first step. */
  Restore,
  /** The run has gone back to `to` because of `reason`: it may be told. */
  Back,
  /** Whole passes of `rows` pictures of the first epoch's order, from place `first` on and from the start again after the last; then the phase eval. */
  Measure,
  /** The phase rates. */
  SetRates,
  /** What was learnt is not finite, and the run may not go back: end it. */
  Unsound,
  /** The labels alone of `rows` pictures of the epoch's order from place `first` on into the port. */
  Weigh,
}

/** The parts of the pictures, and the rows of the table of classes: of those to judge by there are as many as were judged since judging began. */
export const enum Part {
  Learn = 0,
  Judge,
  /** Of judged pictures those that were right, and the answers. */
  Correct,
  Answered,
  Count,
}

/** What was done last, so what comes next. */
export const enum Stage {
  Begin = 0,
  Learnt,
  Updated,
  Stepped,
  Judged,
  Kept,
  Told,
  Failed,
  Restored,
  SavedBack,
  Measured,
  RatesSet,
  Weighed,
  Over,
}

export class Run {
  arena!: Words;
  own!: Words;
  counts!: Words;
  /** Added to the arena's offsets. */
  arenaAt: number = 0;
  stateAt: number = 0;
  /** Ports, and the choices of the phase eval. */
  labelsAt: number = 0;
  choicesAt: number = 0;
  /** The instructions of the phase update. */
  updateAt: number = 0;
  updateEnd: number = 0;
  /** All that is learnt, in one piece. */
  parametersAt: number = 0;
  parameterBytes: number = 0;
  headAt: number = 0;
  countsAt: number = 0;

  epochs: number = 0;
  batchSize: number = 0;
  microBatch: number = 0;
  classes: number = 0;
  /** How targets and answers are read, and which of two epochs is better (abi/task.ts). */
  answer: Answer = Answer.Class;
  better: Better = Better.Correct;
  /** Where the answer is numbers: means, then standard deviations, and Huber's delta. */
  constantsAt: number = 0;
  delta: number = 0;
  /** What each class weighs in the loss of training; 0: all weigh the same. */
  weightsAt: number = 0;
  /** Pictures to learn from and to judge by. */
  train: number = 0;
  val: number = 0;
  patience: number = 0;
  /** How often the run may go back. */
  retries: number = 0;
  /** A checkpoint is wanted after so many steps; 0: never. */
  saveEvery: number = 0;

  stage: Stage = Stage.Begin;
  /** Whether it only judges. */
  isJudging: boolean = false;
  /** The epoch under way: 0 is the first. */
  epoch: number = 0;
  first: number = 0;
  rows: number = 0;
  /** The place of the picture that a pass of an odd number of them lacks for its pairs; -1: there is none. */
  partner: number = -1;
  /** Where classes are weighed: the sum of the weights of the labels of the batch under way, and whether it is known yet. A program may hold any numbers. */
  weight: number = 0;
  isWeighed: boolean = false;
  /** The same of the passes that were asked for. */
  sum: number = 0;
  to: number = 0;
  reason: Astray = Astray.No;
  /** Sums over the last step's pictures, or over all that were judged. */
  loss: number = 0;
  correct: number = 0;
  count: number = 0;
  /** What an answer that does not look at the picture reaches: the least mean loss and the most right, by part; and the loss of all classes alike. */
  trainConstant: number = 0;
  trainMost: number = 0;
  valConstant: number = 0;
  valMost: number = 0;
  uniform: number = 0;
  /** Sums of the losses of the answer 0, by part, where the answer is numbers. */
  trainZero: number = 0;
  valZero: number = 0;
  /** Classes that there are pictures of to judge by. */
  valClasses: number = 0;
}

export function stateWord(run: Run, field: State): number {
  return run.arena.u32(run.stateAt + field);
}
export function setStateWord(run: Run, field: State, value: number): void {
  run.arena.setU32(run.stateAt + field, value);
}
export function headWord(run: Run, field: Head): number {
  return run.own.u32(run.headAt + field);
}
export function setHeadWord(run: Run, field: Head, value: number): void {
  run.own.setU32(run.headAt + field, value);
}
export function addHeadWord(run: Run, field: Head, more: number): void {
  setHeadWord(run, field, headWord(run, field) + more);
}

/** Address of the record of epoch `i`, 0 is the first. */
export function recordAt(run: Run, i: number): number {
  return run.headAt + Head.Bytes + i * EpochRecord.Bytes;
}
/** Whether epoch `epoch`, 1 is the first, showed that something was learnt; 0 did not. */
export function hadLearnt(run: Run, epoch: number): boolean {
  return epoch > 0 && run.own.u32(recordAt(run, epoch - 1) + EpochRecord.Flags) >= 2;
}

export function clearTally(run: Run): void {
  run.arena.setF64(run.stateAt + State.LossSum, 0);
  setStateWord(run, State.Correct, 0);
  setStateWord(run, State.Count, 0);
}
/** Takes the sums out of the state block, which begins anew. */
export function takeTally(run: Run): void {
  run.loss = run.arena.f64(run.stateAt + State.LossSum);
  run.correct = stateWord(run, State.Correct);
  run.count = stateWord(run, State.Count);
  clearTally(run);
}
