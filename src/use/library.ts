/**
 * The library's door. What callers hand in is checked by the one table of options (settings.ts) before anything happens: unknown names, wrong types,
 * numbers out of range. Sentences name an option as it is written here, `batchSize`, where the command line's name `--batch-size`.
 */

import { ARITHMETICS } from '../base/arithmetic.ts';
import { InputError, type Parts, S2aError } from '../base/error.ts';
import { copyOf, errorFrom } from '../base/errorcopy.ts';
import { isRecord } from '../base/json.ts';
import type { Planned, PlanOptions } from '../budget/search.ts';
import { planForBudget as planInner } from '../compile.ts';
import { array } from '../input/array.ts';
import { decodeLater } from '../input/decodelater.ts';
import { defaultDecoderBytes } from '../input/decoderlimit.ts';
import { type ArrayPreparation, isArrayPreparation } from '../input/example.ts';
import type { Preparation } from '../input/preparation.ts';
import { checkPreprocess } from '../input/preprocess.ts';
import { Unreadable } from '../pictures/header.ts';
import type { Calibration } from '../training/calibrate/file.ts';
import { type CalibrateJob, calibrateJob as calibrateInner } from '../training/calibrate/job.ts';
import { type EnrolJob, type Enrolled, enrolJob as enrolInner } from '../training/enrol.ts';
import { type JobHooks, type JobResult, type TrainJob, trainJob as trainInner } from '../training/job.ts';
import { type Kind, SETTINGS, toggle } from '../training/settings.ts';
import { type Classifier, type ClassifierOptions, loadClassifier as loadInner } from './classifier.ts';
import { type Embedded, type EmbedJob, embedJob as embedInner } from './embed.ts';
import { type Embedder, type EmbedderOptions, loadEmbedder as embedderInner } from './embedder.ts';
import { type FidelityJob, fidelity as fidelityInner } from './fidelity/fidelity.ts';
import type { Fidelity } from './fidelity/measure.ts';
import { trainInWorker as inWorkerInner, type WorkerHooks } from './inworker.ts';
import { type MergeOptions, type MergeResult, mergeAdapter as mergeInner } from './merge/merge.ts';
import { type PeftOptions, type PeftResult, exportPeft as peftInner } from './merge/peft.ts';
import { type OnnxOptions, type OnnxResult, exportOnnx as onnxInner } from './onnx/export.ts';
import { hintFor, renamed } from './optionnames.ts';
import { type Packed, type PackHooks, type PackJob, packJob as packInner } from './pack.ts';
import { type PackedInference, type PackInferenceJob, packInference as packInferenceInner } from './packinfer.ts';

/** What the options of a function may be, each of them. */
export type Spec<T> = { readonly [K in keyof T]-?: Check };
export interface Check extends Pick<Kind<unknown>, 'check' | 'as'> {
  isNeeded?: boolean;
}
export const needed = (kind: Check): Check => ({ ...kind, isNeeded: true });

export const anyFunction: Check = {
  check(value, where) {
    if (typeof value !== 'function')
      throw new InputError({ where, what: 'wrong value', got: typeof value, expected: 'a function' }, 'S2A_OPTION');
  },
};
export const object = (expected: string): Check => ({
  check(value, where) {
    if (typeof value !== 'object' || value === null)
      throw new InputError({ where, what: 'wrong value', got: value === null ? 'null' : typeof value, expected }, 'S2A_OPTION');
  },
});

