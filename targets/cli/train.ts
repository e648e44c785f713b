/** `s2a train`: progress while it goes, planned against measured at the end. */

import { join } from 'node:path';
import { Answer } from '../../assembly/abi/task.ts';
import { reasonOf } from '../../assembly/runner/watch.ts';
import { counted } from '../../src/base/counted.ts';
import { DEFAULTS } from '../../src/base/defaults.ts';
import { InputError } from '../../src/base/error.ts';
import { visible } from '../../src/base/visible.ts';
import type { ReportData } from '../../src/report/data.ts';
import { figureLines, metricText } from '../../src/report/figures.ts';
import { timelineOf } from '../../src/report/plantimeline.ts';
import { epochLine, formatBytes, formatDuration, formatPercent, plainLine, progressLine } from '../../src/report/terminal.ts';
import { CLASSIFY, taskOf } from '../../src/task/index.ts';
import { tryFile } from '../../src/training/beforehand.ts';
import type { HeadFound, NoHead } from '../../src/training/headstart.ts';
import { type JobHooks, type JobResult, type TrainJob, trainJob } from '../../src/training/job.ts';
import { ratesText } from '../../src/training/measure.ts';
import { openFor } from '../../src/training/preparation.ts';
import { fidelity as measureFidelity } from '../../src/use/fidelity/fidelity.ts';
import type { Fidelity } from '../../src/use/fidelity/measure.ts';
import { type Metrics, openMetrics } from './metrics.ts';
import { augment, defined, type Flags, method, type Parsed, PLAN_FLAGS, parse, read } from './options.ts';
import type { Output } from './output.ts';
import { writeReport } from './report.ts';
import { pairs, planLines } from './show.ts';
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
  head: 'text',
  calibrate: 'text',
  tables: 'text',
  cache: 'text',
  'feature-cache': 'text',
  'process-budget': 'text',
  threads: 'text',
  fast: 'flag',
  report: 'text',
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
      optimizer: read(p, 'optimizer'),
      batchSize: read(p, 'batchSize'),
      microBatch: read(p, 'microBatch'),
      recompute: read(p, 'recompute'),
      budget: read(p, 'budget'),
      processBudget: read(p, 'processBudget'),
      threads: read(p, 'threads'),
      fast: read(p, 'fast'),
      maxThreads: read(p, 'maxThreads'),
      imageSize: size,
      epochs: read(p, 'epochs'),
      rate: read(p, 'rate'),
      warmup: read(p, 'warmup'),
      weightDecay: read(p, 'weightDecay'),
      clipNorm: read(p, 'clipNorm'),
      smoothing: read(p, 'smoothing'),
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
  const metrics = openMetrics(join(job.out, 'run', 'metrics.jsonl'), (sentence) => out.warn(sentence));
  const seen: Seen = { losses: [], timeline: undefined };
  const result = await untilStopped((signal) => trainJob(job, progress(job, out, signal, seen, metrics)));
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

/** What a run showed on its way: the page's charts are made of it. */
export type Seen = Pick<ReportData, 'losses'> & { timeline: ReportData['timeline'] };

/** How true the gradients of the kept codes are where the run ended. */
function fidelityAfter(job: TrainJob, { adapter, plan }: JobResult): Promise<Fidelity> {
  const { model, data, labels, seed, processBudget } = job;
  const cacheFolder = job.cacheFolder ?? join(job.out, 'run');
  const { keep, batchSize, microBatch } = plan;
  return measureFidelity({ model, data, adapter, keep, batchSize, microBatch, cacheFolder, ...defined({ seed, labels, processBudget }) });
}

