/**
 * The hand-over to a board without JavaScript: a folder that s2a.wasm trains from, beside the model's own weights.
 *
 *     program.s2a                              the compiled program with all that its run needs
 *     {train,val}-{images,labels}.npy          the pictures, by the decoding, cache and split of `train`
 *     s2a.wasm                                 the WASI program; its memory's maximum is the plan and its own pages
 *     calibration.json                         with --calibrate or --tables: the derivative tables, which the program holds too
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { State } from '../../assembly/abi/head.ts';
import { RunField } from '../../assembly/abi/run.ts';
import { InputError } from '../base/error.ts';
import { bytesWritten, makeFolder, writeAtomic } from '../base/files.ts';
import { guardOutput } from '../base/output.ts';
import { type PlanReport, planReport } from '../budget/report.ts';
import type { Folder } from '../data/folder.ts';
import { type Prepared, prepare } from '../data/prepare.ts';
import { scanFolder } from '../data/scan.ts';
import { createEngine, loadWeights } from '../engine/engine.ts';
import { openStoredFor, STORED_FILE } from '../engine/storedfile.ts';
import { commandBytes, commandPages, engineBytes, withMaximum } from '../engine/wasm.ts';
import { layAdapter } from '../formats/adapterfile.ts';
import { type Stack, writeLabels, writePictures, writeTargets } from '../formats/npy/write.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { identity, type ModelFolder, openWeights, processorNote } from '../import/modelfolder.ts';
import { defaultDecoderBytes } from '../input/decoderlimit.ts';
import { inputOf, type Preparation, portOf } from '../input/index.ts';
import { dropNotes } from '../network/drop.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import type { Board } from '../program/board.ts';
import { encodeProgram, type Program } from '../program/program.ts';
import { type TaskSettings, taskOf } from '../task/index.ts';
import { adapterRecords } from '../training/adapter.ts';
import { CALIBRATION, writeCalibration } from '../training/calibrate/file.ts';
import { installTables, openTables, type TableSource } from '../training/calibrate/run.ts';
import { settingsText } from '../training/checkpointfile.ts';
import { classWeightsOf } from '../training/classweights.ts';
import { adapterInfo, compileJob, headOf, settle } from '../training/compilejob.ts';
import { type HeadStart, unusualHead } from '../training/headstart.ts';
import type { JobHooks, TrainJob } from '../training/job.ts';
import { notesOn } from '../training/outcome.ts';
import { openFor, preparationOf } from '../training/preparation.ts';
import { settingsOf } from '../training/runfolder.ts';
import { drawnFrom, samplesOf } from '../training/samples.ts';
import { chooseTask, unusualTask } from '../training/taskchoice.ts';
import { type TrainOptions, writeState } from '../training/train.ts';
import { type BoardWeights, boardWeights } from './boardweights.ts';

/** As `trainJob`, but for what the board decides when it trains. `out`: the folder to hand over. */
export interface PackJob
  extends Omit<TrainJob, 'resume' | 'saveEvery' | 'from' | 'processBudget' | 'featureCache' | 'memory' | 'arithmetic'> {
  /** How the pictures are stored: `u8` (the default), or `f32` for data that are not bytes. */
  pixels?: 'u8' | 'f32';
}

/** What packing wrote. */
export interface Packed {
  /** The folder. */
  out: string;
  /** The plan that the board will run by. */
  plan: PlanReport;
  /** The classes' names, in the order of the logits. */
  classes: string[];
  /** Pictures to learn from and to judge by. */
  pictures: { train: number; val: number };
  /** Files that were not used, and why. */
  skipped: Prepared['skipped'];
  /** Weights' files that the board needs too, in the model folder; none where they are written beside the program, from a model of another kind of file. */
  weights: string[];
  /** The arena, and the most memory that s2a.wasm takes: arena, program file, its own pages. */
  memory: { planBytes: number; totalBytes: number };
  /** The line by which ffmpeg prepares frames as these pictures were; null for arrays, which nothing prepares. */
  frames: string | null;
  /** Bytes of all files together. */
  bytesWritten: number;
}

/** What packing tells on its way. */
export type PackHooks = Pick<JobHooks, 'onPlan' | 'onPrepare' | 'onPrepared' | 'signal' | 'warn'>;

export async function packJob(job: PackJob, hooks: PackHooks = {}): Promise<Packed> {
  const base = openFor(job);
  const weights = openWeights(base, { method: job.method });
  try {
    return await packBase(job, base, weights, hooks);
  } finally {
    weights.close();
  }
}

