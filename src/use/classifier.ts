/** Inference for applications: a plan that keeps nothing, one memory, many predictions. */

import { Io } from '../../assembly/abi/program.ts';
import { Answer } from '../../assembly/abi/task.ts';
import { type Bytes, parseBytes } from '../base/bytes.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { InputError } from '../base/error.ts';
import { stableJson } from '../base/json.ts';
import { type Precision, type WeightsWish, wishOf } from '../base/precision.ts';
import { compile } from '../compile.ts';
import { createEngine, type Engine, loadWeights } from '../engine/engine.ts';
import { checkStored, openStoredFor, type StoredWeights } from '../engine/storedfile.ts';
import { type StartThread, type Threads, threadsOf } from '../engine/threads.ts';
import { engineBytes } from '../engine/wasm.ts';
import { type AdapterFile, type AdapterInfo, checkBase, readAdapter } from '../formats/adapterfile.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import type { TaskSettings } from '../formats/tasksettings.ts';
import { configOf } from '../import/index.ts';
import { identity, type ModelFolder, openBaseOf, openModelFolder, openWeights, ownPreparation } from '../import/modelfolder.ts';
import { unnamedHead } from '../import/published.ts';
import { checkPreparation, inputOf, type Preparation, portOf } from '../input/index.ts';
import { type Preprocess, resizePacked } from '../input/preprocess.ts';
import { methodOf } from '../network/method.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import type { CompileOptions } from '../pipeline/options.ts';
import { NO_TILES } from '../pipeline/tiles.ts';
import { CLASSIFY, constantsOf, type Prediction, taskOf, taskOfProblem } from '../task/index.ts';
import { applyAdapter } from '../training/adapter.ts';
import { checkFlips, look } from './flips.ts';
import { planWithFile } from './storedplan.ts';
import { tableOf, toldBy, type Unknown, withKnown } from './unknown.ts';

export type { Prediction } from '../task/index.ts';
export type { Unknown } from './unknown.ts';

/** How a classifier is opened. */
export interface ClassifierOptions {
  /** The model as `TrainJob` takes it, for an adapter the one that it was trained on. */
  model: string;
  /** The most linear memory: bytes, or a text such as '48MiB'. Unlimited where absent. */
  budget?: Bytes;
  /** How many threads share the work (1); `auto`: as many as the machine has cores, at most 4. `close` the classifier after use. */
  threads?: Threads;
  /** Precision of frozen weights where it is not to be the one that the adapter was trained over: the biases learnt to fit that one. */
  weights?: WeightsWish<Precision>;
  /**
   * Which share of pictures of known classes may be called unknown, as a number up to 0.5 or '5%' (0.05); 0 or 'off': none is. A classifier whose adapter
   * tells nothing of that (docs/unknown.md) answers as ever, `unknown` of it says why; where a share was asked for, it is refused.
   */
  unknown?: number | string;
  /** The file for weights that are streamed (`weights: 'int8,stream'`): made where it is not there, and used again where it is. */
  stored?: string;
  /** Look at each picture and at its mirror image, and answer by the mean of both probabilities: twice the time. For pictures and classes. */
  flips?: boolean;
}

