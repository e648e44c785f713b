/**
 * An adapter merged into its base: a model folder as Hugging Face or timm write it, with the adapter's classes, whose own head gives the
 * adapter's logits. Weights go from one file to the other a piece at a time, and all of them as f32: what was learnt is finer than f16.
 */

import { join } from 'node:path';
import { InputError } from '../../base/error.ts';
import { fileExists, makeFolder, writeText } from '../../base/files.ts';
import { stableJson } from '../../base/json.ts';
import { guardOutput } from '../../base/output.ts';
import { compile } from '../../compile.ts';
import { createEngine, loadWeights } from '../../engine/engine.ts';
import { engineBytes } from '../../engine/wasm.ts';
import { type AdapterFile, checkBase, readAdapter } from '../../formats/adapterfile.ts';
import { type SafetensorsFile, type TensorData, writeSafetensors } from '../../formats/safetensors.ts';
import { type Graph, numel } from '../../graph/graph.ts';
import {
  ARRAY_INPUT,
  identity,
  type ModelFolder,
  openBaseOf,
  openModelFolder,
  openWeights,
  ownPreparation,
  refuseOnnx,
} from '../../import/modelfolder.ts';
import { prefixOf, savedAs } from '../../import/published.ts';
import { isArrayPreparation } from '../../input/example.ts';
import { checkPreparation, type Preparation } from '../../input/index.ts';
import { methodOf } from '../../network/method.ts';
import { constantsOf, taskOf } from '../../task/index.ts';
import { checkTensors, isHeadTensor } from '../../training/adapter.ts';
import { mergedConfig, mergedProcessor } from './config.ts';
import { identityNorms } from './folded.ts';
import type { Merged } from './merging.ts';
import { editedPieces, isFloat } from './rows.ts';
import { mergeWeights } from './weights.ts';

/** What is merged, and where to. */
export interface MergeOptions {
  /** Folder of the model that the adapter was trained on. */
  model: string;
  /** The adapter's folder, or its weights file. */
  adapter: string;
  /** A new folder, or one without a model. */
  out: string;
}

/** What merging wrote. */
export interface MergeResult {
  /** The folder. */
  out: string;
  /** The classes' names, in the order of the logits. */
  classes: readonly string[];
  /** Tensors in the file. */
  tensors: number;
  /** How many of them differ from the base. */
  changed: number;
  /** How many of them the base has not in this shape. */
  added: number;
  /** Bytes of the weights file. */
  bytes: number;
}

/** Base and adapter, opened, and where in the checkpoint everything learnt belongs. */
export interface Opened {
  base: ModelFolder;
  adapter: AdapterFile;
  preprocess: Preparation;
  weights: SafetensorsFile;
  graph: Graph;
  merged: Merged;
  /** A tensor's name in a classifier: a bare backbone's lack its prefix. */
  named(tensor: string): string;
  isBare: boolean;
}

const AS_IT_IS = 'use the adapter as it is: s2a predict <model> <adapter>';

/** Opens both, merges in the mind, and closes them whatever `use` does. Throws InputError for an adapter of another base, for prompts, side branches and networks that end early. */
export function withMerged<T>(model: string, path: string, use: (opened: Opened) => T): T {
  const adapter = readAdapter(path);
  try {
    const method = methodOf(adapter.method, adapter.path);
    for (const module of ['prompt', 'side'] as const)
      if (method[module])
        throw new InputError({
          where: adapter.path,
          what: `a ${module} is no part of the base's own network and cannot be merged`,
          got: adapter.method,
          expected: 'bias, lora, probe or full',
          hint: AS_IT_IS,
        });
    if (method.depth)
      throw new InputError({
        where: adapter.path,
        what: 'an adapter of a network that ends early does not fit the base, and cannot be merged',
        got: adapter.method,
        hint: AS_IT_IS,
      });
    const base = openBaseOf(adapter, model);
    refuseOnnx(base, 'merged with an adapter into a model folder', 's2a export --onnx writes both as one ONNX file');
    const { ownHead } = base.model.family;
    if (ownHead !== undefined)
      throw new InputError({
        where: model,
        what: `no folder could hold the merged network: ${ownHead}`,
        hint: `${AS_IT_IS}, or s2a export --onnx`,
      });
    const preprocess = checkPreparation(adapter.preprocessing, adapter.path);
    const weights = openWeights(base);
    try {
      checkBase(adapter, identity(base, weights));
      const classes = adapter.labels.length;
      const { program, graph, plan } = compile({ model: base.model, classes, microBatch: 1, method: method.name, purpose: 'infer' });
      const learnt = new Map(checkTensors({ program }, adapter).map(({ record, values }) => [record.name, values]));
      const merged = mergeWeights({
        ...{ graph, model: base.model, weights, method, learnt, where: adapter.path, head: adapter.head, classes },
        initialised(id) {
          const engine = createEngine(program, engineBytes());
          loadWeights(engine, weights);
          return new Float32Array(engine.memory.buffer, plan.offsets[id]!, numel(graph.values[id]!.type.shape)).slice();
        },
      });
      inUnits(merged, adapter);
      const { bare, type } = base.model;
      const named = (name: string): string => (!bare || adapter.head.includes(name) ? name : `${prefixOf(type)}.${name}`);
      return use({ base, adapter, preprocess, weights, graph, merged, named, isBare: bare });
    } finally {
      weights.close();
    }
  } finally {
    adapter.weights.close();
  }
}

