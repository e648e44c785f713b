/** How well pictures were judged, for people: the same figures on the terminal and on the page. */

import { type ClassFigure, type ClassFigures, confusionMatrix, TOP } from '../task/judging.ts';
import { escapeText, lineChart } from './chart.ts';
import type { Worst } from './data.ts';
import { figure } from './page.ts';
import { formatPercent, table } from './terminal.ts';

/** Classes up to which a matrix can be read on a terminal, and on a page; above it the most frequent confusions are told. */
const [MOST_ON_TERMINAL, MOST_ON_PAGE] = [12, 40];
/** Confusions that are told one by one. */
const MOST_TOLD = 20;

/** Classes that have a picture or were answered. */
const seenOf = ({ classes }: ClassFigures): ClassFigure[] => classes.filter(({ count, answered }) => count + answered > 0);

/** The figures over all classes, beside the accuracy. Where all pictures are of one class means over classes say nothing. */
export function figuresOf({ top5, mean, calibrationError, classes }: ClassFigures): { name: string; text: string }[] {
  const means = [
    { name: 'precision', text: formatPercent(mean.precision) },
    { name: 'recall', text: formatPercent(mean.recall) },
    { name: 'F1', text: formatPercent(mean.f1) },
  ];
  return [
    ...(top5 === null ? [] : [{ name: `among the first ${TOP}`, text: formatPercent(top5) }]),
    ...(classes.filter(({ count }) => count > 0).length < 2 ? [] : means),
    { name: 'calibration error', text: formatPercent(calibrationError) },
  ];
}

/** [class, right, recall, precision, F1] for each class that is seen. */
const classRows = (f: ClassFigures): string[][] =>
  seenOf(f).map(({ label, count, correct, recall, precision, f1 }) => [
    label,
    `${correct}/${count}`,
    formatPercent(recall),
    formatPercent(precision),
    formatPercent(f1),
  ]);
const CLASS_COLUMNS = ['', 'right', 'recall', 'precision', 'F1'];

/** `cat taken for dog: 3`, the most frequent first. */
const confusions = ({ classes, mistakes }: ClassFigures): string[][] =>
  mistakes
    .slice(0, MOST_TOLD)
    .map(([truth, answered, times]) => [classes[truth]!.label, `taken for ${classes[answered]!.label}`, String(times)]);

/** What the terminal says below the accuracy. */
export function figuresText(f: ClassFigures): string {
  const line = figuresOf(f)
    .map(({ name, text }) => `${name} ${text}`)
    .join(', ');
  const parts = [line, [table([CLASS_COLUMNS, ...classRows(f)]), ...unseenLine(f)].join('\n')];
  if (f.mistakes.length > 0) {
    const small = smallMatrix(f, MOST_ON_TERMINAL);
    const rows = small && [
      ['is \\ taken for', ...small.columns],
      ...small.rows.map(({ label, counts }) => [label, ...counts.map(countText)]),
    ];
    parts.push(rows ? table(rows) : `most often confused\n${table(confusions(f))}`);
  }
  return parts.join('\n\n');
}

/** The matrix without rows of classes that have no picture, and columns of those that were not seen at all; undefined where it is too large to read. */
function smallMatrix(
  f: ClassFigures,
  most: number,
): { columns: string[]; rows: { label: string; count: number; counts: number[] }[] } | undefined {
  const seen = f.classes.flatMap(({ count, answered }, c) => (count + answered > 0 ? [c] : []));
  if (seen.length > most) return undefined;
  const matrix = confusionMatrix(f);
  const rows = f.classes.flatMap(({ label, count }, c) =>
    count > 0 ? [{ label, count, counts: seen.map((other) => matrix?.[c]?.[other] ?? 0) }] : [],
  );
  return { columns: seen.map((c) => f.classes[c]!.label), rows };
}

/** How many classes there is nothing to say of. */
function unseenLine(f: ClassFigures): string[] {
  const unseen = f.classes.length - seenOf(f).length;
  return unseen === 0 ? [] : [`and ${unseen} more, of which there is no picture and which no picture was taken for`];
}

const countText = (n: number): string => (n === 0 ? '·' : String(n));

/** The page's sections about classes. */
export const classSections = (f: ClassFigures): string[] => [classSection(f), confusionSection(f), calibrationSection(f)];

