/**
 * Classes without training: one pass over their pictures, and rows of the head by ridge regression from what the classifier reads (headstart.ts). What
 * is written is an adapter as any other: it predicts, is judged, merged, and trained on from by `--from`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bytes } from '../base/bytes.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { defined } from '../base/defined.ts';
import { InputError } from '../base/error.ts';
import { makeFolder } from '../base/files.ts';
import { guardOutput } from '../base/output.ts';
import { type Precision, type WeightsWish, wishOf } from '../base/precision.ts';
import { type PrepareOptions, prepare } from '../data/prepare.ts';
import { scanFolder } from '../data/scan.ts';
import { createEngine, type Engine, loadWeights } from '../engine/engine.ts';
import { checkStored, openStoredFor, STORED_FILE, type StoredWeights } from '../engine/storedfile.ts';
import { type Threads, threadsOf } from '../engine/threads.ts';
import { engineBytes } from '../engine/wasm.ts';
import { writeAdapter } from '../formats/adapterfile.ts';
import type { Known } from '../formats/knownfile.ts';
import { identity, openWeights } from '../import/modelfolder.ts';
import type { ImageSize } from '../input/fields.ts';
import type { Normalize } from '../input/normalize.ts';
import { CLASSIFY } from '../task/index.ts';
import { adapterTensors } from './adapter.ts';
import { keepCompanions } from './companions.ts';
import { adapterInfo, compileJob, settle } from './compilejob.ts';
import { guardAdapter, joinLabels, openStart, rowsOfLabels, type Start } from './fromadapter.ts';
import { type HeadFound, type HeadRows, startHead } from './headstart.ts';
import type { TrainJob } from './jobtypes.ts';
import { extendKnown, learnKnown } from './known/learn.ts';
import { normalOf } from './known/normal.ts';
import { drawnFeatures } from './memory/held.ts';
import { settleRows } from './memory/settle.ts';
import { openFor, preparationOf } from './preparation.ts';
import { samplesOf } from './samples.ts';
import { decoderBytesOf } from './share.ts';
import { chooseTask } from './taskchoice.ts';
import type { Samples } from './train.ts';

/** What enrolling takes: model, pictures by class, where the adapter goes. */
export interface EnrolJob {
  /**
   * Folder with config.json and model.safetensors or pytorch_model.bin; an ONNX file, `net.onnx#NODE` to end at a value; or weights alone and their network's
   * name, `resnet18.pth#resnet18`.
   */
  model: string;
  /** Folder of pictures, as for training; all that are to learn from are used, none is held out. */
  data: string;
  /** A table of labels for pictures below `data`. */
  labels?: string;
  /** Folder that the adapter is written to. */
  out: string;
  /** `normal`: the pictures are of one class, and what is not like them is told; `classify` where absent. */
  task?: 'classify' | 'normal';
  /** An adapter whose classes stay as they are, rows and all; those that it lacks are appended. */
  from?: string;
  /** Precision of frozen weights; `from`'s, or f32, where absent. With `,stream` they stay in a file and pass through memory. */
  weights?: WeightsWish<Precision>;
  /** The file for weights that are streamed; absent: one in `out`, removed at the end. */
  stored?: string;
  /** The most linear memory: bytes, or a text such as '48MiB'. Unlimited where absent. */
  budget?: Bytes;
  /** How many threads share the work, `auto` where absent. */
  threads?: Threads;
  /** Pictures in one pass (8). */
  microBatch?: number;
  /** Of the pictures that the network sees; the model's own where absent. */
  imageSize?: ImageSize;
  /** How arrays are normalised; not for pictures. */
  normalize?: Normalize;
  /** Where prepared pictures are kept; a temporary folder where absent. */
  cacheFolder?: string;
  /** How far preparing the pictures is. */
  onPrepare?: PrepareOptions['onProgress'];
  /** What a person should know, a sentence each. */
  warn?(sentence: string): void;
}