/** A network with an adapter, ready to predict. Made by `loadClassifier`. */
export interface Classifier {
  /** What it is asked: `classify`, `multilabel` or `regress`. */
  readonly task: string;
  /** Names of the classes, labels or numbers, in the order of the logits; changes with the adapter. */
  readonly labels: readonly string[];
  /** How an example becomes the network's input: a picture, or an array (`input: 'array'`). */
  readonly preprocess: Preparation;
  /** Bytes of linear memory: all that the classifier uses beside JavaScript, the same for its whole life. */
  readonly linearBytes: number;
  /**
   * How pictures that are like nothing learnt are told: which share of known ones is refused with them, and the distance from which on they are. Or why
   * they are not told, as a part of a sentence.
   */
  readonly unknown: Unknown;
  /**
   * Every class of one picture, the most probable first; of labels each with whether it is `answered`; numbers in their order, each with its `value`.
   * `pixels`: width · height · 3 bytes RGB, or · 4 RGBA as a canvas gives it (what is transparent is not seen so: alpha is left out, but by a network
   * that reads it), for a network of one channel also grey as it is; rows from the top, upright; any size: it is resized and cropped as in training.
   * Throws InputError for a wrong number of bytes and for a network that was trained on arrays, EngineError for logits that are not finite, or once one of its threads has died.
   */
  predict(pixels: Uint8Array | Uint8ClampedArray, width: number, height: number): Prediction[];
  /**
   * The same for an example that `preprocess` has been done to already, as `decodePicture` or `readArray` returns it: H · W · C bytes, or for arrays of
   * float32 as many numbers, before they are normalised.
   */
  predictPrepared(pixels: Uint8Array | Uint8ClampedArray | Float32Array): Prediction[];
  /**
   * Changes to another adapter of the same base, task, precision, method, preprocessing and number of classes. The new one is read and checked whole
   * before the first number is written, so one that is refused (InputError) leaves the classifier as it was.
   */
  changeAdapter(adapter: string): void;
  /** Ends the threads beside the caller's own; there is nothing else to close. */
  close(): Promise<void>;
}

export interface OpenedAdapter {
  engine: Engine;
  /** What its program was made from. */
  compiled: Compiled;
  adapter: AdapterInfo;
  preprocess: Preparation;
  unknown: Unknown;
}

interface InferenceOptions extends Omit<ClassifierOptions, 'unknown' | 'flips'> {
  /** A share; 0: nothing is unknown; absent: 5 %, where the adapter can tell. */
  unknown?: number | undefined;
  microBatch?: number;
  /** Every node once, none in tiles: for who reads the graph. */
  isWhole?: boolean;
  /** How a thread is started, where a test wants to know it. */
  start?: StartThread;
}

/** Base + adapter, or a model with its own head, in an engine that only infers, `microBatch` pictures at a time. */
export const openInference = (path: string | undefined, options: InferenceOptions): OpenedAdapter =>
  path === undefined ? openOwn(options) : openAdapter(path, options);

/** The model's own head: there is no adapter, but what one would say is known. */
function openOwn(options: InferenceOptions): OpenedAdapter {
  const { model } = options;
  const { weights: precision } = wishOf<Precision>(options.weights, DEFAULTS.weights);
  const base = openModelFolder(model);
  const { labels } = base.model;
  if (labels === undefined) throw base.onnx === undefined ? unnamedHead(configOf(model)) : headless(base.onnx);
  const weights = openWeights(base, { head: 'file' });
  try {
    const preprocess = ownPreparation(base);
    const task = ownTask(base.model, labels.length);
    const { engine, compiled } = inferenceEngine(
      base,
      { head: 'file', classes: labels.length, method: 'probe', weights: precision, normalize: preprocess, task },
      weights,
      options,
    );
    const preprocessing = preprocess as unknown as Record<string, unknown>;
    return {
      engine,
      compiled,
      adapter: {
        method: 'probe',
        base: identity(base, weights),
        precision,
        ...(task ? { task } : {}),
        head: [],
        labels,
        preprocessing,
        createdBy: '',
      },
      preprocess,
      unknown: { why: 'the model has no adapter' },
    };
  } finally {
    weights.close();
  }
}

/** A file that ends in features has no head that could name a class. */
const headless = (where: string): InputError =>
  new InputError({ where, what: 'ends in features, so it has no head that can be used', hint: 'give an adapter' });

/** What a checkpoint's own head answers; its numbers are in their own units. */
function ownTask({ problem, thresholds }: ModelFolder['model'], outputs: number): TaskSettings | undefined {
  const task = taskOfProblem(problem) ?? taskOf(CLASSIFY.name);
  if (task.name === CLASSIFY.name) return undefined;
  const constants = { threshold: 0.5, mean: 0, std: 1 };
  const of = (name: string): number[] => new Array(outputs).fill(constants[name as keyof typeof constants]);
  if (thresholds && task.constants.includes('threshold')) return { name: task.name, constants: { threshold: thresholds } };
  return { name: task.name, constants: Object.fromEntries(task.constants.map((name) => [name, of(name)])) };
}

