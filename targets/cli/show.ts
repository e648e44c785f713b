/** Plans and results as lines, none longer than 80 characters but for names. */

import { visible } from '../../src/base/visible.ts';
import type { PlanReport } from '../../src/budget/report.ts';
import { formatBytes, planTable } from '../../src/report/terminal.ts';

/** Heading and table of one plan. */
export function planLines(report: PlanReport): string {
  const { model, imageSize, classes, method, keep, weights, arithmetic, optimizer, batchSize, microBatch, budgetBytes } = report;
  const precision = `${weights === 'f32' ? '' : `${weights} weights, `}${arithmetic === 'plain' ? '' : `${arithmetic} arithmetic, `}`;
  const head = [
    `${model} ${imageSize.join('x')}, ${classes} classes; method ${method}, keep ${keep}, ${precision}${optimizer}`,
    `batch ${batchSize}, ${microBatch === batchSize ? 'in one pass' : `in passes of ${microBatch}`}`,
  ];
  return `${head.map(visible).join('\n')}\n\n${planTable([{ label: 'plan', parts: report.parts, linearBytes: report.linearBytes }], budgetBytes ?? undefined)}`;
}

/** A plan as a run begins with it: the table, and that weights stay in a file where nobody asked for it. */
export function planText(report: PlanReport): string {
  const { stored } = report;
  const note =
    stored === null || stored.residentNeedsBytes === null
      ? ''
      : `\nthe budget does not hold the weights, so they stay in a file:\n${storedText(stored)}\n${inMemory(stored.residentNeedsBytes)}\n`;
  return `${planLines(report)}\n${note}`;
}

/** What the table does not say. */
export function planNotes({
  keptBytesPerImage,
  keptBytesPerImageF32,
  trainable,
  features,
  stored,
  peak,
  placement,
  choices,
}: PlanReport): string {
  const times = keptBytesPerImage > 0 ? ` (${(keptBytesPerImageF32 / keptBytesPerImage).toFixed(1)} times as much)` : '';
  return pairs([
    ['kept per picture', formatBytes(keptBytesPerImage)],
    ['by f32 autograd', `${formatBytes(keptBytesPerImageF32)}${times}`],
    ['learns', `${grouped(trainable.count)} numbers, ${trainable.percent.toFixed(2)} % of all`],
    ...(features === null
      ? []
      : [
          [
            'kept on disk',
            `${formatBytes(features.bytesPerImage)} a picture: epochs after the first begin after ${features.node}`,
          ] as const,
        ]),
    ...(stored === null
      ? []
      : ([
          ['weights in a file', storedText(stored)],
          ['', 'in the folder of the run, or where --stored says'],
          ...(stored.residentNeedsBytes === null ? [] : [['', inMemory(stored.residentNeedsBytes)]]),
        ] as [string, string][])),
    ['peak at', peak.node],
    ['kept + temporaries', `${formatBytes(placement.bytes)}, at least ${formatBytes(placement.lowerBound)} in any layout`],
    ['computed again', choices.recompute === 'none' ? 'nothing' : `blocks ${choices.recompute} (block:bits of its input)`],
    ['at a time', tilesText(choices.tiles)],
    ...(choices.relativeTime === null
      ? []
      : [['predicted time', `${choices.relativeTime.toFixed(2)} of a step without a budget`] as const]),
  ]);
}

const WINDOW = { blocks: 'a block and the next one', layers: 'a layer and the next one', layer: 'layer by layer' } as const;
const storedText = ({ fileBytes, bytesReadPerStep, window }: NonNullable<PlanReport['stored']>): string =>
  `${formatBytes(fileBytes)}; a step reads ${formatBytes(bytesReadPerStep)}, ${WINDOW[window]}`;

const inMemory = (bytes: number): string => `in memory, where nothing is read, they need a budget of ${formatBytes(bytes)}`;

const tilesText = ({ rows, pictures, queries, pixels }: PlanReport['choices']['tiles']): string =>
  `${rows === 0 ? 'all rows' : `${rows} rows or ${pictures ? 'whole pictures' : 'more'}`}, ${queries} queries, ${pixels} patches`;

/** Names in line, values beside them. */
export function pairs(rows: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${visible(value)}`).join('\n');
}

/** 1234567 as 1,234,567, whatever the locale. */
const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