const s = SETTINGS;
const learning = {
  ...{ method: s.method, keep: s.keep, optimizer: s.optimizer, rate: s.rate, batchSize: s.batchSize, microBatch: s.microBatch },
  ...{ imageSize: s.imageSize, seed: s.seed, cacheFolder: s.cacheFolder, labels: s.labels, normalize: s.normalize },
};
const model = needed(s.model);
const data = needed(s.data);
const out = needed(s.out);
const training = {
  ...{ ...learning, model, data, out, weights: s.weightsOrAuto, recompute: s.recompute, budget: s.budget, threads: s.threads },
  ...{
    maxThreads: s.maxThreads,
    arithmetic: s.arithmetic,
    holdOut: s.holdOut,
    augment: s.augment,
    dropout: s.dropout,
    dropPath: s.dropPath,
  },
  ...{ calibrate: s.calibrate, tables: s.tables, head: s.head, epochs: s.epochs, weightDecay: s.weightDecay, warmup: s.warmup },
  ...{ finalFraction: s.finalFraction, clipNorm: s.clipNorm, smoothing: s.smoothing, momentum: s.momentum, patience: s.patience },
  ...{ balance: s.balance, retries: s.retries, task: s.task, threshold: s.threshold, loss: s.loss, resident: s.resident, stored: s.stored },
  classWeights: s.classWeights,
  prox: s.prox,
};
export const TRAIN: Spec<TrainJob> = {
  ...training,
  ...{
    processBudget: s.processBudget,
    featureCache: s.featureCache,
    saveEvery: s.saveEvery,
    resume: s.resume,
    overwrite: s.overwrite,
    from: s.from,
    memory: s.memory,
  },
};
const { arithmetic: _plain, ...packing } = training;
const PACK: Spec<PackJob> = { ...packing, overwrite: s.overwrite, pixels: s.pixels };
const HOOKS: Spec<JobHooks> = {
  ...{
    onPlan: anyFunction,
    onPrepare: anyFunction,
    onPrepared: anyFunction,
    onStart: anyFunction,
    onHead: anyFunction,
    onFeatures: anyFunction,
  },
  ...{
    onStep: anyFunction,
    onEpoch: anyFunction,
    onBack: anyFunction,
    stopping: anyFunction,
    warn: anyFunction,
    signal: object('an AbortSignal'),
  },
};
/** What needs an answer at once, or holds what cannot leave a thread, is not among them. */
const { stopping: _, onPrepared: __, ...WORKER_HOOKS }: Spec<JobHooks> = HOOKS;
const PACK_HOOKS: Spec<PackHooks> = {
  ...{ onPlan: anyFunction, onPrepare: anyFunction, onPrepared: anyFunction, signal: HOOKS.signal, warn: anyFunction },
};
const CLASSIFIER: Spec<ClassifierOptions> = {
  ...{ model, budget: s.budget, threads: s.threads, weights: s.weights, stored: s.stored, unknown: s.unknown, flips: toggle },
};
const CALIBRATE: Spec<CalibrateJob> = {
  ...{ model, data, out, labels: s.labels, method: s.method, keep: s.keep, weights: s.weightsOrAuto, batchSize: s.batchSize },
  ...{ microBatch: s.microBatch, budget: s.budget, imageSize: s.imageSize, seed: s.seed, cacheFolder: s.cacheFolder },
  ...{ normalize: s.normalize, adapter: s.adapter, pictures: s.pictures, onPrepare: anyFunction, warn: anyFunction },
};
const FIDELITY: Spec<FidelityJob> = {
  ...{ ...learning, model, data, adapter: s.adapter, steps: s.steps, batches: s.batches, calibrate: s.calibrate, tables: s.tables },
  ...{ onPrepare: anyFunction, onStep: anyFunction, warn: anyFunction },
};
const PLAN: Spec<PlanOptions> = {
  ...{ model: needed(object('what readModel or parseModel returns')), classes: needed(s.classes), batchSize: needed(s.batchSize) },
  ...{ method: s.method, keep: s.keep, weights: s.weightsOrAuto, recompute: s.recompute, optimizer: s.optimizer, microBatch: s.microBatch },
  prox: s.prox,
  ...{
    budgetBytes: s.budget,
    residentBytes: s.resident,
    augment: s.augment,
    classWeights: object('a list of numbers'),
    dropPath: s.dropPath,
    maxThreads: s.maxThreads,
    mayStream: toggle,
    arithmetic: { check: (value, where) => oneOfWords(value, where, ARITHMETICS) },
    pixels: s.pixels,
  },
  known: object('what knownTable returns'),
  ...{ ownTables: toggle, tiles: object('an object'), normalize: object('a preprocessing'), task: object('a task and its settings') },
  rates: { check: (value, where) => oneOfWords(value, where, ['relative', 'absolute']) },
  head: { check: (value, where) => oneOfWords(value, where, ['new', 'file']) },
  purpose: { check: (value, where) => oneOfWords(value, where, ['train', 'infer']) },
  dropout: { check: (value, where) => (isRecord(value) ? undefined : s.dropout.check(value, where)) },
};
const PACK_INFERENCE: Spec<PackInferenceJob> = {
  ...{ model, out, adapter: needed(s.adapter), microBatch: s.microBatch, budget: s.budget, weights: s.weights },
};
const EMBEDDER: Spec<EmbedderOptions> = { model, budget: s.budget, threads: s.threads, weights: s.weights, stored: s.stored };
const ENROL: Spec<EnrolJob> = {
  ...{
    model,
    data,
    out,
    labels: s.labels,
    from: s.from,
    task: { check: (value, where) => oneOfWords(value, where, ['classify', 'normal']) },
    weights: s.weights,
    stored: s.stored,
    budget: s.budget,
    threads: s.threads,
    microBatch: s.microBatch,
  },
  ...{ imageSize: s.imageSize, normalize: s.normalize, cacheFolder: s.cacheFolder, onPrepare: anyFunction, warn: anyFunction },
};
const EMBED: Spec<EmbedJob> = {
  ...{ ...EMBEDDER, adapter: s.adapter, out, onPicture: anyFunction },
  pictures: needed({
    check(value, where) {
      if (!Array.isArray(value) || value.length === 0)
        throw new InputError({ where, what: 'wrong value', got: typeof value, expected: 'a list of files and folders' }, 'S2A_OPTION');
      for (const [i, one] of value.entries()) s.data.check(one, `${where}[${i}]`);
    },
  }),
};
const MERGE: Spec<MergeOptions> = { model, out, adapter: needed(s.adapter) };
const PEFT: Spec<PeftOptions> = MERGE;
const ONNX: Spec<OnnxOptions> = { model, out, adapter: s.adapter, weights: s.weights };

