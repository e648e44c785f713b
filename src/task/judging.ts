/**
 * What pictures of one class each say of a classifier, picture by picture, in the terms of scikit-learn: confusions, precision, recall and F1 of each
 * class, how often the truth is among the first five, and calibration. As long as the classes and what went wrong, not as classes squared.
 */

import { EngineError } from '../base/error.ts';

/** How many classes an answer may name where it is held against the truth as a list. */
export const TOP = 5;
/** Bins of equal width over confidence from 0 to 1. */
const BINS = 10;

/** A class. Shares are 0 … 1, NaN where they are of nothing: precision of a class that was never answered, recall of one that has no picture. */
export interface ClassFigure {
  label: string;
  /** Pictures of it. */
  count: number;
  /** Pictures that were taken for it, rightly or not. */
  answered: number;
  /** Those of it that were taken for it. */
  correct: number;
  /** correct / answered. */
  precision: number;
  /** correct / count. */
  recall: number;
  /** 2 · correct / (count + answered). */
  f1: number;
}

/** Pictures whose answer was about as confident: from < confidence <= to, the first from 0 on. */
export interface ConfidenceBin {
  from: number;
  to: number;
  count: number;
  /** Means over its pictures; NaN where it has none. */
  confidence: number;
  accuracy: number;
}

/** All of it. */
export interface ClassFigures {
  count: number;
  correct: number;
  /** Share of pictures whose class is among the five most probable; null where there are no more than five classes. */
  top5: number | null;
  /** Means over the classes that have a picture or were answered; a share of nothing counts 0. */
  mean: { precision: number; recall: number; f1: number };
  /** Expected calibration error, mean distance of confidence and accuracy over the pictures' bins (Guo and others 2017). */
  calibrationError: number;
  bins: ConfidenceBin[];
  classes: ClassFigure[];
  /** What was taken for what: classes by number, and how often; the most frequent first. */
  mistakes: [truth: number, answered: number, count: number][];
}

export interface Judging {
  /** Counts a picture; `logits`: one for each class. Returns the softmax probability of what was answered. Throws EngineError for logits that are not finite. */
  add(truth: number, answered: number, logits: Float32Array): number;
  found(): ClassFigures;
}

const orZero = (share: number): number => (Number.isNaN(share) ? 0 : share);
const meanOf = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

/** Begins to count. */
export function createJudging(labels: readonly string[]): Judging {
  const n = labels.length;
  const [counts, answers, rights] = [new Uint32Array(n), new Uint32Array(n), new Uint32Array(n)];
  const bins = Array.from({ length: BINS }, () => ({ count: 0, confidence: 0, correct: 0 }));
  const wrong = new Map<number, number>();
  let [count, amongFirst] = [0, 0];
  return {
    add(truth, answered, logits) {
      count++;
      counts[truth]!++;
      answers[answered]!++;
      if (truth === answered) rights[truth]!++;
      else wrong.set(truth * n + answered, (wrong.get(truth * n + answered) ?? 0) + 1);
      const own = logits[truth]!;
      let [before, sum] = [0, 0];
      const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      for (let c = 0; c < n; c++) {
        sum += Math.exp(logits[c]! - largest);
        if (logits[c]! > own || (logits[c] === own && c < truth)) before++;
      }
      if (before < TOP) amongFirst++;
      const confidence = Math.exp(logits[answered]! - largest) / sum;
      if (!Number.isFinite(confidence)) throw new EngineError({ where: 'logits', what: 'they are not finite (NaN or infinite)' });
      const bin = bins[Math.min(BINS - 1, Math.max(0, Math.ceil(confidence * BINS) - 1))]!;
      bin.count++;
      bin.confidence += confidence;
      if (truth === answered) bin.correct++;
      return confidence;
    },
    found() {
      const classes = labels.map((label, c) => figureOf(label, counts[c]!, answers[c]!, rights[c]!));
      const seen = classes.filter((one) => one.count + one.answered > 0);
      const mean = (key: 'precision' | 'recall' | 'f1'): number => meanOf(seen.map((one) => orZero(one[key])));
      const sorted = [...wrong].sort(([a, x], [b, y]) => y - x || a - b);
      return {
        count,
        correct: rights.reduce((a, b) => a + b, 0),
        top5: n > TOP ? amongFirst / count : null,
        mean: { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') },
        calibrationError: bins.reduce((all, bin) => all + Math.abs(bin.confidence - bin.correct), 0) / count,
        bins: bins.map((bin, i) => ({
          from: i / BINS,
          to: (i + 1) / BINS,
          count: bin.count,
          confidence: bin.confidence / bin.count,
          accuracy: bin.correct / bin.count,
        })),
        classes,
        mistakes: sorted.map(([pair, times]) => [Math.floor(pair / n), pair % n, times]),
      };
    },
  };
}

const figureOf = (label: string, count: number, answered: number, correct: number): ClassFigure => ({
  label,
  count,
  answered,
  correct,
  precision: correct / answered,
  recall: correct / count,
  f1: (2 * correct) / (count + answered),
});

/** Classes up to which the whole matrix is made: a million counts. */
const MOST_IN_MATRIX = 1000;

/** confusion[truth][answered], counts; null where it would be larger than everything else: `mistakes` says the same. */
export function confusionMatrix({ classes, mistakes }: Pick<ClassFigures, 'classes' | 'mistakes'>): number[][] | null {
  if (classes.length > MOST_IN_MATRIX) return null;
  const rows = classes.map((_, i) => classes.map(({ correct }, j) => (i === j ? correct : 0)));
  for (const [truth, answered, times] of mistakes) rows[truth]![answered] = times;
  return rows;
}
