/** Answers over time: what a camera sees changes more slowly than what is said of its frames. */
import { InputError } from '../base/error.ts';
import type { Prediction } from '../task/index.ts';

const MOST = 10_000;

/** Takes what was said of the next frame, in any order; returns what is said of it and of those before. */
export type Smoothing = (said: readonly Prediction[]) => Prediction[];

/**
 * The mean of the last `frames` answers: of probabilities, or of numbers. What is `known` or `answered` is what more than half of them say; of two halves the
 * newest decides. Of fewer frames, at the beginning, those that there are. Throws InputError for a count that is not whole, or not 1 to 10,000.
 *
 *     const smooth = createSmoothing(5);
 *     for await (const pixels of frames) show(smooth(classifier.predict(pixels, 640, 480)));
 */
export function createSmoothing(frames: number): Smoothing {
  if (!(Number.isInteger(frames) && frames >= 1 && frames <= MOST))
    throw new InputError({ where: 'frames', what: 'wrong value', got: frames, expected: `a whole number from 1 to ${MOST}` }, 'S2A_OPTION');
  /** By index of the label; the newest last. */
  const window: Prediction[][] = [];
  return (said) => {
    window.push([...said].sort((a, b) => a.index - b.index));
    if (window.length > frames) window.shift();
    const mean = (i: number, of: (one: Prediction) => number): number => window.reduce((sum, one) => sum + of(one[i]!), 0) / window.length;
    const newest = window.at(-1)!;
    const most = (i: number, of: (one: Prediction) => boolean): boolean => {
      const yes = window.filter((one) => of(one[i]!)).length;
      return 2 * yes === window.length ? of(newest[i]!) : 2 * yes > window.length;
    };
    const smoothed = newest.map((one, i) => ({
      ...one,
      probability: mean(i, ({ probability }) => probability),
      ...(one.value === undefined ? {} : { value: mean(i, ({ value }) => value!) }),
      ...(one.known === undefined ? {} : { known: most(i, ({ known }) => known!) }),
      ...(one.distance === undefined ? {} : { distance: mean(i, ({ distance }) => distance!) }),
      ...(one.answered === undefined ? {} : { answered: most(i, ({ answered }) => answered!) }),
    }));
    return newest[0]?.value === undefined ? smoothed.sort((a, b) => b.probability - a.probability || a.index - b.index) : smoothed;
  };
}
