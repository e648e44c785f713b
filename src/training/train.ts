/** The training loop: micro-batches, accumulation, evaluation, and a position that can be saved at any moment and continued exactly. */
import { State } from '../../assembly/abi/head.ts';
import { Io } from '../../assembly/abi/program.ts';
import { Astray, MOST_BACKS } from '../../assembly/abi/watch.ts';
import { EngineError } from '../base/error.ts';
import type { Engine } from '../engine/engine.ts';
import { checkBatch } from '../pipeline/options.ts';
import { byClass, type CountedEpoch, count, type EpochResult, type Figures, figuresOf, judgedOf, resultOf, type Tally } from './figures.ts';
import { createWatch, type Epoch, hasFiniteParameters, rewind, type Watch } from './watch.ts';

export type { CountedEpoch, EpochResult, Figures, Judged, Tally } from './figures.ts';

/** Labelled pictures, read one at a time into the arena. */
export interface Samples {
  count: number;
  label(index: number): number;
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
  epochs: 20,
  batchSize: 16,
  seed: 0,
  weightDecay: 0.01,
  warmup: 0.1,
  finalFraction: 0,
  clipNorm: 1,
  smoothing: 0,
  momentum: 0.9,
  patience: 0,
  retries: MOST_BACKS,
};

/** What the host has to remember beside the engine's region: plain JSON, saved with every checkpoint. */
export interface HostState {
  epochTally: Tally;
  epochs: CountedEpoch[];
  /** The best epoch so far; the last one where there is nothing to judge by. */
  bestEpoch: number;
  /** How often the run has gone back. */
  backs: number;
  /** Mean loss of the run's first step, as f32. */
  firstLoss: number;
}

export const freshHostState = (): HostState => ({
  epochTally: { lossSum: 0, correct: 0, count: 0 },
  epochs: [],
  bestEpoch: 0,
  backs: 0,
  firstLoss: 0,
});

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

