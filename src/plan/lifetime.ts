/** Lifetimes of temporaries, with the values that share memory in place joined into one. Knows values and times, knows no operator. */
import { ABSENT, type Graph, nodesOf } from '../graph.ts';

/** Memory that one or more values use one after the other, alive from node `first` to node `last` (both included). */
export interface Block {
  values: number[];
  bytes: number;
  first: number;
  last: number;
}

export const ALIGNMENT = 16;
export const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** One block for every temporary that some node reads or writes. */
export function lifetimes(graph: Graph): Block[] {
  const nodes = nodesOf(graph);
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  nodes.forEach((node, time) => {
    for (const id of [...node.inputs, ...node.updates, ...node.outputs]) {
      if (id === ABSENT || graph.values[id]!.role !== 'temp') continue;
      // A loaded temporary (batch-norm statistics, raw position embeddings) is there before the first node.
      if (!first.has(id)) first.set(id, graph.values[id]!.source ? 0 : time);
      last.set(id, time);
    }
  });

  const blockOf = new Map<number, Block>();
  for (const [id, start] of first)
    blockOf.set(id, { values: [id], bytes: align(graph.values[id]!.bytes), first: start, last: last.get(id)! });

  nodes.forEach((node, time) => {
    // Blocks that pass from an operand to an output here: each can do so once.
    const passed = new Set<Block>();
    for (const [i, o] of node.inPlace) {
      const from = node.inputs[i];
      const to = node.outputs[o];
      if (from === undefined || to === undefined || from === ABSENT) continue;
      const a = blockOf.get(from);
      const b = blockOf.get(to);
      if (!a || !b || passed.has(a) || passed.has(b) || a.last !== time || b.first !== time || a.bytes < b.bytes) continue;
      // The operand may only be shared if the node reads it through this one input.
      if ([...node.inputs, ...node.updates].some((id, j) => j !== i && id !== ABSENT && blockOf.get(id) === a)) continue;
      a.values.push(...b.values);
      a.last = b.last;
      for (const id of b.values) blockOf.set(id, a);
      passed.add(a);
    }
  });
  return [...new Set(blockOf.values())];
}

/** Bytes alive at every time: their maximum is the lower bound of any placement. */
export function liveBytes(blocks: readonly Block[], times: number): number[] {
  const live = new Array<number>(times).fill(0);
  for (const b of blocks) for (let t = b.first; t <= b.last; t++) live[t]! += b.bytes;
  return live;
}
