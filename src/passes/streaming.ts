/**
 * Streaming: frozen weights stay in a file and pass through memory. A weight becomes a value with a lifetime like any other, so the plan, its
 * verifier and the threads' barriers need to know nothing of it:
 *
 *     init      PlaceWeight w ─► what init does to w ─► StoreWeight w
 *     later     FetchWeight w1 … AwaitWeight w1 ─► its users forward          FetchWeight w2 … AwaitWeight w2 ─► its users backward
 *               └─ memory is w1's from here on                  └─ to here
 *
 * Between Fetch and Await the host may read while others compute. How early a weight is fetched is the window: a block ahead of the one that
 * computes, a layer ahead, or just when it is needed. The same bytes come to the same kernels: no number depends on it.
 */
import { Stored } from '../../assembly/abi/ops/stored.ts';
import { align } from '../../assembly/abi/sizes.ts';
import { ABSENT, addValue, type Graph, type Node, PHASES, type Phase, u8, type Value } from '../graph/graph.ts';

/** What passes through memory at a time: this block's weights and the next one's, this layer's and the next one's, or one layer's. */
export type Window = 'blocks' | 'layers' | 'layer';
/** From the most memory to the least; the less, the less time a read has. */
export const WINDOWS: readonly Window[] = ['blocks', 'layers', 'layer'];

/** How frozen weights are kept in a file. */
export interface Streaming {
  window: Window;
  /** Bytes of frozen weights that stay in memory all the same, the largest first; 0 where absent. */
  residentBytes?: number;
}

/** Weights below stay in memory: a read takes longer than they are worth. */
const LEAST_BYTES = 16384;
/** The file begins with a head (src/engine/storedfile.ts), and so every place is above 0. */
export const FILE_HEAD_BYTES = 64;

/** A weight in the file. */
interface Home {
  id: number;
  at: number;
  /** The value that holds the sum of its bytes. */
  sum: number;
}

/** Uses of a weight for which it is read once. */
interface Visit {
  id: number;
  /** The neighbouring nodes of one block, forward or backward, that it is among. */
  stage: number;
  op: string;
  first: number;
  last: number;
}

/** The same graph with its frozen weights in a file, the one given left as it is. What is small, a view, or changed after init stays in memory. */
export function streamed(graph: Graph, { window, residentBytes = 0 }: Streaming): Graph {
  const homes = homesOf(graph, residentBytes);
  if (homes.size === 0) return graph;
  const values = graph.values.map((v): Value => (homes.has(v.id) ? { ...v, role: 'temp', stored: 'placed' } : v));
  const result: Graph = { values, phases: { ...graph.phases } };
  for (const home of homes.values()) home.sum = addValue(result, `${values[home.id]!.name}.sum`, u8(Stored.SumBytes), 'frozen');
  result.phases.init = storing(result, homes);
  for (const phase of PHASES) if (phase !== 'init') result.phases[phase] = reading(result, { phase, homes, window });
  numberWeights(result);
  return result;
}

/** Which weights go into the file, and where: in the order in which they are first used, so that a pass reads the file from front to back. */
function homesOf(graph: Graph, residentBytes: number): Map<number, Home> {
  const viewed = new Set(graph.values.flatMap(({ view }) => (view ? [view.of] : [])));
  const later = PHASES.filter((phase) => phase !== 'init').flatMap((phase) => graph.phases[phase]);
  const changed = new Set(later.flatMap((node) => [...node.updates, ...node.outputs]));
  const isCandidate = ({ id, role, source, view, bytes }: Value): boolean =>
    role === 'frozen' && source !== undefined && !view && !viewed.has(id) && !changed.has(id) && bytes >= LEAST_BYTES;
  const candidates = [...new Set(later.flatMap((node) => node.inputs))].filter((id) => id !== ABSENT && isCandidate(graph.values[id]!));
  const staying = new Set<number>();
  let room = residentBytes;
  for (const id of [...candidates].sort((a, b) => graph.values[b]!.bytes - graph.values[a]!.bytes || a - b)) {
    const bytes = align(graph.values[id]!.bytes, Stored.Unit);
    if (bytes > room) continue;
    room -= bytes;
    staying.add(id);
  }
  const homes = new Map<number, Home>();
  let at = FILE_HEAD_BYTES;
  for (const id of candidates) {
    if (staying.has(id)) continue;
    homes.set(id, { id, at, sum: ABSENT });
    at += align(graph.values[id]!.bytes, Stored.Unit);
  }
  return homes;
}

/** A node of the kinds that ask the host, beside another one in time. */
function asking(op: string, name: string, beside: Pick<Node, 'phase' | 'block' | 'isBackward'>, more: Partial<Node>): Node {
  const { phase, block, isBackward } = beside;
  return {
    op,
    name,
    phase,
    block,
    isBackward,
    inputs: [],
    outputs: [],
    updates: [],
    attributes: {},
    inPlace: [],
    scratchBytes: 0,
    ...more,
  };
}

