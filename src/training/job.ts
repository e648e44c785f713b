/** Training as one call: model folder + pictures + budget → adapter folder. The command line and the library both come here. */

import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseBytes } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { digest } from '../base/digest.ts';
import { InputError, Interrupted } from '../base/error.ts';
import { bytesWritten } from '../base/files.ts';
import { holdFolder, type Lock } from '../base/lock.ts';
import { guardOutput } from '../base/output.ts';
import { collectGarbage, resetPeak, resident } from '../base/processmemory.ts';
import { planReport } from '../budget/report.ts';
import { removeOtherCaches } from '../data/cache.ts';
import { dataDigest } from '../data/digest.ts';
import { keepList, type Listed, listPictures, sayChanges } from '../data/list.ts';
import { type Prepared, prepare } from '../data/prepare.ts';
import { createEngine, type Engine, loadWeights } from '../engine/engine.ts';
import { checkStored, openStoredFor, STORED_FILE, type StoredWeights } from '../engine/storedfile.ts';
import { engineBytes } from '../engine/wasm.ts';
import { writeAdapter } from '../formats/adapterfile.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { identity, type ModelFolder, openWeights, processorNote } from '../import/modelfolder.ts';
import { dropNotes } from '../network/drop.ts';
import { adapterTensors } from './adapter.ts';
import { needSpace, runBytes, tryRun } from './beforehand.ts';
import { CALIBRATION, writeCalibration } from './calibrate/file.ts';
import { installTables, openTables } from './calibrate/run.ts';
import { checkpointBytes, hasCheckpoints } from './checkpointfile.ts';
import { classWeightsOf } from './classweights.ts';
import { addCompanions, memoryBudget } from './companions.ts';
import { adapterInfo, compileJob, headOf, settle } from './compilejob.ts';
import { guardEarlier } from './earlier.ts';
import { type FeatureCache, featureLimit, openFeatures } from './featurecache.ts';
import { guardAdapter, joinLabels, openStart, rowsOfLabels, type Start } from './fromadapter.ts';
import { type HeadFound, type NoHead, startHead, unusualHead } from './headstart.ts';
import { type Meter, resultOfJob } from './jobresult.ts';
import type { JobHooks, JobResult, Round, TrainJob } from './jobtypes.ts';
import { keepOptimizer, restoreOptimizer } from './kept.ts';
import { hasRelativeRates, measuredRates, measureRates } from './measure.ts';
import { continuing } from './memory/continuing.ts';
import { heldHead } from './memory/held.ts';
import { type Data, memoryDigest, rehearse } from './memory/rehearse.ts';
import { notesOn, type Outcome, outcomeOf } from './outcome.ts';
import { openFor, preparationOf } from './preparation.ts';
import { openRun, programDigest, type RunFolder } from './runfolder.ts';
import { drawnFrom, samplesOf } from './samples.ts';
import { decoderBytesOf, shareThreads } from './share.ts';
import { chooseTask, unusualTask } from './taskchoice.ts';
import { measureTask } from './taskmeasure.ts';
import { type Samples, startRun, type TrainOptions, train } from './train.ts';

export type * from './jobtypes.ts';

/** Trains to the end, or until `stopping`: then the run is saved and Interrupted thrown. */
export async function trainJob(job: TrainJob, hooks: JobHooks = {}, round?: Round): Promise<JobResult> {
  if (job.from === undefined) return runJob(job, undefined, hooks, round);
  const start = openStart(job.from, job.method, job.out);
  try {
    const { method, precision, imageSize } = start;
    return await runJob(
      {
        ...job,
        method,
        weights: job.weights === 'stream' ? `${precision},stream` : (job.weights ?? precision),
        imageSize: job.imageSize ?? imageSize,
      },
      start,
      hooks,
      round,
    );
  } finally {
    start.close();
  }
}

async function runJob(job: TrainJob, start: Start | undefined, hooks: JobHooks, round: Round | undefined): Promise<JobResult> {
  guardOutput(job.out, job);
  const lock = holdFolder(join(job.out, 'run'));
  try {
    return await runAlone({ job, start, hooks: { warn: () => {}, ...hooks }, lock, round });
  } finally {
    lock.release();
  }
}

type Hooks = JobHooks & Required<Pick<JobHooks, 'warn'>>;