async function packBase(job: PackJob, base: ModelFolder, weights: SafetensorsFile, hooks: PackHooks): Promise<Packed> {
  const options = settle(job);
  for (const note of dropNotes(base.model.drop, job)) hooks.warn?.(note);
  guardOutput(job.out, job);
  const folder = scanFolder(job.data, job);
  const { classes } = folder;
  const assumed = folder.arrays ? undefined : processorNote(base);
  if (assumed !== undefined) hooks.warn?.(assumed);
  const preprocess = preparationOf(job, base, folder, { warn: hooks.warn });
  if (portOf(preprocess).element === 'f32' && job.pixels === 'u8')
    throw new InputError({ where: '--pixels', what: 'these arrays are no bytes', got: 'u8', expected: 'f32' });
  const task = chooseTask(job, folder, classes, undefined);
  const tables = openTables(job);
  const compiled = compileJob(job, {
    base,
    options,
    preprocess,
    classes: classes.length,
    pixels: job.pixels,
    ownTables: tables !== undefined,
    task: unusualTask(task),
    classWeights: classWeightsOf(job, folder, classes),
  });
  const plan = planReport(compiled, options.batchSize, undefined);
  hooks.onPlan?.(plan, compiled);
  makeFolder(job.out);
  // The arrays are what stays; the cache is of use only where it is named. Not the system's folder for such: pack writes to its own alone.
  const cacheFolder = job.cacheFolder ?? mkdtempSync(join(job.out, '.cache-'));
  try {
    return await packPictures(job, { folder, base, weights, options, preprocess, compiled, tables, task, plan, cacheFolder }, hooks);
  } finally {
    if (job.cacheFolder === undefined) rmSync(cacheFolder, { recursive: true, force: true });
  }
}

interface Ready {
  folder: Folder;
  base: ModelFolder;
  weights: SafetensorsFile;
  options: TrainOptions;
  preprocess: Preparation;
  compiled: Compiled;
  tables: TableSource | undefined;
  task: TaskSettings;
  plan: PlanReport;
  cacheFolder: string;
}

/** The tables lie in the program's own bytes: measured here, as `train` would on its first step, and handed over with it. */
async function writeTables(
  { cache, train }: Prepared,
  tables: TableSource,
  { job, weights, options, compiled, cacheFolder }: Pick<Ready, 'weights' | 'options' | 'compiled' | 'cacheFolder'> & { job: PackJob },
): Promise<void> {
  const engine = createEngine(compiled.program, engineBytes());
  const stored = openStoredFor(compiled.program, join(cacheFolder, STORED_FILE));
  try {
    loadWeights(engine, weights, options.seed, stored);
    const seen = { samples: samplesOf(cache, train), seed: options.seed, resume: false };
    writeCalibration(join(job.out, CALIBRATION), await installTables(engine, compiled, tables, seen));
  } finally {
    stored?.close(false);
  }
}

async function packPictures(
  job: PackJob,
  { folder, base, weights, options, preprocess, compiled, tables, task, plan, cacheFolder }: Ready,
  hooks: PackHooks,
): Promise<Packed> {
  const prepared = await prepare({
    root: job.data,
    folder,
    preprocess,
    cacheFolder,
    seed: options.seed,
    decoderBytes: defaultDecoderBytes,
    ...(hooks.warn ? { warn: hooks.warn } : {}),
    ...(job.holdOut === undefined ? {} : { holdOut: job.holdOut }),
    ...(hooks.onPrepare ? { onProgress: hooks.onPrepare } : {}),
    ...(hooks.signal ? { signal: hooks.signal } : {}),
  });
  hooks.onPrepared?.(prepared);
  for (const note of [...prepared.notes, ...notesOn(prepared, job)]) hooks.warn?.(note);
  try {
    const { channels, element } = portOf(preprocess);
    const type = job.pixels === 'f32' || element === 'f32' ? '<f4' : '|u1';
    const learnt = { ...prepared, train: [...drawnFrom(job, prepared)] };
    for (const part of ['train', 'val'] as const) writePart(job.out, part, learnt, { channels, type, stored: element });
    if (tables) await writeTables(learnt, tables, { job, weights, options, compiled, cacheFolder });
    else rmSync(join(job.out, CALIBRATION), { force: true });
    const who = identity(base, weights);
    const own = boardWeights(base, weights, { out: job.out, digest: who.digest });
    const board = boardOf(compiled.program, {
      options,
      head: headOf(job, task),
      task,
      pixelBytes: type === '<f4' ? 4 : 1,
      samples: learnt.train.length,
      weights: own,
      labels: prepared.classes,
      info: adapterInfo(job, { who, program: compiled.program, labels: prepared.classes, preprocess, task: unusualTask(task) }),
    });
    const program = encodeProgram({ ...compiled.program, board });
    const command = commandBytes();
    const pages = commandPages(command, compiled.program, { fileBytes: program.length, epochs: options.epochs });
    writeAtomic(join(job.out, 'program.s2a'), (write) => write(program));
    writeAtomic(join(job.out, 's2a.wasm'), (write) => write(withMaximum(command, pages)));
    return {
      out: job.out,
      plan,
      classes: prepared.classes,
      pictures: { train: learnt.train.length, val: prepared.val.length },
      skipped: prepared.skipped,
      weights: own.isHere ? [] : own.files,
      memory: { planBytes: plan.linearBytes, totalBytes: pages * 65536 },
      frames: inputOf(preprocess).frames(preprocess) ?? null,
      bytesWritten: bytesWritten(),
    };
  } finally {
    prepared.cache.close();
  }
}