/** A head of numbers answers in their units: rows times the deviation, biases plus the mean. */
function inUnits({ made }: Merged, { task, labels, path }: AdapterFile): void {
  if (task === undefined || !taskOf(task.name, path).constants.includes('std')) return;
  const constants = constantsOf(task, labels.length, path);
  const [mean, std] = [constants.subarray(0, labels.length), constants.subarray(labels.length)];
  for (const [name, { shape, values }] of made) {
    if (!isHeadTensor(name) || shape[0] !== labels.length) continue;
    const row = values.length / labels.length;
    const isBias = name.endsWith('.bias');
    const scaled = values.map((x, i) => x * std[Math.floor(i / row)]! + (isBias ? mean[i]! : 0));
    made.set(name, { shape, values: scaled });
  }
}

/** Merges into a new folder. */
export function mergeAdapter({ model, adapter: path, out }: MergeOptions): MergeResult {
  guardOutput(out, { model, adapter: path });
  if (fileExists(join(out, 'model.safetensors')))
    throw new InputError({ where: '--out', what: 'holds a model, which is not written over', got: out, expected: 'another folder' });
  return withMerged(model, path, ({ base, adapter, preprocess, weights, merged, named, isBare }) => {
    const norms = identityNorms(base.model, join(base.folder, 'config.json'));
    // A classifier of another class knows nothing of what only pretraining read.
    const { unread = [], ofClasses = [] } = base.model.family;
    const left = savedAs(base.model.type) === base.model.type ? ofClasses : unread;
    const placed = (name: string): string => named(norms.renamed.get(name) ?? name);
    const tensors: TensorData[] = [...merged.made].map(([name, { shape, values }]) => ({
      ...{ name: placed(name), dtype: 'F32', shape },
      data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    }));
    for (const norm of norms.made) tensors.push({ ...norm, name: named(norm.name) });
    for (const tensor of weights.tensors.values()) {
      const { name, dtype, shape } = tensor;
      // A bare backbone's pooler has no place in a classifier.
      if (merged.made.has(name) || (isBare && name.startsWith('pooler.')) || left.some((r) => r.test(name))) continue;
      if (isFloat(tensor))
        tensors.push({ name: placed(name), dtype: 'F32', shape, data: () => editedPieces(weights, tensor, merged.edits.get(name)) });
      else tensors.push({ name: placed(name), dtype, shape, data: () => whole(tensor.bytes, (target) => weights.read(tensor, target)) });
    }

    const config = mergedConfig(base, { labels: adapter.labels, task: adapter.task, qkvBias: merged.qkvBias });
    const isArrays = isArrayPreparation(preprocess);
    const processor = isArrays ? undefined : mergedProcessor(base, preprocess);
    if (processor === undefined && !isArrays && base.model.library === 'transformers')
      throw new InputError({
        where: adapter.path,
        what: 'no image processor of transformers makes such pictures: they keep their shape until they cover height and width',
        got: base.model.image.join('x'),
        hint: AS_IT_IS,
      });
    makeFolder(out);
    const file = join(out, 'model.safetensors');
    writeSafetensors(file, tensors, { format: 'pt' });
    if (processor) writeText(join(out, 'preprocessor_config.json'), `${JSON.stringify(processor, undefined, 2)}\n`);
    if (isArrays) writeText(join(out, ARRAY_INPUT), `${stableJson(preprocess, 2)}\n`);
    // Last: a folder without it is no model.
    writeText(join(out, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`);
    const made = ownPreparation(openModelFolder(out));
    if (stableJson(made) !== stableJson(preprocess))
      throw new InputError({
        where: out,
        what: 'the merged folder would prepare pictures otherwise than the adapter wants',
        hint: 'give the base that it was trained on',
      });
    return {
      out,
      classes: adapter.labels,
      tensors: tensors.length,
      changed: merged.edits.size,
      added: merged.made.size,
      bytes: tensors.reduce((n, t) => n + numel(t.shape) * 4, 0),
    };
  });
}

function whole(bytes: number, read: (target: Uint8Array) => void): Uint8Array {
  const target = new Uint8Array(bytes);
  read(target);
  return target;
}
