/** What is shown and logged while a run goes on. Metrics go to DIR/run/metrics.jsonl, one JSON object a line. */
import { Answer } from '../../assembly/abi/task.ts';
import { reasonOf } from '../../assembly/runner/watch.ts';
import { counted } from '../../src/base/counted.ts';
import { DEFAULTS } from '../../src/base/defaults.ts';
import { visible } from '../../src/base/visible.ts';
import { isArray, placeOf } from '../../src/input/example.ts';
import type { ReportData } from '../../src/report/data.ts';
import { metricText } from '../../src/report/figures.ts';
import { timelineOf } from '../../src/report/plantimeline.ts';
import { epochLine, formatBytes, formatPercent, plainLine, progressLine } from '../../src/report/terminal.ts';
import { CLASSIFY, type Task, taskOf } from '../../src/task/index.ts';
import type { HeadFound, NoHead } from '../../src/training/headstart.ts';
import type { JobHooks, TrainJob } from '../../src/training/job.ts';
import { ratesText } from '../../src/training/measure.ts';
import type { Log } from './logs.ts';
import type { Metrics } from './metrics.ts';
import type { Output } from './output.ts';
import { planText } from './show.ts';

/** What the page shows of a run while it goes. */
export type Seen = Pick<ReportData, 'losses'> & { timeline: ReportData['timeline'] };

/** Where the run stands: since when, from which step on, over how many pictures its pace is taken. */
interface Course {
  task: Task;
  /** What it learns from. */
  input: 'picture' | 'array';
  head: HeadFound | NoHead | undefined;
  /** Steps taken. */
  step: number;
  epochBegan: number;
  began: number;
  firstStep: number;
  pictures: number;
  lastPlain: number;
}

/** What is written of a run while it goes: its own metrics, and what --log names. */
export interface Logs {
  metrics: Metrics;
  log: Log;
}

/** The terminal's and the logs' part of a job's hooks. */
export function progress(job: TrainJob, out: Output, signal: AbortSignal, collected: Seen, { metrics, log }: Logs): JobHooks {
  const now = Date.now();
  const course: Course = {
    task: taskOf(CLASSIFY.name),
    input: 'picture',
    head: undefined,
    step: 0,
    epochBegan: now,
    began: now,
    firstStep: 0,
    pictures: 0,
    lastPlain: 0,
  };
  return {
    signal,
    warn: (sentence) => out.warn(sentence),
    ...preparing(course, job, out, collected),
    ...starting(course, out, { metrics, log }),
    ...learning(course, job, out, collected, { metrics, log }),
  };
}

/** How far preparing is: what is prepared its first path says. */
export function preparingLine({ done, total, path, skipped }: { done: number; total: number; path: string; skipped: number }): string {
  const what = isArray(placeOf(path).file) ? 'arrays' : 'pictures';
  return `preparing ${what} ${done}/${total}${skipped ? `, ${skipped} skipped` : ''}`;
}

/** From the plan to the prepared pictures. */
function preparing(
  course: Course,
  { arithmetic }: TrainJob,
  out: Output,
  collected: Seen,
): Pick<JobHooks, 'onPlan' | 'onPrepare' | 'onPrepared'> {
  return {
    onPlan(plan, compiled) {
      collected.timeline = timelineOf(compiled, plan.budgetBytes ?? undefined);
      course.task = taskOf(compiled.program.about.task ?? CLASSIFY.name);
      out.note(planText(plan));
      if (arithmetic === 'auto') out.note(`arithmetic: ${plan.arithmetic}, the fastest for this run that this machine proves`);
    },
    onPrepare: (done) => out.live(preparingLine(done)),
    onPrepared({ input, train: trained, val, skipped, bytesWritten, cache }) {
      course.input = input;
      const written = bytesWritten > 0 ? `${formatBytes(bytesWritten)} written` : 'reused';
      const bad = skipped.length === 0 ? '' : `, ${skipped.length} skipped`;
      out.note(
        `${input}s: ${trained.length} to learn from, ${val.length} to judge by${bad}; cache ${formatBytes(cache.bytes)}, ${written}`,
      );
      for (const { path, reason } of skipped.slice(0, 10)) out.warn(`  skipped ${path}: ${reason}`);
      if (skipped.length > 10) out.warn(`  and ${skipped.length - 10} more`);
    },
  };
}

