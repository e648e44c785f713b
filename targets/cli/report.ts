/** The HTML page of a run: the result with some of the pictures it was judged by. */

import { Answer } from '../../assembly/abi/task.ts';
import { counted } from '../../src/base/counted.ts';
import { defined } from '../../src/base/defined.ts';
import { writeText } from '../../src/base/files.ts';
import { planReport } from '../../src/budget/report.ts';
import { readAdapter } from '../../src/formats/adapterfile.ts';
import { checkPreparation } from '../../src/input/index.ts';
import { type Method, methodOf, withBlocks } from '../../src/network/method.ts';
import type { PlanColumn, Prediction, ReportData } from '../../src/report/data.ts';
import { balancedLine, judgedBy, NOTHING_JUDGED } from '../../src/report/figures.ts';
import { reportPage } from '../../src/report/html.ts';
import { CLASSIFY, type Task, taskOf } from '../../src/task/index.ts';
import { compileJob, settle } from '../../src/training/compilejob.ts';
import type { JobResult, TrainJob } from '../../src/training/job.ts';
import { ratesText } from '../../src/training/measure.ts';
import { openFor } from '../../src/training/preparation.ts';
import { unusualTask } from '../../src/training/taskchoice.ts';
import { judgeAdapter } from './judge.ts';
import { keepWorst, openPicturer } from './worst.ts';

/** Pictures shown, as many of each class. */
const SHOWN = 30;

export async function writeReport(
  path: string,
  job: TrainJob,
  result: JobResult,
  { losses, timeline, fidelity }: Pick<ReportData, 'losses' | 'fidelity'> & { timeline: ReportData['timeline'] },
  command: string,
): Promise<void> {
  const judged = await judgedAgain(job, result);
  const { plan, memory } = result;
  const task = taskOf(result.task.name);
  const column = (label: string, p: typeof plan): PlanColumn => ({ label, parts: p.parts, linearBytes: p.linearBytes });
  const trained = result.pictures.train * result.epochs.length;
  const data: ReportData = {
    title: `${plan.model}: ${result.classes.length} ${result.classes.length === 1 ? task.noun.one : task.noun.many}, method ${plan.method}`,
    summary: `Fine-tuned on ${counted(result.pictures.train, result.judged.input)} for ${counted(result.epochs.length, 'epoch')}; ${judgement(result)}.`,
    classes: result.classes,
    ...accuracyOf(result),
    ...taskIn(result, task),
    ...(result.warning === null ? {} : { warning: result.warning }),
    losses,
    epochs: result.epochs.map((e) => ({
      epoch: e.epoch,
      trainLoss: e.train.loss,
      trainAccuracy: e.train.correct / e.train.count,
      valLoss: e.val.loss,
      valAccuracy: e.val.correct / e.val.count,
      valScore: e.judged.balanced,
    })),
    bestEpoch: result.bestEpoch,
    plan: column(`${plan.method}, ${plan.keep}${plan.weights === 'f32' ? '' : `, weights ${plan.weights}`}`, plan),
    others: otherPlans(job, result),
    ...(plan.budgetBytes === null ? {} : { budgetBytes: plan.budgetBytes }),
    ...(timeline ? { timeline } : {}),
    ...(fidelity ? { fidelity } : {}),
    measured: {
      linearBytes: memory.linearBytes,
      residentBytes: memory.residentPeakBytes,
      seconds: result.seconds,
      imagesPerSecond: trained / result.seconds,
    },
    ...judged,
    skipped: result.skipped.map(({ path: file, reason }) => ({ file, reason })),
    configuration: [
      { name: 'model', value: job.model },
      { name: 'method', value: plan.method },
      { name: 'keep', value: plan.keep },
      { name: 'frozen weights', value: plan.weights },
      { name: 'batch size', value: plan.batchSize },
      { name: 'micro-batch', value: plan.microBatch },
      { name: 'learning rate', value: result.rates ? `${result.rate}x: ${ratesText(result.rates)}` : result.rate },
      ...(result.wentBack === 0 ? [] : [{ name: 'went back, then learnt at', value: Number(result.finalRate.toPrecision(3)) }]),
      ...(result.classWeights ? [{ name: 'class weights', value: weightsText(result.classes, result.classWeights) }] : []),
      { name: 'head starts from', value: headText(result) },
      { name: 'seed', value: job.seed ?? 0 },
    ],
    command,
    adapter: result.adapter,
  };
  writeText(path, reportPage(data));
}