/** Init: each weight is placed before the first node that touches it and stored after the last; those that none touches come last. */
function storing(graph: Graph, homes: ReadonlyMap<number, Home>): Node[] {
  const nodes = graph.phases.init;
  const touched = (node: Node): number[] => [...new Set([...node.inputs, ...node.updates])].filter((id) => homes.has(id));
  const last = new Map<number, number>();
  nodes.forEach((node, i) => {
    for (const id of touched(node)) last.set(id, i);
  });
  const begin = { phase: 'init', block: -1, isBackward: false } as const;
  const placed = new Set<number>();
  const result: Node[] = [];
  const place = (id: number): void => {
    if (placed.has(id)) return;
    placed.add(id);
    result.push(asking('PlaceWeight', `${graph.values[id]!.name}.place`, begin, { outputs: [id] }));
  };
  const store = ({ id, at, sum }: Home): void => {
    result.push(asking('StoreWeight', `${graph.values[id]!.name}.store`, begin, { inputs: [id], updates: [sum], attributes: { at } }));
  };
  nodes.forEach((node, i) => {
    for (const id of touched(node)) place(id);
    result.push(node);
    for (const id of touched(node)) if (last.get(id) === i) store(homes.get(id)!);
  });
  for (const home of homes.values()) {
    if (placed.has(home.id)) continue;
    place(home.id);
    store(home);
  }
  return result;
}

/**
 * Where a phase uses stored weights. A stage is a run of nodes of one block and direction; by blocks a weight is read once a stage, by layers once for each
 * kind of node that uses it there (computed again, and backward), unless those take turns (tiles).
 */
function visitsOf(nodes: readonly Node[], homes: ReadonlyMap<number, Home>, window: Window): Visit[] {
  const visits = new Map<string, Visit>();
  let stage = 0;
  let before: Node | undefined;
  nodes.forEach((node, i) => {
    const used = node.inputs.filter((id) => homes.has(id));
    if (used.length === 0) return;
    if (before && (before.block !== node.block || before.isBackward !== node.isBackward)) stage++;
    before = node;
    for (const id of used) {
      const key = `${id} ${stage} ${window === 'blocks' ? '' : node.op}`;
      const known = visits.get(key);
      if (known) known.last = i;
      else visits.set(key, { id, stage, op: node.op, first: i, last: i });
    }
  });
  const merged: Visit[] = [];
  for (const visit of [...visits.values()].sort((a, b) => a.first - b.first)) {
    const other = merged.find((m) => m.id === visit.id && m.last >= visit.first);
    if (other) other.last = Math.max(other.last, visit.last);
    else merged.push(visit);
  }
  return merged;
}

interface Read {
  phase: Phase;
  homes: ReadonlyMap<number, Home>;
  window: Window;
}

/** A later phase: every visit gets a copy of its weight, fetched as early as the window says. */
function reading(graph: Graph, { phase, homes, window }: Read): Node[] {
  const nodes = graph.phases[phase];
  const visits = visitsOf(nodes, homes, window);
  const copies: number[] = [];
  const result: Node[] = [];
  const fetch = (k: number, beside: Node): void => {
    if (k >= visits.length || copies[k] !== undefined) return;
    const { id } = visits[k]!;
    const { name, type } = graph.values[id]!;
    const copy = addValue(graph, `${name}@${phase}${k}`, type, 'temp', { stored: 'read' });
    copies[k] = copy;
    result.push(asking('FetchWeight', `${name}.fetch`, beside, { outputs: [copy], attributes: { at: homes.get(id)!.at } }));
  };
  const arrive = (k: number, beside: Node): void => {
    const { id } = visits[k]!;
    const { at, sum } = homes.get(id)!;
    result.push(
      asking('AwaitWeight', `${graph.values[id]!.name}.await`, beside, { inputs: [sum], updates: [copies[k]!], attributes: { at } }),
    );
  };
  let next = 0;
  let open: number[] = [];
  nodes.forEach((node, i) => {
    for (; next < visits.length && visits[next]!.first === i; next++) {
      const { stage } = visits[next]!;
      if (window === 'blocks') for (let k = next; visits[k]?.stage === stage; k++) fetch(k, node);
      fetch(next, node);
      arrive(next, node);
      open.push(next);
      const ahead = visits.findIndex((v, k) => k > next && v.stage > stage);
      if (window === 'layers') fetch(next + 1, node);
      if (window === 'blocks' && ahead > 0) for (let k = ahead; visits[k]?.stage === visits[ahead]!.stage; k++) fetch(k, node);
    }
    open = open.filter((k) => visits[k]!.last >= i);
    const here = new Map(open.map((k) => [visits[k]!.id, copies[k]!]));
    result.push(node.inputs.some((id) => here.has(id)) ? { ...node, inputs: node.inputs.map((id) => here.get(id) ?? id) } : node);
  });
  return result;
}

/** Weights are known to the program by their number among all that are loaded (src/program/link.ts). */
function numberWeights(graph: Graph): void {
  const touched = new Set(PHASES.flatMap((phase) => graph.phases[phase]).flatMap((n) => [...n.inputs, ...n.updates, ...n.outputs]));
  const loaded = graph.values.filter(({ id, role, source }) => source && (role !== 'temp' || touched.has(id)));
  const numbers = new Map(loaded.map(({ id }, i) => [id, i]));
  for (const node of graph.phases.init) if (node.op === 'PlaceWeight') node.attributes.weight = numbers.get(node.outputs[0]!)!;
}