export interface TrainHooks {
  onStep?(event: StepEvent): void;
  onEpoch?(result: EpochResult): void;
  onBack?(event: BackEvent): void;
  /** The parameters are the best so far: keep a copy. Called before the epoch's checkpoint. */
  keepBest?(): void;
  /** What the watch needs; without it nothing is watched. */
  watch?: {
    /** Puts the parameters of the end of an epoch, the best one, back; 0: those before the first step. */
    restore(epoch: number): void;
    /** Writes a checkpoint: one that is ahead of where the run has gone back to would be taken for the newest. */
    save(): void;
  };
  /** A place where a checkpoint may be written. `due`: the step number is a multiple of what the user asked for. */
  onBoundary?(step: number, host: HostState): void;
  /** Asked after every micro-batch, of learning and of judging; true stops the loop with the region consistent. */
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
  state.setInt32(State.WarmupSteps, Math.min(total - 1, Math.ceil(total * options.warmup)), true);
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

export const totalSteps = ({ epochs, batchSize }: TrainOptions, samples: number): number => epochs * Math.ceil(samples / batchSize);

interface Run {
  engine: Engine;
  data: { train: Samples; val: Samples };
  options: TrainOptions;
  host: HostState;
  hooks: TrainHooks;
}

/** Trains from wherever the state block says it stands. Returns false where `stopping` ended it early. */
export async function train(
  engine: Engine,
  data: Run['data'],
  options: TrainOptions,
  host: HostState,
  hooks: TrainHooks,
): Promise<boolean> {
  const { about } = engine.program;
  checkBatch(options.batchSize, about.microBatch);
  const watch = hooks.watch && createWatch(data, about.classes, options.smoothing);
  const run: Run = { engine, data, options, host, hooks };
  for (;;) {
    const epoch = engine.state.getUint32(State.Epoch, true);
    const isTired = options.patience > 0 && epoch - host.bestEpoch >= options.patience;
    if (epoch >= options.epochs || isTired) return true;
    const mayGoBack = watch !== undefined && host.backs < options.retries;
    let reason = Astray.No;
    try {
      if (!(await learnEpoch(run, epoch))) return false;
      const result = await judgeEpoch(run, epoch);
      if (result === undefined) return false;
      const steps = engine.state.getInt32(State.Step, true);
      const wasLearnt = host.epochs.at(-1)?.learnt ?? false;
      if (mayGoBack) reason = watch.look(result, { epochs: options.epochs, steps, before: host.firstLoss, wasLearnt });
      if (reason === Astray.No) endEpoch(run, result, watch);
      else hooks.onEpoch?.(resultOf({ ...result, learnt: false, best: false }));
    } catch (error) {
      if (!mayGoBack || !(error instanceof EngineError && error.isNotFinite)) throw error;
      reason = Astray.NotFinite;
    }
    if (reason !== Astray.No) goBack(run, epoch, reason);
  }
}

/** The steps of an epoch that are still to be done; false where `stopping` ended them. */
async function learnEpoch({ engine, data, options, host, hooks }: Run, epoch: number): Promise<boolean> {
  const { state } = engine;
  const n = data.train.count;
  const { microBatch } = engine.program.about;
  let position = state.getUint32(State.Position, true);
  while (position < n) {
    const end = Math.min(n, (Math.floor(position / options.batchSize) + 1) * options.batchSize);
    const stepSize = end - Math.floor(position / options.batchSize) * options.batchSize;
    state.setFloat32(State.LossScale, 1 / stepSize, true);
    while (position < end) {
      const count = Math.min(microBatch, end - position);
      await trainPass(engine, data.train, epoch, position, count);
      position += count;
      state.setUint32(State.Position, position, true);
      if (position < end) {
        await pause();
        if (hooks.stopping?.()) return false;
      }
    }
    await engine.runAsync('update');
    const tally = takeTally(engine);
    for (const key of ['lossSum', 'correct', 'count'] as const) host.epochTally[key] += tally[key];
    const step = state.getInt32(State.Step, true);
    if (step === 1) host.firstLoss = Math.fround(tally.lossSum / tally.count);
    hooks.onStep?.({
      epoch: epoch + 1,
      step,
      totalSteps: totalSteps(options, n),
      loss: tally.lossSum / tally.count,
      rate: state.getFloat32(State.Rate, true),
      norm: state.getFloat32(State.Norm, true),
      tally: figuresOf(host.epochTally),
      position,
    });
    if (position < n) hooks.onBoundary?.(step, host);
    await pause();
    if (hooks.stopping?.()) return false;
  }
  return true;
}

/** The numbers of an epoch whose steps are done; undefined where `stopping` ended the judging. */
async function judgeEpoch({ engine, data, host, hooks }: Run, epoch: number): Promise<Epoch | undefined> {
  const choices = byClass(engine.program.about.classes);
  const val = await evaluate(engine, data.val, (i, choice) => count(choices, data.val.label(i), choice), hooks.stopping);
  if (val.count < data.val.count) return undefined;
  // Where nothing is judged, nobody has yet seen what the last step made.
  if (val.count === 0 && !hasFiniteParameters(engine))
    throw new EngineError({ where: 'parameters', what: 'a number is NaN or infinite', hint: 'try a smaller --lr' }, true);
  return { epoch: epoch + 1, train: host.epochTally, val, judged: judgedOf(choices) };
}

/** An epoch that stands. */
function endEpoch({ engine: { state }, host, hooks }: Run, epoch: Epoch, watch: Watch | undefined): void {
  const best = epoch.val.count === 0 || isBetter(epoch.val, host.epochs[host.bestEpoch - 1]?.val);
  const result: CountedEpoch = { ...epoch, learnt: watch?.learnt(epoch) ?? false, best };
  host.epochs.push(result);
  host.epochTally = { lossSum: 0, correct: 0, count: 0 };
  if (best) host.bestEpoch = epoch.epoch;
  state.setUint32(State.Epoch, epoch.epoch, true);
  state.setUint32(State.Position, 0, true);
  // Without judged pictures the last epoch is kept: it lies in the arena.
  if (best && epoch.val.count > 0) hooks.keepBest?.();
  hooks.onEpoch?.(resultOf(result));
  hooks.onBoundary?.(state.getInt32(State.Step, true), host);
}

/** To the best epoch if something had been learnt by then, else to the start; from there with a smaller step. */
function goBack({ engine, data, options, host, hooks }: Run, epoch: number, reason: Astray): void {
  const best = host.epochs[host.bestEpoch - 1];
  const to = best?.learnt && best.val.count > 0 ? best.epoch : 0;
  const step = totalSteps({ ...options, epochs: to }, data.train.count);
  hooks.watch!.restore(to);
  rewind(engine, to, step);
  Object.assign(host, { epochTally: { lossSum: 0, correct: 0, count: 0 }, bestEpoch: to, backs: host.backs + 1 });
  host.epochs.length = to;
  hooks.watch!.save();
  hooks.onBack?.({ reason, epoch: epoch + 1, to, step, backs: host.backs, rate: engine.state.getFloat32(State.BaseRate, true) });
}

/** More correct, or as many with a smaller loss. */
const isBetter = (a: Tally, b: Tally | undefined): boolean =>
  b === undefined ||
  a.correct * b.count > b.correct * a.count ||
  (a.correct * b.count === b.correct * a.count && a.lossSum * b.count < b.lossSum * a.count);

/** Learns from one micro-batch; rows past `count` are padding (label -1). */
function trainPass(engine: Engine, samples: Samples, epoch: number, position: number, count: number): Promise<void> {
  const n = samples.count;
  const seed = engine.state.getUint32(State.Seed, true);
  const counters = engine.ints(Io.Samples);
  for (let row = 0; row < count; row++) counters[row] = Math.imul(epoch, n) + position + row;
  const indices = listed(count, (row) => engine.sampleAt(position + row, n, seed, epoch));
  return pass(engine, { phase: 'train' }, indices, samples);
}

/** Runs a pass over pictures, as many as a micro-batch has at most; the other rows are padding. */
export async function pass(engine: Engine, what: Pass, indices: readonly number[], samples: Samples): Promise<void> {
  fillLabels(engine, indices, samples);
  if (samples.features) return samples.features.run(engine, what, indices, () => fillPictures(engine, indices, samples));
  fillPictures(engine, indices, samples);
  await engine.runAsync(rangeOf(engine, what));
}

const listed = (count: number, indexOf: (row: number) => number): number[] => Array.from({ length: count }, (_, row) => indexOf(row));

/** Writes `count` pictures and labels into a micro-batch; the rows past them have label -1. */
export function fill(engine: Engine, count: number, indexOf: (row: number) => number, samples: Samples): void {
  const indices = listed(count, indexOf);
  fillLabels(engine, indices, samples);
  fillPictures(engine, indices, samples);
}

function fillLabels(engine: Engine, indices: readonly number[], samples: Samples): void {
  const labels = engine.ints(Io.Labels);
  labels.fill(-1);
  for (const [row, index] of indices.entries()) labels[row] = samples.label(index);
}

function fillPictures(engine: Engine, indices: readonly number[], samples: Samples): void {
  const pictures = engine.bytes(Io.Pictures);
  const size = pictures.length / engine.program.about.microBatch;
  for (const [row, index] of indices.entries()) samples.readInto(index, pictures.subarray(row * size, (row + 1) * size));
}

/** Loss and accuracy over all samples, in order; `each` sees every picture's logits and choice. `stopping` ends it early: fewer are counted. */
export async function evaluate(
  engine: Engine,
  samples: Samples,
  each?: (index: number, choice: number, logits: Float32Array) => void,
  stopping?: () => boolean,
): Promise<Tally> {
  const { microBatch, classes } = engine.program.about;
  clearTally(engine.state);
  for (let from = 0; from < samples.count; from += microBatch) {
    const count = Math.min(microBatch, samples.count - from);
    await pass(
      engine,
      { phase: 'eval' },
      listed(count, (row) => from + row),
      samples,
    );
    if (each) {
      const [choices, logits] = [engine.ints(Io.EvalChoices), engine.floats(Io.Logits)];
      for (let row = 0; row < count; row++) each(from + row, choices[row]!, logits.subarray(row * classes, (row + 1) * classes));
    }
    await pause();
    if (from + microBatch < samples.count && stopping?.()) break;
  }
  return takeTally(engine);
}

export function clearTally(state: DataView): void {
  state.setFloat64(State.LossSum, 0, true);
  state.setInt32(State.Correct, 0, true);
  state.setInt32(State.Count, 0, true);
}

function takeTally(engine: Engine): Tally {
  const { state } = engine;
  const tally = {
    lossSum: state.getFloat64(State.LossSum, true),
    correct: state.getInt32(State.Correct, true),
    count: state.getInt32(State.Count, true),
  };
  clearTally(state);
  return tally;
}

/** Gives the host a turn: signals, progress. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
