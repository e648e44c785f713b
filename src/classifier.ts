/** Inference for applications: a plan that keeps nothing, one memory, many predictions. */
import { Io } from '../assembly/abi/program.ts';
import { applyAdapter } from './adapter.ts';
import { type AdapterFile, checkBase, readAdapter } from './adapterfile.ts';
import { identity, openBase, openWeights } from './base.ts';
import { type Preprocess, resizeRgb } from './data/preprocess.ts';
import { createEngine, type Engine, loadWeights } from './engine.ts';
import { InputError } from './error.ts';
import { fit } from './fit.ts';
import type { MethodName } from './modules/method.ts';
import { engineBytes } from './wasm.ts';

export interface Prediction {
  label: string;
  /** Index of the label. */
  index: number;
  /** Softmax probability, 0 … 1. */
  probability: number;
}

export interface ClassifierOptions {
  /** Folder of the base model: config.json and model.safetensors. */
  model: string;
  /** Adapter folder, or its weights file. */
  adapter: string;
  /** Most bytes of linear memory; a BudgetError says what would fit. */
  budgetBytes?: number;
  /** Pictures in one pass (1). */
  microBatch?: number;
}

export interface Classifier {
  labels: readonly string[];
  /** How pictures are prepared. */
  preprocess: Preprocess;
  /** Size of the linear memory. */
  linearBytes: number;
  engine: Engine;
  /** Classes of an upright RGB picture (width·height·3 bytes), most probable first. */
  predict(rgb: Uint8Array, width: number, height: number): Prediction[];
  /** The same for a picture that is prepared already (`preprocess`, H·W·3 bytes). */
  predictPrepared(pixels: Uint8Array): Prediction[];
  /** Changes to another adapter of the same base, method and number of classes. All of it is read and checked first: a refused one changes nothing. */
  changeAdapter(adapter: string): void;
}

export interface OpenedAdapter {
  engine: Engine;
  adapter: Omit<AdapterFile, 'weights'>;
}

/** Base + adapter in an engine that only infers. */
export function openInference({ model, adapter: path, budgetBytes, microBatch = 1 }: ClassifierOptions): OpenedAdapter {
  const adapter = readAdapter(path);
  try {
    const base = openBase(model, adapter.base.imageSize[0]);
    const weights = openWeights(base);
    try {
      checkBase(adapter, identity(base, weights));
      const preprocess = adapter.preprocessing as unknown as Preprocess;
      const { program } = fit({
        model: base.model,
        classes: adapter.labels.length,
        method: adapter.method as MethodName,
        purpose: 'infer',
        batchSize: microBatch,
        microBatch,
        normalize: preprocess,
        ...(budgetBytes === undefined ? {} : { budgetBytes }),
      });
      const engine = createEngine(program, engineBytes());
      loadWeights(engine, weights);
      applyAdapter(engine, adapter);
      const { weights: _closed, ...info } = adapter;
      return { engine, adapter: info };
    } finally {
      weights.close();
    }
  } finally {
    adapter.weights.close();
  }
}

/** Loads a base model with an adapter for repeated predictions. Throws InputError or BudgetError; allocates once. */
export function loadClassifier(options: ClassifierOptions): Classifier {
  const { engine, adapter } = openInference({ ...options, microBatch: 1 });
  let { labels } = adapter;
  const preprocess = adapter.preprocessing as unknown as Preprocess;
  const pictures = engine.bytes(Io.Pictures);
  const labelPort = engine.ints(Io.Labels);
  const logits = engine.floats(Io.Logits);

  const predictPrepared = (pixels: Uint8Array): Prediction[] => {
    if (pixels.length !== pictures.length)
      throw new InputError({ where: 'predictPrepared', what: 'wrong number of bytes', got: pixels.length, expected: pictures.length });
    pictures.set(pixels);
    labelPort.fill(-1);
    engine.run('eval');
    return ranked(logits, labels);
  };
  return {
    get labels() {
      return labels;
    },
    preprocess,
    linearBytes: engine.memory.buffer.byteLength,
    engine,
    predict(rgb, width, height) {
      if (!(width > 0 && height > 0) || rgb.length !== width * height * 3)
        throw new InputError({ where: 'predict', what: 'wrong number of bytes', got: rgb.length, expected: `${width}·${height}·3` });
      return predictPrepared(resizeRgb(rgb, width, height, preprocess));
    },
    predictPrepared,
    changeAdapter(path) {
      const next = readAdapter(path);
      try {
        checkBase(next, adapter.base);
        if (next.method !== adapter.method)
          throw new InputError({
            where: next.path,
            what: 'the adapter was trained with another method',
            got: next.method,
            expected: adapter.method,
          });
        if (next.labels.length !== labels.length)
          throw new InputError({
            where: next.path,
            what: 'the adapter has another number of classes',
            got: next.labels.length,
            expected: labels.length,
          });
        applyAdapter(engine, next);
        labels = next.labels;
      } finally {
        next.weights.close();
      }
    },
  };
}

/** Softmax of logits, most probable first. */
export function ranked(logits: Float32Array, labels: readonly string[]): Prediction[] {
  const top = logits.reduce((m, x) => Math.max(m, x), Number.NEGATIVE_INFINITY);
  const powers = Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers
    .map((p, index) => ({ label: labels[index]!, index, probability: p / sum }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index);
}
