/** The page of an evaluation: how well a model does on labelled pictures. */

import type { Measured } from '../task/index.ts';
import type { ClassFigures } from '../task/judging.ts';
import { escapeText } from './chart.ts';
import type { Worst } from './data.ts';
import { metricText } from './figures.ts';
import { classSections, figuresOf, worstSection } from './judging.ts';
import { FOOTER, page, skippedSection, wilson } from './page.ts';
import { type Refused, refusalsOf } from './refusing.ts';
import { formatPercent } from './terminal.ts';

/** What the page shows. */
export interface Evaluation {
  title: string;
  /** Which pictures, of what. */
  summary: string;
  loss: number;
  /** Where pictures have one class each. */
  figures?: ClassFigures;
  /** What is called unknown, where the adapter can tell. */
  refused?: Refused | undefined;
  /** Of another task. */
  measured?: Measured;
  worst: Worst;
  skipped: readonly { file: string; reason: string }[];
  /** The command that does it again. */
  command: string;
}

export function evaluationPage({ title, summary, loss, figures, refused, measured, worst, skipped, command }: Evaluation): string {
  return page(title, [
    `<header><h1>${escapeText(title)}</h1><p>${escapeText(summary)}</p></header>`,
    figures ? resultSection(figures, loss) : measuredSection(measured!, loss),
    ...(figures ? classSections(figures) : []),
    refused ? refusedSection(refused) : '',
    worstSection(worst),
    skippedSection(skipped),
    `<section><h2>To do it again</h2><pre>${escapeText(command)}</pre></section>`,
    FOOTER,
  ]);
}

const rowsOf = (list: readonly { name: string; text: string }[]): string =>
  `<div class="scroll"><table class="number"><tbody>${list
    .map(({ name, text }) => `<tr><th>${escapeText(name)}</th><td>${escapeText(text)}</td></tr>`)
    .join('')}</tbody></table></div>`;

function resultSection(figures: ClassFigures, loss: number): string {
  const { correct, count } = figures;
  const accuracy = formatPercent(correct / count);
  const [low, high] = wilson(correct / count, count);
  return `<section><h2>Result</h2>
<p class="big">${accuracy} <small>${correct} of ${count} right, 95 % interval ${formatPercent(low)} to ${formatPercent(high)}</small></p>
${rowsOf([...figuresOf(figures), { name: 'loss', text: loss.toFixed(3) }])}</section>`;
}

const refusedSection = (refused: Refused): string => `<section><h2>Unknown</h2>
<p class="quiet">What is called unknown, because it is like nothing that was learnt${
  refused.others === null ? '; with pictures of other things in a folder named unknown it says how many of those' : ''
}.</p>${rowsOf(refusalsOf(refused))}</section>`;

function measuredSection({ all, outputs }: Measured, loss: number): string {
  const head = outputs[0]!.metrics.map(({ name }) => `<th>${escapeText(name)}</th>`).join('');
  const rows = outputs.map(
    ({ label, metrics }) => `<tr><th>${escapeText(label)}</th>${metrics.map((m) => `<td>${metricText(m)}</td>`).join('')}</tr>`,
  );
  const figures = all.map((m) => ({ name: m.name, text: metricText(m) }));
  return `<section><h2>Result</h2>${rowsOf([...figures, { name: 'loss', text: loss.toFixed(3) }])}
<div class="scroll"><table class="number"><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}
