/** What a node has: its model, its pictures, and what an adapter of the two is. */
import { join } from 'node:path';
import { defined } from '../base/defined.ts';
import { InputError } from '../base/error.ts';
import type { Planned } from '../budget/search.ts';
import { type Prepared, prepare } from '../data/prepare.ts';
import { type Folder, scanFolder } from '../data/scan.ts';
import { createEngine, type Engine, loadWeights, readParameter } from '../engine/engine.ts';
import { openStoredFor, STORED_FILE } from '../engine/storedfile.ts';
import { engineBytes } from '../engine/wasm.ts';
import { type AdapterInfo, checkBase, infoText } from '../formats/adapterfile.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { identity, type ModelFolder, openModelFolder, openWeights } from '../import/modelfolder.ts';
import type { Preparation } from '../input/index.ts';
import { adapterInfo, compileJob, settle } from '../training/compilejob.ts';
import { rowsOfLabels } from '../training/fromadapter.ts';
import type { JobHooks, TrainJob } from '../training/jobtypes.ts';
import { openFor, preparationOf } from '../training/preparation.ts';
import { decoderBytesOf } from '../training/share.ts';
import { chooseTask, unusualTask } from '../training/taskchoice.ts';
import { adapterBytes, type Wanted } from './tensors.ts';

/** A node's own side, as its options and its folders have it. */
export interface Board {
  /** A round's run but for what the server says: `out` is the folder of its runs. */
  job: TrainJob;
  /** Of the hold-out. */
  splitSeed: number;
  /** What an adapter of its own labels would say of itself. */
  info: AdapterInfo;
  wanted: Wanted;
  /** Numbers that the classifier reads; 0 where it is no linear layer over them. */
  features: number;
  preprocess: Preparation;
}

/** A head of one label is no network that is compiled: shapes are those of two. */
const LEAST_LABELS = 2;

/** Opens all of it, and refuses here what could not be learnt from: no server is asked before. */
export function openBoard(job: TrainJob, splitSeed: number, warn: (sentence: string) => void): Board {
  const base = openFor(job);
  const folder = listing(job);
  const preprocess = preparationOf({ ...job, seed: splitSeed }, base, folder, { warn });
  const task = unusualTask(chooseTask(job, folder, folder.classes, undefined));
  return boardOver({ job, splitSeed, base, labels: folder.classes, preprocess, task });
}

/** A board by what is known of its pictures. */
export function boardOver({
  job,
  splitSeed,
  base,
  labels,
  preprocess,
  task,
}: Pick<Board, 'job' | 'splitSeed' | 'preprocess'> & {
  base: ModelFolder;
  labels: readonly string[];
  task?: TaskSettings | undefined;
}): Board {
  const weights = openWeights(base, { method: job.method });
  try {
    const classes = Math.max(LEAST_LABELS, labels.length);
    const { program } = compileJob(job, { base, options: settle(job), preprocess, classes, task });
    const info = adapterInfo(job, { who: identity(base, weights), program, labels, preprocess, task });
    const shapes = new Map(program.parameters.map(({ name, shape }) => [name, shape]));
    const rows = info.head.map((name) => shapes.get(name)!).find(({ length }) => length === 2);
    return { job, splitSeed, info, wanted: { head: info.head, shapes }, features: rows?.[1] ?? 0, preprocess };
  } finally {
    weights.close();
  }
}

/** Labels of a fleet that are believed. */
const MOST_LABELS = 10_000;
/** Bytes of a message beside its numbers. */
const BESIDE = 1 << 20;

/** Most bytes that a message for this network can need. */
export const mostBytes = ({ wanted }: Board): number => adapterBytes(wanted, MOST_LABELS) + BESIDE;

/** The folder's pictures as they are now; a class alone is enough, since other nodes have others. */
const listing = (job: TrainJob): Folder => scanFolder(job.data, { ...defined({ labels: job.labels, task: job.task }), isMore: true });

