/**
 * Where a pass stops computing what it has computed before. A forward pass begins with nodes that depend on nothing but the picture and frozen
 * weights: without augmentation they make the same numbers of a picture in every epoch.
 *
 *     pixels ─► blocks 0 … 7 ─┊─► block 8 ─► … ─► loss ─► backward      --last 4: blocks 8 … 11 learn
 *                             ┊ what lies across the line is all that the rest of the phase needs of the picture
 *
 * The line is as late as possible where every value across it is f32 with the batch as first axis: then a picture's part of it is one piece of memory.
 */

import { Instruction } from '../../assembly/abi/ops.ts';
import { Io } from '../../assembly/abi/program.ts';
import { ABSENT, type Graph, type Node, nodesOf, type Phase, rootOf } from '../graph/graph.ts';
import { definition } from '../ops/index.ts';
import type { Compiled } from '../pipeline/compiled.ts';
import { nodeTime } from './costmodel.ts';

/** A line through a phase, and what lies across it. */
export interface Cut {
  /** The last node before it. */
  node: string;
  /** Arena offset of the first instruction after it. */
  at: number;
  /** Where each value across it lies, and its bytes of one picture. */
  values: readonly { offset: number; bytes: number }[];
  /** Bytes of one picture in all. */
  bytes: number;
  /** Predicted nanoseconds of what lies before it, for one picture. */
  nanoseconds: number;
}

/** The line through a phase; undefined where there is none after more than the picture's own pixels. */
export function cutOf({ graph, plan, program }: Compiled, phase: 'train' | 'eval'): Cut | undefined {
  const nodes = graph.phases[phase];
  const { microBatch } = program.about;
  const pictures = program.io.get(Io.Pictures)?.offset;
  for (let k = constantNodes(graph, nodes); k > 1; k--) {
    const live = across(graph, nodes, k);
    const values = live?.map((id) => graph.values[id]!);
    const fits = values?.every(({ type, role }) => role === 'temp' && type.dtype === 'f32' && type.shape[0] === microBatch);
    const readsPictures = nodes.slice(k).some((node) => node.inputs.some((id) => id !== ABSENT && plan.offsets[id] === pictures));
    if (!values || !fits || values.length === 0 || readsPictures) continue;
    const parts = values.map(({ id, bytes }) => ({ offset: plan.offsets[id]!, bytes: bytes / microBatch }));
    return {
      node: nodes[k - 1]!.name,
      at: addressOf({ graph, program }, phase, nodes[k]!),
      values: parts,
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      nanoseconds: nodes.slice(0, k).reduce((sum, node) => sum + nodeTime(graph, node), 0) / microBatch,
    };
  }
  return undefined;
}

/** How many nodes at the start of a phase make the same of a picture whenever they run. */
function constantNodes(graph: Graph, nodes: readonly Node[]): number {
  const isFixed = (node: Node): boolean =>
    !node.isBackward &&
    node.updates.length === 0 &&
    !definition(node.op).draws?.(node) &&
    node.inputs.every((id) => id === ABSENT || graph.values[id]!.role !== 'param');
  const end = nodes.findIndex((node) => !isFixed(node));
  return end < 0 ? nodes.length : end;
}

/** Values that nodes before the `k`-th write and later ones read; undefined where one of them is written on both sides. */
function across(graph: Graph, nodes: readonly Node[], k: number): number[] | undefined {
  const roots = (ids: readonly number[]): number[] => ids.filter((id) => id !== ABSENT).map((id) => rootOf(graph, id));
  const written = new Set(nodes.slice(0, k).flatMap((node) => roots(node.outputs)));
  const rest = nodes.slice(k);
  if (rest.some((node) => !node.isView && roots([...node.outputs, ...node.updates]).some((id) => written.has(id)))) return undefined;
  return [...new Set(rest.flatMap((node) => roots(node.inputs)).filter((id) => written.has(id)))].sort((a, b) => a - b);
}

/** Arena offset of a node's instruction; of a view's, which has none, the next one's. */
export function addressOf({ graph, program }: Pick<Compiled, 'graph' | 'program'>, phase: Phase, node: Node): number {
  const id = nodesOf(graph).indexOf(node);
  const words = new Int32Array(program.image.buffer, program.image.byteOffset, program.image.length >> 2);
  const { start, end } = program.entries[phase];
  for (let at = start; at < end; ) {
    const word = (at - program.programOffset) >> 2;
    if (words[word + Instruction.Node]! >= id) return at;
    at += 4 * words[word + Instruction.Words]!;
  }
  throw new RangeError(`${node.name} has no instruction in ${phase}`);
}

/** Nanoseconds that reading a byte back may take: 100 MB/s. What is computed faster is not cached. */
const READ_NS = 10;

/** Lines through a program's passes, of learning and of judging. */
export interface Cuts {
  train: Cut;
  eval: Cut;
}

/** The lines of a program where reading pays; undefined where it does not, or where a picture's numbers depend on its neighbours (`--arithmetic fast`). */
export function cutsOf(compiled: Compiled): Cuts | undefined {
  if (compiled.program.about.arithmetic !== undefined) return undefined;
  const [train, judged] = [cutOf(compiled, 'train'), cutOf(compiled, 'eval')];
  if (train === undefined || judged === undefined) return undefined;
  const pays = ({ bytes, nanoseconds }: Cut): boolean => nanoseconds > READ_NS * bytes;
  return pays(train) && pays(judged) ? { train, eval: judged } : undefined;
}