function oneOfWords(value: unknown, where: string, words: readonly string[]): void {
  if (words.includes(value as string)) return;
  throw new InputError({ where, what: 'unknown value', got: String(value), expected: words.join(', ') }, 'S2A_OPTION');
}

/** Refuses options that `spec` does not allow; returns them as they travel: text that means something is read here, once. */
export function check<T extends object>(of: string, options: T, spec: Readonly<Record<string, Check>>): T {
  if (!isRecord(options)) throw new InputError({ where: of, what: 'wants its options as an object', got: typeof options }, 'S2A_OPTION');
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(spec, name)) {
      if (value !== undefined) asOption(() => spec[name]!.check(value, name));
      continue;
    }
    const hint = hintFor(name, Object.keys(spec));
    throw new InputError({ where: name, what: `unknown option of ${of}`, ...(hint ? { hint } : {}) }, 'S2A_OPTION');
  }
  for (const [name, kind] of Object.entries(spec))
    if (kind.isNeeded && options[name] === undefined)
      throw new InputError({ where: name, what: `is missing, and ${of} needs it` }, 'S2A_OPTION');
  const travelling = Object.entries(options).map(([name, value]) => [
    name,
    value === undefined ? value : (spec[name]!.as?.(value) ?? value),
  ]);
  return Object.fromEntries(travelling) as T;
}

/** Whatever refuses an option, it is an option that is wrong. */
function asOption(action: () => void): void {
  try {
    action();
  } catch (error) {
    throw error instanceof InputError ? new InputError(error.parts, 'S2A_OPTION') : error;
  }
}

/** The same error with options named as the library's caller writes them. */
function ours(error: unknown): unknown {
  if (!(error instanceof S2aError)) return error;
  const parts = Object.fromEntries(
    Object.entries(error.parts).map(([name, part]) => [name, typeof part === 'string' ? renamed(part) : part]),
  ) as unknown as Parts;
  return errorFrom({ ...copyOf(error), parts });
}
function sync<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw ours(error);
  }
}
export async function later<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw ours(error);
  }
}
/** What is told as a sentence names options in the same way. */
const told = <H extends { warn?(sentence: string): void }>(hooks: H): H =>
  hooks.warn === undefined ? hooks : { ...hooks, warn: (sentence: string) => hooks.warn?.(renamed(sentence)) };

