/** Which values need a gradient, and what each operator keeps for it. */

import type { Keep } from '../../assembly/abi/keep.ts';
import type { Kind } from '../../assembly/generated/kinds.ts';
import { ABSENT, addValue, type Graph, type Node, u8, valueAt } from '../graph/graph.ts';
import type { Saved } from '../ops/def.ts';
import { definition, emit, keepOutputs, scratchOf } from '../ops/index.ts';
import type { KeepClass } from '../ops/keepclasses.ts';
import { codebookBytes } from './codebook.ts';
import { tables } from './codebooktables.ts';
import type { KeepPolicy } from './keeppolicy.ts';
import { noRepeats, type Repeats } from './recompute.ts';

/** For every value id: does training need its gradient? Parameters do, and whatever is computed from one (but for a node that detaches). */
export function gradientNeeds(graph: Graph): boolean[] {
  const needs = graph.values.map((v) => v.role === 'param');
  for (const node of graph.phases.train)
    if (!node.attributes.detach && node.inputs.some((id) => id !== ABSENT && needs[id])) for (const id of node.outputs) needs[id] = true;
  return needs;
}

const inputNeeds = (node: Node, needs: readonly boolean[]): boolean[] => node.inputs.map((id) => id !== ABSENT && (needs[id] as boolean));

/** The choice that a plan asks for; the exact one where the operator does not offer it there. */
const pick = (choices: readonly Saved[], { of }: KeepPolicy): Saved | undefined =>
  choices.find(({ as }) => Object.entries(as).every(([name, choice]) => of[name as KeepClass] === choice)) ?? choices[0];

/**
 * Chooses, for each forward node on the way of a gradient, one of the operator's legal ways to keep what backward needs. With `ownTables` every
 * layer gets its own derivative table instead of one of its kind.
 */
export function chooseSaved(
  graph: Graph,
  needs: boolean[],
  plan: KeepPolicy,
  { runs, added }: Repeats = noRepeats(),
  ownTables = false,
): void {
  const codebooks = new Map<string, number>();
  const copies = new Map<number, number>();
  // A quantised copy is made just before the first node that keeps it; later nodes with the same input share it.
  const chosen = (nodes: readonly Node[], isChosen: (node: Node) => boolean): Node[] => {
    const train = graph.phases.train;
    graph.phases.train = [];
    for (const node of nodes) {
      if (isChosen(node)) choose(node);
      graph.phases.train.push(node);
    }
    const result = graph.phases.train;
    graph.phases.train = train;
    return result;
  };
  // A block that is computed again keeps what backward needs the second time. Last blocks run again first.
  graph.phases.train = chosen(graph.phases.train, (node) => !runs.has(node.block) || node.isBackward);
  for (const [block, run] of [...runs].reverse()) {
    const again = chosen(run, () => true);
    for (const node of again) {
      node.isBackward = true;
      added.add(node);
    }
    runs.set(block, again);
  }

  /** The copy of input `i`: the one that is there, or one made before the node. */
  function copyOf(node: Node, i: number, { attributes = {} }: Saved): number {
    const x = node.inputs[i] as number;
    const how = { phase: 'train', block: node.block } as const;
    const copy = copies.get(x) ?? emit(graph, 'Quantize', `${valueAt(graph, x).name}.copy`, [x], attributes, how).outputs[0]!;
    copies.set(x, copy);
    return copy;
  }

  function choose(node: Node): void {
    if (!needs[node.outputs[0] as number]) return;
    const choice = pick(definition(node.op).saves?.(node, graph, inputNeeds(node, needs)) ?? [], plan);
    if (choice === undefined) return;
    Object.assign(node.attributes, choice.attributes, { keep: choice.keep satisfies Keep });
    node.scratchBytes = scratchOf(graph, node);
    keepOutputs(graph, node, choice.extra);
    const { quantize } = choice;
    if (typeof quantize === 'number') node.attributes.codes = copyOf(node, quantize, choice);
    else for (const i of quantize ?? []) node.attributes[`codes${i}`] = copyOf(node, i, choice);
    if (choice.codebook !== undefined) {
      const key = ownTables ? layerOf(node.name) : String(choice.codebook);
      const known = codebooks.get(key) ?? addCodebook(graph, choice.codebook, key);
      codebooks.set(key, known);
      node.inputs[1] = known;
    }
  }
}

/** A layer's name, also where it is computed again, in evaluation or in tiles. */
export const layerOf = (node: string): string => node.replace(/^eval\./, '').replace(/(\.again)?(#\d+)?$/, '');
/** The value that holds a layer's own table. */
export const codebookName = (key: string): string => `codebook.${key}`;

/** The derivative table of an activation, as a constant beside the program; shared by all of a kind, or a layer's own. */
function addCodebook(graph: Graph, kind: Kind, key: string): number {
  const table = tables[kind];
  if (table === undefined) throw new RangeError(`saved: no codebook for activation ${kind}`);
  const data = codebookBytes(table);
  return addValue(graph, codebookName(key), u8(data.length), 'table', { data });
}

/**
 * Bytes that an f32 autograd (PyTorch eager) would keep for the same gradients: every storage once and whole, parameters excluded.
 * Run before `addBackward`, while the train phase is forward and loss alone.
 */
export function autogradBytes(graph: Graph, needs: readonly boolean[]): number {
  const storages = new Map<number, Storage>();
  const storageOf = (id: number): Storage => storages.get(id) ?? { id, scale: 1 };
  const kept = new Map<number, number>();
  let bytes = 0;
  for (const node of graph.phases.train) {
    const { storage, autograd } = definition(node.op);
    const [x, y] = [node.inputs[0] as number, node.outputs[0] as number];
    const own = storage?.(node, graph) ?? 'own';
    const from = storageOf(x);
    if (own === 'view') storages.set(y, { id: from.id, scale: (graph.values[x]!.bytes / graph.values[y]!.bytes) * from.scale });
    else if (own === 'rows') storages.set(y, { id: y, scale: from.scale });
    if (!needs[y]) continue;
    const saved = autograd?.(node, graph, inputNeeds(node, needs));
    for (const id of saved?.values ?? []) kept.set(storageOf(id).id, graph.values[id]!.bytes * storageOf(id).scale);
    bytes += (saved?.bytes ?? 0) * (own === 'rows' ? from.scale : 1);
  }
  for (const size of kept.values()) bytes += size;
  return bytes;
}

/** The storage behind a value in PyTorch: that of value `id`, `scale` times as large as the value. */
interface Storage {
  id: number;
  scale: number;
}
