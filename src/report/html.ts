/**
 * The report of a run as one HTML file: style, charts and pictures are inside it, nothing is fetched and no script runs, so it can
 * be copied off a board and opened anywhere.
 */

import { mebibytes } from '../base/bytes.ts';
import { counted } from '../base/counted.ts';
import type { Metric } from '../task/index.ts';
import { escapeText, lineChart } from './chart.ts';
import { type PlanColumn, paddingBytes, partsOf, type ReportData } from './data.ts';
import { fidelitySection } from './fidelity.ts';
import { metricText, NOTHING_JUDGED } from './figures.ts';
import { classSections, worstSection } from './judging.ts';
import { capital, FOOTER, figure, page, skippedSection, wilson } from './page.ts';
import { formatDuration, formatPercent } from './terminal.ts';
import { timelineChart } from './timeline.ts';

export function reportPage(data: ReportData): string {
  const body = [
    `<header><h1>${escapeText(data.title)}</h1><p>${escapeText(data.summary)}</p></header>`,
    accuracySection(data),
    `<div class="two">${lossSection(data)}${epochSection(data)}</div>`,
    memorySection(data),
    timelineSection(data),
    data.fidelity ? fidelitySection(data.fidelity) : '',
    ...(data.figures ? classSections(data.figures) : []),
    data.worst ? worstSection(data.worst) : '',
    picturesSection(data),
    skippedSection(data.skipped),
    againSection(data),
    FOOTER,
  ];
  return page(data.title, body);
}

