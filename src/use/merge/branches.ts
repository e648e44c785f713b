/**
 * Where the shift of a batch norm that stands alone goes, b = β - μ·γ/σ: what has been learnt of it is β's.
 *
 * Where a filter and its bias go that stand for several branches, w = Σ wᵢ·fᵢ, b = Σ βᵢ - μᵢ·fᵢ, f = γ/σ: what has been learnt is added to the first
 * branch. Where w has learnt, γ = σ is written, so that its norm scales by one: w₀ = w₀·f₀ + Δw, β₀ = β₀ + μ₀·(1 - f₀) + Δb. Where branches are scaled
 * by s, Δw/s and Δb/s are added.
 */
import { InputError } from '../../base/error.ts';
import { elements } from '../../base/tensor.ts';
import type { Layout, Node, Value } from '../../graph/graph.ts';
import type { Merging } from './merging.ts';

/** `nodes`: every branch of a program, of which the first of a filter is a convolution as large as it. */
export function unbranch(merging: Merging, nodes: readonly Node[]): void {
  const seen = new Set<number>();
  for (const node of nodes) {
    if (!seen.has(node.updates[0]!)) first(merging, node);
    seen.add(node.updates[0]!);
  }
}

function first({ inputs: { graph, where, initialised }, products, replace, take, read }: Merging, node: Node): void {
  const [w, bias] = node.updates.map((id) => graph.values[id]!) as [Value, Value];
  const [newW, newB] = [take(w.name), take(bias.name)];
  if (products.has(w.name))
    throw new InputError({
      where,
      what: `${w.name} is merged from several branches, into which a low-rank product cannot be written back`,
      hint: 'methods bias, full and probe can be merged',
    });
  if (!newW && !newB) return;
  const [x, gamma, beta, mean, variance, scale] = node.inputs.map(read) as Float32Array[];
  if (scale?.some((s) => s === 0))
    throw new InputError({
      where,
      what: `${w.name} is merged from branches whose scale is 0 somewhere, into which nothing can be written back`,
      hint: 'keep the adapter beside the model',
    });
  const share = (o: number): number => 1 / (scale?.[o] ?? 1);
  const tensorOf = (i: number): string => graph.values[node.inputs[i]!]!.source!.tensor;
  const deviation = variance!.map((v) => Math.sqrt(v + node.attributes.eps!));
  const before = initialised(bias.id);
  const moved = (o: number): number => (newB ? (newB[o]! - before[o]!) * share(o) : 0);
  if (!newW) {
    replace(
      tensorOf(2),
      beta!.map((v, o) => v + moved(o)),
    );
    return;
  }
  const old = inFile(initialised(w.id), w.layout!);
  const each = x!.length / gamma!.length;
  replace(
    tensorOf(0),
    x!.map((v, i) => {
      const o = Math.floor(i / each);
      return v * (gamma![o]! / deviation[o]!) + (newW[i]! - old[i]!) * share(o);
    }),
  );
  replace(tensorOf(1), deviation);
  replace(
    tensorOf(2),
    beta!.map((v, o) => v + mean![o]! * (1 - gamma![o]! / deviation[o]!) + moved(o)),
  );
}

/** A value of the arena in the order of the checkpoint. */
function inFile(values: Float32Array, { shape, dims: [n0, n1, n2], strides: [s0, s1, s2] }: Layout): Float32Array {
  const out = new Float32Array(elements(shape));
  let at = 0;
  for (let i = 0; i < n0; i++) for (let j = 0; j < n1; j++) for (let k = 0; k < n2; k++) out[at++] = values[i * s0 + j * s1 + k * s2]!;
  return out;
}

/** A batch norm that stands alone. */
export function unshift({ inputs: { graph }, replace, take, read }: Merging, node: Node): void {
  const learnt = take(graph.values[node.updates[1]!]!.name);
  const beta = node.inputs[1]!;
  if (!learnt || beta < 0) return;
  const [gamma, , mean, variance] = node.inputs.map(read) as Float32Array[];
  replace(
    graph.values[beta]!.source!.tensor,
    learnt.map((v, o) => v + (mean![o]! * gamma![o]!) / Math.sqrt(variance![o]! + node.attributes.eps!)),
  );
}
