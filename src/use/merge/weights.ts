/**
 * Where each learnt tensor goes in the checkpoint. Most replace the tensor that they were; the others:
 *
 *     convolution + batch norm      the program folds the norm: w' = w·γ/σ, b' = β + (b - μ)·γ/σ, b mostly absent. A learnt b' goes back as
 *                                   β = b' + (μ - b)·γ/σ; where w' has learnt, γ = σ is written, so that the norm scales by one: w = w', β = b' + μ - b
 *     linear layer + layer scale    w' = γ·w, b' = γ·b: written with γ = 1
 *     branches that were merged      what has been learnt is added to the first of them (branches.ts)
 *     low-rank product              added to its weight
 *     bias of q, k, v               where the checkpoint has none, the configuration's qkv_bias becomes true
 *     bias of Swin's merging        its layer has none; it moves through the weight into the norm before it (solve.ts)
 */
import { InputError } from '../../base/error.ts';
import type { Shape } from '../../base/tensor.ts';
import { ABSENT, type Node, shapeOf, type Value } from '../../graph/graph.ts';
import { headsOf, type Model } from '../../import/index.ts';
import { unbranch, unshift } from './branches.ts';
import type { Inputs, Merged, Merging } from './merging.ts';
import { type Edit, type LowRank, type Made, readFloats } from './rows.ts';
import { leastNorm } from './solve.ts';

const isParameter = (v: Value): boolean => v.kind !== undefined;

export function mergeWeights(inputs: Inputs): Merged {
  const { graph, learnt, where, weights } = inputs;
  const merged: Merged = { edits: new Map(), made: new Map(), qkvBias: false };
  const values = new Map(graph.values.filter(isParameter).map((v) => [v.name, v]));
  const used = new Set<string>();
  const edit = (tensor: string): Edit => {
    const known = merged.edits.get(tensor) ?? { slices: [], low: [] };
    merged.edits.set(tensor, known);
    return known;
  };
  const take = (name: string): Float32Array<ArrayBuffer> | undefined => {
    const found = learnt.get(name);
    if (found) used.add(name);
    return found;
  };
  const sourceOf = (weight: string): NonNullable<Value['source']> => {
    const source = values.get(weight)?.source;
    if (!source) throw new InputError({ where, what: `tensor ${weight} is not in the checkpoint` });
    return source;
  };
  const merging: Merging = {
    ...{ inputs, merged, products: lowRank(inputs, take), edit, take, sourceOf },
    replace: (tensor, contents) => void edit(tensor).slices.push({ start: 0, values: contents }),
    read(id) {
      const source = id === undefined || id < 0 ? undefined : graph.values[id]!.source;
      return source && readFloats(weights, weights.tensor(source.tensor));
    },
  };
  for (const node of graph.phases.init.filter((n) => n.op === 'Standardise')) refuseStandardised(merging, node);
  for (const node of graph.phases.init.filter((n) => n.op === 'FoldBatchNorm')) unfold(merging, node);
  for (const node of graph.phases.init.filter((n) => n.op === 'BatchNormTerms')) unshift(merging, node);
  unbranch(
    merging,
    graph.phases.init.filter((n) => n.op === 'MergeBranch'),
  );
  for (const [name, product] of merging.products) edit(sourceOf(name).tensor).low.push(product);
  for (const node of graph.phases.init.filter((n) => n.op === 'ResizePositions')) resize(merging, node);
  addHeads(inputs, merged.made, take);
  const orphans = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [name, contents] of learnt) {
    if (used.has(name)) continue;
    const source = values.get(name)?.source;
    if (source) edit(source.tensor).slices.push({ start: source.start, values: contents });
    else orphans.set(name, contents);
  }
  housed(inputs, merged, orphans, edit);
  return merged;
}