function classSection(f: ClassFigures): string {
  const cells = (list: readonly string[], tag: string): string => list.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('');
  const rows = classRows(f).map(([label, ...more]) => `<tr><th>${escapeText(label!)}</th>${cells(more, 'td')}</tr>`);
  const first = f.top5 === null ? '' : ` The class is among the first ${TOP} answers for ${formatPercent(f.top5)} of the pictures.`;
  return `<section><h2>Classes</h2>
<p class="quiet">Recall: which share of a class's pictures were taken for it. Precision: which share of what was taken for it is it. F1: both in one.${first}</p>
<div class="scroll"><table class="number"><thead><tr>${cells(CLASS_COLUMNS, 'th')}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div>${unseenLine(
    f,
  )
    .map((line) => `<p class="quiet">${line}.</p>`)
    .join('')}</section>`;
}

function confusionSection(f: ClassFigures): string {
  const words =
    f.mistakes.length === 0
      ? 'Nothing was taken for anything else.'
      : 'Each row is what pictures are, each column what they were taken for.';
  const heading = `<section><h2>What was taken for what</h2>`;
  const small = smallMatrix(f, MOST_ON_PAGE);
  if (small === undefined || f.mistakes.length === 0) {
    const rows = confusions(f).map((row) => `<tr><th>${escapeText(row[0]!)}</th><td>${escapeText(row[1]!)}</td><td>${row[2]}</td></tr>`);
    const list = rows.length === 0 ? '' : `<div class="scroll"><table class="number"><tbody>${rows.join('\n')}</tbody></table></div>`;
    return `${heading}<p class="quiet">${f.mistakes.length === 0 ? words : 'The most frequent mistakes.'}</p>${list}</section>`;
  }
  const rows = small.rows.map(({ label, count, counts }) => {
    const cells = counts.map((n, j) => {
      const title = escapeText(`${label} taken for ${small.columns[j]}: ${n} of ${count}`);
      if (n === 0) return `<td class="nothing" title="${title}">${countText(n)}</td>`;
      const depth = Math.max(12, Math.round((70 * n) / count));
      const colour = label === small.columns[j] ? 'green' : 'red';
      return `<td style="background:color-mix(in srgb,var(--${colour}) ${depth}%,transparent)" title="${title}">${n}</td>`;
    });
    return `<tr><th>${escapeText(label)}</th>${cells.join('')}</tr>`;
  });
  const head = small.columns
    .map(escapeText)
    .map((label) => `<th><span>${label}</span></th>`)
    .join('');
  return `${heading}<p class="quiet">${words}</p>
<div class="scroll"><table class="matrix"><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}

function calibrationSection({ bins, calibrationError, count }: ClassFigures): string {
  const chart = lineChart({
    title: 'Confidence and accuracy',
    xLabel: 'confidence, per cent',
    yLabel: 'accuracy',
    yRange: [0, 1],
    yText: (v) => `${Math.round(100 * v)} %`,
    series: [
      {
        label: 'as it is',
        points: bins.filter((bin) => bin.count > 0).map((bin): [number, number] => [100 * bin.confidence, bin.accuracy]),
      },
      {
        label: 'as it should be',
        faint: true,
        points: [
          [0, 0],
          [100, 1],
        ],
      },
    ],
  });
  const filled = bins.filter((bin) => bin.count > 0);
  const rows = filled.map(({ from, to, count: n, confidence, accuracy }) => {
    const range = `${Math.round(100 * from)} to ${Math.round(100 * to)} %`;
    return `<tr><th>${range}</th><td>${n}</td><td>${formatPercent(confidence)}</td><td>${formatPercent(accuracy)}</td></tr>`;
  });
  return `<section><h2>How far to trust a percentage</h2>
<p class="quiet">Of pictures named with 80 % confidence, 80 % should be right. Expected calibration error: ${formatPercent(calibrationError)},
the mean distance of the two over the ${count} pictures.</p><div class="half">${chart}</div>
<div class="scroll"><table class="number"><thead><tr><th>confidence</th><th>pictures</th><th>its mean</th><th>right</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></section>`;
}

/** The worst mistakes as pictures. */
export function worstSection({ count, wrong, pictures }: Worst): string {
  if (pictures.length === 0) return '';
  const isAll = wrong === pictures.length;
  const words =
    wrong === null
      ? `The ${pictures.length} of ${count} pictures whose answers are furthest off.`
      : `${isAll ? 'All' : `The worst ${pictures.length}`} of ${wrong} mistakes in ${count} pictures, the surest first: what each is, and what it was taken for.`;
  const list = pictures.map((p) => (wrong === null ? figure({ ...p, isRight: true }, '') : figure(p)));
  return `<section><h2>Worst mistakes</h2>
<p class="quiet">${words}</p>
<div class="pictures">${list.join('\n')}</div></section>`;
}
