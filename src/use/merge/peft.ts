/**
 * An adapter as PEFT loads it over the base, for who serves models in PyTorch:
 *
 *     low-rank products     LoRA of the layer; those of a fused q, k, v are stacked: A = [Aq; Av], B block by block, rank and alpha as many times
 *     biases                PEFT's `bias: all`, which puts the whole tensor in the base's place
 *     the classifier        `modules_to_save`
 *
 * transformers 5 calls the layers of ViT, DeiT and Swin otherwise than checkpoints do and transformers 4 did, and PEFT goes by those names: each
 * such tensor is written under both, of which one is ignored.
 *
 * PEFT knows biases beside low-rank products alone, so an adapter without any gets one of rank 1 that is zero. What changes more than that is
 * refused (a weight, the size of the positions, a bias that the checkpoint has not): `s2a merge` has a place for it.
 */
import { join } from 'node:path';
import { InputError } from '../../base/error.ts';
import { makeFolder, writeAtomic, writeText } from '../../base/files.ts';
import { stableJson } from '../../base/json.ts';
import { guardOutput } from '../../base/output.ts';
import { type SafetensorsFile, type TensorData, writeTensors } from '../../formats/safetensors.ts';
import { type Graph, valueAt } from '../../graph/graph.ts';
import { isFolded } from './folded.ts';
import { withMerged } from './merge.ts';
import { type Edit, type LowRank, readFloats } from './rows.ts';

/** What is exported, and where to. */
export interface PeftOptions {
  /** Folder of the model that the adapter was trained on. */
  model: string;
  /** The adapter's folder, or its weights file. */
  adapter: string;
  /** Folder for adapter_config.json, adapter_model.safetensors and labels.json. */
  out: string;
}

/** What exporting wrote. */
export interface PeftResult {
  /** The folder. */
  out: string;
  /** The classes' names, in the order of the logits. */
  classes: readonly string[];
  /** How many layers have a low-rank product that was learnt. */
  layers: number;
  /** How many biases replace the base's. */
  biases: number;
}

/** Writes the folder. Throws InputError where PEFT has no place for what was learnt. */
export function exportPeft({ model, adapter: path, out }: PeftOptions): PeftResult {
  guardOutput(out, { model, adapter: path });
  return withMerged(model, path, (all) => {
    const { adapter, base, weights, graph, merged, named } = all;
    if (isFolded(base.model))
      throw new InputError({
        where: join(base.folder, 'config.json'),
        what: 'its batch norms are folded, which no other library reads, so there is no base for PEFT',
        hint: 's2a merge without --peft writes a folder that transformers loads',
      });
    const { layers, biases } = learntParts(all);
    const heads = [...new Set([...merged.made.keys()].map((tensor) => tensor.replace(/\.[^.]*$/, '')))];
    const learnt = layers.size;
    // PEFT takes no adapter without a layer, so one gets a product of zeros where none learnt. transformers' MobileNetV2 asks its
    // convolutions for their stride, which PEFT's wrapper has not: there that is the head.
    const onHead =
      learnt === 0 && base.model.library === 'transformers' && 'tfPadding' in base.model.spec && base.model.spec.tfPadding === true;
    if (learnt === 0) {
      const tensor = onHead ? `${heads[0]}.weight` : firstLayer(graph);
      const shape = onHead ? merged.made.get(tensor)!.shape : weights.tensor(tensor).shape;
      layers.set(onHead ? heads[0]! : named(tensor.replace(/\.weight$/, '')), nothing(shape));
    }
    const made = [...merged.made].map(([name, { shape, values }]) =>
      f32(onHead ? name.replace(/\.(\w+)$/, '.base_layer.$1') : name, shape, values),
    );
    const tensors = [...made, ...tensorsOf(layers, biases)];
    const config = configOf({ model, layers, biases, heads: onHead ? null : heads });
    makeFolder(out);
    writeAtomic(join(out, 'adapter_model.safetensors'), (write) =>
      writeTensors(out, write, tensors, { format: 'pt', labels: JSON.stringify(adapter.labels) }),
    );
    writeText(join(out, 'labels.json'), `${JSON.stringify(adapter.labels, undefined, 2)}\n`);
    writeText(join(out, 'adapter_config.json'), `${stableJson(config, 2)}\n`);
    return { out, classes: adapter.labels, layers: learnt, biases: biases.size };
  });
}

/** By module: low-rank products that were learnt, and biases that replace the base's. */
interface Learnt {
  layers: Map<string, Product>;
  biases: Map<string, Float32Array>;
}

function learntParts({ adapter, weights, merged, named }: Parameters<Parameters<typeof withMerged>[2]>[0]): Learnt {
  const refuse = (tensor: string, what: string): never => {
    throw new InputError({
      where: `${adapter.path}, ${tensor}`,
      what: `PEFT has no place for ${what}`,
      hint: 's2a merge without --peft writes one model of both',
    });
  };
  const layers = new Map<string, Product>();
  const biases = new Map<string, Float32Array>();
  for (const [tensor, edit] of merged.edits) {
    const module = tensor.replace(/\.[^.]*$/, '');
    if (edit.low.length > 0 && edit.slices.length === 0 && !edit.scale)
      layers.set(named(module), stacked(edit.low, weights.tensor(tensor).shape));
    else if (tensor.endsWith('.bias') && edit.low.length === 0 && !edit.scale) biases.set(named(module), edited(weights, tensor, edit));
    else refuse(tensor, 'a weight that is scaled or replaced');
  }
  const isHead = (tensor: string): boolean =>
    adapter.head.includes(tensor) || /(^|\.)(head_dist|distillation_classifier)\.(weight|bias)$/.test(tensor);
  for (const tensor of merged.made.keys()) if (!isHead(tensor)) refuse(tensor, 'a tensor that the base has not, or has in another shape');
  return { layers, biases };
}

