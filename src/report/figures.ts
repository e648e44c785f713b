/** The figures of a run in words, for the terminal and the page alike. */

import { counted } from '../base/counted.ts';
import type { Metric } from '../task/index.ts';
import type { Outcome } from '../training/outcome.ts';
import { formatPercent } from './terminal.ts';

/** `100 pictures of val`: which pictures the figures come from. */
export const judgedBy = ({ input, part, pictures }: Outcome): string =>
  `${counted(pictures, input)} ${part === 'val' ? 'of val' : 'held out'}`;

export const NOTHING_JUDGED = 'nothing to judge by: the last epoch is kept, and no accuracy is known';

/** A figure as people read it. */
export const metricText = ({ value, isShare }: Metric): string =>
  isShare ? formatPercent(value) : Number.isNaN(value) ? '-' : String(Number(value.toPrecision(4)));

/** Figures with their names, in a row. */
export const metricsText = (metrics: readonly Metric[]): string => metrics.map((m) => `${m.name} ${metricText(m)}`).join(', ');

/** How many outputs are told of one by one where there is a line for each. */
const MOST_LINES = 8;

function measuredLines({ measured, ...outcome }: Outcome, epoch: number): string[] {
  const { all, outputs } = measured!;
  const [first, ...more] = all;
  const each = outputs.length > 1 ? outputs.slice(0, MOST_LINES).map(({ label, metrics }) => `${label}: ${metricsText(metrics)}`) : [];
  if (outputs.length > MOST_LINES) each.push(`and ${outputs.length - MOST_LINES} more: s2a eval tells of all`);
  return [
    `${first!.name} ${metricText(first!)} on ${judgedBy(outcome)}, epoch ${epoch}`,
    ...(more.length > 0 ? [metricsText(more)] : []),
    ...each,
  ];
}

/** The accuracy with what it is to be held against; where classes are uneven a second line. */
export function figureLines(outcome: Outcome, epoch: number): string[] {
  const { accuracy, chance, mostFrequent, uneven } = outcome;
  if (outcome.measured) return measuredLines(outcome, epoch);
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