/** The run, in a folder that no other one writes to. */
async function runAlone(run: Pick<Opened, 'job' | 'start' | 'hooks' | 'lock' | 'round'>): Promise<JobResult> {
  const { job } = run;
  const meter: Meter = { began: Date.now(), written: bytesWritten(), residentBefore: process.memoryUsage.rss() };
  const budgetBytes = job.budget === undefined ? undefined : parseBytes(job.budget, '--budget');
  featureLimit(job.featureCache);
  const base = openFor(job);
  const options = settle(job);
  const weights = openWeights(base, { method: job.method });
  try {
    const ready = makeReady({ ...run, base, weights, options, budgetBytes, meter });
    const prepared = await preparePictures(ready);
    try {
      return await learn({ ...ready, prepared, residentPeakPreparing: resident().peak });
    } finally {
      prepared.cache.close();
    }
  } finally {
    weights.close();
  }
}

interface Opened {
  job: TrainJob;
  start: Start | undefined;
  hooks: Hooks;
  base: ModelFolder;
  weights: SafetensorsFile;
  options: TrainOptions;
  budgetBytes: number | undefined;
  meter: Meter;
  lock: Lock;
  round: Round | undefined;
}

/** The same with what follows from the folder's listing. */
interface Ready extends Opened, ReturnType<typeof planRun> {
  runFolder: string;
  listed: Listed;
  /** Bytes that the pictures' cache may take at a path. */
  space: ReturnType<typeof needSpace>;
}

/** Everything that can be refused before a picture is decoded: labels, task, plan, runtime, folders, room on the disk. */
function makeReady(opened: Opened): Ready {
  const { job, start, hooks, base, options } = opened;
  const replaced = guardEarlier(job.out, job);
  const runFolder = join(job.out, 'run');
  for (const note of dropNotes(base.model.drop, job)) hooks.warn(note);
  const listed = listPictures(runFolder, job.data, (job.resume ?? false) && hasCheckpoints(runFolder), {
    ...defined({ labels: job.labels, task: job.task }),
    isMore: start !== undefined,
  });
  const assumed = listed.folder.arrays ? undefined : processorNote(base);
  for (const note of [...(assumed === undefined ? [] : [assumed]), ...listed.folder.notes]) hooks.warn(note);
  const planned = planRun(opened, listed);
  start?.check(planned.who, planned.preprocess);

  tryRun(job.out);
  const kinds = { saves: job.saveEvery !== undefined, goesBack: options.retries > 0, stores: job.stored === undefined };
  const there =
    checkpointBytes(runFolder) +
    (job.stored === undefined ? (statSync(join(runFolder, STORED_FILE), { throwIfNoEntry: false })?.size ?? 0) : 0);
  const space = needSpace(runFolder, runBytes(planned.compiled.program, kinds), there);
  // Told once nothing refuses the new run any more.
  if (replaced !== undefined) hooks.warn(replaced);
  sayChanges(listed, job.data, hooks.warn);
  return { ...opened, ...planned, runFolder, listed, space };
}

/** The folder's class count is all that a plan needs of it: what does not fit is refused before any picture is decoded. */
function planRun({ job, start, hooks, base, weights, options: given, budgetBytes, round }: Opened, { folder }: Listed) {
  const { warn } = hooks;
  const preprocess = preparationOf(job, base, folder, { before: start?.preparation, warn });
  const { classes } = folder;
  const labels = joinLabels(start?.labels ?? [], classes);
  guardAdapter(job.out, labels);
  const task = chooseTask(job, folder, labels, start);
  // Other nodes have the pictures that this one lacks.
  const goesOn = continuing({ job, start, options: given, preprocess, classes, task, warn: round ? () => {} : warn });
  const { options } = goesOn;
  const tables = openTables(job, start?.tables);
  const classWeights = classWeightsOf({ ...job, seed: round?.splitSeed ?? given.seed }, folder, labels, start?.memory);
  const own = { task: unusualTask(task), ownTables: tables !== undefined, classWeights };
  const compiled = compileJob(job, { base, options, preprocess, classes: labels.length, ...own });
  // Beside a budget it is a place in case the weights do not fit.
  if (job.stored !== undefined && job.budget === undefined) checkStored(compiled.chosen.streaming !== undefined, job.stored);
  const threads = shareThreads(job, compiled);
  // Read now: a runtime that has not what was asked for is told before pictures are decoded.
  const wasm = engineBytes(threads, compiled.program.about);
  const plan = planReport(compiled, options.batchSize, budgetBytes);
  hooks.onPlan?.(plan, compiled);
  return { options, continuing: goesOn, preprocess, labels, task, tables, compiled, threads, wasm, plan, who: identity(base, weights) };
}

