/** What is called unknown, for people: the same figures on the terminal and on the page. */
import type { Refusals } from '../task/refusing.ts';
import { formatPercent } from './terminal.ts';

/** Figures, and of which share of known pictures they are. */
export interface Refused extends Refusals {
  /** What share of pictures of known classes may be refused. */
  share: number;
}

const shareOf = (part: number, whole: number): string => `${part} of ${whole} (${formatPercent(part / whole)})`;

/** Each figure with its name. */
export function refusalsOf({ share, count, refused, named, others }: Refused): { name: string; text: string }[] {
  return [
    { name: 'asked for', text: `at most ${formatPercent(share)} of pictures of known classes` },
    { name: 'called unknown, of known classes', text: shareOf(refused, count) },
    ...(named.count === 0 ? [] : [{ name: 'right, of those that are named', text: shareOf(named.correct, named.count) }]),
    ...(others === null
      ? []
      : [
          { name: 'called unknown, of others', text: shareOf(others.refused, others.count) },
          { name: 'area under the ROC curve', text: others.auroc.toFixed(3) },
        ]),
  ];
}

/** The terminal's lines. */
export const refusalsText = (refused: Refused): string =>
  ['unknown', ...refusalsOf(refused).map(({ name, text }) => `  ${name}: ${text}`)].join('\n');

/** The terminal's lines for one class, what is as usual. */
export const normalityText = ({ share, count, refused, others }: Refused): string =>
  [
    `not normal, of those as usual: ${shareOf(refused, count)}, asked for at most ${formatPercent(share)}`,
    ...(others === null
      ? ['of others nothing is known: they lie in a folder named unknown beside']
      : [`not normal, of others: ${shareOf(others.refused, others.count)}`, `area under the ROC curve: ${others.auroc.toFixed(3)}`]),
  ].join('\n');