/** A folded pair of weight and bias, and the norm or scale that it was folded with. */
function unfold({ inputs: { graph }, products, edit, replace, take, read, sourceOf }: Merging, node: Node): void {
  const [w, bias] = node.updates.map((id) => graph.values[id]) as [Value, Value | undefined];
  const folds = graph.phases.init.filter((n) => n.op === 'FoldBatchNorm' && n.updates[0] === w.id);
  const [first, last] = [folds[0], folds.at(-1)];
  if (node !== first) return;
  // A bias that the checkpoint has in no form is looked after with its like.
  const isHoused = bias !== undefined && (bias.source !== undefined || node.inputs[1] !== ABSENT);
  const [newW, newB, product] = [take(w.name), isHoused ? take(bias.name) : undefined, products.get(w.name)];
  if (!newW && !newB && !product) return;
  products.delete(w.name);
  const c = node.attributes.depthwise ? shapeOf(graph, w.id).at(-1)! : shapeOf(graph, w.id)[0]!;
  const [gamma, beta, mean, variance] = node.inputs.map(read);
  const { tensor } = sourceOf(w.name);
  const tensorOf = (i: number): string => graph.values[node.inputs[i]!]!.source!.tensor;
  const each = (f: (o: number) => number): Float32Array => Float32Array.from({ length: c }, (_, o) => f(o));
  const deviation = (o: number): number => (variance ? Math.sqrt(variance[o]! + node.attributes.eps!) : 1);
  // A layer scale behind the norm was folded too: what it did is the norm's now.
  const later = last === node ? undefined : last!.inputs[0];
  const gain = later === undefined ? undefined : read(later);
  const factor = (o: number): number => ((gamma?.[o] ?? 1) / deviation(o)) * (gain?.[o] ?? 1);
  const isNorm = mean !== undefined;
  // Of a convolution that has a bias beside its norm, or of the layer that a scale was folded into; less the norm's mean.
  const before = read(bias?.id);
  const shift = (o: number): number => (before?.[o] ?? 0) - (mean?.[o] ?? 0);
  const folded = (o: number): number => newB?.[o] ?? (beta?.[o] ?? 0) * (gain?.[o] ?? 1) + shift(o) * factor(o);
  if (gain)
    replace(
      graph.values[later!]!.source!.tensor,
      each(() => 1),
    );
  if (isNorm && !newW && !product && !gain) {
    replace(
      tensorOf(1),
      each((o) => folded(o) - shift(o) * factor(o)),
    );
    return;
  }
  if (newW) edit(tensor).slices.push({ start: 0, values: newW });
  else edit(tensor).scale = Float64Array.from({ length: c }, (_, o) => factor(o));
  if (product) edit(tensor).low.push(product);
  replace(tensorOf(0), each(deviation));
  if (isNorm)
    replace(
      tensorOf(1),
      each((o) => folded(o) - shift(o)),
    );
  else if (isHoused) replace(sourceOf(bias.name).tensor, each(folded));
}

/** A filter that its library standardises whenever it is read: what has been learnt of it would be standardised again. */
function refuseStandardised({ inputs: { graph, learnt, where }, products }: Merging, node: Node): void {
  const { name } = graph.values[node.updates[0]!]!;
  if (!learnt.has(name) && !products.has(name)) return;
  throw new InputError({
    where,
    what: `${name} is standardised whenever it is read, so what it has learnt cannot be written back`,
    hint: 'method probe can be merged; export --onnx writes any',
  });
}

/** Position embeddings for the picture size that was trained. */
function resize({ inputs, merged, take }: Merging, node: Node): void {
  const { graph } = inputs;
  const [raw, resized] = [graph.values[node.inputs[0]!]!, graph.values[node.updates[0]!]!];
  const shape = [1, ...shapeOf(graph, resized.id)];
  merged.made.set(raw.source!.tensor, { shape, values: take(resized.name) ?? inputs.initialised(resized.id) });
}

