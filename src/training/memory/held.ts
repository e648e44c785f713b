/**
 * New classes beside old ones of which no picture is there: what was learnt is held, to the last bit, and the head alone gets rows. So that these know what
 * they have to keep clear of, features are drawn for the old classes from what the adapter knows of them (known.safetensors):
 *
 *     x = length·(mean + Σ √variance·z·direction + √(variance of the rest)·z′)
 */
import { mix } from '../../base/hostrandom.ts';
import type { Known } from '../../formats/knownfile.ts';
import type { Start } from '../fromadapter.ts';
import type { FeatureSource, HeadRows } from '../headstart.ts';
import type { TrainOptions } from '../train.ts';
import type { Continuing } from './continuing.ts';
import { type Data, meanSize } from './rehearse.ts';
import { settleRows } from './settle.ts';

/** Draws of an old class: as many as the new ones have pictures on average, within bounds. */
const LEAST = 16;
const MOST = 64;

interface Held {
  start: Start | undefined;
  continuing: Continuing;
  own: Data;
  options: TrainOptions;
}

/** How the head of a held adapter begins: features for the classes without pictures, where the adapter knows what they were, and rows that fit beside theirs. */
export function heldHead(
  { start, continuing: { missing }, own, options }: Held,
  first: number,
): { drawn: FeatureSource; settle(rows: HeadRows): void } | undefined {
  if (start === undefined || 'why' in start.known) return undefined;
  const drawn = drawnFeatures(start.known, missing, { pictures: meanSize(own.train), seed: options.seed });
  return { drawn, settle: (rows) => settleRows(rows, first) };
}

/** Features of some classes, `pictures` of each within bounds. `isWide`: with the variances as they were shrunk, for statistics of few pictures, which look narrower than they are. */
export function drawnFeatures(
  known: Known,
  rows: readonly number[],
  { pictures, seed, isWide = false }: { pictures: number; seed: number; isWide?: boolean },
): FeatureSource {
  const { features, lengths, means, directions, variances } = known;
  const each = Math.max(LEAST, Math.min(MOST, Math.round(pictures)));
  const along = variances.length - 1;
  // What was added to every variance is half of all of them together (src/training/known/statistics.ts).
  const rest = variances[along]!;
  const total = variances.subarray(0, along).reduce((sum, v) => sum + v, 0) + rest * (features - along);
  const added = total / (2 * features);
  const deviation = (v: number): number => Math.sqrt(isWide ? v : Math.max(0, v - added));
  return {
    count: each * rows.length,
    label: (i) => rows[Math.floor(i / each)]!,
    fill(i, target) {
      const c = rows[Math.floor(i / each)]!;
      const stream = mix(seed >>> 0, i);
      for (let f = 0; f < features; f++) target[f] = means[c * features + f]! + deviation(rest) * normal(stream, along + f);
      for (let k = 0; k < along; k++) {
        // The rest's noise stands for this direction too, so what is added is what it lacks.
        const more = Math.sqrt(Math.max(0, variances[k]! - rest)) * normal(stream, k);
        for (let f = 0; f < features; f++) target[f]! += more * directions[k * features + f]!;
      }
      for (let f = 0; f < features; f++) target[f]! *= lengths[c]!;
    },
  };
}

/** Nearly normal, from sums alone: twelve numbers from 0 to 1, less 6. */
function normal(stream: number, counter: number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += mix(stream, counter * 12 + i) / 2 ** 32;
  return sum;
}
