/**
 * Recompute (gradient checkpointing): of a block only its inputs are kept, as f32 or as a copy of 8 or 4 bits an element, and its forward pass runs again right
 * before its backward.
 *
 *     forward    x ─┬─► block (keeps nothing) ─► y          backward    copy ─► x′ ─► block again (keeps what it would) ─► dx
 *                   └─► copy
 *
 * What was computed first is what goes on, so the forward result does not depend on it; from f32 inputs the gradients do not either.
 */
import { InputError } from '../base/error.ts';
import { ABSENT, addValue, type Graph, type Node, rangeOf, rootOf, shapeOf, valueAt } from '../graph/graph.ts';
import { emit } from '../ops/index.ts';
import { copyBytes } from '../ops/quantize.ts';

/** Bits an element that a block's inputs are kept in. */
export type Bits = 32 | 8 | 4;
/** By block (-1: what stands before the first): those that are computed again, and how their inputs are kept. */
export type Recompute = ReadonlyMap<number, Bits>;

/** As text: runs of blocks with the bits of their inputs, as `0-5:8,6:4`; `none`. */
export function recomputeName(recompute: Recompute = new Map()): string {
  const runs: { from: number; to: number; bits: Bits }[] = [];
  for (const [block, bits] of [...recompute].sort(([a], [b]) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run.to === block - 1 && run.bits === bits) run.to = block;
    else runs.push({ from: block, to: block, bits });
  }
  const name = (block: number): string => (block < 0 ? 'stem' : `${block}`);
  const list = runs.map(({ from, to, bits }) => `${name(from)}${to > from ? `-${name(to)}` : ''}:${bits}`);
  return list.length === 0 ? 'none' : list.join(',');
}

/** What may be asked for; see `recomputeOf`. */
export type RecomputeChoice = 'none' | 'all' | 'auto' | number | Recompute;

/** Reads `none`, `all`, `auto`, how many blocks, or which in how many bits, as `stem:8,0-5:8,6:4`. */
export function recomputeOf(text: string, where = '--recompute'): RecomputeChoice {
  if (text === 'none' || text === 'all' || text === 'auto') return text;
  if (/^\d{1,4}$/.test(text)) return Number(text);
  const map = new Map<number, Bits>();
  for (const part of text.split(',')) {
    const [, from, to, bits] = /^(stem|\d{1,4})(?:-(\d{1,4}))?:(32|8|4)$/.exec(part) ?? [];
    if (from === undefined)
      throw new InputError({
        where,
        what: 'wrong value',
        got: text,
        expected: 'none, all, auto, a number of blocks, or blocks:bits as 0-5:8,6:4',
      });
    const first = from === 'stem' ? -1 : Number(from);
    for (let block = first; block <= Number(to ?? first); block++) map.set(block, Number(bits) as Bits);
  }
  return map;
}

/** What is computed again. */
export interface Repeats {
  /** By block: the nodes of its second run, in order. They are in no phase yet: backward puts them where it needs them. */
  runs: Map<number, Node[]>;
  /** The value that each value of a second run is again. */
  origin: Map<number, number>;
  /** Nodes that exist for a second run alone: those whose results nothing reads can go. */
  added: Set<Node>;
}

export const noRepeats = (): Repeats => ({ runs: new Map(), origin: new Map(), added: new Set() });

/** Doubles the blocks asked for; `needs` (see gradientNeeds) grows by the new values. Before `chooseSaved`, which chooses for second runs instead of first ones. */
export function addRepeats(graph: Graph, needs: boolean[], recompute: Recompute): Repeats {
  const repeats = noRepeats();
  const copies = new Map<number, number>();
  const forward = graph.phases.train;
  graph.phases.train = [];
  const isRepeated = (node: Node): boolean =>
    !node.isBackward && recompute.has(node.block) && forward.some((n) => n.block === node.block && n.outputs.some((id) => needs[id]));
  const blocks = [...new Set(forward.filter(isRepeated).map((node) => node.block))];
  for (const node of forward) {
    const isFirst = blocks.includes(node.block) && !repeats.runs.has(node.block);
    if (isFirst) {
      const nodes = forward.filter((n) => n.block === node.block && !n.isBackward);
      const run = secondRun(graph, nodes, recompute.get(node.block)!, copies, repeats);
      repeats.runs.set(node.block, run);
      for (const again of run) {
        repeats.added.add(again);
        for (const id of again.outputs) needs[id] = needs[repeats.origin.get(id)!]!;
      }
    }
    graph.phases.train.push(node);
  }
  return repeats;
}

