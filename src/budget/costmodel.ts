/**
 * How long a step takes, predicted from what the operators say of themselves (`cost` and `costRate` of their definitions).
 */
import type { Graph, Node } from '../graph/graph.ts';
import { definition } from '../ops/index.ts';

/** Fetching an instruction and sharing it out. */
const NODE_NS = 300;

/** Predicted nanoseconds of one node. */
export function nodeTime(graph: Graph, node: Node): number {
  const { cost, costRate } = definition(node.op);
  const { macs, bytes } = cost(node, graph);
  const { mac, byte } = costRate;
  return NODE_NS + mac * macs + byte * bytes;
}

/** Predicted nanoseconds of one pass (of evaluation, where nothing trains), by block of the network (-1: before the first), and of the update. */
export function passTimes(graph: Graph): { blocks: Map<number, number>; pass: number; update: number } {
  const blocks = new Map<number, number>();
  let pass = 0;
  for (const node of graph.phases.train.length > 0 ? graph.phases.train : graph.phases.eval) {
    const time = nodeTime(graph, node);
    pass += time;
    blocks.set(node.block, (blocks.get(node.block) ?? 0) + time);
  }
  return { blocks, pass, update: graph.phases.update.reduce((sum, node) => sum + nodeTime(graph, node), 0) };
}
