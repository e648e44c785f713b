/** Features of a network: what its classifier reads of a picture. For looking pictures up by likeness, and for programs of one's own. */

import { Io } from '../../assembly/abi/program.ts';
import * as head from '../../assembly/runner/head.ts';
import { DEFAULTS } from '../base/defaults.ts';
import { EngineError, InputError } from '../base/error.ts';
import { type Precision, wishOf } from '../base/precision.ts';
import type { Engine } from '../engine/engine.ts';
import { numel } from '../graph/graph.ts';
import { openModelFolder, openWeights, ownPreparation } from '../import/modelfolder.ts';
import { inputOf, type Preparation, portOf } from '../input/index.ts';
import { type Preprocess, resizePacked } from '../input/preprocess.ts';
import { createRun } from '../training/runner.ts';
import { bytesOf, type ClassifierOptions, inferenceEngine, openInference } from './classifier.ts';

/** How an embedder is opened. */
export type EmbedderOptions = Omit<ClassifierOptions, 'unknown' | 'flips'>;

/** A network up to what its classifier reads. Made by `loadEmbedder`. */
export interface Embedder {
  /** How many numbers a picture becomes. */
  readonly features: number;
  /** How an example becomes the network's input. */
  readonly preprocess: Preparation;
  /** Bytes of linear memory, the same for its whole life. */
  readonly linearBytes: number;
  /**
   * Features of one picture, f32 [features], a copy. `pixels`: width · height · 3 bytes RGB, or · 4 RGBA, rows from the top; any size: it is resized and
   * cropped as in training. Throws InputError for a wrong number of bytes and for a network that was trained on arrays, EngineError for features that are not finite.
   */
  embed(pixels: Uint8Array | Uint8ClampedArray, width: number, height: number): Float32Array;
  /** The same, f32 [features], of an example that is prepared already: H · W · C bytes as `decodePicture` or `readArray` returns them. */
  embedPrepared(pixels: Uint8Array | Uint8ClampedArray | Float32Array): Float32Array;
  /** Ends the threads beside the caller's own. */
  close(): Promise<void>;
}

/** The model alone, in an engine that only infers: a head of two rows stands where none is needed. */
function openBare(options: EmbedderOptions): { engine: Engine; preprocess: Preparation } {
  const base = openModelFolder(options.model);
  const weights = openWeights(base, { method: 'probe' });
  try {
    const preprocess = ownPreparation(base);
    const { weights: precision } = wishOf<Precision>(options.weights, DEFAULTS.weights);
    const network = { head: 'new', classes: 2, method: 'probe', weights: precision, normalize: preprocess } as const;
    const { engine } = inferenceEngine(base, network, weights, options);
    return { engine, preprocess };
  } finally {
    weights.close();
  }
}

/** Where the classifier's instruction stands, and what it reads. */
function classifierIn(engine: Engine): { at: number; x: number; features: number } {
  const { parameters, entries } = engine.program;
  const { start, end } = entries.eval;
  const parameterAt = (offset: number, numbers: number): number =>
    parameters.findIndex((p) => p.offset === offset && numel(p.dims) === numbers && !p.name.startsWith('side.'));
  if (!head.findClassifier(createRun(engine, {}), start, end, parameterAt))
    throw new EngineError({ where: 'program', what: 'has no classifier whose features could be told' });
  return { at: head.instruction, x: head.x, features: head.features };
}

/**
 * A network ready to tell features: the model alone, or with an adapter as it changed them. Throws InputError for files that are missing, broken or do not
 * belong together, BudgetError, which names the smallest budget that works.
 */
export function loadEmbedder(adapter: string | undefined, options: EmbedderOptions): Embedder {
  const { engine, preprocess } = adapter === undefined ? openBare(options) : openInference(adapter, { ...options, unknown: 0 });
  const { at, x, features } = classifierIn(engine);
  const pictures = engine.bytes(Io.Pictures);
  const isFloat = portOf(preprocess).element === 'f32';
  const embedPrepared = (pixels: Uint8Array | Uint8ClampedArray | Float32Array): Float32Array => {
    const isNumbers = isFloat && pixels instanceof Float32Array;
    const bytes = isNumbers ? new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength) : bytesOf(pixels, 'embedPrepared');
    if (bytes.length !== pictures.length)
      throw new InputError({ where: 'embedPrepared', what: 'wrong number of bytes', got: bytes.length, expected: pictures.length });
    pictures.set(bytes);
    engine.walk(engine.program.entries.eval.start, at);
    const found = new Float32Array(engine.memory.buffer, x, features).slice();
    if (!found.every(Number.isFinite)) throw new EngineError({ where: 'features', what: 'they are not finite (NaN or infinite)' });
    return found;
  };
  return {
    features,
    preprocess,
    linearBytes: engine.memory.buffer.byteLength,
    embed(pixels, width, height) {
      if (inputOf(preprocess).name !== 'picture')
        throw new InputError({ where: 'embed', what: 'the network takes arrays, not pictures', hint: 'readArray and embedPrepared' });
      return embedPrepared(resizePacked(bytesOf(pixels, 'embed'), width, height, preprocess as Preprocess));
    },
    embedPrepared,
    close: engine.close,
  };
}

/**
 * How alike two lists of features are: the cosine of the angle between them, -1 to 1. Throws InputError for lists of different lengths, and for one that is all
 * zeros, which is like nothing.
 */
export function similarity(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new InputError({ where: 'features', what: 'of two networks', got: a.length, expected: b.length });
  let [product, left, right] = [0, 0, 0];
  for (const [i, v] of a.entries()) {
    product += v * b[i]!;
    left += v * v;
    right += b[i]! * b[i]!;
  }
  if (left === 0 || right === 0) throw new InputError({ where: 'features', what: 'all zero: they have no direction' });
  return Math.max(-1, Math.min(1, product / Math.sqrt(left * right)));
}
