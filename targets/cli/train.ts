/** `s2a train`: progress while it goes, planned against measured at the end. */

import { join } from 'node:path';
import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import { figureLines } from '../../src/report/figures.ts';
import { formatBytes, formatDuration } from '../../src/report/terminal.ts';
import { tryFile } from '../../src/training/beforehand.ts';
import { type JobResult, type TrainJob, trainJob } from '../../src/training/job.ts';
import { openFor } from '../../src/training/preparation.ts';
import { fidelity as measureFidelity } from '../../src/use/fidelity/fidelity.ts';
import type { Fidelity } from '../../src/use/fidelity/measure.ts';
import { openLogs } from './logs.ts';
import { openMetrics } from './metrics.ts';
import { augment, type Flags, method, type Parsed, PLAN_FLAGS, parse, read } from './options.ts';
import type { Output } from './output.ts';
import { progress, type Seen } from './progress.ts';
import { writeReport } from './report.ts';
import { pairs } from './show.ts';
import { untilStopped } from './signals.ts';

/** Options of a training run; `pack` takes most of them. */
export const TRAIN_FLAGS: Flags = {
  ...PLAN_FLAGS,
  labels: 'text',
  task: 'text',
  threshold: 'text',
  loss: 'text',
  normalize: 'text',
  out: 'text',
  epochs: 'text',
  warmup: 'text',
  'weight-decay': 'text',
  clip: 'text',
  'label-smoothing': 'text',
  augment: 'text',
  balance: 'flag',
  'class-weights': 'text',
  dropout: 'text',
  'drop-path': 'text',
  'hold-out': 'text',
  patience: 'text',
  retries: 'text',
  seed: 'text',
  'save-every': 'text',
  resume: 'flag',
  overwrite: 'flag',
  from: 'text',
  memory: 'text',
  head: 'text',
  calibrate: 'text',
  tables: 'text',
  cache: 'text',
  'feature-cache': 'text',
  'process-budget': 'text',
  stored: 'text',
  threads: 'text',
  arithmetic: 'text',
  report: 'text',
  log: 'text',
  fidelity: 'flag',
};

export function jobOf(p: Parsed): TrainJob {
  const [model, data] = p.positionals as [string, string];
  const out = p.text('out');
  if (out === undefined) throw new InputError({ where: '--out', what: 'is missing', expected: 'a folder for the adapter' });
  const size = read(p, 'imageSize');
  return {
    model,
    data,
    out,
    resume: p.flag('resume'),
    overwrite: p.flag('overwrite'),
    ...defined({
      method: method(p),
      keep: read(p, 'keep'),
      weights: read(p, 'weightsOrAuto'),
      resident: read(p, 'resident'),
      stored: read(p, 'stored'),
      optimizer: read(p, 'optimizer'),
      batchSize: read(p, 'batchSize'),
      microBatch: read(p, 'microBatch'),
      recompute: read(p, 'recompute'),
      budget: read(p, 'budget'),
      processBudget: read(p, 'processBudget'),
      threads: read(p, 'threads'),
      arithmetic: read(p, 'arithmetic'),
      maxThreads: read(p, 'maxThreads'),
      imageSize: size,
      epochs: read(p, 'epochs'),
      rate: read(p, 'rate'),
      warmup: read(p, 'warmup'),
      weightDecay: read(p, 'weightDecay'),
      clipNorm: read(p, 'clipNorm'),
      smoothing: read(p, 'smoothing'),
      balance: read(p, 'balance'),
      classWeights: read(p, 'classWeights'),
      holdOut: read(p, 'holdOut'),
      patience: read(p, 'patience'),
      retries: read(p, 'retries'),
      seed: read(p, 'seed'),
      saveEvery: read(p, 'saveEvery'),
      cacheFolder: read(p, 'cacheFolder'),
      featureCache: read(p, 'featureCache'),
      labels: read(p, 'labels'),
      task: read(p, 'task'),
      threshold: read(p, 'threshold'),
      loss: read(p, 'loss'),
      normalize: read(p, 'normalize'),
      from: read(p, 'from'),
      memory: read(p, 'memory'),
      head: read(p, 'head'),
      calibrate: read(p, 'calibrate'),
      tables: read(p, 'tables'),
      dropout: read(p, 'dropout'),
      dropPath: read(p, 'dropPath'),
      augment:
        p.text('augment') === undefined ? undefined : augment(p, openFor({ model, data, ...defined({ imageSize: size }) }).model.image),
    }),
  };
}