function tensorsOf(layers: Learnt['layers'], biases: Learnt['biases']): TensorData[] {
  const tensors: TensorData[] = [];
  for (const [module, { a, b }] of layers)
    for (const name of namesOf(module))
      tensors.push(f32(`${name}.lora_A.weight`, a.shape, a.values), f32(`${name}.lora_B.weight`, b.shape, b.values));
  // PEFT moves a layer that it wraps one name down.
  for (const [module, values] of biases)
    for (const name of namesOf(module))
      tensors.push(f32(`${name}${layers.has(module) ? '.base_layer' : ''}.bias`, [values.length], values));
  return tensors;
}

/** adapter_config.json. `heads`: what is saved whole. */
function configOf({ model, layers, biases, heads }: Learnt & { model: string; heads: string[] | null }): Record<string, unknown> {
  const [first] = layers.values();
  return {
    peft_type: 'LORA',
    task_type: null,
    base_model_name_or_path: model,
    inference_mode: true,
    r: first!.rank,
    lora_alpha: first!.alpha,
    lora_dropout: 0,
    fan_in_fan_out: false,
    bias: biases.size > 0 ? 'all' : 'none',
    target_modules: [...layers.keys()].flatMap(namesOf),
    rank_pattern: patterns(layers, ({ rank }) => rank),
    alpha_pattern: patterns(layers, ({ alpha }) => alpha),
    modules_to_save: heads,
  };
}

/** What transformers 5 made of a checkpoint's names, in this order. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^(vit|deit)\.encoder\.layer\./, '$1.layers.'],
  [/\.attention\.(?:attention|self)\.([qkv])[a-z]*$/, '.attention.$1_proj'],
  [/\.attention\.output\.dense$/, '.attention.o_proj'],
  [/\.intermediate\.dense$/, '.mlp.fc1'],
  [/\.output\.dense$/, '.mlp.fc2'],
];

/** A module's names: the checkpoint's, and where transformers 5 has another, that. */
function namesOf(module: string): string[] {
  if (!/^(vit|deit|swin)\./.test(module)) return [module];
  const renamed = RENAMED.reduce((name, [from, to]) => name.replace(from, to), module);
  return renamed === module ? [module] : [module, renamed];
}

interface Matrix {
  shape: readonly number[];
  values: Float32Array;
}

/** y += alpha/rank · B·A·x. */
interface Product {
  rank: number;
  alpha: number;
  a: Matrix;
  b: Matrix;
}

/** The products of one layer as one: each writes rows of its own. A convolution's have its kernel's axes. */
function stacked(low: readonly LowRank[], shape: readonly number[]): Product {
  const [rows, ...inner] = shape as [number, ...number[]];
  const rank = low.reduce((n, product) => n + product.rank, 0);
  const k = inner.reduce((n, d) => n * d, 1);
  const a = new Float32Array(rank * k);
  const b = new Float32Array(rows * rank);
  let at = 0;
  for (const product of low) {
    a.set(product.a, at * k);
    for (let i = 0; i < product.b.length; i++)
      b[(product.row + Math.floor(i / product.rank)) * rank + at + (i % product.rank)] = product.b[i]!;
    at += product.rank;
  }
  return {
    rank,
    alpha: low[0]!.scale * rank,
    a: { shape: [rank, ...inner], values: a },
    b: { shape: [rows, rank, ...inner.slice(1).map(() => 1)], values: b },
  };
}

/** A product of rank 1 that changes nothing. */
function nothing(shape: readonly number[]): Product {
  const [rows, k] = [shape[0]!, shape.slice(1).reduce((n, d) => n * d, 1)];
  return stacked([{ row: 0, rank: 1, a: new Float32Array(k), b: new Float32Array(rows), scale: 1 }], shape);
}

/** The first layer that PEFT could adapt. */
function firstLayer(graph: Graph): string {
  const node = graph.phases.eval.find(
    ({ op, inputs }) => (op === 'Linear' || op === 'Conv') && valueAt(graph, inputs[1]!).source !== undefined,
  );
  return valueAt(graph, node!.inputs[1]!).source!.tensor;
}

/** A tensor of the file with the elements that were learnt in their places. */
function edited(weights: SafetensorsFile, tensor: string, { slices }: Edit): Float32Array {
  const values = readFloats(weights, weights.tensor(tensor));
  for (const slice of slices) values.set(slice.values, slice.start);
  return values;
}

const f32 = (name: string, shape: readonly number[], values: Float32Array): TensorData => ({
  ...{ name: `base_model.model.${name}`, dtype: 'F32', shape },
  data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

const patterns = (layers: ReadonlyMap<string, Product>, of: (product: Product) => number): Record<string, number> =>
  Object.fromEntries([...layers].flatMap(([module, product]) => namesOf(module).map((name) => [name, of(product)])));
