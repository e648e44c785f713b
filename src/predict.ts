/**
 * How long a step takes, predicted from what the operators say of themselves. Only ratios mean something: the constants were fitted once to
 * measured steps (x86-64, one thread; docs/bench.md) and stand here so that the same job gives the same plan everywhere.
 */
import type { Graph, Node } from './graph.ts';
import { definition } from './ops/index.ts';

/** Nanoseconds a multiply-add and a byte moved. */
interface Rate {
  mac: number;
  byte: number;
}

/** Matrix products: 21 thousand million multiply-adds a second, and what packing moves. */
const PRODUCT: Rate = { mac: 0.048, byte: 0.15 };
/** One pass over memory that does little. */
const MOVE: Rate = { mac: 0, byte: 0.035 };
const RATES: Readonly<Record<string, Rate>> = {
  Linear: PRODUCT,
  LinearBackwardX: PRODUCT,
  LinearBackwardW: PRODUCT,
  Conv: { mac: 0.06, byte: 0.15 },
  ConvBackwardX: { mac: 0.06, byte: 0.15 },
  ConvBackwardW: { mac: 0.06, byte: 0.15 },
  Depthwise: { mac: 0.13, byte: 0.02 },
  DepthwiseBackwardX: { mac: 0.13, byte: 0.02 },
  DepthwiseBackwardW: { mac: 0.13, byte: 0.02 },
  Attention: { mac: 0.07, byte: 0.3 },
  AttentionBackward: { mac: 0.06, byte: 0.3 },
  Activation: { mac: 0, byte: 0.1 },
  LayerNorm: { mac: 0, byte: 0.09 },
  LayerNormBackward: { mac: 0, byte: 0.08 },
  MaxPool: { mac: 0, byte: 0.15 },
  MaxPoolBackward: { mac: 0, byte: 0.2 },
  Quantize: { mac: 0, byte: 0.2 },
  Dequantize: { mac: 0, byte: 0.15 },
};
/** Fetching an instruction and sharing it out. */
const NODE_NS = 300;

/** Predicted nanoseconds of one node. */
export function nodeTime(graph: Graph, node: Node): number {
  const { macs, bytes } = definition(node.op).cost(node, graph);
  const { mac, byte } = RATES[node.op] ?? MOVE;
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