type Network = Pick<CompileOptions, 'head' | 'classes' | 'method' | 'normalize' | 'task' | 'known'> & { weights: Precision };

/** The engine with the base's weights in it, in memory or passing through it. */
export function inferenceEngine(
  base: ModelFolder,
  network: Network,
  file: SafetensorsFile,
  { budget, threads: asked = 1, start, microBatch = 1, isWhole, weights: wish, stored }: InferenceOptions,
): Pick<OpenedAdapter, 'engine' | 'compiled'> {
  const { streams } = wishOf<Precision>(wish, network.weights);
  if (streams) checkStored(true, stored);
  const maxThreads = asked === 'auto' ? DEFAULTS.maxThreads : asked;
  const { element } = portOf(network.normalize as Preparation);
  const pixels = element === 'f32' ? { pixels: element } : {};
  const options = { model: base.model, purpose: 'infer' as const, maxThreads, microBatch, ...network, ...pixels };
  const limit = budget === undefined ? {} : { budgetBytes: parseBytes(budget, 'budget') };
  const weights: WeightsWish = streams ? `${network.weights},stream` : network.weights;
  const compiled = isWhole
    ? compile({ ...options, tiles: NO_TILES })
    : planWithFile({ ...options, weights, batchSize: microBatch, ...limit }, stored);
  const threads = threadsOf(asked, compiled.program);
  const engine = createEngine(compiled.program, engineBytes(threads), threads, start);
  let home: StoredWeights | undefined;
  const close = async (): Promise<void> => {
    await engine.close();
    home?.close(true);
  };
  try {
    home = openStoredFor(compiled.program, stored);
    loadWeights(engine, file, 0, home);
    return { engine: { ...engine, close }, compiled };
  } catch (error) {
    void close();
    throw error;
  }
}

function openAdapter(path: string, options: InferenceOptions): OpenedAdapter {
  const { model, unknown: share } = options;
  const adapter = readAdapter(path);
  try {
    const base = openBaseOf(adapter, model);
    const weights = openWeights(base, { method: adapter.method });
    try {
      checkBase(adapter, identity(base, weights));
      const preprocess = checkPreparation(adapter.preprocessing, adapter.path);
      const { height, width, channels } = portOf(preprocess);
      if (channels !== base.model.channels)
        throw new InputError({
          where: adapter.path,
          what: 'its preprocessing makes pictures of other channels than the base reads',
          got: channels,
          expected: base.model.channels,
        });
      if (height !== base.model.image[0] || width !== base.model.image[1])
        throw new InputError({
          where: adapter.path,
          what: 'its preprocessing makes pictures of another size than the base takes',
          got: `${height}x${width}`,
          expected: base.model.image.join('x'),
        });
      const method = methodOf(adapter.method, adapter.path).name;
      const { unknown, known } = toldBy(adapter, share);
      const { engine, compiled } = inferenceEngine(
        base,
        {
          classes: adapter.labels.length,
          method,
          weights: wishOf<Precision>(options.weights, adapter.precision).weights,
          normalize: preprocess,
          task: adapter.task,
          known,
        },
        weights,
        options,
      );
      applyAdapter(engine, adapter);
      const { weights: _closed, ...info } = adapter;
      return { engine, compiled, adapter: info, preprocess, unknown };
    } finally {
      weights.close();
    }
  } finally {
    adapter.weights.close();
  }
}

/**
 * A base model with an adapter, ready for any number of predictions: linear memory is made once and never grows.
 *
 *     const classifier = loadClassifier('my-adapter', { model: 'models/vit-tiny', budget: '48MiB' });
 *
 * `adapter`: the folder that training wrote, or its weights file; undefined: the model with the head of its own. Throws InputError for files that are missing, broken or do not belong
 * together, and BudgetError, which names the smallest budget that works.
 */
