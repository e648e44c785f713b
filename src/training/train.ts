/** The training loop's host: what the run wants (assembly/runner) is done here, with the event loop's turns between. */
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { Answer } from '../../assembly/abi/task.ts';
import type { Astray } from '../../assembly/abi/watch.ts';
import { countTarget } from '../../assembly/runner/answers.ts';
import { Part, type Run, Want } from '../../assembly/runner/run.ts';
import { beginJudging, beginRun, fail, interrupt, next } from '../../assembly/runner/runner.ts';
import { stepsOf, warmupSteps } from '../../assembly/runner/schedule.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { EngineError } from '../base/error.ts';
import { wordsOf } from '../base/words.ts';
import type { Engine } from '../engine/engine.ts';
import { WeightsLost } from '../engine/storedfile.ts';
import { checkBatch } from '../pipeline/options.ts';
import { type EpochResult, type Figures, figuresOf, resultOf, type Tally } from './figures.ts';
import type { History } from './history.ts';
import { createRollback, type Rollback } from './rollback.ts';
import { createRun } from './runner.ts';

export type { CountedEpoch, EpochResult, Figures, Judged, Tally } from './figures.ts';

/** Labelled pictures, read one at a time into the arena. */
export interface Samples {
  count: number;
  /** Its class; where the task has targets 0. */
  label(index: number): number;
  /** Its targets, f32 by output; absent where it has a class. */
  targets?(index: number): Float32Array;
  readInto(index: number, target: Uint8Array): void;
  /** Where absent, every pass begins with the pictures' pixels. */
  features?: Features;
}

/** A phase, or its instructions up to an arena offset. */
export interface Pass {
  phase: 'train' | 'eval';
  until?: number;
}

/** The instructions of a pass. */
export const rangeOf = ({ program }: Engine, { phase, until }: Pass): { start: number; end: number } => ({
  start: program.entries[phase].start,
  end: until ?? program.entries[phase].end,
});

/** What a part of the network that never changes made of pictures, to go on from (src/training/featurecache.ts). */
export interface Features {
  /** Runs a pass over these pictures, whose labels are in place; `pictures` fills in their pixels, where they are wanted. */
  run(engine: Engine, what: Pass, indices: readonly number[], pictures: () => void): Promise<void>;
}

export interface TrainOptions {
  epochs: number;
  /** Pictures in one optimizer step; a multiple of the program's micro-batch. */
  batchSize: number;
  /** Peak learning rate, or where the program has rates of its own a factor on them. */
  rate: number;
  seed: number;
  weightDecay: number;
  /** Share of all steps in which the rate rises. */
  warmup: number;
  /** Final rate as a fraction of the peak. */
  finalFraction: number;
  /** Largest gradient norm; 0: no clipping. */
  clipNorm: number;
  smoothing: number;
  momentum: number;
  /** Epochs without a better one after which the run ends; 0: it never does. */
  patience: number;
  /** How often a run that has gone astray goes back and takes a smaller step. */
  retries: number;
}

/** What holds where nothing is said; the rate's is in rates.ts. */
export const TRAIN_DEFAULTS: Omit<TrainOptions, 'rate'> = {
  epochs: DEFAULTS.epochs,
  batchSize: DEFAULTS.batchSize,
  seed: DEFAULTS.seed,
  weightDecay: DEFAULTS.weightDecay,
  warmup: DEFAULTS.warmup,
  finalFraction: DEFAULTS.finalFraction,
  clipNorm: DEFAULTS.clipNorm,
  smoothing: DEFAULTS.smoothing,
  momentum: DEFAULTS.momentum,
  patience: DEFAULTS.patience,
  retries: DEFAULTS.retries,
};

/** A step was taken. */
export interface StepEvent {
  /** 1 is the first. */
  epoch: number;
  /** Steps taken, 1 after the first. */
  step: number;
  /** Steps of the whole run. */
  totalSteps: number;
  /** Mean loss of the step's pictures. */
  loss: number;
  /** The rate of this step; where rates are measured the factor on them. */
  rate: number;
  /** Norm of the gradient before it was clipped. */
  norm: number;
  /** Of the epoch so far. */
  tally: Figures;
  /** Pictures of the epoch that have been learnt from. */
  position: number;
}

