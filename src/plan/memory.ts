/** The static plan: an address for every value, and the itemised size of the arena. */
import { Head } from '../../assembly/abi/head.ts';
import { BudgetError } from '../base/error.ts';
import { ABSENT, type Graph, type Node, nodesOf, type Role, rootOf } from '../graph/graph.ts';
import { placeBarriers } from './barriers.ts';
import { align, type Block, lifetimes, liveBytes } from './lifetime.ts';
import { place } from './place.ts';

export const PAGE = 65536;

/** Bytes of the arena by purpose; with `padding` they sum to `linearBytes`. */
export interface Parts {
  frozen: number;
  /** Parameters, their gradient accumulators, optimizer state and the state block. */
  trainable: number;
  /** Kept for backward and alive at the peak. */
  kept: number;
  /** Other temporaries alive at the peak. */
  temporaries: number;
  batch: number;
  program: number;
  scratch: number;
  /** Of weights that stay in a file: copies in memory at the peak; absent where there are none. */
  window?: number;
  /** Head, alignment, fragmentation, the rest of the last page. */
  padding: number;
}

export interface Range {
  offset: number;
  bytes: number;
}

export interface Plan {
  /** Size of the whole linear memory: what the wasm memory is made with. */
  linearBytes: number;
  parts: Parts;
  /** Address of each value by id; -1 for a value that nothing uses. */
  offsets: number[];
  program: Range;
  /** The instructions, first in `program`; constant tables follow. */
  code: Range;
  frozen: Range;
  /** State block, parameters, accumulators, moments: one piece, the checkpoint region. */
  region: Range;
  batch: Range;
  temporaries: Range;
  /** By time: all threads meet before this node. */
  barriers: boolean[];
  /** Of one thread; `maxThreads` of these follow each other. */
  scratch: Range;
  maxThreads: number;
  /** The node at which most is alive, and what is alive there. */
  peak: { node: string; time: number; bytes: number };
  /** Largest sum of live temporaries: no placement can be smaller. */
  lowerBound: number;
  /** All bytes kept for backward, whole micro-batch. */
  keptBytes: number;
  /** Live temporaries by node, in execution order. */
  timeline: { node: string; live: number; kept: number }[];
}

export interface PlanOptions {
  /** Bytes of code and constant tables. */
  codeBytes: number;
  maxThreads: number;
}

const ORDER: readonly Role[] = ['state', 'param', 'grad', 'moment'];

/** Ids of values (of views, their roots') that forward nodes of the train phase leave for backward. */
export function keptValues(graph: Graph): Set<number> {
  const forward = new Set<number>();
  for (const node of graph.phases.train)
    if (!node.isBackward) for (const id of node.outputs) if (!graph.values[id]!.stored) forward.add(rootOf(graph, id));
  const kept = new Set<number>();
  for (const node of graph.phases.train) {
    if (!node.isBackward || node.isLoss) continue;
    for (const id of node.inputs) if (id !== ABSENT && forward.has(rootOf(graph, id))) kept.add(rootOf(graph, id));
  }
  return kept;
}

/** Places from the bottom of the arena up: `offsets` by value, -1 where it has none yet. */
function createLayout(graph: Graph) {
  const offsets = new Array<number>(graph.values.length).fill(-1);
  let top = Head.Bytes as number;
  const take = (bytes: number): number => {
    const offset = top;
    top += bytes;
    return offset;
  };
  return {
    offsets,
    take,
    /** Every value of a role that is no view, one behind the other. */
    place(role: Role): void {
      for (const value of graph.values) if (value.role === role && !value.view) offsets[value.id] = take(align(value.bytes));
    },
    /** What `fill` takes, as one range. */
    range(fill: () => void): Range {
      const offset = top;
      fill();
      return { offset, bytes: top - offset };
    },
  };
}

/** Lays out the whole arena. Deterministic: reads neither the machine nor a clock. */
export function planMemory(graph: Graph, options: PlanOptions): Plan {
  const nodes = nodesOf(graph);
  const { offsets, take, place: placeAll, range } = createLayout(graph);
  const code: Range = { offset: take(0), bytes: options.codeBytes };
  const program = range(() => {
    take(align(options.codeBytes));
    placeAll('table');
  });
  const frozen = range(() => placeAll('frozen'));
  const region = range(() => ORDER.forEach(placeAll));
  const batch = range(() => placeAll('batch'));

  const blocks = lifetimes(graph);
  const live = liveBytes(blocks, nodes.length);
  const time = live.reduce((best, bytes, t) => (bytes > live[best]! ? t : best), 0);
  const lowerBound = live[time] ?? 0;
  const placement = place(blocks, lowerBound);
  const temporaries = range(() => {
    const from = take(placement.bytes);
    for (const [i, block] of blocks.entries()) for (const id of block.values) offsets[id] = from + placement.offsets[i]!;
  });
  for (const { id, view } of graph.values) if (view && offsets[view.of]! >= 0) offsets[id] = offsets[view.of]! + view.offset;

  const scratchBytes = align(Math.max(0, ...nodes.map((n) => n.scratchBytes)));
  const scratch: Range = { offset: take(scratchBytes * options.maxThreads), bytes: scratchBytes };
  const linearBytes = Math.ceil(take(0) / PAGE) * PAGE;

  const kept = keptValues(graph);
  const keptLive = keptLiveBytes(graph, nodes, kept);
  const atPeak = { lowerBound, kept: keptLive[time] ?? 0, ...windowAt(graph, blocks, time) };
  return {
    linearBytes,
    parts: partsOf({ frozen, region, batch, program }, atPeak, scratchBytes * options.maxThreads, linearBytes),
    offsets,
    barriers: placeBarriers(graph, offsets),
    program,
    code,
    frozen,
    region,
    batch,
    temporaries,
    scratch,
    maxThreads: options.maxThreads,
    peak: { node: nodes[time]?.name ?? '', time, bytes: lowerBound },
    lowerBound,
    keptBytes: blocks.some((b) => b.values.some((id) => kept.has(id)))
      ? [...kept].reduce((sum, id) => sum + graph.values[id]!.bytes, 0)
      : 0,
    timeline: nodes.map((node, t) => ({ node: node.name, live: live[t]!, kept: keptLive[t]! })),
  };
}