function preparePictures({ job, hooks, options, preprocess, runFolder, listed, space, round }: Ready): Promise<Prepared> {
  const { warn, signal } = hooks;
  return prepare({
    root: job.data,
    ...listed,
    preprocess,
    cacheFolder: job.cacheFolder ?? runFolder,
    seed: round?.splitSeed ?? options.seed,
    decoderBytes: decoderBytesOf(job),
    space,
    warn,
    ...defined({ holdOut: job.holdOut, onProgress: hooks.onPrepare, signal }),
  });
}

/** What learns: an engine that stands where the run stands, its pictures, and the folder that it is kept in. */
interface Work extends Ready {
  prepared: Prepared;
  residentPeakPreparing: number;
  peakOfTrainingAlone: boolean;
  trainingBegan: { ms: number; written: number };
  engine: Engine;
  /** The folder's pictures, and with them those that are rehearsed. */
  own: Data;
  /** Which pictures are learnt from, as often as they come in an epoch; `data` has those that are rehearsed too. */
  drawn: readonly number[];
  data: Data;
}

async function learn(ready: Ready & Pick<Work, 'prepared' | 'residentPeakPreparing'>): Promise<JobResult> {
  const { job, start, hooks, options, weights, prepared, labels, compiled, wasm, threads } = ready;
  hooks.onPrepared?.(prepared);
  if (!ready.round) for (const note of notesOn(prepared, job)) hooks.warn(note);
  collectGarbage();
  const peakOfTrainingAlone = resetPeak();
  const trainingBegan = { ms: Date.now(), written: bytesWritten() };
  const engine = createEngine(compiled.program, wasm, threads);
  let stored: StoredWeights | undefined;
  let isFinished = false;
  try {
    stored = openStoredFor(compiled.program, job.stored ?? join(ready.runFolder, STORED_FILE));
    loadWeights(engine, weights, options.seed, stored);
    start?.fill(engine);
    const rows = rowsOfLabels(labels, prepared.classes);
    const samples = (indices: readonly number[]): Samples => samplesOf(prepared.cache, indices, rows, labels.length);
    const own = { train: samples(prepared.train), val: samples(ready.round ? [] : prepared.val) };
    memoryBudget({ ...ready, own });
    const drawn = drawnFrom(job, prepared);
    const mine = { ...own, train: samples(drawn) };
    const data = start?.memory ? rehearse(mine, start.memory) : mine;
    const result = await carryOut({ ...ready, peakOfTrainingAlone, trainingBegan, engine, own, drawn, data });
    isFinished = true;
    return result;
  } finally {
    await engine.close();
    // A file that was named is the caller's; the run's own is of use until it has ended.
    stored?.close(job.stored !== undefined || !isFinished);
  }
}

/** The run itself: from its folder's newest checkpoint, or from the start, to the adapter. */
async function carryOut(work: Work): Promise<JobResult> {
  const { job, start, hooks, lock, options, engine, compiled, tables, data, drawn, labels, task, who, runFolder, prepared } = work;
  const seen = { samples: data.train, seed: options.seed, runFolder, resume: job.resume ?? false };
  const calibration = tables && (await installTables(engine, compiled, tables, seen));
  const files = dataDigest(prepared.cache, drawn, prepared.val);
  const pictures = start?.memory ? digest(files, memoryDigest(start.memory)) : files;
  const run = openRun(runFolder, engine, {
    options,
    weights: who.digest,
    data: pictures,
    labels,
    ...(start ? { from: start.digest } : {}),
    head: unusualHead(headOf(job, task), job.method),
    resume: job.resume ?? false,
    check: lock.check,
    warn: hooks.warn,
  });
  // Now no checkpoint needs the copies of other pictures or of another size. A folder that --cache names may be others' too.
  if (job.cacheFolder === undefined) removeOtherCaches(runFolder, prepared.cache.path);
  const features = useFeatures(work, pictures);
  let isFinished = false;
  try {
    const head = run.resumedAt === undefined ? await beginRun(work, run) : undefined;
    hooks.onStart?.({
      train: data.train.count,
      val: data.val.count,
      totalSteps: options.epochs * Math.ceil(data.train.count / options.batchSize),
      resumedAt: run.resumedAt,
      epochsDone: run.history.epochs.length,
      backs: run.history.backs,
      rates: measuredRates(engine),
    });
    const failures = await trainToEnd(work, run);
    if (work.round?.keptBy !== undefined) keepOptimizer(runFolder, engine, work.round.keptBy);
    isFinished = true;
    if (data.val.count > 0) run.restore(run.history.bestEpoch);
    const outcome = await judge(work, run);
    if (calibration) writeCalibration(join(job.out, CALIBRATION), calibration);
    else rmSync(join(job.out, CALIBRATION), { force: true });
    const about = { who, program: engine.program, labels, preprocess: work.preprocess, task: unusualTask(task) };
    writeAdapter(job.out, adapterInfo(job, about), adapterTensors(engine));
    const { failures: lacking, ...added } = work.round ? NOTHING_BESIDE : await addCompanions(job.out, engine, data, work);
    return resultOfJob(work, run, { failures: [...failures, ...lacking], outcome, head: head ?? null, ...added });
  } finally {
    features?.close(!isFinished);
  }
}