/** Trains to the end: model folder + pictures + budget → adapter folder. Throws S2aError; Interrupted where `stopping` or `signal` ended it, and it is saved. */
export const trainJob = (job: TrainJob, hooks: JobHooks = {}): Promise<JobResult> =>
  later(async () => {
    const own = check('trainJob', job, TRAIN);
    check('the hooks of trainJob', hooks, HOOKS);
    return trainInner(own, told(hooks));
  });

/**
 * The same in a thread of its own: whatever one instruction, planning or a checkpoint takes, the caller's event loop has its turns. The adapter's bytes
 * are trainJob's. Throws what trainJob throws; Interrupted where `signal` ended it, and it is saved.
 */
export const trainInWorker = (job: TrainJob, hooks: WorkerHooks = {}): Promise<JobResult> =>
  later(async () => {
    const own = check('trainInWorker', job, TRAIN);
    check('the hooks of trainInWorker', hooks, WORKER_HOOKS);
    return inWorkerInner(own, told(hooks));
  });

/**
 * A base model with an adapter, ready for any number of predictions: linear memory is made once and never grows.
 *
 *     const classifier = loadClassifier('my-adapter', { model: 'models/vit-tiny', budget: '48MiB' });
 *
 * `adapter`: the folder that training wrote, or its weights file; undefined: the model with the head of its own. Throws InputError for files that are missing, broken or do not belong
 * together, and BudgetError, which names the smallest budget that works.
 */
export const loadClassifier = (adapter: string | undefined, options: ClassifierOptions): Classifier =>
  sync(() => {
    if (adapter !== undefined) s.adapter.check(adapter, 'adapter');
    return loadInner(adapter, check('loadClassifier', options, CLASSIFIER));
  });

/**
 * Classes without training: one pass over their pictures, and rows of the head by ridge regression, in an adapter that `loadClassifier` opens and
 * `trainJob` goes on from. Throws InputError for pictures, a model or an adapter that cannot be used, BudgetError where it does not fit.
 */
export const enrolJob = (job: EnrolJob): Promise<Enrolled> => later(async () => enrolInner(told(check('enrolJob', job, ENROL))));

/**
 * A network ready to tell features, what its classifier reads: the model alone, or with an adapter as it changed them. Throws InputError for files that
 * are missing, broken or do not belong together, BudgetError, which names the smallest budget that works.
 */
export const loadEmbedder = (adapter: string | undefined, options: EmbedderOptions): Embedder =>
  sync(() => {
    if (adapter !== undefined) s.adapter.check(adapter, 'adapter');
    return embedderInner(adapter, check('loadEmbedder', options, EMBEDDER));
  });

/** Features of many pictures as one array (.npy) with a table of its rows. Throws InputError where none of them can be used. */
export const embedJob = (job: EmbedJob): Promise<Embedded> => later(async () => embedInner(check('embedJob', job, EMBED)));

export { similarity } from './embedder.ts';

/**
 * The fastest way to train, or to infer, that keeps a budget, as a compiled program with its plan. Throws BudgetError, which names the
 * smallest budget that works, and InputError for options that do not go with the network.
 */
export const planForBudget = (options: PlanOptions): Planned => sync(() => planInner(check('planForBudget', options, PLAN)));

/**
 * Fits derivative tables to what each layer sees on given pictures, and writes them to `out`. Throws InputError for a model, pictures or
 * an adapter that cannot be used, BudgetError where measuring does not fit the budget.
 */
export const calibrateJob = (job: CalibrateJob): Promise<Calibration> =>
  later(async () => calibrateInner(told(check('calibrateJob', job, CALIBRATE))));

