/** The optimizer step. Gradients are accumulators: an update leaves them zero. */
import { AdamWArg, ProximalArg, ScheduleArg, SgdArg, SumSquaresArg } from '../../assembly/abi/ops/update.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { type Graph, type Node, numel, type Split, shapeOf } from '../graph/graph.ts';
import { alone, float, MOVE, moves, type OpDef, words } from './def.ts';

/** Parameter, gradient and moments in blocks of 16 elements. */
function blocks({ updates }: Node, graph: Graph): Split {
  return { units: Math.ceil(numel(shapeOf(graph, updates[0]!)) / 16), updates: updates.map(() => 64) };
}

export const update: Record<string, OpDef> = {
  /** input g; updates state. */
  SumSquares: {
    opcode: Op.SumSquares,
    infer: () => [],
    split: alone,
    lower: (n, at, graph) =>
      words({
        [SumSquaresArg.G]: at.input(0),
        [SumSquaresArg.N]: numel(shapeOf(graph, n.inputs[0]!)),
        [SumSquaresArg.STATE]: at.update(0),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs p, state; updates g, anchor; attribute mu. */
  Proximal: {
    opcode: Op.Proximal,
    infer: () => [],
    split: (node, graph) => ({ ...blocks(node, graph), inputs: [64, 0] }),
    lower: (n, at, graph) =>
      words({
        [ProximalArg.P]: at.input(0),
        [ProximalArg.G]: at.update(0),
        [ProximalArg.ANCHOR]: at.update(1),
        [ProximalArg.N]: numel(shapeOf(graph, n.updates[0]!)),
        [ProximalArg.STATE]: at.input(1),
        [ProximalArg.MU]: float(n.attributes.mu!),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** updates state. */
  Schedule: {
    opcode: Op.Schedule,
    infer: () => [],
    split: alone,
    lower: (_n, at) => words({ [ScheduleArg.STATE]: at.update(0) }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs state, scale or absent; updates p, g, mean, variance; attributes decay, and with a scale count, inner (src/passes/rates.ts). */
  AdamW: {
    opcode: Op.AdamW,
    infer: () => [],
    split: blocks,
    lower: (n, at, graph) =>
      words({
        [AdamWArg.P]: at.update(0),
        [AdamWArg.G]: at.update(1),
        [AdamWArg.MEAN]: at.update(2),
        [AdamWArg.VARIANCE]: at.update(3),
        [AdamWArg.N]: numel(shapeOf(graph, n.updates[0]!)),
        [AdamWArg.STATE]: at.input(0),
        [AdamWArg.DECAY]: n.attributes.decay!,
        [AdamWArg.SCALE]: at.input(1),
        [AdamWArg.COUNT]: n.attributes.count ?? 1,
        [AdamWArg.INNER]: n.attributes.inner ?? 1,
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs state, scale or absent; updates p, g, momentum; attributes as AdamW's. */
  Sgd: {
    opcode: Op.Sgd,
    infer: () => [],
    split: blocks,
    lower: (n, at, graph) =>
      words({
        [SgdArg.P]: at.update(0),
        [SgdArg.G]: at.update(1),
        [SgdArg.MOMENTUM]: at.update(2),
        [SgdArg.N]: numel(shapeOf(graph, n.updates[0]!)),
        [SgdArg.STATE]: at.input(0),
        [SgdArg.DECAY]: n.attributes.decay!,
        [SgdArg.SCALE]: at.input(1),
        [SgdArg.COUNT]: n.attributes.count ?? 1,
        [SgdArg.INNER]: n.attributes.inner ?? 1,
      }),
    cost: moves,
    costRate: MOVE,
  },
};