/** What goes beside the adapter of a round. */
const NOTHING_BESIDE: Awaited<ReturnType<typeof addCompanions>> = {
  companions: { known: { why: 'it is of a round of a fleet' }, memory: undefined },
  memoryBytes: 0,
  failures: [],
};

/** Features of what never changes are kept where that pays, and read from the second epoch on. */
function useFeatures({ job, hooks, options, compiled, engine, data, who, runFolder }: Work, pictures: string): FeatureCache | undefined {
  if (options.epochs <= 1) return undefined;
  const features = openFeatures(compiled, {
    path: join(runFolder, 'features.s2af'),
    belongs: digest(programDigest(engine.program), who.digest, pictures),
    train: data.train.count,
    val: data.val.count,
    limit: featureLimit(job.featureCache),
    warn: hooks.warn,
  });
  if (features === undefined) return undefined;
  hooks.onFeatures?.(features);
  data.train.features = features.train;
  data.val.features = features.val;
  return features;
}

/** Before the first step: the state block, the head's start, the rates. */
async function beginRun(work: Work, run: RunFolder): Promise<HeadFound | NoHead | undefined> {
  const { job, start, hooks, options, engine, data, labels, task, runFolder, listed, prepared } = work;
  keepList(runFolder, listed.folder, prepared.cache);
  startRun(engine, options, data.train.count);
  const first = start?.labels.length ?? 0;
  let head: HeadFound | NoHead | undefined;
  const { isHeld } = work.continuing;
  if ((isHeld || headOf(job, task) === 'ridge') && labels.length > first) {
    head = await startHead(engine, data.train, {
      path: join(runFolder, '.head.wasi.tmp'),
      first,
      ...(isHeld ? heldHead(work, first) : {}),
    });
    hooks.onHead?.(head);
  }
  const keptBy = work.round?.keptBy;
  const goesOn = keptBy !== undefined && restoreOptimizer(runFolder, engine, keptBy);
  if (!goesOn && hasRelativeRates(engine.program)) await measureRates(engine, data.train, options.seed);
  if (options.retries > 0) run.keepStart();
  return head;
}

/** All steps that are left; what could not be written at their end. Throws Interrupted where the run was asked to stop. */
async function trainToEnd({ job, hooks, options, engine, data, runFolder }: Work, run: RunFolder): Promise<string[]> {
  const { onStep, onEpoch, onBack } = hooks;
  const finished = await train(engine, data, options, run.history, {
    ...defined({ onStep, onEpoch, onBack }),
    keeper: run,
    saveEvery: job.saveEvery,
    stopping: () => (hooks.stopping?.() ?? false) || (hooks.signal?.aborted ?? false),
  });
  // Saved at the end too: a finished run that is resumed has nothing left to do. Where that fails there is still something to lose.
  if (finished) return failed(run.save);
  run.save();
  throw new Interrupted(`interrupted; the run is saved in ${runFolder}: --resume continues it`);
}

async function judge({ engine, data, labels, task, prepared }: Work, { history }: RunFolder): Promise<Outcome> {
  const measured = data.val.count > 0 && unusualTask(task) ? await measureTask(engine, data.val, labels) : undefined;
  return outcomeOf({ data, history, labels, prepared, measured });
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