/**
 * Compares the gradients of a policy with those of `exact` on given pictures; writes nothing that stays. Throws InputError for a model,
 * pictures or an adapter that cannot be used.
 */
export const fidelity = (job: FidelityJob): Promise<Fidelity> => later(async () => fidelityInner(told(check('fidelity', job, FIDELITY))));

/**
 * What a board without JavaScript trains from: s2a.wasm, program.s2a, pictures as .npy. Throws InputError for a model or pictures that
 * cannot be used, BudgetError, which names the smallest budget that works, Interrupted where `signal` ended it.
 */
export const packJob = (job: PackJob, hooks: PackHooks = {}): Promise<Packed> =>
  later(async () => {
    const own = check('packJob', job, PACK);
    check('the hooks of packJob', hooks, PACK_HOOKS);
    return packInner(own, told(hooks));
  });

/**
 * A program that only predicts, for a board without JavaScript: s2a.wasm, its memory limited to the plan, and program.s2a. Throws
 * InputError for an adapter that does not go with the model, BudgetError, which names the smallest budget that works.
 */
export const packInference = (job: PackInferenceJob): PackedInference =>
  sync(() => packInferenceInner(check('packInference', job, PACK_INFERENCE)));

/**
 * Base and adapter as one model folder that transformers or timm loads, in f32. Throws InputError for an adapter of another base, for
 * what has no place in the checkpoint (prompts, side branches, networks that end early), and for an `out` that holds a model already.
 */
export const mergeAdapter = (options: MergeOptions): MergeResult => sync(() => mergeInner(check('mergeAdapter', options, MERGE)));

/**
 * The adapter as PEFT loads it over the base. Throws InputError for what PEFT has no place for: prompts, side branches, networks that end
 * early, biases that the checkpoint lacks.
 */
export const exportPeft = (options: PeftOptions): PeftResult => sync(() => peftInner(check('exportPeft', options, PEFT)));

/**
 * Base and adapter as one ONNX file, whatever the base came as: prompts and side branches too. Input `pixel_values` [batch, channels, height, width],
 * normalised; output `logits`. Throws InputError for an adapter of another base, for an `out` that holds a model, and for what ONNX has no operator for.
 */
export const exportOnnx = (options: OnnxOptions): OnnxResult => sync(() => onnxInner(check('exportOnnx', options, ONNX)));

/**
 * One example of an array file (.npy), `x.npy[7]` for row 7 of an array of many, as the `predictPrepared` of a classifier that was trained on arrays
 * takes it: the bytes of [height, width, channels], uint8 or float32. Throws InputError for an array of another shape, and for numbers that are NaN,
 * infinite or not exact in float32.
 */
export const readArray = (path: string, preprocess: ArrayPreparation): Promise<Uint8Array> =>
  later(() => {
    s.data.check(path, 'path');
    return array.read(path, array.check(preprocess, 'preprocess'), defaultDecoderBytes);
  });

/**
 * A picture file's bytes as a classifier's `predictPrepared` takes them: H · W · C, grey, RGB or RGBA as the network reads them. `limit`: the most bytes that decoding may take. Throws InputError, of code
 * S2A_PICTURE where the picture cannot be used.
 */
export const decodePicture = (bytes: Uint8Array, preprocess: Preparation, limit: number = defaultDecoderBytes): Promise<Uint8Array> =>
  later(async () => {
    if (!(bytes instanceof Uint8Array))
      throw new InputError(
        { where: 'bytes', what: 'wrong value', got: typeof bytes, expected: "a file's bytes, a Uint8Array" },
        'S2A_OPTION',
      );
    if (isArrayPreparation(preprocess))
      throw new InputError({ where: 'preprocess', what: 'is of arrays, not of pictures', hint: 'readArray reads them' }, 'S2A_OPTION');
    checkPreprocess(preprocess, 'preprocess');
    s.pictures.check(limit, 'limit');
    try {
      return await decodeLater(bytes, preprocess, limit);
    } catch (error) {
      throw error instanceof Unreadable ? new InputError({ where: 'picture', what: error.message }, 'S2A_PICTURE') : error;
    }
  });
