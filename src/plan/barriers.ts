/**
 * Where threads have to meet. Every thread walks the same instructions and takes its own share of each; so before an instruction all must have
 * finished the ones before it only where bytes pass from one thread to another: where it reads what another thread wrote, or writes what
 * another read or wrote, storage that changed hands included. No barrier stands where each thread only meets its own share again.
 * Knows addresses and shares, no operator.
 */
import { ABSENT, type Graph, type Node, PHASES } from '../graph/graph.ts';

/** Bytes that a node touches; `unit` 0: any thread any of them, else thread by thread as src/graph/graph.ts says of Split. */
interface Touch {
  from: number;
  to: number;
  writes: boolean;
  units: number;
  unit: number;
}

function touches(graph: Graph, { inputs, outputs, updates, split }: Node, offsets: readonly number[]): Touch[] {
  const list = (ids: readonly number[], units: readonly number[] | undefined, writes: boolean): Touch[] =>
    ids.flatMap((id, i) => {
      if (id === ABSENT) return [];
      const from = offsets[id]!;
      return [{ from, to: from + graph.values[id]!.bytes, writes, units: split?.units ?? 0, unit: units?.[i] ?? 0 }];
    });
  return [...list(inputs, split?.inputs, false), ...list(outputs, split?.outputs, true), ...list(updates, split?.updates, true)];
}

/** Whether one thread may touch in `b` what another did in `a`, one of them writing. */
function clash(a: Touch, b: Touch): boolean {
  if (!(a.writes || b.writes) || a.from >= b.to || b.from >= a.to) return false;
  if (a.unit === 0 || b.unit === 0 || a.units !== b.units) return true;
  // One unit, or none to share out, is one and the same thread's wherever it lies.
  return a.units > 1 && (a.unit !== b.unit || a.from !== b.from);
}

/** By time: do all threads meet before this node? A phase begins and ends with all together, so its first node never asks. */
export function placeBarriers(graph: Graph, offsets: readonly number[]): boolean[] {
  const barriers: boolean[] = [];
  for (const phase of PHASES) {
    let since: Touch[] = [];
    for (const node of graph.phases[phase]) {
      if (node.isView) {
        barriers.push(false);
        continue;
      }
      const now = touches(graph, node, offsets);
      const meets = now.some((b) => since.some((a) => clash(a, b)));
      barriers.push(meets);
      since = meets ? now : since.concat(now);
    }
  }
  return barriers;
}