/** Every learnt low-rank product, by the name of the weight that it adapts. */
function lowRank(
  { graph, learnt, method }: Inputs,
  take: (name: string) => Float32Array<ArrayBuffer> | undefined,
): Map<string, LowRank & { row: number }> {
  const products = new Map<string, LowRank>();
  const { lora } = method;
  if (!lora) return products;
  for (const name of learnt.keys()) {
    const layer = /^lora\.(.*)\.A$/.exec(name)?.[1];
    if (layer === undefined) continue;
    const weight = layer.replace(/(\[\d+:\d+\])?$/, (rows) => `.weight${rows}`);
    const value = graph.values.find((v) => isParameter(v) && v.name === weight)!;
    const [a, b] = [take(name)!, take(`lora.${layer}.B`)!];
    const k = a.length / lora.rank;
    products.set(weight, { row: (value.source?.start ?? 0) / k, rank: lora.rank, a, b, scale: lora.alpha / lora.rank });
  }
  return products;
}

/** The classifier, as often as the checkpoint has one: a distilled model averages two, of which a new head is both. */
function addHeads(
  { model, head, classes, weights }: Inputs,
  made: Map<string, Made>,
  take: (name: string) => Float32Array<ArrayBuffer> | undefined,
): void {
  const copies = headsOf(model);
  for (const name of head) {
    const values = take(name)!;
    const part = name.replace(/.*\./, '');
    // A 1×1 convolution's matrix has four axes.
    const axes = weights.tensors.get(name)?.shape.length ?? 2;
    const shape: Shape = part === 'bias' ? [classes] : [classes, values.length / classes, ...new Array<number>(axes - 2).fill(1)];
    made.set(name, { shape, values });
    for (const copy of copies.slice(1)) made.set(`${copy}.${part}`, { shape, values });
  }
}

/** Biases of layers that have none in the checkpoint. */
function housed(
  { model, where, weights, learnt }: Inputs,
  merged: Merged,
  orphans: Map<string, Float32Array<ArrayBuffer>>,
  edit: (tensor: string) => Edit,
): void {
  if (orphans.size === 0) return;
  for (const { layers, n } of projections(model)) {
    for (const [part, layer] of layers.entries()) {
      const isFused = layers.length === 1;
      const values = new Float32Array(isFused ? 3 * n : n);
      const parts = isFused
        ? [0, 2].map((i) => [`${layer}.bias[${i * n}:${(i + 1) * n}]`, i * n] as const)
        : [[`${layer}.bias`, 0] as const];
      for (const [name, start] of parts) {
        const learned = orphans.get(name);
        if (!learned) continue;
        values.set(learned, start);
        orphans.delete(name);
      }
      if (part === 0 || !isFused) merged.made.set(`${layer}.bias`, { shape: [values.length], values });
      merged.qkvBias = true;
    }
  }
  for (const { norm, reduction } of mergings(model)) {
    const bias = orphans.get(`${reduction}.bias`);
    if (!bias) continue;
    orphans.delete(`${reduction}.bias`);
    const moved = leastNorm(readFloats(weights, weights.tensor(`${reduction}.weight`)), bias);
    if (!moved)
      throw new InputError({
        where: `${where}, tensor ${reduction}.bias`,
        what: 'the layer has no bias in the checkpoint, and its weight is too close to singular to move it into the norm before it',
        hint: 'keep the adapter beside the model',
      });
    const beta = learnt.get(`${norm}.bias`) ?? readFloats(weights, weights.tensor(`${norm}.bias`));
    edit(`${norm}.bias`).slices.push({ start: 0, values: moved.map((x, i) => x + beta[i]!) });
  }
  for (const name of orphans.keys())
    throw new InputError({
      where: `${where}, tensor ${name}`,
      what: 'the layer has no bias in the checkpoint, and there is no other place for it',
      hint: 'keep the adapter beside the model',
    });
}

/** Projections to q, k, v of models whose checkpoints have no biases there: one fused layer, or three of `n` rows. */
const projections = ({ family, spec }: Model) => family.projections?.(spec) ?? [];

const mergings = ({ family, spec }: Model) => family.mergings?.(spec) ?? [];
