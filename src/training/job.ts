/** Training as one call: model folder + pictures + budget → adapter folder. The command line and the library both come here. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { State } from '../../assembly/abi/head.ts';
import { parseBytes } from '../base/bytes.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { digest } from '../base/digest.ts';
import { InputError, Interrupted } from '../base/error.ts';
import { bytesWritten } from '../base/files.ts';
import { holdFolder, type Lock } from '../base/lock.ts';
import { guardOutput } from '../base/output.ts';
import type { Precision } from '../base/precision.ts';
import { collectGarbage, resetPeak, resident } from '../base/processmemory.ts';
import { VERSION } from '../base/version.ts';
import { planReport } from '../budget/report.ts';
import type { Planned } from '../budget/search.ts';
import { planForBudget } from '../compile.ts';
import { removeOtherCaches } from '../data/cache.ts';
import { dataDigest } from '../data/digest.ts';
import { keepList, listPictures, sayChanges } from '../data/list.ts';
import { prepare } from '../data/prepare.ts';
import { createEngine, type Engine, loadWeights } from '../engine/engine.ts';
import { engineBytes } from '../engine/wasm.ts';
import { type AdapterInfo, writeAdapter } from '../formats/adapterfile.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { identity, type ModelFolder, openWeights, processorNote } from '../import/modelfolder.ts';
import { type Preparation, portOf } from '../input/index.ts';
import { chosenDrop, dropNotes } from '../network/drop.ts';
import { methodOf } from '../network/method.ts';
import { readRate } from '../passes/rates.ts';
import type { CompileOptions } from '../pipeline/options.ts';
import type { Program } from '../program/program.ts';
import { CLASSIFY } from '../task/index.ts';
import { adapterTensors, headNames } from './adapter.ts';
import { needSpace, runBytes, tryRun } from './beforehand.ts';
import { CALIBRATION, writeCalibration } from './calibrate/file.ts';
import { installTables, openTables } from './calibrate/run.ts';
import { checkpointBytes, hasCheckpoints } from './checkpointfile.ts';
import { guardEarlier } from './earlier.ts';
import { type FeatureCache, featureLimit, openFeatures } from './featurecache.ts';
import { resultOf } from './figures.ts';
import { guardAdapter, joinLabels, openStart, rowsOfLabels, type Start } from './fromadapter.ts';
import { type HeadFound, type HeadStart, type NoHead, startHead, unusualHead, usualHead } from './headstart.ts';
import type { JobHooks, JobResult, TrainJob } from './jobtypes.ts';
import { hasRelativeRates, measuredRates, measureRates } from './measure.ts';
import { notesOn, outcomeOf, warningOf } from './outcome.ts';
import { openFor, preparationOf } from './preparation.ts';
import { openRun, programDigest } from './runfolder.ts';
import { samplesOf } from './samples.ts';
import { decoderBytesOf, shareThreads } from './share.ts';
import { chooseTask, unusualTask } from './taskchoice.ts';
import { measureTask } from './taskmeasure.ts';
import { type Samples, startRun, TRAIN_DEFAULTS, type TrainOptions, train } from './train.ts';
import { checkWatch } from './watch.ts';

export type * from './jobtypes.ts';

/** Options with every default in place; part of what a checkpoint belongs to. */
export function settle(job: TrainJob): TrainOptions {
  const given = Object.fromEntries(Object.entries(job).filter(([, v]) => v !== undefined)) as Partial<TrainOptions>;
  // A head that begins somewhere is worth having as it is.
  if (job.rate === 0 && job.from === undefined && (job.head ?? usualHead(job.method)) === 'zero')
    throw new InputError({ where: '--lr', what: 'with a rate of 0 nothing is learnt', expected: 'a number above 0' });
  checkWatch({ ...TRAIN_DEFAULTS, ...given });
  const pick = <K extends keyof typeof TRAIN_DEFAULTS>(key: K): number => given[key] ?? TRAIN_DEFAULTS[key];
  return {
    epochs: pick('epochs'),
    batchSize: pick('batchSize'),
    rate: readRate(job.rate).rate,
    seed: pick('seed'),
    weightDecay: pick('weightDecay'),
    warmup: pick('warmup'),
    finalFraction: pick('finalFraction'),
    clipNorm: pick('clipNorm'),
    smoothing: pick('smoothing'),
    momentum: pick('momentum'),
    patience: pick('patience'),
    retries: pick('retries'),
  };
}