/** What a page needs to know of another task than classification. */
function taskIn({ task: settings, judged }: JobResult, task: Task): Pick<ReportData, 'task'> {
  if (task.answer === Answer.Class) return {};
  const { noun, score } = task;
  const measured = judged.measured === undefined ? {} : { judged: { ...judged.measured, pictures: judgedBy(judged) } };
  return { task: { outputs: noun.many, loss: task.lossName(settings), score, isNumbers: task.answer === Answer.Numbers, ...measured } };
}

const judgement = ({ judged }: JobResult): string => (judged.part === 'none' ? NOTHING_JUDGED : `judged by ${judgedBy(judged)}`);

/** The figures that the terminal names. */
function accuracyOf({ judged }: JobResult): Pick<ReportData, 'accuracy'> {
  const { accuracy: after, chance, pictures: predictions, part } = judged;
  if (after === null || chance === null) return {};
  return { accuracy: { chance, after, predictions, part: part === 'val' ? 'of val' : part, more: balancedLine(judged) } };
}

const weightsText = (labels: readonly string[], weights: readonly number[]): string =>
  labels.map((label, i) => `${label} ${Number(weights[i]!.toPrecision(3))}`).join(', ');

function headText({ head, judged }: JobResult): string {
  if (head === null) return 'zero, or what it went on from';
  if ('why' in head) return `zero: ${head.why}`;
  return `ridge regression on ${counted(head.pictures, judged.input)}, λ ${head.lambda.toPrecision(2)}`;
}

/** The same job with everything kept in f32, and with everything learning in a network of the same depth; both over f32 weights, without a budget. */
function otherPlans(job: TrainJob, result: JobResult): PlanColumn[] {
  const { plan, classes, task } = result;
  const { batchSize, microBatch } = plan;
  const adapter = readAdapter(result.adapter);
  adapter.weights.close();
  const about = {
    base: openFor(job),
    options: { ...settle(job), batchSize },
    preprocess: checkPreparation(adapter.preprocessing, adapter.path),
    classes: classes.length,
    task: unusualTask(task),
    ...(result.classWeights ? { classWeights: result.classWeights } : {}),
  };
  const { budget, resident, recompute, weights, arithmetic, ...same } = job;
  const of = (method: Method): PlanColumn => {
    const p = planReport(compileJob({ ...same, microBatch, method, keep: 'exact' }, about), batchSize, undefined);
    return { label: `${method.name}, f32 kept`, parts: p.parts, linearBytes: p.linearBytes };
  };
  const own = methodOf(plan.method);
  const full = methodOf('full');
  return [of(own), of(own.depth ? withBlocks(full, 'depth', own.depth.blocks) : full)];
}

/** Some of the pictures that the run was judged by, the worst of them, and what they say of each class. */
async function judgedAgain(job: TrainJob, result: JobResult): Promise<Pick<ReportData, 'pictures' | 'worst' | 'figures'>> {
  if (result.judged.part === 'none') return { pictures: [] };
  const list: Prediction[] = [];
  const each = result.task.name === CLASSIFY.name ? Math.max(1, Math.floor(SHOWN / result.classes.length)) : 4;
  const shown = new Map<string, number>();
  const { seed, holdOut } = job;
  const pictured = await openPicturer();
  const worst = keepWorst(pictured, taskOf(result.task.name).answer === Answer.Numbers);
  const from = {
    model: job.model,
    adapter: result.adapter,
    data: job.data,
    cacheFolder: job.cacheFolder ?? `${job.out}/run`,
    split: 'val' as const,
    ...(job.labels === undefined ? {} : { labels: job.labels }),
    ...(job.task === undefined ? {} : { task: job.task }),
  };
  const { figures } = await judgeAdapter({ ...from, ...defined({ seed, holdOut }) }, (picture, show) => {
    worst.see(picture, show);
    const n = shown.get(picture.truth) ?? 0;
    if (n === each || list.length === SHOWN) return;
    shown.set(picture.truth, n + 1);
    list.push(pictured(picture, show));
  });
  return { pictures: list, worst: worst.found(), ...(figures ? { figures } : {}) };
}
