/**
 * How well pictures that are like nothing learnt are told apart from those that are: what share of either is refused, and, whatever the threshold, the area under
 * the ROC curve.
 */

/** Pictures of known classes, and of others. */
export interface Refusals {
  /** Pictures of known classes, and how many of them were called unknown. */
  count: number;
  refused: number;
  /** Those that were not, and how many of them were named rightly. */
  named: { count: number; correct: number };
  /** Pictures of nothing that was learnt, and how many of them were called unknown; null where there are none. */
  others: {
    count: number;
    refused: number;
    /** The chance that one of them is farther than a known one, equal distances counting half: the area under the ROC curve. */
    auroc: number;
  } | null;
}

export interface Refusing {
  /** A picture of a known class: its distance, whether that is too far, whether its class was named. */
  add(distance: number, isRefused: boolean, isRight: boolean): void;
  /** A picture of nothing that was learnt. */
  addOther(distance: number, isRefused: boolean): void;
  found(): Refusals;
}

/** Begins to count. Distances are kept: eight bytes a picture. */
export function createRefusing(): Refusing {
  const [known, others]: [number[], number[]] = [[], []];
  let [refused, othersRefused, correct] = [0, 0, 0];
  return {
    add(distance, isRefused, isRight) {
      known.push(distance);
      if (isRefused) refused++;
      else if (isRight) correct++;
    },
    addOther(distance, isRefused) {
      others.push(distance);
      if (isRefused) othersRefused++;
    },
    found: () => ({
      count: known.length,
      refused,
      named: { count: known.length - refused, correct },
      others: others.length === 0 ? null : { count: others.length, refused: othersRefused, auroc: areaUnderRoc(known, others) },
    }),
  };
}

/** Mann and Whitney's statistic, as a share of all pairs. NaN where either has none. */
export function areaUnderRoc(near: readonly number[], far: readonly number[]): number {
  const all = [...near.map((value) => ({ value, isFar: false })), ...far.map((value) => ({ value, isFar: true }))];
  all.sort((a, b) => a.value - b.value);
  let [wins, nearBefore] = [0, 0];
  for (let from = 0; from < all.length; ) {
    let to = from;
    let [nearHere, farHere] = [0, 0];
    while (to < all.length && all[to]!.value === all[from]!.value) all[to++]!.isFar ? farHere++ : nearHere++;
    wins += farHere * (nearBefore + nearHere / 2);
    nearBefore += nearHere;
    from = to;
  }
  return wins / (near.length * far.length);
}
