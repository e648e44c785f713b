/**
 * What a job's peak memory will be under any choice of checkpointing, without compiling each. For every block two numbers are read off the graph:
 * what it stores for backward, and what is alive besides while it runs (`working`). They are taken from two graphs, one that recomputes nothing and
 * one that recomputes every block; a mixture takes each block's numbers from the graph that treats it that way.
 *
 *     block             0     1     2        peak while block b runs = stored by blocks before b + working of b
 *     stored, plain     6     6     6        nothing again:  max(0 + 8, 6 + 8, 12 + 8) = 20
 *     working, plain    8     8     8        block 0 again:  max(0 + 9, 1 + 8, 7 + 8)  = 15
 *     stored, again     1     1     1
 *     working, again    9     9     9
 */
import { Head } from '../../assembly/abi/head.ts';
import { ABSENT, nodesOf, rootOf } from '../graph/graph.ts';
import type { Bits, Recompute } from '../passes/recompute.ts';
import type { UnplacedGraph } from '../pipeline/compiled.ts';
import { align, lifetimes, liveBytes } from '../plan/lifetime.ts';
import { keptValues, PAGE } from '../plan/memory.ts';
import { codeBytes } from '../program/encode.ts';
import { passTimes } from './costmodel.ts';

export interface Estimate {
  /** Everything but temporaries. */
  residents: number;
  /** Most alive outside of the train phase. */
  floor: number;
  /** By block: bytes kept for its backward. */
  stored: Map<number, number>;
  /** By block: most alive while it runs, forward or backward, less what earlier blocks have stored. */
  working: Map<number, number>;
  /** Blocks that can be computed again, in order. */
  repeatable: number[];
  /** Predicted nanoseconds: of a pass by block, of a whole pass, of the update. */
  times: { blocks: Map<number, number>; pass: number; update: number };
}

export function estimate(job: UnplacedGraph): Estimate {
  const { graph, maxThreads } = job;
  const nodes = nodesOf(graph);
  const live = liveBytes(lifetimes(graph), nodes.length);
  const residents =
    Head.Bytes +
    align(codeBytes(graph)) +
    graph.values.reduce((sum, v) => sum + (v.role === 'temp' || v.view ? 0 : align(v.bytes)), 0) +
    maxThreads * align(Math.max(0, ...nodes.map((n) => n.scratchBytes)));

  const kept = keptValues(graph);
  // A kept value belongs to the first block whose backward reads it: the one that reads it last.
  const owner = new Map<number, number>();
  const dies = new Map<number, number>();
  nodes.forEach((node, time) => {
    for (const input of node.inputs) {
      const id = input === ABSENT ? ABSENT : rootOf(graph, input);
      if (!kept.has(id)) continue;
      dies.set(id, time);
      if (node.isBackward && !node.isLoss) owner.set(id, Math.min(owner.get(id) ?? Number.POSITIVE_INFINITY, node.block));
    }
  });
  const stored = new Map<number, number>();
  for (const [id, block] of owner) stored.set(block, (stored.get(block) ?? 0) + align(graph.values[id]!.bytes));

  const working = new Map<number, number>();
  let floor = 0;
  const born = new Set<number>();
  /** Kept bytes alive, by owner. */
  const alive = new Map<number, number>();
  const change = (id: number, sign: number): void => {
    const block = owner.get(id);
    if (block !== undefined) alive.set(block, (alive.get(block) ?? 0) + sign * align(graph.values[id]!.bytes));
  };
  nodes.forEach((node, time) => {
    for (const id of node.outputs.map((output) => rootOf(graph, output))) {
      if (!kept.has(id) || born.has(id)) continue;
      born.add(id);
      change(id, 1);
    }
    if (node.phase !== 'train') floor = Math.max(floor, live[time]!);
    else {
      let earlier = 0;
      for (const [block, bytes] of alive) if (block < node.block) earlier += bytes;
      working.set(node.block, Math.max(working.get(node.block) ?? 0, live[time]! - earlier));
    }
    const inputs = new Set(node.inputs.map((id) => (id === ABSENT ? ABSENT : rootOf(graph, id))));
    for (const id of inputs) if (kept.has(id) && dies.get(id) === time) change(id, -1);
  });
  return { residents, floor, stored, working, repeatable: [...job.again.keys()].sort((a, b) => a - b), times: passTimes(graph) };
}

/** Estimates of one job: without recompute, and with every block computed again from inputs of so many bits. */
export interface Estimates {
  plain: Estimate;
  again: ReadonlyMap<Bits, Estimate>;
}

/** Most bytes of temporaries at each block, under a mixture. */
export function peaks({ plain, again }: Estimates, recompute: Recompute): { block: number; bytes: number }[] {
  let before = 0;
  return [...plain.working.keys()]
    .sort((a, b) => a - b)
    .map((block) => {
      const bits = recompute.get(block);
      const from = bits === undefined ? plain : again.get(bits)!;
      const bytes = before + (from.working.get(block) ?? 0);
      before += from.stored.get(block) ?? 0;
      return { block, bytes };
    });
}

/** Taken off every estimate, so that hardly a plan turns out smaller than its estimate: the search never looks past one that would fit. */
const SLACK = 2 * PAGE;

/** Bytes of linear memory, in whole pages, that a mixture needs at least: its temporaries lie without a gap. */
export function leastBytes(estimates: Estimates, recompute: Recompute): number {
  const { plain, again } = estimates;
  const temporaries = Math.max(plain.floor, ...peaks(estimates, recompute).map((p) => p.bytes));
  let code = 0;
  for (const bits of recompute.values()) {
    const all = again.get(bits)!;
    code += (all.residents - plain.residents) / all.repeatable.length;
  }
  return Math.ceil((plain.residents + code + temporaries - SLACK) / PAGE) * PAGE;
}

/** Predicted nanoseconds of a step of so many passes. */
export function stepTime({ plain, again }: Estimates, recompute: Recompute, passes: number): number {
  let more = 0;
  for (const [block, bits] of recompute) more += (again.get(bits)!.times.blocks.get(block) ?? 0) - (plain.times.blocks.get(block) ?? 0);
  return plain.times.update + passes * (plain.times.pass + more);
}