/** What enrolling wrote. */
export interface Enrolled {
  /** The adapter's folder. */
  adapter: string;
  /** All its classes, in the order of the logits. */
  classes: string[];
  /** Those that are new. */
  added: string[];
  /** What the rows were made of, and how predictions of pictures left out one by one do; null: there is one class, what is as usual. */
  head: HeadFound | null;
  /** What pictures that are like nothing enrolled are told by: how many were judged; or why they are not told. */
  known: { judged: number } | { why: string };
  /** Files that could not be used, and why. */
  skipped: { path: string; reason: string }[];
  /** Linear memory, in bytes. */
  linearBytes: number;
  /** How long all of it took. */
  seconds: number;
}

/** Features drawn for each class of which there is no picture. Over four classes that joined nine, sixteen were 5 points worse on average. */
const DRAWN = 64;
/** Pictures in one pass where nothing is said. */
const MICRO_BATCH = 8;

/** The same job in the words of a training run that takes no step: the head alone, or all that the adapter to go on from learnt. */
function runOf(job: EnrolJob, start: Start | undefined, scratch: string): TrainJob {
  const { from: _, onPrepare: __, warn: ___, task: ____, microBatch = MICRO_BATCH, weights, ...rest } = job;
  const { weights: precision, streams } = wishOf<Precision>(weights, start?.precision ?? DEFAULTS.weights);
  return {
    ...rest,
    weights: streams ? `${precision},stream` : precision,
    ...(job.imageSize === undefined && start ? { imageSize: start.imageSize } : {}),
    method: start?.method ?? 'probe',
    head: 'ridge',
    // A rate of its own, so that none is measured: no step is taken.
    rate: 1e-3,
    holdOut: 0,
    batchSize: microBatch,
    microBatch,
    cacheFolder: job.cacheFolder ?? scratch,
  };
}

