/** The worst mistakes among judged pictures, kept while they pass. */

import type { Prediction, Worst } from '../../src/report/data.ts';
import type { Judged, Shown } from './judge.ts';

/** Pictures that are shown. */
const SHOWN = 24;

/** Makes of a judged picture what a page has. */
export type Picturer = (picture: Judged, show: () => Shown) => Prediction;

/** Loads the encoder, which a command without a page never holds. */
export async function openPicturer(): Promise<Picturer> {
  const { encode } = await import('fast-png');
  return ({ badness: _, ...said }, show) => {
    const { width, height, channels, data } = show();
    return { ...said, png: encode({ width, height, data, channels, depth: 8 }) };
  };
}

export interface WorstKeeper {
  see(picture: Judged, show: () => Shown): void;
  found(): Worst;
}

/** `isNumbers`: no answer is right or wrong, the furthest off are kept. */
export function keepWorst(pictured: Picturer, isNumbers: boolean): WorstKeeper {
  const kept: { badness: number; picture: Prediction }[] = [];
  let [count, wrong] = [0, 0];
  return {
    see(picture, show) {
      count++;
      const { badness, truth, predicted } = picture;
      const isWrong = isNumbers || !(picture.isRight ?? truth === predicted);
      if (!isWrong) return;
      wrong++;
      if (kept.length === SHOWN && badness <= kept.at(-1)!.badness) return;
      const at = kept.findIndex((other) => badness > other.badness);
      kept.splice(at < 0 ? kept.length : at, 0, { badness, picture: pictured(picture, show) });
      kept.length = Math.min(kept.length, SHOWN);
    },
    found: () => ({ count, wrong: isNumbers ? null : wrong, pictures: kept.map(({ picture }) => picture) }),
  };
}