/** The same object without its undefined members. */
export function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, v]) => v !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

interface Sources {
  base: ModelFolder;
  options: TrainOptions;
  preprocess: Preparation;
  classes: number;
  task?: TaskSettings | undefined;
}

/** The job's program and plan; BudgetError where it does not fit. */
export function compileJob(
  job: TrainJob,
  { base, options, preprocess, classes, task, pixels, ownTables }: Pick<CompileOptions, 'pixels'> & { ownTables?: boolean } & Sources,
): Planned {
  return planForBudget({
    model: base.model,
    classes,
    batchSize: options.batchSize,
    normalize: preprocess,
    ...defined({
      method: job.method,
      keep: job.keep,
      weights: job.weights,
      optimizer: job.optimizer,
      rates: readRate(job.rate).rates,
      microBatch: job.microBatch,
      recompute: job.recompute,
      budgetBytes: job.budget === undefined ? undefined : parseBytes(job.budget, '--budget'),
      augment: job.augment,
      ...chosenDrop(base.model.drop, job),
      maxThreads: job.maxThreads,
      fast: job.fast,
      pixels: pixels ?? (portOf(preprocess).element === 'f32' ? 'f32' : undefined),
      ownTables,
      task,
    }),
  });
}

/** Where the head begins: ridge regression is of classes alone. */
export const headOf = (job: Pick<TrainJob, 'head' | 'method'>, task: TaskSettings): HeadStart =>
  task.name === CLASSIFY.name ? (job.head ?? usualHead(job.method)) : 'zero';

/** What an adapter of this job will say about itself. */
export const adapterInfo = (
  job: TrainJob,
  about: {
    who: AdapterInfo['base'];
    program: Program;
    labels: readonly string[];
    preprocess: Preparation;
    task?: TaskSettings | undefined;
  },
): AdapterInfo => ({
  method: methodOf(job.method ?? DEFAULTS.method).name,
  base: about.who,
  precision: about.program.about.weights as Precision,
  ...(about.program.about.arithmetic ? { arithmetic: about.program.about.arithmetic } : {}),
  ...(about.task ? { task: about.task } : {}),
  head: headNames(about.program),
  labels: about.labels,
  preprocessing: about.preprocess as unknown as Record<string, unknown>,
  createdBy: `s2a ${VERSION}`,
});

/** Trains to the end, or until `stopping`: then the run is saved and Interrupted thrown. */
export async function trainJob(job: TrainJob, hooks: JobHooks = {}): Promise<JobResult> {
  if (job.from === undefined) return runJob(job, undefined, hooks);
  const start = openStart(job.from, job.method, job.out);
  try {
    const { method, precision, imageSize } = start;
    return await runJob({ ...job, method, weights: job.weights ?? precision, imageSize: job.imageSize ?? imageSize }, start, hooks);
  } finally {
    start.close();
  }
}

async function runJob(job: TrainJob, start: Start | undefined, hooks: JobHooks): Promise<JobResult> {
  guardOutput(job.out, job);
  const lock = holdFolder(join(job.out, 'run'));
  try {
    return await runAlone(job, start, hooks, lock);
  } finally {
    lock.release();
  }
}