/** One pass over the pictures → an adapter. Throws InputError for pictures, a model or an adapter that cannot be used, BudgetError where it does not fit. */
export async function enrolJob(job: EnrolJob): Promise<Enrolled> {
  const began = Date.now();
  guardOutput(job.out, job);
  if (job.task === 'normal' && job.from !== undefined)
    throw new InputError(
      { where: '--task normal', what: 'begins anew, so there is no adapter to go on from', got: `--from ${job.from}` },
      'S2A_OPTION',
    );
  const start = job.from === undefined ? undefined : openStart(job.from, undefined, job.out);
  const scratch = mkdtempSync(join(tmpdir(), 's2a-'));
  try {
    if (start && start.task.name !== CLASSIFY.name)
      throw new InputError({ where: start.where, what: 'has no classes that more could be enrolled to', got: `task ${start.task.name}` });
    return { ...(await enrolInto(job, start, scratch)), seconds: (Date.now() - began) / 1000 };
  } finally {
    start?.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What new rows keep clear of: features drawn for the adapter's classes of which no picture is there, by what it knows of them (memory/held.ts). */
function besideOthers({ known, labels }: Start, places: readonly number[]): Partial<Parameters<typeof startHead>[2]> {
  if ('why' in known) return {};
  const missing = [...labels.keys()].filter((row) => places[row]! < 0);
  const drawn = drawnFeatures(known, missing, { pictures: DRAWN, seed: DEFAULTS.seed, isWide: true });
  return { drawn, settle: (rows: HeadRows) => settleRows(rows, labels.length) };
}

/** What the adapter will know of its classes: of those that were there what it knew, of the others their means. */
function knownAfter(engine: Engine, samples: Samples, start: Start | undefined, path: string): Promise<Known | { why: string }> {
  const data = { train: samples, val: { ...samples, count: 0 } };
  return start && !('why' in start.known) ? extendKnown(engine, data, { path, earlier: start.known }) : learnKnown(engine, data, path);
}

/** Refuses one class alone beside others of which nothing is there. */
function refuseAlone({ known, where }: Start, data: string, classes: readonly string[]): void {
  if (classes.length > 1 || !('why' in known)) return;
  throw new InputError({
    where: data,
    what: `only one class, and the adapter knows nothing of its own that it could be told from: ${known.why}`,
    got: classes[0]!,
    expected: `pictures of some classes of ${where} beside it`,
  });
}

/** The adapter's classes and those that join it. Throws InputError where none does, and for one that could not be told. */
function labelsAfter({ data, out, task }: EnrolJob, classes: readonly string[], start: Start | undefined): string[] {
  if (task === 'normal') refuseSeveral(data, classes);
  const labels = joinLabels(start?.labels ?? [], classes);
  if (labels.length === (start?.labels.length ?? 0))
    throw new InputError({
      where: data,
      what: 'has no class that the adapter lacks',
      got: classes.join(', '),
      hint: 's2a train --from teaches it more of them',
    });
  guardAdapter(out, labels);
  if (start) refuseAlone(start, data, classes);
  return labels;
}

/** Rows of the head for these pictures. */
async function headFrom(data: string, ...from: Parameters<typeof startHead>): Promise<HeadFound> {
  const head = await startHead(...from);
  if ('why' in head) throw new InputError({ where: data, what: `no head can be made of these pictures: ${head.why}` });
  return head;
}

/** What is as usual is one class. */
function refuseSeveral(data: string, classes: readonly string[]): void {
  if (classes.length === 1) return;
  throw new InputError({
    where: data,
    what: 'what is as usual is one class',
    got: classes.join(', '),
    expected: 'one folder of pictures in it',
    hint: 'without --task normal each folder is a class',
  });
}

/** Pictures by classes. Throws InputError for those of another task. */
function classFolders({ data, labels, task }: EnrolJob, start: Start | undefined): ReturnType<typeof scanFolder> {
  const folder = scanFolder(data, { ...defined({ labels }), isMore: start !== undefined || task === 'normal' });
  chooseTask({ head: 'ridge' }, folder, folder.classes, start);
  return folder;
}

async function enrolInto(job: EnrolJob, start: Start | undefined, scratch: string): Promise<Omit<Enrolled, 'seconds'>> {
  const run = runOf(job, start, scratch);
  const warn = job.warn ?? (() => {});
  const isNormal = job.task === 'normal';
  const folder = classFolders(job, start);
  const labels = labelsAfter(job, folder.classes, start);
  const base = openFor(run);
  const weights = openWeights(base, { method: run.method });
  try {
    const preprocess = preparationOf(run, base, folder, { before: start?.preparation, warn });
    const who = identity(base, weights);
    start?.check(who, preprocess);
    const compiled = compileJob(run, { base, options: settle(run), preprocess, classes: labels.length });
    const { program } = compiled;
    if (job.stored !== undefined && job.budget === undefined) checkStored(compiled.chosen.streaming !== undefined, job.stored);
    const prepared = await prepare({
      root: job.data,
      folder,
      preprocess,
      cacheFolder: run.cacheFolder!,
      seed: DEFAULTS.seed,
      holdOut: 0,
      decoderBytes: decoderBytesOf(run),
      warn,
      ...(job.onPrepare ? { onProgress: job.onPrepare } : {}),
    });
    const threads = threadsOf(job.threads ?? DEFAULTS.threads, program);
    const engine = createEngine(program, engineBytes(threads, program.about), threads);
    let stored: StoredWeights | undefined;
    try {
      makeFolder(job.out);
      stored = openStoredFor(program, job.stored ?? join(job.out, STORED_FILE));
      for (const note of prepared.notes) warn(note);
      loadWeights(engine, weights, DEFAULTS.seed, stored);
      start?.fill(engine);
      const samples = samplesOf(prepared.cache, prepared.train, rowsOfLabels(labels, prepared.classes), labels.length);
      const path = join(scratch, 'features');
      const beside = start ? besideOthers(start, rowsOfLabels(prepared.classes, start.labels)) : {};
      const head = isNormal ? null : await headFrom(job.data, engine, samples, { path, first: start?.labels.length ?? 0, ...beside });
      const known = isNormal ? await normalOf(job.data, engine, samples, path) : await knownAfter(engine, samples, start, path);
      writeAdapter(job.out, adapterInfo(run, { who, program, labels, preprocess }), adapterTensors(engine));
      keepCompanions(job.out, { known, memory: start?.memory });
      return {
        adapter: job.out,
        classes: labels,
        added: labels.slice(start?.labels.length),
        head,
        known: 'why' in known ? known : { judged: known.judged.length },
        skipped: prepared.skipped,
        linearBytes: engine.memory.buffer.byteLength,
      };
    } finally {
      await engine.close();
      stored?.close(job.stored !== undefined);
      prepared.cache.close();
    }
  } finally {
    weights.close();
  }
}