/** What is found before the first step. */
function starting(course: Course, out: Output, { metrics, log }: Logs): Pick<JobHooks, 'onHead' | 'onFeatures' | 'onStart'> {
  return {
    onHead(found) {
      course.head = found;
      out.note(headLine(found, course.input));
    },
    onFeatures: ({ node, bytes }) =>
      out.note(visible(`features: kept from the first epoch on, ${formatBytes(bytes)}; later ones begin after ${node}`)),
    onStart({ resumedAt, totalSteps, epochsDone, backs, rates }) {
      if (resumedAt === undefined) metrics.begin([...headMetrics(course.head), ...(rates ? [{ rates }] : [])]);
      else metrics.goOn({ step: resumedAt, epochsDone, backs });
      if (resumedAt === undefined) log.begin();
      else log.cut(resumedAt);
      if (rates) out.note(`rates: ${ratesText(rates)}`);
      if (resumedAt !== undefined) out.note(`going on from step ${resumedAt} of ${totalSteps}`);
      course.step = resumedAt ?? 0;
      setOut(course, resumedAt ?? 0);
    },
  };
}

/** The pace is taken from here on. */
function setOut(course: Course, step: number): void {
  const now = Date.now();
  Object.assign(course, { began: now, epochBegan: now, firstStep: step, pictures: 0 });
}

type Learning = Pick<JobHooks, 'onStep' | 'onEpoch' | 'onBack'>;

function learning(course: Course, job: TrainJob, out: Output, collected: Seen, { metrics, log }: Logs): Learning {
  const epochs = job.epochs ?? DEFAULTS.epochs;
  return {
    onStep({ epoch, step, totalSteps, loss, rate, norm, tally }) {
      collected.losses.push({ step, loss });
      metrics.add({ step, epoch, loss, rate, norm });
      log.add({ step, epoch, loss, rate, norm });
      course.step = step;
      const seconds = (Date.now() - course.began) / 1000;
      course.pictures += job.batchSize ?? DEFAULTS.batchSize;
      const line = {
        epoch,
        epochs,
        step,
        steps: totalSteps,
        loss,
        ...(course.task.answer === Answer.Class ? { accuracy: tally.correct / tally.count } : {}),
        imagesPerSecond: course.pictures / seconds,
        secondsLeft: (seconds / (step - course.firstStep)) * (totalSteps - step),
      };
      if (out.terminal) out.live(progressLine(line, out.columns));
      else if (Date.now() - course.lastPlain > 10000) {
        course.lastPlain = Date.now();
        out.note(plainLine(line));
      }
    },
    onEpoch({ epoch, train: t, val, judged, best }) {
      const { score: metric, answer } = course.task;
      const isClass = answer === Answer.Class;
      const score = isClass ? val.correct / val.count : val.count > 0 ? judged.balanced : Number.NaN;
      metrics.add({ epoch, trainLoss: t.loss, valLoss: val.loss, [isClass ? 'valAccuracy' : 'valScore']: score, best });
      const accuracies = isClass ? { trainAccuracy: t.correct / t.count, valAccuracy: score } : { valScore: score };
      log.add({ step: course.step, epoch, trainLoss: t.loss, valLoss: val.loss, ...accuracies });
      const seconds = (Date.now() - course.epochBegan) / 1000;
      course.epochBegan = Date.now();
      const figures = { epoch, epochs, trainLoss: t.loss, valLoss: val.loss, valAccuracy: score, seconds, best: best && val.count > 0 };
      const named = isClass ? {} : { score: { name: metric.name, text: metricText({ ...metric, value: score }) } };
      out.note(epochLine({ ...figures, ...named }));
    },
    onBack({ reason, epoch, to, step, backs, rate }) {
      metrics.add({ back: backs, epoch, to, reason: reasonOf(reason), rate });
      log.cut(step);
      const where = to === 0 ? 'its start' : `the end of epoch ${to}`;
      const smaller = `a tenth of the rate: ${Number(rate.toPrecision(3))}`;
      out.warn(`epoch ${epoch}: ${reasonOf(reason)}; the run goes back to ${where} and goes on with ${smaller}`);
      collected.losses.splice(collected.losses.findIndex((l) => l.step > step) >>> 0);
      setOut(course, step);
    },
  };
}

/** Where the head started from, for the metrics, as a board writes it (targets/wasi/headstart.ts). */
function headMetrics(head: HeadFound | NoHead | undefined): object[] {
  if (head === undefined || 'why' in head) return [];
  const { pictures, lambda, factor } = head;
  return [{ head: 'ridge', pictures, lambda, factor }];
}

/** What the head starts from, as a line. */
function headLine(head: HeadFound | NoHead, input: Course['input']): string {
  if ('why' in head) return `head starts from zero: ${head.why}`;
  const { pictures, of, lambda, factor, leftOut } = head;
  const some = pictures === of ? counted(pictures, input) : `${pictures} of ${counted(of, input)}`;
  const judged = leftOut ? `; left out one by one ${formatPercent(leftOut.accuracy)} of them are named rightly` : '';
  return `head starts from ridge regression on ${some}: λ ${lambda.toPrecision(2)}, logits × ${factor.toPrecision(3)}${judged}`;
}