/** Bytes of copies of stored weights at a time; empty where there are no such weights. */
function windowAt(graph: Graph, blocks: readonly Block[], time: number): { window?: number } {
  const copies = blocks.filter(({ values }) => graph.values[values[0]!]!.stored === 'read');
  if (copies.length === 0) return {};
  return { window: copies.reduce((sum, b) => (b.first <= time && time <= b.last ? sum + b.bytes : sum), 0) };
}

/** What the memory holds, part by part; `padding` is what is left of the whole. */
function partsOf(
  { frozen, region, batch, program }: Pick<Plan, 'frozen' | 'region' | 'batch' | 'program'>,
  { lowerBound, kept, window }: { lowerBound: number; kept: number; window?: number },
  scratchBytes: number,
  linearBytes: number,
): Parts {
  const parts = {
    frozen: frozen.bytes,
    trainable: region.bytes,
    kept,
    temporaries: lowerBound - kept - (window ?? 0),
    batch: batch.bytes,
    program: program.bytes,
    scratch: scratchBytes,
    ...(window === undefined ? {} : { window }),
  };
  return { ...parts, padding: linearBytes - Object.values(parts).reduce((a, b) => a + b, 0) };
}

/** Bytes of kept values alive at each time: from their (first) producer to their last reader. */
function keptLiveBytes(graph: Graph, nodes: readonly Node[], kept: ReadonlySet<number>): number[] {
  const live = new Array<number>(nodes.length).fill(0);
  const born = new Map<number, number>();
  const dies = new Map<number, number>();
  nodes.forEach((node, time) => {
    for (const id of node.outputs) {
      const root = rootOf(graph, id);
      if (kept.has(root) && !born.has(root)) born.set(root, time);
    }
    for (const id of node.inputs) if (id !== ABSENT && kept.has(rootOf(graph, id))) dies.set(rootOf(graph, id), time);
  });
  for (const [id, first] of born) for (let t = first; t <= (dies.get(id) ?? first); t++) live[t]! += align(graph.values[id]!.bytes);
  return live;
}

/** The `n` largest values alive at the peak, temporaries and residents alike. */
export function largestAlive(graph: Graph, plan: Plan, n: number): { name: string; bytes: number }[] {
  const made = new Map<number, number>();
  nodesOf(graph).forEach((node, time) => {
    for (const id of node.outputs) if (!made.has(rootOf(graph, id))) made.set(rootOf(graph, id), time);
  });
  const alive = new Set<number>();
  // Values that share memory in place stand in order of time: the last one made is there now.
  for (const block of lifetimes(graph) as Block[])
    if (block.first <= plan.peak.time && plan.peak.time <= block.last)
      alive.add(block.values.findLast((id) => (made.get(id) ?? 0) <= plan.peak.time) as number);
  for (const value of graph.values) if (value.role !== 'temp' && !value.view) alive.add(value.id);
  return [...alive]
    .map((id) => ({ name: graph.values[id]!.name, bytes: graph.values[id]!.bytes }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
    .slice(0, n);
}

const size = (bytes: number): string => (bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(2)} MiB`);

/** Throws unless the plan fits. `smallestBytes` is what the same job needs with the least memory (found by the caller). */
export function checkBudget(graph: Graph, plan: Plan, budgetBytes: number, smallest: { bytes: number; how: string }): void {
  if (plan.linearBytes <= budgetBytes) return;
  const values = largestAlive(graph, plan, 5)
    .map((v) => `${v.name} ${size(v.bytes)}`)
    .join(', ');
  throw new BudgetError(
    {
      where: '--budget',
      what: `the plan does not fit: peak at ${plan.peak.node}, largest alive there ${values}`,
      got: size(budgetBytes),
      expected: `at least ${size(plan.linearBytes)}`,
      hint: `the smallest budget that fits is ${smallest.bytes / 1024}KiB (${smallest.how})`,
    },
    smallest.bytes,
  );
}
