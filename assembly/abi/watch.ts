/**
 * When a run has gone astray, and what it does then: the rules of the watch, in the words that both training loops share (bounds.ts says which),
 * its numbers doubles on either side. docs/runs.md says what was tried.
 */

/** Why a run goes back. */
export const enum Astray {
  No = 0,
  /** The loss or the gradient is not finite. */
  NotFinite = 1,
  /** Nothing learnt, and the training loss is higher than before the first step, and than that of a constant answer. */
  Loss = 2,
  /** Nothing learnt, and one answer for every picture that is judged. */
  OneAnswer = 3,
}

/** How often a run goes back, unless it is told otherwise, and at most. */
export const MOST_BACKS = 2;
/** What the rate is multiplied by then. */
export const SMALLER: number = 0.1;

/** Steps before which nothing is concluded from finite numbers, unless the run is at its end. */
const FEWEST_STEPS: number = 16;
/** How far a loss must lie above what it is held against: for a loss alone, and where one answer for all speaks too. */
const FAR: number = 1.05;
/** How far below a constant answer's loss one must lie that shows learning. */
const BELOW: number = 0.98;
const ABOVE: number = 1.005;
/** Standard deviations by which a share must beat that of the most frequent class to be more than luck. */
const SIGMAS: number = 3;

/** ln x for 0 < x <= 1: halvings and a series of positive powers, each operation rounded as IEEE 754 says, so the same bits everywhere. */
export function ln(x: number): number {
  let twos: number = 0;
  while (x < 0.7) {
    x *= 2;
    twos += 1;
  }
  const z = (x - 1) / (x + 1);
  const square = z * z;
  let sum: number = 0;
  let power = z;
  for (let k: number = 1; k < 32; k += 2) {
    sum += power / k;
    power *= square;
  }
  return 2 * sum - twos * 0.6931471805599453;
}

/**
 * A class's part in the loss of the best constant answer, which says of every class how frequent it is: -m·ln m, where m is the share that
 * the targets give it, (1 - smoothing)·count/total + smoothing/classes. Summed over the classes it is the least loss that an answer can have which
 * does not look at the picture.
 */
export function constantTerm(count: number, total: number, classes: number, smoothing: number): number {
  const m = (1 - smoothing) * (count / total) + smoothing / classes;
  return m > 0 ? -m * ln(m) : 0;
}

/** Whether so many right of `count` are more than always saying the most frequent class (`most` of them) would get by luck. */
export function beatsMost(correct: number, count: number, most: number): boolean {
  const more = correct - most;
  return more > 0 && more * more * count > SIGMAS * SIGMAS * most * (count - most);
}

/** Whether sums over pictures show that something was learnt: a loss clearly below any constant answer's, or more right than luck. */
export function showsLearning(loss: number, correct: number, count: number, most: number, constant: number): boolean {
  return count > 0 && (loss < BELOW * constant * count || beatsMost(correct, count, most));
}

/**
 * Whether an epoch's numbers are looked at: after some steps, and only where the epoch before it showed no learning either (`wasLearnt`), for a
 * single bad one may pass; the only one of a run where there is something to judge by.
 */
export function isTime(epoch: number, epochs: number, steps: number, judged: number, wasLearnt: boolean): boolean {
  if (wasLearnt) return false;
  return (epoch === epochs && judged > 0) || (epoch > 1 && steps >= FEWEST_STEPS);
}

/**
 * What is wrong with an epoch that shows no learning. `loss`: mean over its training pictures; `before`: that of the first step, before it;
 * `constant`: of the best constant answer; `uniform`: of all classes alike. A run that is merely slow is not above where it began.
 */
export function astray(loss: number, before: number, constant: number, uniform: number, isOneAnswer: boolean): Astray {
  if (loss > FAR * (constant > before ? constant : before)) return Astray.Loss;
  const start = before < uniform ? before : uniform;
  return isOneAnswer && loss > ABOVE * (constant > start ? constant : start) ? Astray.OneAnswer : Astray.No;
}