/** The run, in a folder that no other one writes to. */
async function runAlone(job: TrainJob, start: Start | undefined, hooks: JobHooks, lock: Lock): Promise<JobResult> {
  const began = Date.now();
  const writtenBefore = bytesWritten();
  const residentBefore = process.memoryUsage.rss();
  const budgetBytes = job.budget === undefined ? undefined : parseBytes(job.budget, '--budget');
  featureLimit(job.featureCache);
  const base = openFor(job);
  const options = settle(job);
  const weights = openWeights(base, { method: job.method });
  const replaced = guardEarlier(job.out, job);
  const runFolder = join(job.out, 'run');

  const warn = hooks.warn ?? (() => {});
  for (const note of dropNotes(base.model.drop, job)) warn(note);
  const listed = listPictures(runFolder, job.data, (job.resume ?? false) && hasCheckpoints(runFolder), job);
  const assumed = listed.folder.arrays ? undefined : processorNote(base);
  for (const note of [...(assumed === undefined ? [] : [assumed]), ...listed.folder.notes]) warn(note);
  // The folder's class count is all that a plan needs of it: what does not fit is refused before any picture is decoded.
  const preprocess = preparationOf(job, base, listed.folder, { before: start?.preparation, warn });
  const { classes } = listed.folder;
  const labels = joinLabels(start?.labels ?? [], classes);
  guardAdapter(job.out, labels);
  const without = rowsOfLabels(classes, start?.labels ?? []);
  const missing = (start?.labels ?? []).filter((_, i) => without[i]! < 0);
  if (missing.length > 0) warn(`no pictures of ${missing.join(', ')}: learning the others may cost what the adapter knows of them`);
  const task = chooseTask(job, listed.folder, labels, start);
  const tables = openTables(job, start?.tables);
  const compiled = compileJob(job, {
    base,
    options,
    preprocess,
    classes: labels.length,
    task: unusualTask(task),
    ownTables: tables !== undefined,
  });
  const threads = shareThreads(job, compiled);
  // Read now: a runtime that has not what was asked for is told before pictures are decoded.
  const wasm = engineBytes(threads, compiled.program.about);
  const plan = planReport(compiled, options.batchSize, budgetBytes);
  hooks.onPlan?.(plan, compiled);
  const who = identity(base, weights);
  start?.check(who, preprocess);

  tryRun(job.out);
  const need = runBytes(compiled.program, { saves: job.saveEvery !== undefined, goesBack: options.retries > 0 });
  const space = needSpace(runFolder, need, checkpointBytes(runFolder));
  // Told once nothing refuses the new run any more.
  if (replaced !== undefined) warn(replaced);
  sayChanges(listed, job.data, warn);
  const prepared = await prepare({
    root: job.data,
    ...listed,
    preprocess,
    cacheFolder: job.cacheFolder ?? runFolder,
    seed: options.seed,
    decoderBytes: decoderBytesOf(job),
    space,
    warn,
    ...(job.holdOut === undefined ? {} : { holdOut: job.holdOut }),
    ...(hooks.onPrepare ? { onProgress: hooks.onPrepare } : {}),
    ...(hooks.signal ? { signal: hooks.signal } : {}),
  });
  const residentPeakPreparing = resident().peak;
  hooks.onPrepared?.(prepared);
  for (const note of notesOn(prepared, job)) warn(note);
  let engine: Engine | undefined;
  let features: FeatureCache | undefined;
  let isFinished = false;
  let head: HeadFound | NoHead | undefined;
  try {
    collectGarbage();
    const peakOfTrainingAlone = resetPeak();
    const trainingBegan = { ms: Date.now(), written: bytesWritten() };
    engine = createEngine(compiled.program, wasm, threads);
    loadWeights(engine, weights, options.seed);
    start?.fill(engine);
    const rows = rowsOfLabels(labels, prepared.classes);
    const samples = (indices: readonly number[]): Samples => samplesOf(prepared.cache, indices, rows, labels.length);
    const data = { train: samples(prepared.train), val: samples(prepared.val) };
    const seen = { samples: data.train, seed: options.seed, runFolder, resume: job.resume ?? false };
    const calibration = tables && (await installTables(engine, compiled, tables, seen));
    const headStart = headOf(job, task);
    const pictures = dataDigest(prepared.cache, prepared.train, prepared.val);
    const run = openRun(runFolder, engine, {
      options,
      weights: who.digest,
      data: pictures,
      labels,
      ...(start ? { from: start.digest } : {}),
      head: unusualHead(headStart, job.method),
      resume: job.resume ?? false,
      check: lock.check,
      warn,
    });
    // Now no checkpoint needs the copies of other pictures or of another size. A folder that --cache names may be others' too.
    if (job.cacheFolder === undefined) removeOtherCaches(runFolder, prepared.cache.path);
    if (options.epochs > 1) {
      features = openFeatures(compiled, {
        path: join(runFolder, 'features.s2af'),
        belongs: digest(programDigest(engine.program), who.digest, pictures),
        train: data.train.count,
        val: data.val.count,
        limit: featureLimit(job.featureCache),
        warn,
      });
      if (features) {
        hooks.onFeatures?.(features);
        data.train.features = features.train;
        data.val.features = features.val;
      }
    }
    if (run.resumedAt === undefined) {
      keepList(runFolder, listed.folder, prepared.cache);
      startRun(engine, options, data.train.count);
      if (headStart === 'ridge' && labels.length > (start?.labels.length ?? 0)) {
        const first = start?.labels.length ?? 0;
        head = await startHead(engine, data.train, { path: join(runFolder, '.head.wasi.tmp'), first });
        hooks.onHead?.(head);
      }
      if (hasRelativeRates(engine.program)) await measureRates(engine, data.train, options.seed);
      if (options.retries > 0) run.keepStart();
    }
    hooks.onStart?.({
      train: data.train.count,
      val: data.val.count,
      totalSteps: options.epochs * Math.ceil(data.train.count / options.batchSize),
      resumedAt: run.resumedAt,
      epochsDone: run.history.epochs.length,
      backs: run.history.backs,
      rates: measuredRates(engine),
    });

    const finished = await train(engine, data, options, run.history, {
      ...(hooks.onStep ? { onStep: hooks.onStep } : {}),
      ...(hooks.onEpoch ? { onEpoch: hooks.onEpoch } : {}),
      ...(hooks.onBack ? { onBack: hooks.onBack } : {}),
      keeper: run,
      saveEvery: job.saveEvery,
      stopping: () => (hooks.stopping?.() ?? false) || (hooks.signal?.aborted ?? false),
    });
    // Saved at the end too: a finished run that is resumed has nothing left to do. Where that fails there is still something to lose.
    const failures = finished ? failed(run.save) : [];
    if (!finished) {
      run.save();
      throw new Interrupted(`interrupted; the run is saved in ${runFolder}: --resume continues it`);
    }
    isFinished = true;
    const { bestEpoch, backs, epochs } = run.history;
    if (data.val.count > 0) run.restore(bestEpoch);
    const measured = data.val.count > 0 && unusualTask(task) ? await measureTask(engine, data.val, labels) : undefined;
    const outcome = outcomeOf({ data, history: run.history, labels, valGiven: prepared.valGiven, measured });
    if (calibration) writeCalibration(join(job.out, CALIBRATION), calibration);
    else rmSync(join(job.out, CALIBRATION), { force: true });
    writeAdapter(
      job.out,
      adapterInfo(job, { who, program: engine.program, labels, preprocess, task: unusualTask(task) }),
      adapterTensors(engine),
    );
    return {
      adapter: job.out,
      failures,
      plan,
      classes: labels,
      task,
      head: head ?? null,
      epochs: epochs.map(resultOf),
      bestEpoch,
      accuracy: outcome.accuracy,
      judged: outcome,
      warning: warningOf(outcome, run.history, plan.method),
      wentBack: backs,
      finalRate: engine.state.getFloat32(State.BaseRate, true),
      skipped: prepared.skipped,
      pictures: {
        train: prepared.train.length,
        val: prepared.val.length,
        cacheBytes: prepared.cache.bytes,
        cacheBytesWritten: prepared.bytesWritten,
        decoder: prepared.decoder,
      },
      memory: {
        linearBytes: engine.memory.buffer.byteLength,
        plannedBytes: plan.linearBytes,
        residentPeakBytes: resident().peak,
        peakOfTrainingAlone,
        residentPeakPreparingBytes: residentPeakPreparing,
        decoderPeakBytes: prepared.decoderPeakBytes,
        residentBeforeBytes: residentBefore,
      },
      threads,
      bytesWritten: bytesWritten() - writtenBefore,
      bytesWrittenPerHour: Math.round(((bytesWritten() - trainingBegan.written) * 3600e3) / Math.max(1, Date.now() - trainingBegan.ms)),
      seconds: (Date.now() - began) / 1000,
      rate: options.rate,
      ...defined({ rates: measuredRates(engine) }),
    };
  } finally {
    features?.close(!isFinished);
    await engine?.close();
    prepared.cache.close();
    weights.close();
  }
}

/** Why something could not be written; nothing where it could. */
function failed(action: () => void): string[] {
  try {
    action();
    return [];
  } catch (error) {
    if (error instanceof InputError) return [error.message];
    throw error;
  }
}
