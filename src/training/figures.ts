/** What an epoch's pictures say, as it is given out; it is counted in assembly/runner. */

/** Sums over pictures since they were last cleared. */
export interface Tally {
  lossSum: number;
  correct: number;
  count: number;
}

/** The same as it is given out: the loss is the mean, NaN where there were no pictures. */
export interface Figures {
  /** Mean cross-entropy a picture, in nats; NaN where there were none. */
  loss: number;
  /** How many pictures were right. */
  correct: number;
  /** How many pictures there were. */
  count: number;
}

export const figuresOf = ({ lossSum, correct, count }: Tally): Figures => ({ loss: lossSum / count, correct, count });

/** What the choices by class say of judged pictures; all zero where there were none. */
export interface Judged {
  /** How many different classes were answered. */
  answers: number;
  /** Mean over the classes that are there of the share that was right. */
  balanced: number;
  /** The class of which least was right, with its pictures; of equals the one with most pictures, then the first. */
  worst: number;
  /** How many of its pictures were right. */
  worstCorrect: number;
  /** How many pictures it has. */
  worstCount: number;
}

export interface CountedEpoch {
  /** 1 is the first. */
  epoch: number;
  train: Tally;
  val: Tally;
  judged: Judged;
  /** Whether it shows that something was learnt (assembly/abi/watch.ts): what a run may go back to. */
  learnt: boolean;
  best: boolean;
}

/** An epoch as it is given out. */
export interface EpochResult extends Omit<CountedEpoch, 'train' | 'val'> {
  /** Of the pictures learnt from, while they were. */
  train: Figures;
  /** Of the pictures to judge by, at the epoch's end. */
  val: Figures;
}

export const resultOf = (record: CountedEpoch): EpochResult => ({ ...record, train: figuresOf(record.train), val: figuresOf(record.val) });

/** Pictures of each class, of those that have a label. */
export function countLabels({ count, label }: { count: number; label(index: number): number }, classes: number): Uint32Array {
  const counts = new Uint32Array(classes);
  for (let i = 0; i < count; i++) counts[label(i)]!++;
  return counts;
}

/** The most frequent class, the first of equals; how many there are of it, and in how many classes there is a picture at all. */
export function mostFrequent(counts: Uint32Array): { label: number; count: number; classes: number; uneven: boolean } {
  const there = [...counts].filter((n) => n > 0);
  const count = Math.max(0, ...there);
  return { label: counts.indexOf(count), count, classes: there.length, uneven: 2 * count > 3 * Math.min(...there) };
}