/** The run has gone back to the end of epoch `to` (0: to its start), after step `step`; `rate` is the peak rate from now on. */
export interface BackEvent {
  /** What was wrong (assembly/abi/watch.ts). */
  reason: Astray;
  /** The epoch in which it was, 1 is the first. */
  epoch: number;
  /** The epoch at whose end the run goes on; 0: from its start. */
  to: number;
  /** The step after which it went back. */
  step: number;
  /** How often it has now. */
  backs: number;
  /** The peak rate from now on. */
  rate: number;
}

/** Where a run keeps what it may need again (src/training/runfolder.ts). */
export interface Keeper {
  /** Writes a checkpoint. */
  save(): void;
  /** The parameters are the best so far: keep a copy. Called before the epoch's checkpoint. */
  keepBest(): void;
  /** Puts the parameters of the end of an epoch, the best one, back; 0: those before the first step. */
  restore(epoch: number): void;
}

export interface TrainHooks {
  onStep?(event: StepEvent): void;
  onEpoch?(result: EpochResult): void;
  onBack?(event: BackEvent): void;
  /** Without it nothing is kept, so the run is not watched: it has nowhere to go back to. */
  keeper?: Keeper;
  /** A checkpoint after so many steps; absent: none. */
  saveEvery?: number | undefined;
  /** Asked between any two passes, of learning and of judging; true stops the loop with the region consistent. */
  stopping?(): boolean;
}

/** Writes the run's constants into the state block; a run that continues has them already. */
export function startRun(engine: Engine, options: TrainOptions, samples: number): void {
  writeState(engine.state, options, samples);
}

/** The state block before the first step. */
export function writeState(state: DataView, options: TrainOptions, samples: number): void {
  const total = totalSteps(options, samples);
  state.setInt32(State.Step, 0, true);
  state.setInt32(State.TotalSteps, total, true);
  state.setInt32(State.WarmupSteps, warmupSteps(total, options.warmup), true);
  state.setUint32(State.Seed, options.seed, true);
  const floats: [State, number][] = [
    [State.BaseRate, options.rate],
    [State.FinalFraction, options.finalFraction],
    [State.Beta1, options.momentum],
    [State.Beta2, 0.999],
    [State.Epsilon, 1e-8],
    [State.WeightDecay, options.weightDecay],
    [State.ClipNorm, options.clipNorm],
    [State.Smoothing, options.smoothing],
  ];
  for (const [field, value] of floats) state.setFloat32(field, value, true);
  state.setFloat64(State.Beta1Power, 1, true);
  state.setFloat64(State.Beta2Power, 1, true);
  state.setUint32(State.Epoch, 0, true);
  state.setUint32(State.Position, 0, true);
  clearTally(state);
}

export const totalSteps = ({ epochs, batchSize }: TrainOptions, samples: number): number => stepsOf(epochs, samples, batchSize);

interface Host {
  engine: Engine;
  data: { train: Samples; val: Samples };
  options: TrainOptions;
  history: History;
  hooks: TrainHooks;
  run: Run;
}

/** Trains from wherever the state block and the history say it stands. Returns false where `stopping` ended it early. */
export async function train(
  engine: Engine,
  data: Host['data'],
  options: TrainOptions,
  history: History,
  hooks: TrainHooks,
): Promise<boolean> {
  checkBatch(options.batchSize, engine.program.about.microBatch);
  const { keeper, saveEvery = 0 } = hooks;
  const counts = { train: data.train.count, val: data.val.count };
  const run = createRun(engine, { ...options, ...counts, saveEvery, retries: keeper ? options.retries : 0 }, history);
  if (keeper) {
    countTargets(run, Part.Learn, data.train);
    countTargets(run, Part.Judge, data.val);
  }
  beginRun(run);
  const host: Host = { engine, data, options, history, hooks, run };
  const rollback = createRollback(engine, history, options.batchSize);
  let isFirst = true;
  for (let want = next(run); want !== Want.Done; want = next(run)) {
    if (want === Want.Learn || want === Want.Judge) {
      if (!isFirst) await pause();
      if (!isFirst && hooks.stopping?.()) {
        interrupt(run);
        return false;
      }
      isFirst = false;
    }
    if (want === Want.Learn) rollback.mark();
    try {
      await serve(host, want);
    } catch (error) {
      if (error instanceof WeightsLost && keeper) throw saved(error, host, want, rollback);
      if (!(error instanceof EngineError && error.isNotFinite && fail(run))) throw error;
    }
  }
  return true;
}

