/** The figures of a run in words, for the terminal and the page alike. */

import { counted } from '../base/counted.ts';
import type { Outcome } from '../training/outcome.ts';
import { formatPercent } from './terminal.ts';

/** `100 pictures of val`: which pictures the figures come from. */
export const judgedBy = ({ part, pictures }: Outcome): string =>
  `${counted(pictures, 'picture')} ${part === 'val' ? 'of val' : 'held out'}`;

export const NOTHING_JUDGED = 'nothing to judge by: the last epoch is kept, and no accuracy is known';

/** The accuracy with what it is to be held against; where classes are uneven a second line. */
export function figureLines(outcome: Outcome, epoch: number): string[] {
  const { accuracy, chance, mostFrequent, uneven } = outcome;
  if (accuracy === null || chance === null) return [NOTHING_JUDGED];
  const always = uneven ? ` (always ${mostFrequent})` : '';
  return [
    `${formatPercent(accuracy)} on ${judgedBy(outcome)}, epoch ${epoch}; chance ${formatPercent(chance)}${always}`,
    ...balancedLine(outcome),
  ];
}

/** Where classes are uneven: what each class counts alike, and the worst of them. */
export function balancedLine({ uneven, balanced, worst }: Outcome): string[] {
  if (!uneven || balanced === null || worst === null) return [];
  return [`balanced ${formatPercent(balanced)}, the mean over classes; worst ${worst.label}: ${worst.correct} of ${worst.count}`];
}
