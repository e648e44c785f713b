/** Training steps against the clock: the real loop over pictures of noise, for what a board can do, not for what a model learns. */

import { type Clocks, readClocks } from '../base/machine.ts';
import type { Engine } from '../engine/engine.ts';
import { History } from './history.ts';
import { type Samples, startRun, TRAIN_DEFAULTS, train } from './train.ts';

export interface StepTimes {
  /** Milliseconds of each measured step, in order. */
  ms: number[];
  /** Clock and heat before the first step and after the last. */
  clocks: { first: Clocks; last: Clocks };
}

export interface StepSummary {
  steps: number;
  medianMs: number;
  /** Nine of ten steps take no longer. */
  ninthMs: number;
  imagesPerSecond: number;
  /** Median of the last quarter over that of the first: above 1 the board slows down as it warms up. */
  slowdown: number;
}

/** Pictures of noise; more of them than any measurement sees, so that no epoch ends. */
function noise(classes: number): Samples {
  let state = 0x9e3779b9;
  return {
    count: 1 << 24,
    label: (i) => i % classes,
    readInto(_, target) {
      for (let i = 0; i < target.length; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        target[i] = state >>> 8;
      }
    },
  };
}

/** Runs steps of `batchSize` for about `seconds`, three at least; those of the first tenth are not counted. */
export async function timeSteps(engine: Engine, batchSize: number, seconds: number, onStep?: (ms: number) => void): Promise<StepTimes> {
  const samples = noise(engine.program.about.classes);
  const options = { ...TRAIN_DEFAULTS, epochs: 1, batchSize, rate: 1e-6 };
  startRun(engine, options, samples.count);
  const ms: number[] = [];
  const first = readClocks();
  let began = performance.now();
  // The first steps compile the kernels and touch the memory.
  const start = began + 100 * seconds;
  const end = began + 1000 * seconds;
  let warm = false;
  await train(engine, { train: samples, val: samples }, options, new History(), {
    onStep() {
      const now = performance.now();
      if (warm) {
        ms.push(now - began);
        onStep?.(now - began);
      }
      began = performance.now();
      warm = began >= start;
    },
    stopping: () => ms.length >= 3 && performance.now() >= end,
  });
  return { ms, clocks: { first, last: readClocks() } };
}

/** The q-quantile of numbers, the lower of two neighbours. */
const quantile = (list: readonly number[], q: number): number => list.toSorted((a, b) => a - b)[Math.floor(q * (list.length - 1))]!;

export function summarise({ ms }: Pick<StepTimes, 'ms'>, batchSize: number): StepSummary {
  const quarter = Math.max(1, Math.floor(ms.length / 4));
  const medianMs = quantile(ms, 0.5);
  return {
    steps: ms.length,
    medianMs,
    ninthMs: quantile(ms, 0.9),
    imagesPerSecond: (1000 * batchSize) / medianMs,
    slowdown: quantile(ms.slice(-quarter), 0.5) / quantile(ms.slice(0, quarter), 0.5),
  };
}