/** The labels that the folder has now: pictures may have come since the board was opened. InputError where there are none any more. */
export const labelsNow = ({ job }: Board): readonly string[] => listing(job).classes;

/** The folder's pictures, decoded: where they have been the cache of an earlier round serves. Close the cache after use. */
export function preparePictures({ job, preprocess, splitSeed }: Board, hooks: Pick<JobHooks, 'warn' | 'signal'>): Promise<Prepared> {
  return prepare({
    root: job.data,
    folder: listing(job),
    preprocess,
    cacheFolder: job.cacheFolder ?? join(job.out, 'run'),
    seed: splitSeed,
    decoderBytes: decoderBytesOf(job),
    ...defined({ holdOut: job.holdOut, warn: hooks.warn, signal: hooks.signal }),
  });
}

/** Pictures of each label among these of a cache; labels that are not among `labels` are refused. */
export function countsOf({ job }: Board, prepared: Prepared, indices: readonly number[], labels: readonly string[]): number[] {
  const rows = rowsAmong(job.data, prepared.classes, labels);
  const counts = Array<number>(labels.length).fill(0);
  for (const i of indices) counts[rows[prepared.cache.pictures[i]!.label]!]!++;
  return counts;
}

/** Where the folder's labels stand among those of the fleet. InputError for one that no row is of. */
export function rowsAmong(data: string, own: readonly string[], labels: readonly string[]): number[] {
  const rows = rowsOfLabels(labels, own);
  const unknown = own.find((_, i) => rows[i]! < 0);
  if (unknown !== undefined)
    throw new InputError({
      where: data,
      what: `the fleet's head has no row for ${unknown}`,
      expected: labels.length > 12 ? `some of its ${labels.length} labels` : labels.join(', '),
      hint: 'the labels of a run are those of the nodes that were there when it began',
    });
  return rows;
}

/** Refuses a global adapter that is not of this node's network, method or arithmetic; labels may differ. */
export function checkInfo(where: string, { info: own }: Board, info: AdapterInfo): void {
  checkBase({ path: where, base: own.base }, info.base);
  const same = (one: AdapterInfo): string => infoText({ ...one, labels: ['any'], createdBy: 'any' });
  if (same(info) === same(own)) return;
  const keys = ['method', 'precision', 'arithmetic', 'task', 'head', 'preprocessing'] as const;
  const key = keys.find((one) => JSON.stringify(info[one]) !== JSON.stringify(own[one]));
  const text = (one: AdapterInfo): string => JSON.stringify(key === undefined ? one : (one[key] ?? 'nothing')).slice(0, 200);
  throw new InputError({ where, what: `the fleet's adapter is of another ${key ?? 'kind'}`, got: text(info), expected: text(own) });
}

/** An engine with the network as it is before any step, for so many labels; `use` sees it, and it is gone after. */
export async function withNetwork<T>(
  { job, info, preprocess }: Board,
  { labels, seed }: { labels: number; seed: number },
  use: (engine: Engine, compiled: Planned) => T | Promise<T>,
): Promise<T> {
  const base = openModelFolder(job.model, info.base.imageSize);
  const weights = openWeights(base, { method: job.method });
  try {
    const compiled = compileJob(job, { base, options: settle(job), preprocess, classes: labels, task: info.task });
    const engine = createEngine(compiled.program, engineBytes(1, compiled.program.about), 1);
    const stored = openStoredFor(compiled.program, job.stored ?? join(job.out, 'run', STORED_FILE));
    try {
      loadWeights(engine, weights, seed, stored);
      return await use(engine, compiled);
    } finally {
      await engine.close();
      stored?.close(job.stored !== undefined);
    }
  } finally {
    weights.close();
  }
}

/** The learnt tensors as they are before the first step. */
export const freshTensors = (board: Board, labels: number, seed: number) =>
  withNetwork(board, { labels, seed }, (engine) => {
    const { parameters } = engine.program;
    return new Map(parameters.map((record) => [record.name, { shape: record.shape, values: readParameter(engine, record).slice() }]));
  });