/** Weights have been lost in a pass: the run is saved as it stood before, and the error says so. */
function saved(error: WeightsLost, { run, hooks }: Host, want: Want, rollback: Rollback): WeightsLost {
  if (want === Want.Judge) interrupt(run);
  // Where no step has begun the checkpoint that the run came from is as good.
  if (want === Want.Judge || rollback.back()) hooks.keeper?.save();
  return new WeightsLost({ ...error.parts, hint: 'the run is saved: --resume writes the file anew and goes on' }, error.code);
}

/** What an answer that does not look at the pictures could know of a part. */
function countTargets(run: Run, part: Part, samples: Samples): void {
  let target = new DataView(Int32Array.of(0).buffer);
  const words = wordsOf(() => target);
  for (let i = 0; i < samples.count; i++) {
    target = new DataView((samples.targets?.(i) ?? Int32Array.of(samples.label(i))).slice().buffer);
    countTarget(run, part, words, 0);
  }
}

/** Does what the run wants. */
async function serve(host: Host, want: Want): Promise<void> {
  const { engine, data, history, hooks, run } = host;
  switch (want) {
    case Want.Learn:
      return learn(engine, data.train, run);
    case Want.Weigh:
      return fillTargets(engine, placesOf(engine, data.train, run), data.train);
    case Want.Update:
      return engine.runAsync('update');
    case Want.Judge:
      return pass(
        engine,
        { phase: 'eval' },
        listed(run.rows, (row) => run.first + row),
        data.val,
      );
    case Want.Step:
      return hooks.onStep?.(stepEvent(host));
    case Want.Epoch:
      return hooks.onEpoch?.(resultOf(history.epoch(run.epoch)));
    case Want.Save:
      return hooks.keeper?.save();
    case Want.KeepBest:
      return hooks.keeper?.keepBest();
    case Want.Restore:
      return hooks.keeper?.restore(run.to);
    case Want.Back:
      return hooks.onBack?.(backEvent(host));
    default:
      throw new EngineError({ where: 'parameters', what: 'a number is NaN or infinite', hint: 'try a smaller --lr' }, true);
  }
}

const stepEvent = ({ engine: { state }, options, history, run }: Host): StepEvent => ({
  epoch: run.epoch + 1,
  step: state.getInt32(State.Step, true),
  totalSteps: totalSteps(options, run.train),
  loss: run.loss / run.count,
  rate: state.getFloat32(State.Rate, true),
  norm: state.getFloat32(State.Norm, true),
  tally: figuresOf(history.epochTally),
  position: state.getUint32(State.Position, true),
});

const backEvent = ({ engine: { state }, history, run: { reason, epoch, to } }: Host): BackEvent => ({
  ...{ reason, epoch: epoch + 1, to, step: state.getInt32(State.Step, true), backs: history.backs },
  rate: state.getFloat32(State.BaseRate, true),
});

/** The pictures of the epoch's order that the run wants. */
function placesOf(engine: Engine, { count }: Samples, { epoch, first, rows }: Run): number[] {
  const seed = engine.state.getUint32(State.Seed, true);
  return listed(rows, (row) => engine.sampleAt(first + row, count, seed, epoch));
}

