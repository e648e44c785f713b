/** The training loop: micro-batches, accumulation, evaluation, and a position that can be saved at any moment and continued exactly. */
import { State } from '../assembly/abi/head.ts';
import { Io } from '../assembly/abi/program.ts';
import type { Engine } from './engine.ts';
import { InputError } from './error.ts';

/** Labelled pictures, read one at a time into the arena. */
export interface Samples {
  count: number;
  label(index: number): number;
  readInto(index: number, target: Uint8Array): void;
  /** Where absent, every pass begins with the pictures' pixels. */
  features?: Features;
}

/** What a part of the network that never changes made of pictures, to go on from (src/featurecache.ts). */
export interface Features {
  /** Runs a phase over these pictures, whose labels are in place; `pictures` fills in their pixels, where they are wanted. */
  run(engine: Engine, phase: 'train' | 'eval', indices: readonly number[], pictures: () => void): Promise<void>;
}

export interface TrainOptions {
  epochs: number;
  /** Pictures in one optimizer step; a multiple of the program's micro-batch. */
  batchSize: number;
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
}

export const TRAIN_DEFAULTS: Omit<TrainOptions, 'epochs' | 'batchSize' | 'rate'> = {
  seed: 0,
  weightDecay: 0.01,
  warmup: 0.1,
  finalFraction: 0,
  clipNorm: 1,
  smoothing: 0,
  momentum: 0.9,
};

/** Sums over pictures since they were last cleared. */
export interface Tally {
  loss: number;
  correct: number;
  count: number;
}

export interface EpochResult {
  /** 1 is the first. */
  epoch: number;
  train: Tally;
  val: Tally;
  best: boolean;
}

/** What the host has to remember beside the engine's region: plain JSON, saved with every checkpoint. */
export interface HostState {
  epochTally: Tally;
  epochs: EpochResult[];
  bestEpoch: number;
}

export const freshHostState = (): HostState => ({ epochTally: { loss: 0, correct: 0, count: 0 }, epochs: [], bestEpoch: 0 });

export interface TrainHooks {
  onStep?(info: {
    epoch: number;
    step: number;
    totalSteps: number;
    loss: number;
    rate: number;
    norm: number;
    tally: Tally;
    position: number;
  }): void;
  onEpoch?(result: EpochResult): void;
  /** The parameters are the best so far: keep a copy. Called before the epoch's checkpoint. */
  keepBest?(): void;
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

/** Refuses a batch that micro-batches do not divide. */
export function checkBatch(batchSize: number, microBatch: number): void {
  if (batchSize % microBatch !== 0)
    throw new InputError({
      where: '--micro-batch',
      what: 'does not divide the batch size',
      got: microBatch,
      expected: `a divisor of ${batchSize}`,
    });
}

/** Trains from wherever the state block says it stands. Returns false where `stopping` ended it early. */
export async function train(
  engine: Engine,
  data: { train: Samples; val: Samples },
  options: TrainOptions,
  host: HostState,
  hooks: TrainHooks,
): Promise<boolean> {
  const { state } = engine;
  const n = data.train.count;
  const { microBatch } = engine.program.about;
  checkBatch(options.batchSize, microBatch);
  const total = totalSteps(options, n);
  for (;;) {
    const epoch = state.getUint32(State.Epoch, true);
    if (epoch >= options.epochs) return true;
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
      for (const key of ['loss', 'correct', 'count'] as const) host.epochTally[key] += tally[key];
      const step = state.getInt32(State.Step, true);
      hooks.onStep?.({
        epoch: epoch + 1,
        step,
        totalSteps: total,
        loss: tally.loss / tally.count,
        rate: state.getFloat32(State.Rate, true),
        norm: state.getFloat32(State.Norm, true),
        tally: host.epochTally,
        position,
      });
      if (position < n) hooks.onBoundary?.(step, host);
      await pause();
      if (hooks.stopping?.()) return false;
    }
    const val = await evaluate(engine, data.val, undefined, hooks.stopping);
    if (val.count < data.val.count) return false;
    const best = isBetter(val, host.epochs[host.bestEpoch - 1]?.val);
    const result: EpochResult = { epoch: epoch + 1, train: host.epochTally, val, best };
    host.epochs.push(result);
    host.epochTally = { loss: 0, correct: 0, count: 0 };
    if (best) host.bestEpoch = epoch + 1;
    state.setUint32(State.Epoch, epoch + 1, true);
    state.setUint32(State.Position, 0, true);
    if (best) hooks.keepBest?.();
    hooks.onEpoch?.(result);
    hooks.onBoundary?.(state.getInt32(State.Step, true), host);
  }
}

/** More correct, or as many with a smaller loss. */
const isBetter = (a: Tally, b: Tally | undefined): boolean =>
  b === undefined ||
  a.correct * b.count > b.correct * a.count ||
  (a.correct * b.count === b.correct * a.count && a.loss * b.count < b.loss * a.count);

/** Learns from one micro-batch; rows past `count` are padding (label -1). */
function trainPass(engine: Engine, samples: Samples, epoch: number, position: number, count: number): Promise<void> {
  const n = samples.count;
  const seed = engine.state.getUint32(State.Seed, true);
  const counters = engine.ints(Io.Samples);
  for (let row = 0; row < count; row++) counters[row] = Math.imul(epoch, n) + position + row;
  return pass(engine, 'train', count, (row) => engine.sampleAt(position + row, n, seed, epoch), samples);
}

/** Runs a phase over `count` pictures; rows past them are padding. */
async function pass(
  engine: Engine,
  phase: 'train' | 'eval',
  count: number,
  indexOf: (row: number) => number,
  samples: Samples,
): Promise<void> {
  const indices = Array.from({ length: count }, (_, row) => indexOf(row));
  fillLabels(engine, indices, samples);
  if (samples.features) return samples.features.run(engine, phase, indices, () => fillPictures(engine, indices, samples));
  fillPictures(engine, indices, samples);
  await engine.runAsync(phase);
}

/** Writes `count` pictures and labels into a micro-batch; the rows past them have label -1. */
export function fill(engine: Engine, count: number, indexOf: (row: number) => number, samples: Samples): void {
  const indices = Array.from({ length: count }, (_, row) => indexOf(row));
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
    await pass(engine, 'eval', count, (row) => from + row, samples);
    if (each) {
      const [choices, logits] = [engine.ints(Io.EvalChoices), engine.floats(Io.Logits)];
      for (let row = 0; row < count; row++) each(from + row, choices[row]!, logits.subarray(row * classes, (row + 1) * classes));
    }
    await pause();
    if (from + microBatch < samples.count && stopping?.()) break;
  }
  return takeTally(engine);
}

function clearTally(state: DataView): void {
  state.setFloat64(State.LossSum, 0, true);
  state.setInt32(State.Correct, 0, true);
  state.setInt32(State.Count, 0, true);
}

function takeTally(engine: Engine): Tally {
  const { state } = engine;
  const tally = {
    loss: state.getFloat64(State.LossSum, true),
    correct: state.getInt32(State.Correct, true),
    count: state.getInt32(State.Count, true),
  };
  clearTally(state);
  return tally;
}

/** Gives the host a turn: signals, progress. */
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
