/** What a run ends with, in figures and in words: from which pictures they come, and whether they say more than the most frequent class would. */

import { Answer } from '../../assembly/abi/task.ts';
import { isFalling, textOf, Verdict, verdictOf } from '../../assembly/runner/verdict.ts';
import { InputError } from '../base/error.ts';
import type { Prepared } from '../data/prepare.ts';
import { CLASSIFY, type Measured, taskOf } from '../task/index.ts';
import { countLabels, mostFrequent } from './figures.ts';
import type { History } from './history.ts';
import type { Samples } from './train.ts';

/** Pictures of a class below which it is named. */
const FEW = 5;

/** What the judged pictures say of the epoch that is kept. */
export interface Outcome {
  /** What was judged: pictures or arrays, whichever the word `pictures` stands for below. */
  input: Prepared['input'];
  /** The pictures that chose the epoch: of a `val` folder, held out of each class, or none: then the last epoch is kept. */
  part: 'val' | 'held out' | 'none';
  /** How many pictures were judged. */
  pictures: number;
  /** How many of them were right. */
  correct: number;
  /** The share that was right, 0 … 1; null where there were none. */
  accuracy: number | null;
  /** The share of the most frequent class among them: what always naming it would reach. */
  chance: number | null;
  /** The class with most of them. */
  mostFrequent: string | null;
  /** Whether the largest class has more than one and a half times the pictures of the smallest. */
  uneven: boolean;
  /** Mean over the classes of the share that was right. */
  balanced: number | null;
  /** The class of which least was right. */
  worst: { label: string; correct: number; count: number } | null;
  /** How many different classes were answered. */
  answers: number | null;
  /** The figures of another task than classification, of which what is above says nothing but the pictures; absent where there were none. */
  measured?: Measured;
}

interface Source {
  data: { train: Samples; val: Samples };
  history: History;
  labels: readonly string[];
  /** What was prepared, and whether val came from the folder. */
  prepared: Pick<Prepared, 'input' | 'valGiven'>;
  measured?: Measured | undefined;
}

/** The figures of the epoch that is kept. */
export function outcomeOf({ data, history, labels, prepared: { input, valGiven }, measured }: Source): Outcome {
  const { val, judged } = history.epoch(history.bestEpoch - 1);
  const nothing = { accuracy: null, chance: null, mostFrequent: null, balanced: null, worst: null, answers: null };
  if (val.count === 0) return { input, part: 'none', pictures: 0, correct: 0, uneven: false, ...nothing };
  const part = valGiven ? 'val' : 'held out';
  if (measured) return { input, part, pictures: val.count, correct: val.correct, uneven: false, ...nothing, measured };
  const most = mostFrequent(countLabels(data.val, labels.length));
  return {
    input,
    part,
    pictures: val.count,
    correct: val.correct,
    accuracy: val.correct / val.count,
    chance: most.count / val.count,
    mostFrequent: labels[most.label]!,
    uneven: most.uneven,
    balanced: judged.balanced,
    worst: { label: labels[judged.worst]!, correct: judged.worstCorrect, count: judged.worstCount },
    answers: judged.answers,
  };
}

/** The sentence for a run that learnt nothing that its judged pictures show, with what to try; null for any other. */
export function warningOf(
  { input, pictures, chance, mostFrequent: most, measured }: Outcome,
  { words, backs }: History,
  method: string,
): string | null {
  const verdict = verdictOf(words, 0, measured === undefined, Math.round((chance ?? 0) * pictures));
  // Of one class alone any answer that is right is all that can be asked.
  if (verdict === Verdict.Learnt || chance === 1) return null;
  const rate = isFalling(words, 0) ? 'more --epochs, another --lr' : 'a smaller --lr';
  const tries = `try ${rate}, more ${input}s, another checkpoint${method.includes('depth') ? '' : ', or --depth'}`;
  const smaller = backs === 0 ? '' : ` even with ${backs === 1 ? 'a tenth' : 'a hundredth'} of the rate`;
  const named = verdict === Verdict.MostFrequent || verdict === Verdict.OneClass ? most : '';
  return `${textOf(verdict).replace('picture', input)}${named}${smaller}; ${tries}`;
}

/** Classes with few pictures, to learn from and to judge by together. */
export function fewPictures({ cache, task, classes, train, val }: Prepared): { label: string; pictures: number }[] {
  const all = [...train, ...val];
  if (taskOf(task ?? CLASSIFY.name).answer === Answer.Numbers) return [];
  const counts =
    task === undefined
      ? countLabels({ count: all.length, label: (i) => cache.pictures[all[i]!]!.label }, classes.length)
      : classes.map((_, c) => all.filter((i) => cache.pictures[i]!.values![c] === 1).length);
  return classes.flatMap((label, c) => (counts[c]! < FEW ? [{ label, pictures: counts[c]! }] : []));
}

/** A line about small classes, and one where there is nothing to judge by; patience needs something. */
export function notesOn(prepared: Prepared, { holdOut, patience = 0 }: { holdOut?: number; patience?: number }): string[] {
  const notes: string[] = [];
  const few = fewPictures(prepared);
  const listed = few.slice(0, 5).map(({ label, pictures }) => `${label} (${pictures})`);
  if (few.length > 0)
    notes.push(
      `fewer than ${FEW} ${prepared.input}s of ${listed.join(', ')}${few.length > 5 ? ` and ${few.length - 5} more classes` : ''}: what is learnt and said of them is uncertain`,
    );
  if (prepared.val.length === 0) {
    const why = prepared.valGiven
      ? `val holds no ${prepared.input} that can be read`
      : holdOut === 0
        ? 'nothing is held out'
        : `no class has ${prepared.input === 'array' ? 'an array' : 'a picture'} to spare`;
    if (patience > 0)
      throw new InputError({ where: '--patience', what: `waits for a better epoch, and there is nothing to judge by: ${why}` });
    notes.push(`nothing to judge by: ${why}; the last epoch is kept, and no accuracy is known`);
  }
  return notes;
}
