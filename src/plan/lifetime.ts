/**
 * Liveness: from which node to which a temporary is needed. Values that follow each other in the same memory (in place) are joined into one block.
 * Knows values and times, no operator.
 */
import { ABSENT, type Graph, type Node, nodesOf, rangeOf, rootOf } from '../graph/graph.ts';

/** Memory that one or more values use one after the other, alive from node `first` to node `last` (both included). */
export interface Block {
  values: number[];
  bytes: number;
  first: number;
  last: number;
}

export const ALIGNMENT = 16;
export const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Bytes of a block that a node touches. */
interface Use {
  time: number;
  from: number;
  to: number;
}

/** One block for every temporary that some node reads or writes; views are part of their root's. */
export function lifetimes(graph: Graph): Block[] {
  const nodes = nodesOf(graph);
  const uses = new Map<number, Use[]>();
  nodes.forEach((node, time) => {
    for (const id of [...node.inputs, ...node.updates, ...node.outputs]) {
      if (id === ABSENT || graph.values[id]!.role !== 'temp') continue;
      const { view, bytes } = graph.values[id]!;
      const root = view?.of ?? id;
      const from = view?.offset ?? 0;
      const use: Use = { time, from, to: from + bytes };
      const list = uses.get(root);
      if (list) list.push(use);
      // A loaded temporary (batch-norm statistics, raw position embeddings) is there before the first node.
      else uses.set(root, graph.values[root]!.source && !graph.values[root]!.stored ? [{ ...use, time: 0 }, use] : [use]);
    }
  });

  const blockOf = new Map<number, Block>();
  const usesOf = new Map<Block, Use[]>();
  for (const [id, list] of uses) {
    const block = { values: [id], bytes: align(graph.values[id]!.bytes), first: list[0]!.time, last: list.at(-1)!.time };
    blockOf.set(id, block);
    usesOf.set(block, list);
  }

  for (const node of nodes) {
    // Blocks whose memory an output takes over from an operand at this node: each only once.
    const passed = new Set<Block>();
    for (const [i, o] of node.inPlace) {
      const from = node.inputs[i];
      const to = node.outputs[o];
      if (from === undefined || to === undefined || from === ABSENT) continue;
      const a = blockOf.get(rootOf(graph, from));
      const b = blockOf.get(rootOf(graph, to));
      if (!a || !b || a === b || passed.has(a) || passed.has(b) || a.bytes < b.bytes) continue;
      const [before, after] = [usesOf.get(a)!, usesOf.get(b)!];
      if (!mayFollow(before, after, (t) => replaces(graph, nodes[t]!, (id) => blockOf.get(rootOf(graph, id)), a, b))) continue;
      a.values.push(...b.values);
      a.last = Math.max(a.last, b.last);
      for (const id of b.values) blockOf.set(id, a);
      before.push(...after);
      // Uses are out of order only where tiles take over one after the other.
      if (before.length > after.length && before.at(-after.length - 1)!.time > after[0]!.time) before.sort((x, y) => x.time - y.time);
      passed.add(a);
    }
  }
  return [...new Set(blockOf.values())];
}

/**
 * Whether block b may live in a's memory: for every byte the last use by a comes before the first by b, or is the very node that overwrites it.
 * Tile by tile: bytes 0-63 are read by a at time 5 and written by b at time 5 (in place), bytes 64-127 at times 6 and 6: allowed, although a's
 * last use (6) comes after b's first (5). `replaced` gives the bytes that a node overwrites in place.
 */
function mayFollow(before: readonly Use[], after: readonly Use[], replaced: (time: number) => readonly Use[]): boolean {
  const begins = after[0]!.time;
  for (let i = before.length - 1; i >= 0 && before[i]!.time >= begins; i--) {
    const a = before[i]!;
    for (const b of after) {
      if (b.time > a.time) break;
      if (a.to <= b.from || b.to <= a.from) continue;
      if (a.time > b.time || !replaced(a.time).some((r) => r.from === b.from && r.to === b.to && r.from === a.from)) return false;
    }
  }
  return true;
}

/** The bytes of block `a` that a node replaces by its outputs in block `b`, operand by operand, and reads in no other way. */
function replaces(graph: Graph, node: Node, blockOf: (id: number) => Block | undefined, a: Block, b: Block): Use[] {
  const operands = [...node.inputs, ...node.updates];
  return node.inPlace.flatMap(([i, o]) => {
    const [from, to] = [node.inputs[i] ?? ABSENT, node.outputs[o] ?? ABSENT];
    if (from === ABSENT || to === ABSENT || blockOf(from) !== a || blockOf(to) !== b) return [];
    const range = rangeOf(graph, to);
    if (rangeOf(graph, from).from !== range.from) return [];
    const others = operands.filter((id, j) => j !== i && id !== ABSENT && blockOf(id) === a).map((id) => rangeOf(graph, id));
    if (others.some((r) => r.from < range.to && range.from < r.to)) return [];
    return [{ time: 0, ...range }];
  });
}

/** Bytes alive at every time: their maximum is the lower bound of any placement. */
export function liveBytes(blocks: readonly Block[], times: number): number[] {
  const live = new Array<number>(times).fill(0);
  for (const b of blocks) for (let t = b.first; t <= b.last; t++) live[t]! += b.bytes;
  return live;
}
