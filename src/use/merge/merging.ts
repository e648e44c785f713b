/** What a merge knows, and what becomes of it. */
import type { SafetensorsFile } from '../../formats/safetensors.ts';
import type { Graph, Value } from '../../graph/graph.ts';
import type { Model } from '../../import/index.ts';
import type { Method } from '../../network/method.ts';
import type { Edit, LowRank, Made } from './rows.ts';

export interface Inputs {
  graph: Graph;
  model: Model;
  weights: SafetensorsFile;
  method: Method;
  /** The adapter's tensors by name, and its path for messages. */
  learnt: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  where: string;
  /** Names of the classifier's tensors. */
  head: readonly string[];
  classes: number;
  /** Value of an initialised model, read out of the engine. */
  initialised(id: number): Float32Array<ArrayBuffer>;
}

export interface Merged {
  /** Changes of tensors that the file has. */
  edits: Map<string, Edit>;
  /** Tensors that it has not, or not in this shape. */
  made: Map<string, Made>;
  /** Biases of q, k, v were added. */
  qkvBias: boolean;
}

/** A merge under way: what it has so far, and how its steps read and change it. */
export interface Merging {
  inputs: Inputs;
  merged: Merged;
  /** Low-rank products that have not found their place yet, by the name of the weight that they adapt. */
  products: Map<string, LowRank & { row: number }>;
  /** The changes of one of the file's tensors. */
  edit(tensor: string): Edit;
  replace(tensor: string, contents: Float32Array): void;
  /** A learnt value, which counts as used. */
  take(name: string): Float32Array<ArrayBuffer> | undefined;
  /** What the file holds for a value. */
  read(id: number | undefined): Float32Array | undefined;
  sourceOf(weight: string): NonNullable<Value['source']>;
}
