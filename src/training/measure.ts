/** Relative rates of a run (src/passes/rates.ts): outputs are measured on its first pictures before the first step. */
import { Head, State } from '../../assembly/abi/head.ts';
import { Rates } from '../../assembly/abi/rates.ts';
import { Want } from '../../assembly/runner/run.ts';
import { beginMeasuring, next } from '../../assembly/runner/runner.ts';
import { EngineError } from '../base/error.ts';
import type { Engine } from '../engine/engine.ts';
import { RATE_GROUPS, type RateGroup } from '../passes/rates.ts';
import type { Program } from '../program/program.ts';
import { createRun } from './runner.ts';
import { fill, pause, type Samples } from './train.ts';

/** Does the program have rates to be measured? */
export const hasRelativeRates = ({ entries }: Program): boolean => entries.rates.end > entries.rates.start;

/**
 * Measures in whole passes over the pictures in the first epoch's order, as many as make Rates.MeasuredPictures, from the first again where there are
 * fewer; then sets the rates. Call it before the first step: the sums lie where gradients and moments are zero.
 */
export async function measureRates(engine: Engine, samples: Samples, seed: number): Promise<void> {
  const run = createRun(engine, { train: samples.count });
  beginMeasuring(run);
  while (next(run) === Want.Measure) {
    const { first, rows } = run;
    fill(engine, rows, (row) => engine.sampleAt((first + row) % samples.count, samples.count, seed, 0), samples);
    await engine.runAsync('eval').catch((error) => {
      throw error instanceof EngineError && error.isNotFinite ? notFinite(engine) : error;
    });
    await pause();
  }
  await engine.runAsync('rates');
  next(run);
}

/** No rate is too large before the first step. */
const notFinite = ({ program, memory }: Engine): EngineError =>
  new EngineError({
    where: program.symbols[new DataView(memory.buffer).getInt32(Head.FailedNode, true)] ?? 'evaluation',
    what: 'what the network puts out on the first pictures is not finite (NaN or infinite)',
    hint: 'are these the weights that belong to the configuration?',
  });

/** Smallest and largest peak rate of what learns, as the run takes its steps. */
export type MeasuredRates = Partial<Record<RateGroup, readonly [number, number]>>;

/** What was measured, times the run's factor; undefined where one rate holds for everything. */
export function measuredRates({ program, state }: Pick<Engine, 'program' | 'state'>): MeasuredRates | undefined {
  if (!hasRelativeRates(program)) return undefined;
  const ranges = rateRanges(state);
  const list = RATE_GROUPS.map((group, g) => [group, [ranges[2 * g]!, ranges[2 * g + 1]!]] as const);
  return Object.fromEntries(list.filter(([, [, most]]) => most > 0));
}

/** Smallest and largest peak rate, group by group; zeros where none learns. */
export function rateRanges(state: DataView): Float32Array<ArrayBuffer> {
  const base = state.getFloat32(State.BaseRate, true);
  return Float32Array.from({ length: 2 * Rates.Groups }, (_, i) => state.getFloat32(State.Rates + 4 * i, true) * base);
}

const WORDS: Readonly<Record<RateGroup, string>> = {
  ...{ bias: 'biases', prompt: 'prompts', side: 'side branch', lora: 'low-rank products', full: 'weights', head: 'head' },
};

/** `biases 0.00041 to 0.021, head 0.0014`. */
export function ratesText(rates: MeasuredRates): string {
  const short = (x: number): string => String(Number(x.toPrecision(2)));
  const range = ([least, most]: readonly [number, number]): string => (least === most ? short(most) : `${short(least)} to ${short(most)}`);
  return Object.entries(rates)
    .map(([group, found]) => `${WORDS[group as RateGroup]} ${range(found)}`)
    .join(', ');
}