/** The nodes of one block again, on values of their own; copies of its inputs are appended to the train phase. */
function secondRun(graph: Graph, nodes: readonly Node[], bits: Bits, copies: Map<number, number>, { origin, added }: Repeats): Node[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const now = new Map<number, number>();
  const run: Node[] = [];
  const aside = (fill: () => void): void => {
    const train = graph.phases.train;
    graph.phases.train = run;
    fill();
    graph.phases.train = train;
  };
  const { block } = nodes[0] as Node;
  for (const id of new Set(nodes.flatMap((node) => node.inputs))) {
    if (id === ABSENT || made.has(id)) continue;
    const coding = codingOf(graph, id, bits);
    if (coding === 32) continue;
    const { name } = valueAt(graph, id);
    let copy = copies.get(id);
    if (copy === undefined) {
      const node = emit(graph, 'Quantize', `${name}.copy${coding}`, [id], { bits: coding }, { phase: 'train', block });
      added.add(node);
      copy = node.outputs[0] as number;
      copies.set(id, copy);
    }
    aside(() => {
      const attributes = { bits: coding, shape: shapeOf(graph, id) };
      const how = { phase: 'train', block, isBackward: true } as const;
      const again = emit(graph, 'Dequantize', `${name}.decoded`, [copy as number], attributes, how);
      origin.set(again.outputs[0] as number, id);
      now.set(id, again.outputs[0] as number);
    });
  }
  for (const node of nodes) {
    const outputs = node.outputs.map((id) => {
      const { name, type, role } = valueAt(graph, id);
      const again = addValue(graph, `${name}.again`, type, role, node.isView ? { view: viewAgain(graph, node, now) } : {});
      now.set(id, again);
      origin.set(again, id);
      return again;
    });
    const inputs = node.inputs.map((id) => now.get(id) ?? id);
    run.push({ ...node, name: `${node.name}.again`, inputs, outputs, attributes: { ...node.attributes }, isBackward: true });
  }
  return run;
}

/** What the output of a view node is a view of, its input being again what `now` says. */
function viewAgain(graph: Graph, { inputs, outputs }: Node, now: ReadonlyMap<number, number>): { of: number; offset: number } {
  const [x, y] = [inputs[0] as number, outputs[0] as number];
  const from = now.get(x) ?? x;
  return { of: rootOf(graph, from), offset: rangeOf(graph, from).from + rangeOf(graph, y).from - rangeOf(graph, x).from };
}

/** How an input is kept where `bits` are asked for: only a temporary f32 tensor, and only where a copy is smaller. */
function codingOf(graph: Graph, id: number, bits: Bits): Bits {
  const { role, type, bytes } = valueAt(graph, id);
  if (bits === 32 || role !== 'temp' || type.dtype !== 'f32' || type.shape.length < 2) return 32;
  const [eight, four] = [copyBytes(type.shape, 8), copyBytes(type.shape, 4)];
  if (Math.min(eight, four) >= bytes) return 32;
  return bits === 4 && four < eight ? 4 : 8;
}

/** Takes out what was added for second runs and turned out to be read by nothing: a block's last product, as a rule. */
export function dropUnread(graph: Graph, { added, runs }: Repeats): void {
  if (added.size === 0) return;
  const read = new Set<number>();
  const kept: Node[] = [];
  for (const node of [...graph.phases.train].reverse()) {
    if (added.has(node) && !node.outputs.some((id) => read.has(id))) continue;
    for (const id of [...node.inputs, ...node.updates]) read.add(id);
    kept.push(node);
  }
  graph.phases.train = kept.reverse();
  const left = new Set(kept);
  for (const [block, run] of runs) {
    const some = run.filter((node) => left.has(node));
    if (some.length > 0) runs.set(block, some);
    else runs.delete(block);
  }
}