export async function train(args: string[], out: Output): Promise<void> {
  const p = parse(args, TRAIN_FLAGS, { least: 2, most: 2, usage: 's2a train <model folder> <pictures> --out <folder>' });
  const job = jobOf(p);
  if (p.flag('fidelity') && p.text('report') === undefined)
    throw new InputError({ where: '--fidelity', what: 'goes into the page', expected: '--report FILE' });
  const page = p.text('report');
  if (page !== undefined) tryFile(page, '--report');
  const log = openLogs(p.all('log'), (sentence) => out.warn(sentence));
  const metrics = openMetrics(join(job.out, 'run', 'metrics.jsonl'), (sentence) => out.warn(sentence));
  const seen: Seen = { losses: [], timeline: undefined };
  const result = await untilStopped((signal) => trainJob(job, progress(job, out, signal, seen, { metrics, log })));
  // The adapter is written. Whatever fails from here on is said, and what does not fail is done.
  const failures = [...result.failures, ...(metrics.failure ? [metrics.failure.message] : [])];
  if (page !== undefined) {
    try {
      const fidelity = p.flag('fidelity') ? await fidelityAfter(job, result) : undefined;
      await writeReport(page, job, result, { ...seen, ...(fidelity ? { fidelity } : {}) }, `s2a train ${args.join(' ')}`);
    } catch (error) {
      failures.push(`${page}: the report was not written: ${(error as Error).message}`);
    }
  }
  if (p.flag('json') && result.warning !== null) out.warn(`warning: ${result.warning}`);
  if (p.flag('json')) out.json(result);
  else out.line(summary(result, job, failures.length > 0 ? undefined : page));
  for (const failure of failures) out.note(visible(`s2a: ${failure}`));
  if (failures.length > 0) process.exitCode = 2;
}

/** How true the gradients of the kept codes are where the run ended. */
function fidelityAfter(job: TrainJob, { adapter, plan }: JobResult): Promise<Fidelity> {
  const { model, data, labels, seed, processBudget } = job;
  const cacheFolder = job.cacheFolder ?? join(job.out, 'run');
  const { keep, batchSize, microBatch } = plan;
  return measureFidelity({ model, data, adapter, keep, batchSize, microBatch, cacheFolder, ...defined({ seed, labels, processBudget }) });
}

/** What else the judged pictures were, and what is remembered. */
function aboutOthers({ rehearsed, isHeld, unjudged, remembered }: JobResult): [string, string][] {
  const rows: [string, string][] = [];
  if (rehearsed.val > 0) rows.push(['', `of the judged ${counted(rehearsed.val, 'picture')} remembered`]);
  if (unjudged.length > 0)
    rows.push(['not judged', visible(`${namesOf(unjudged)}: no pictures of ${unjudged.length === 1 ? 'it' : 'them'}`)]);
  if (isHeld) rows.push(['held', 'everything but rows of the new classes']);
  if (remembered) rows.push(['remembered', `${counted(remembered.pictures, 'picture')}, ${formatBytes(remembered.bytes)}`]);
  return rows;
}

const namesOf = (names: readonly string[]): string =>
  names.length > 6 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');

/** Planned against measured, and what to do next. */
function summary(r: JobResult, { model }: TrainJob, report: string | undefined): string {
  const { memory, plan } = r;
  const budget = plan.budgetBytes === null ? '' : `, budget ${formatBytes(plan.budgetBytes)}`;
  const beyond = formatBytes(memory.residentPeakBytes - memory.linearBytes);
  const decoder = memory.decoderPeakBytes ? `, the decoder's process ${formatBytes(memory.decoderPeakBytes)}` : '';
  const rows: [string, string][] = [
    ...figureLines(r.judged, r.bestEpoch).map((line, i): [string, string] => [
      i > 0 ? '' : r.judged.measured ? 'judged' : 'accuracy',
      line,
    ]),
    ...aboutOthers(r),
    ['linear memory', `${formatBytes(memory.plannedBytes)} planned, ${formatBytes(memory.linearBytes)} measured${budget}`],
    [
      'process, peak',
      `${formatBytes(memory.residentPeakBytes)} ${memory.peakOfTrainingAlone ? 'while training' : 'over the whole run'}, ${beyond} beyond linear memory`,
    ],
    ['', `${formatBytes(memory.residentPeakPreparingBytes)} while preparing ${r.judged.input}s${decoder}`],
    ['written', `${formatBytes(r.bytesWritten)}, of it ${formatBytes(r.pictures.cacheBytesWritten)} ${r.judged.input} cache`],
    ['', `${formatBytes(r.bytesWrittenPerHour)} an hour at the pace of this training`],
    ['time', `${formatDuration(r.seconds)} on ${r.threads} ${r.threads === 1 ? 'thread' : 'threads'}`],
    ['adapter', r.adapter],
  ];
  if (report !== undefined) rows.push(['report', report]);
  const warning = r.warning === null ? '' : `\n\nwarning: ${visible(r.warning)}`;
  return `\n${pairs(rows)}\n\n${visible(`next: s2a predict ${model} ${r.adapter} <${r.judged.input}>`)}${warning}`;
}