/** What is shown and logged while the job runs. Metrics go to DIR/run/metrics.jsonl, one JSON object a line. */
function progress(job: TrainJob, out: Output, signal: AbortSignal, collected: Seen, metrics: Metrics): JobHooks {
  const epochs = job.epochs ?? DEFAULTS.epochs;
  let epochBegan = Date.now();
  let began = 0;
  let firstStep = 0;
  let seen = 0;
  let lastPlain = 0;
  let head: HeadFound | NoHead | undefined;
  let task = taskOf(CLASSIFY.name);
  return {
    signal,
    warn: (sentence) => out.warn(sentence),
    onPlan(plan, compiled) {
      collected.timeline = timelineOf(compiled, plan.budgetBytes ?? undefined);
      task = taskOf(compiled.program.about.task ?? CLASSIFY.name);
      out.note(`${planLines(plan)}\n`);
    },
    onPrepare: ({ done, total, skipped }) => out.live(`preparing pictures ${done}/${total}${skipped ? `, ${skipped} skipped` : ''}`),
    onPrepared({ input, train: trained, val, skipped, bytesWritten, cache }) {
      const written = bytesWritten > 0 ? `${formatBytes(bytesWritten)} written` : 'reused';
      const bad = skipped.length === 0 ? '' : `, ${skipped.length} skipped`;
      out.note(
        `${input}s: ${trained.length} to learn from, ${val.length} to judge by${bad}; cache ${formatBytes(cache.bytes)}, ${written}`,
      );
      for (const { path, reason } of skipped.slice(0, 10)) out.warn(`  skipped ${path}: ${reason}`);
      if (skipped.length > 10) out.warn(`  and ${skipped.length - 10} more`);
    },
    onHead(found) {
      head = found;
      out.note(headLine(found));
    },
    onFeatures: ({ node, bytes }) =>
      out.note(visible(`features: kept from the first epoch on, ${formatBytes(bytes)}; later ones begin after ${node}`)),
    onStart({ resumedAt, totalSteps, epochsDone, backs, rates }) {
      if (resumedAt === undefined) metrics.begin([...headMetrics(head), ...(rates ? [{ rates }] : [])]);
      else metrics.goOn({ step: resumedAt, epochsDone, backs });
      if (rates) out.note(`rates: ${ratesText(rates)}`);
      if (resumedAt !== undefined) out.note(`going on from step ${resumedAt} of ${totalSteps}`);
      began = Date.now();
      epochBegan = began;
      firstStep = resumedAt ?? 0;
    },
    onStep({ epoch, step, totalSteps, loss, rate, norm, tally }) {
      collected.losses.push({ step, loss });
      metrics.add({ step, epoch, loss, rate, norm });
      const seconds = (Date.now() - began) / 1000;
      seen += job.batchSize ?? DEFAULTS.batchSize;
      const line = {
        epoch,
        epochs,
        step,
        steps: totalSteps,
        loss,
        ...(task.answer === Answer.Class ? { accuracy: tally.correct / tally.count } : {}),
        imagesPerSecond: seen / seconds,
        secondsLeft: (seconds / (step - firstStep)) * (totalSteps - step),
      };
      if (out.terminal) out.live(progressLine(line, out.columns));
      else if (Date.now() - lastPlain > 10000) {
        lastPlain = Date.now();
        out.note(plainLine(line));
      }
    },
    onEpoch({ epoch, train: t, val, judged, best }) {
      const isClass = task.answer === Answer.Class;
      const score = isClass ? val.correct / val.count : val.count > 0 ? judged.balanced : Number.NaN;
      metrics.add({ epoch, trainLoss: t.loss, valLoss: val.loss, [isClass ? 'valAccuracy' : 'valScore']: score, best });
      const seconds = (Date.now() - epochBegan) / 1000;
      epochBegan = Date.now();
      out.note(
        epochLine({
          epoch,
          epochs,
          trainLoss: t.loss,
          valLoss: val.loss,
          valAccuracy: score,
          ...(isClass ? {} : { score: { name: task.score.name, text: metricText({ ...task.score, value: score }) } }),
          seconds,
          best: best && val.count > 0,
        }),
      );
    },
    onBack({ reason, epoch, to, step, backs, rate }) {
      metrics.add({ back: backs, epoch, to, reason: reasonOf(reason), rate });
      const where = to === 0 ? 'its start' : `the end of epoch ${to}`;
      const smaller = `a tenth of the rate: ${Number(rate.toPrecision(3))}`;
      out.warn(`epoch ${epoch}: ${reasonOf(reason)}; the run goes back to ${where} and goes on with ${smaller}`);
      collected.losses.splice(collected.losses.findIndex((l) => l.step > step) >>> 0);
      began = Date.now();
      epochBegan = began;
      firstStep = step;
      seen = 0;
    },
  };
}

/** The same for the metrics, as a board writes it (targets/wasi/headstart.ts). */
function headMetrics(head: HeadFound | NoHead | undefined): object[] {
  if (head === undefined || 'why' in head) return [];
  const { pictures, lambda, factor } = head;
  return [{ head: 'ridge', pictures, lambda, factor }];
}

/** What the head starts from, as a line. */
export function headLine(head: HeadFound | NoHead): string {
  if ('why' in head) return `head starts from zero: ${head.why}`;
  const { pictures, of, lambda, factor, leftOut } = head;
  const some = pictures === of ? counted(pictures, 'picture') : `${pictures} of ${counted(of, 'picture')}`;
  const judged = leftOut ? `; left out one by one ${formatPercent(leftOut.accuracy)} of them are named rightly` : '';
  return `head starts from ridge regression on ${some}: λ ${lambda.toPrecision(2)}, logits × ${factor.toPrecision(3)}${judged}`;
}

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
    ['linear memory', `${formatBytes(memory.plannedBytes)} planned, ${formatBytes(memory.linearBytes)} measured${budget}`],
    [
      'process, peak',
      `${formatBytes(memory.residentPeakBytes)} ${memory.peakOfTrainingAlone ? 'while training' : 'over the whole run'}, ${beyond} beyond linear memory`,
    ],
    ['', `${formatBytes(memory.residentPeakPreparingBytes)} while preparing pictures${decoder}`],
    ['written', `${formatBytes(r.bytesWritten)}, of it ${formatBytes(r.pictures.cacheBytesWritten)} picture cache`],
    ['', `${formatBytes(r.bytesWrittenPerHour)} an hour at the pace of this training`],
    ['time', `${formatDuration(r.seconds)} on ${r.threads} ${r.threads === 1 ? 'thread' : 'threads'}`],
    ['adapter', r.adapter],
  ];
  if (report !== undefined) rows.push(['report', report]);
  const warning = r.warning === null ? '' : `\n\nwarning: ${visible(r.warning)}`;
  return `\n${pairs(rows)}\n\n${visible(`next: s2a predict ${model} ${r.adapter} <picture>`)}${warning}`;
}