/** Learns from one micro-batch; rows past its pictures are padding (label -1). */
function learn(engine: Engine, samples: Samples, run: Run): Promise<void> {
  const { epoch, first, rows } = run;
  const counters = engine.ints(Io.Samples);
  const number = Math.imul(epoch, samples.count) + first;
  for (let row = 0; row < rows; row++) counters[row] = number + row;
  if (engine.program.io.has(Io.Partner)) fillPartner(engine, samples, run);
  return pass(engine, { phase: 'train' }, placesOf(engine, samples, run), samples);
}

/** The picture that is paired with one of the pass; where there is none its number is that of the place behind the pass. */
function fillPartner(engine: Engine, samples: Samples, run: Run): void {
  const { epoch, first, partner } = run;
  const [label, number] = [engine.ints(Io.PartnerLabel), engine.ints(Io.PartnerSample)];
  label[0] = -1;
  number[0] = Math.imul(epoch, samples.count) + (partner < 0 ? first + run.microBatch : partner);
  if (partner < 0) return;
  const [index] = placesOf(engine, samples, { ...run, first: partner, rows: 1 }) as [number];
  label[0] = samples.label(index);
  samples.readInto(index, engine.bytes(Io.Partner));
}

/** Runs a pass over pictures, as many as a micro-batch has at most; the other rows are padding. */
export async function pass(engine: Engine, what: Pass, indices: readonly number[], samples: Samples): Promise<void> {
  fillTargets(engine, indices, samples);
  if (samples.features) return samples.features.run(engine, what, indices, () => fillPictures(engine, indices, samples));
  fillPictures(engine, indices, samples);
  await engine.runAsync(rangeOf(engine, what));
}

const listed = (count: number, indexOf: (row: number) => number): number[] => Array.from({ length: count }, (_, row) => indexOf(row));

/** Writes `count` pictures and targets into a micro-batch; the rows past them are padding. */
export function fill(engine: Engine, count: number, indexOf: (row: number) => number, samples: Samples): void {
  const indices = listed(count, indexOf);
  fillTargets(engine, indices, samples);
  fillPictures(engine, indices, samples);
}

/** Rows without a picture are marked as padding: every bit is set. */
function fillTargets(engine: Engine, indices: readonly number[], samples: Samples): void {
  const port = engine.ints(Io.Labels);
  port.fill(-1);
  for (const [row, index] of indices.entries()) {
    const targets = samples.targets?.(index);
    if (targets) engine.floats(Io.Labels).set(targets, row * targets.length);
    else port[row] = samples.label(index);
  }
}

function fillPictures(engine: Engine, indices: readonly number[], samples: Samples): void {
  const pictures = engine.bytes(Io.Pictures);
  const size = pictures.length / engine.program.about.microBatch;
  for (const [row, index] of indices.entries()) samples.readInto(index, pictures.subarray(row * size, (row + 1) * size));
}

/** Loss and accuracy over all samples, in order; `each` sees every picture's answer (abi/task.ts) and logits. */
export async function evaluate(
  engine: Engine,
  samples: Samples,
  each?: (index: number, answer: Int32Array | Float32Array, logits: Float32Array) => void,
): Promise<Tally> {
  const { classes } = engine.program.about;
  const run = createRun(engine, { val: samples.count });
  beginJudging(run);
  while (next(run) === Want.Judge) {
    const { first, rows } = run;
    await pass(
      engine,
      { phase: 'eval' },
      listed(rows, (row) => first + row),
      samples,
    );
    const answers = run.answer === Answer.Numbers ? engine.floats(Io.EvalChoices) : engine.ints(Io.EvalChoices);
    const logits = engine.floats(Io.Logits);
    const wide = run.answer === Answer.Class ? 1 : classes;
    for (let row = 0; row < (each ? rows : 0); row++)
      each?.(first + row, answers.subarray(row * wide, (row + 1) * wide), logits.subarray(row * classes, (row + 1) * classes));
    await pause();
  }
  return { lossSum: run.loss, correct: run.correct, count: run.count };
}

export function clearTally(state: DataView): void {
  state.setFloat64(State.LossSum, 0, true);
  state.setInt32(State.Correct, 0, true);
  state.setInt32(State.Count, 0, true);
}

/** Gives the host a turn: signals, progress. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