/** The figures of another task: in all, and a table of the outputs. */
function taskSection({ task, classes }: ReportData, said: string): string {
  const { judged, outputs } = task!;
  if (judged === undefined) return `<section><h2>Result</h2>${said}<p class="quiet">${capital(NOTHING_JUDGED)}.</p></section>`;
  const figure = (m: Metric): string =>
    m.isShare
      ? `<div><div class="head"><span>${escapeText(m.name)}</span><b>${metricText(m)}</b></div>
<div class="track"><span style="width:${(100 * Math.max(0, m.value || 0)).toFixed(2)}%;background:var(--blue)"></span></div></div>`
      : `<div><div class="head"><span>${escapeText(m.name)}</span><b>${metricText(m)}</b></div></div>`;
  const head = judged.outputs[0]!.metrics.map(({ name }) => `<th>${escapeText(name)}</th>`).join('');
  const rows = judged.outputs.map(
    ({ label, metrics }) => `<tr><th>${escapeText(label)}</th>${metrics.map((m) => `<td>${metricText(m)}</td>`).join('')}</tr>`,
  );
  return `<section><h2>Result</h2>${said}
<p class="quiet">${classes.length} ${escapeText(outputs)}, ${escapeText(judged.pictures)} that the model never learned from.</p>
<div class="bars">${judged.all.map(figure).join('')}</div>
<div class="scroll"><table class="number"><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}

function accuracySection(data: ReportData): string {
  const { accuracy, classes, warning } = data;
  const said = warning === undefined ? '' : `<p><b>${escapeText(capital(warning))}.</b></p>`;
  if (data.task) return taskSection(data, said);
  if (accuracy === undefined) return `<section><h2>Accuracy</h2>${said}<p class="quiet">${capital(NOTHING_JUDGED)}.</p></section>`;
  const { chance, head, after, predictions, part } = accuracy;
  const row = (label: string, share: number, colour: string) => {
    const width = (100 * share).toFixed(2);
    return `<div><div class="head"><span>${label}</span><b>${formatPercent(share)}</b></div>
<div class="track"><span style="width:${width}%;background:var(--${colour})"></span></div></div>`;
  };
  const [low, high] = wilson(after, predictions);
  const rows = [row('by chance', chance, 'padding')];
  if (head !== undefined) rows.push(row('with the classifier alone', head, 'frozen'));
  rows.push(row('after fine-tuning', after, 'blue'));
  const interval = `${formatPercent(low)} to ${formatPercent(high)}`;
  const more = (accuracy.more ?? []).map((line) => ` ${escapeText(capital(line))}.`).join('');
  return `<section><h2>Accuracy</h2>${said}
<p class="quiet">${classes.length} classes, ${predictions} pictures ${escapeText(part)} that the model never learned from; 95 % interval after fine-tuning: ${interval}.${more}</p>
<div class="bars">${rows.join('')}</div></section>`;
}

function lossSection({ losses, epochs, bestEpoch, task }: ReportData): string {
  const steps = losses.at(-1)?.step ?? 1;
  const chart = lineChart({
    title: 'Loss by epoch',
    xLabel: 'epoch',
    yLabel: `loss (${task?.loss ?? 'cross-entropy'})`,
    yRange: [0, 0.1],
    series: [
      { label: 'training', points: epochs.map((e) => [e.epoch, e.trainLoss]) },
      { label: 'validation', points: judged(epochs).map((e) => [e.epoch, e.valLoss]) },
      { label: 'each step', faint: true, points: thin(losses, 400).map((l) => [(l.step / steps) * epochs.length, l.loss]) },
    ],
    mark: { x: bestEpoch, label: `kept: epoch ${bestEpoch}` },
  });
  return `<section><h2>Loss</h2>${chart}</section>`;
}

/** Epochs of which there is a judgement. */
const judged = (epochs: ReportData['epochs']): ReportData['epochs'] => epochs.filter((e) => !Number.isNaN(e.valLoss));

/** At most `count` points: the mean of each run of neighbours. */
function thin(losses: ReportData['losses'], count: number): ReportData['losses'] {
  const size = Math.ceil(losses.length / count);
  if (size <= 1) return losses;
  const mean = (list: ReportData['losses'], key: 'step' | 'loss') => list.reduce((sum, l) => sum + l[key], 0) / list.length;
  return Array.from({ length: Math.ceil(losses.length / size) }, (_, i) => {
    const group = losses.slice(i * size, (i + 1) * size);
    return { step: mean(group, 'step'), loss: mean(group, 'loss') };
  });
}

function epochSection({ epochs, accuracy, bestEpoch, task }: ReportData): string {
  if (task) return scoreSection({ epochs, bestEpoch, task });
  const trained = epochs.filter((e) => e.trainAccuracy !== undefined);
  const rules = accuracy === undefined ? [] : [{ y: accuracy.chance, label: 'chance' }];
  if (accuracy?.head !== undefined) rules.push({ y: accuracy.head, label: 'classifier alone' });
  const chart = lineChart({
    title: 'Accuracy by epoch',
    xLabel: 'epoch',
    yLabel: 'accuracy',
    yRange: [0, 1],
    yText: (v) => `${Math.round(100 * v)} %`,
    series: [
      { label: 'training', points: trained.map((e) => [e.epoch, e.trainAccuracy!]) },
      { label: 'validation', points: judged(epochs).map((e) => [e.epoch, e.valAccuracy]) },
    ],
    rules,
    mark: { x: bestEpoch, label: `kept: epoch ${bestEpoch}` },
  });
  return `<section><h2>Accuracy by epoch</h2>${chart}</section>`;
}

/** The task's score by epoch; there is none of the pictures that are learnt from. */
function scoreSection({
  epochs,
  bestEpoch,
  task,
}: Pick<ReportData, 'epochs' | 'bestEpoch'> & { task: NonNullable<ReportData['task']> }): string {
  const { name, isShare } = task.score;
  const points = judged(epochs).map((e): [number, number] => [e.epoch, e.valScore!]);
  if (points.length === 0) return '';
  const chart = lineChart({
    title: `${name} by epoch`,
    xLabel: 'epoch',
    yLabel: name,
    yRange: [Math.min(0, ...points.map(([, y]) => y)), 1],
    ...(isShare ? { yText: (v: number) => `${Math.round(100 * v)} %` } : {}),
    series: [{ label: 'validation', points }],
    mark: { x: bestEpoch, label: `kept: epoch ${bestEpoch}` },
  });
  return `<section><h2>${escapeText(name)} by epoch</h2>${chart}</section>`;
}

function memorySection({ plan, others, budgetBytes, measured }: ReportData): string {
  const plans = [plan, ...others];
  const scale = Math.max(...plans.map((p) => p.linearBytes), budgetBytes ?? 0);
  const share = (bytes: number) => `${((100 * bytes) / scale).toFixed(3)}%`;
  const over = (p: PlanColumn) => budgetBytes !== undefined && p.linearBytes > budgetBytes;
  const areas = [...partsOf(plans).map(({ key, label }) => ({ key, label, bytes: (p: PlanColumn) => p.parts[key] ?? 0 }))] as {
    key: string;
    label: string;
    bytes: (p: PlanColumn) => number;
  }[];
  areas.push({ key: 'padding', label: 'padding', bytes: paddingBytes });

  const budget = budgetBytes === undefined ? '' : `<i class="budget" style="left:${share(budgetBytes)}"></i>`;
  const bars = plans.map((p) => {
    const spans = areas.map(({ key, label, bytes }) => {
      const title = `${label}: ${mebibytes(bytes(p))}`;
      return `<span style="width:${share(bytes(p))};background:var(--${key})" title="${title}"></span>`;
    });
    const total = `${mebibytes(p.linearBytes)}${over(p) ? ' &middot; over the budget' : ''}`;
    return `<div><div class="head"><span>${escapeText(p.label)}</span><b>${total}</b></div><div class="track">${spans.join('')}${budget}</div></div>`;
  });
  const legend = areas.map(({ key, label }) => `<li><i style="background:var(--${key})"></i>${label}</li>`);
  if (budgetBytes !== undefined) legend.push(`<li><i class="dash"></i>budget ${mebibytes(budgetBytes)}</li>`);

  const cells = (value: (p: PlanColumn) => number) => plans.map((p) => `<td>${mebibytes(value(p))}</td>`).join('');
  const rows = areas.map(({ label, bytes }) => `<tr><th>${label}</th>${cells(bytes)}</tr>`);
  rows.push(`<tr class="total"><th>linear memory</th>${cells((p) => p.linearBytes)}</tr>`);

  const exact = measured.linearBytes === plan.linearBytes;
  const sentences = [
    `Planned ${mebibytes(plan.linearBytes)} of linear memory, measured ${mebibytes(measured.linearBytes)}: ${
      exact ? 'equal to the byte.' : `a difference of ${measured.linearBytes - plan.linearBytes} bytes.`
    }`,
  ];
  if (measured.residentBytes !== undefined)
    sentences.push(`The process as a whole, runtime included, peaked at ${mebibytes(measured.residentBytes)} resident.`);
  return `<section class="memory"><h2>Memory</h2><p class="quiet">${sentences.join(' ')}</p>
<div class="bars">${bars.join('\n')}</div><ul class="legend">${legend.join('')}</ul>
<div class="scroll"><table class="number"><thead><tr><th></th>${plans.map((p) => `<th>${escapeText(p.label)}</th>`).join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div></section>`;
}

function timelineSection({ timeline }: ReportData): string {
  if (timeline === undefined) return '';
  return `<section><h2>Memory over one step</h2>
<p class="quiet">What is alive at each instruction of a step, from left to right. What is kept for backward grows through forward and shrinks through
backward; the flat bands stay through the whole run.</p>${timelineChart(timeline)}</section>`;
}

function picturesSection({ pictures, task }: ReportData): string {
  if (pictures.length === 0) return '';
  const wrong = pictures.filter((p) => !(p.isRight ?? p.truth === p.predicted)).length;
  if (task?.isNumbers)
    return `<section><h2>Pictures</h2>
<p class="quiet">What is wanted of each, and what the model says.</p>
<div class="pictures">${pictures.map((p) => figure({ ...p, isRight: true }, '')).join('\n')}</div></section>`;
  return `<section><h2>Pictures</h2>
<p class="quiet">What each is, and what the model says. ${wrong === 0 ? `All ${pictures.length} are right.` : `${wrong} of these ${pictures.length} are wrong, in red.`}</p>
<div class="pictures">${pictures.map((p) => figure(p)).join('\n')}</div></section>`;
}

function againSection({ command, adapter, configuration, measured, epochs }: ReportData): string {
  const rows = configuration.map(
    ({ name, value }) => `<tr><th>${escapeText(name)}</th><td><code>${escapeText(String(value))}</code></td></tr>`,
  );
  const took = `${formatDuration(measured.seconds)} for ${counted(epochs.length, 'epoch')}, ${measured.imagesPerSecond.toFixed(1)} images/s.`;
  return `<section><h2>To do it again</h2><pre>${escapeText(command)}</pre>
<p>The adapter is in <code>${escapeText(adapter)}</code>. Training took ${took}</p>
<div class="scroll"><table><tbody>${rows.join('\n')}</tbody></table></div></section>`;
}