export function loadClassifier(adapter: string | undefined, options: ClassifierOptions): Classifier {
  const { engine, adapter: first, preprocess, unknown: told } = openInference(adapter, options as InferenceOptions);
  let { labels } = first;
  let unknown = told;
  const pictures = engine.bytes(Io.Pictures);
  const labelPort = engine.ints(Io.Labels);
  const task = taskOf(first.task?.name ?? CLASSIFY.name, adapter);
  const answers = task.answer === Answer.Numbers ? engine.floats(Io.EvalChoices) : engine.ints(Io.EvalChoices);
  if (options.flips) checkFlips(task.name, preprocess, 'flips');
  const isFloat = portOf(preprocess).element === 'f32';
  const predictPrepared = (pixels: Uint8Array | Uint8ClampedArray | Float32Array): Prediction[] => {
    const isNumbers = isFloat && pixels instanceof Float32Array;
    const bytes = isNumbers ? new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength) : bytesOf(pixels, 'predictPrepared');
    if (bytes.length !== pictures.length)
      throw new InputError({ where: 'predictPrepared', what: 'wrong number of bytes', got: bytes.length, expected: pictures.length });
    pictures.set(bytes);
    labelPort.fill(-1);
    return withKnown(engine, task.decode(look(engine, options.flips ? preprocess : undefined), answers, labels));
  };
  return {
    get labels() {
      return labels;
    },
    get unknown() {
      return unknown;
    },
    task: task.name,
    preprocess,
    linearBytes: engine.memory.buffer.byteLength,
    predict(pixels, width, height) {
      if (inputOf(preprocess).name !== 'picture')
        throw new InputError({ where: 'predict', what: 'the network takes arrays, not pictures', hint: 'readArray and predictPrepared' });
      return predictPrepared(resizePacked(bytesOf(pixels, 'predict'), width, height, preprocess as Preprocess));
    },
    predictPrepared,
    close: engine.close,
    changeAdapter(path) {
      const next = readAdapter(path);
      try {
        checkBase(next, first.base);
        checkSame(next, 'was trained for another task', next.task?.name ?? CLASSIFY.name, task.name);
        checkSame(next, 'was trained with another method', next.method, first.method);
        if (options.weights === undefined || options.weights === 'stream')
          checkSame(next, 'was trained over weights of another precision', next.precision, first.precision);
        checkSame(next, 'has another number of classes', next.labels.length, labels.length);
        checkSame(next, 'wants its pictures prepared otherwise', stableJson(next.preprocessing), stableJson(first.preprocessing));
        const other = toldBy(next, 'share' in unknown ? unknown.share : 0);
        checkSame(next, 'tells unknown pictures by a table of another size', other.known?.table.length ?? 0, tableOf(engine)?.length ?? 0);
        applyAdapter(engine, next);
        tableOf(engine)?.set(other.known!.table);
        unknown = other.unknown;
        if (next.task && task.constants.length > 0) engine.floats(Io.Constants).set(constantsOf(next.task, labels.length, next.path));
        labels = next.labels;
      } finally {
        next.weights.close();
      }
    },
  };
}

/** Bytes as they are; numbers of another kind would be taken for them, 0.5 for black. */
export function bytesOf(pixels: unknown, where: string): Uint8Array {
  if (pixels instanceof Uint8Array) return pixels;
  if (pixels instanceof Uint8ClampedArray) return new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.length);
  throw new InputError(
    {
      where,
      what: 'wants pixels as bytes, 0 to 255',
      got: ArrayBuffer.isView(pixels) ? pixels.constructor.name : typeof pixels,
      expected: 'a Uint8Array or Uint8ClampedArray',
    },
    'S2A_OPTION',
  );
}

/** What the program was compiled for must stay the same. */
function checkSame(next: AdapterFile, what: string, got: string | number, expected: string | number): void {
  if (got !== expected)
    throw new InputError({ where: next.path, what: `the adapter ${what}`, got, expected, hint: 'load it with loadClassifier' });
}