/** The arrays of a part: its pictures, and their labels or targets. */
function writePart(out: string, part: 'train' | 'val', prepared: Prepared, as: Pick<Stack, 'channels' | 'type' | 'stored'>): void {
  const { cache, classes, task } = prepared;
  const indices = prepared[part];
  const shape = { count: indices.length, ...cache.size, ...as };
  writeAtomic(join(out, `${part}-images.npy`), (write) => writePictures(write, shape, (i, target) => cache.readInto(indices[i]!, target)));
  const of = indices.map((i) => cache.pictures[i]!);
  const labels = (): number[] => of.map(({ label }) => label);
  const targets = (): (readonly number[])[] => of.map(({ values }) => values!);
  writeAtomic(join(out, `${part}-labels.npy`), (write) =>
    task ? writeTargets(write, targets(), classes.length) : writeLabels(write, labels()),
  );
}

interface Facts {
  options: TrainOptions;
  head: HeadStart;
  pixelBytes: 1 | 4;
  samples: number;
  weights: BoardWeights;
  labels: readonly string[];
  task: TaskSettings;
  info: ReturnType<typeof adapterInfo>;
  /** Whether its adapters tell measured rates: where absent, if the program measures them. */
  tellsRates?: boolean;
  /** The class that each number in the arrays of labels stands for; absent: the one of that number. */
  rows?: readonly number[];
}

/** All that the run needs beside the program's core. */
export function boardOf(
  program: Program,
  { options, head: start, pixelBytes, samples, weights: { files, digest }, labels, task: settings, info, tellsRates, rows = [] }: Facts,
): Board {
  const broken = [...labels, ...files].find((name) => name.includes('\n'));
  if (broken !== undefined) throw new InputError({ where: JSON.stringify(broken), what: 'a name with a line break cannot be packed' });
  const { about } = program;
  const task = taskOf(settings.name);
  const run = new Uint8Array(RunField.Bytes);
  const view = new DataView(run.buffer);
  const words: [RunField, number][] = [
    [RunField.Epochs, options.epochs],
    [RunField.BatchSize, options.batchSize],
    [RunField.MicroBatch, about.microBatch],
    [RunField.Classes, about.classes],
    [RunField.Height, about.image[0]],
    [RunField.Width, about.image[1]],
    [RunField.PixelBytes, pixelBytes],
    [RunField.Patience, options.patience],
    [RunField.Retries, options.retries],
    [RunField.Head, start === 'ridge' ? 1 : 0],
    [RunField.Answer, task.answer],
    [RunField.Better, task.better],
    [RunField.IsShare, task.score.isShare ? 1 : 0],
  ];
  for (const [at, value] of words) view.setUint32(at, value, true);
  view.setFloat64(RunField.Warmup, options.warmup, true);
  view.setFloat32(RunField.Delta, task.delta(settings), true);
  writeState(new DataView(run.buffer, RunField.State, State.Bytes), options, samples);
  run.set(Buffer.from(digest, 'hex'), RunField.Base);
  const { head, order, config } = layAdapter(info, adapterRecords(program, tellsRates));
  return {
    run,
    settings: settingsText(settingsOf(program, { options, weights: info.base.digest, labels, head: unusualHead(start, info.method) })),
    labels,
    files,
    adapterHead: head,
    adapterConfig: config,
    adapterOrder: order,
    score: task.score.name,
    rows,
  };
}
