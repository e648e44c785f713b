/** The optimizer step. Gradients are accumulators: an update leaves them zero. */
import { AdamWArg, Op, ScheduleArg, SgdArg, SumSquaresArg } from '../../assembly/abi/ops.ts';
import { numel, shapeOf } from '../graph.ts';
import { moves, type OpDef, words } from './def.ts';

export const update: Record<string, OpDef> = {
  /** input g; updates state. */
  SumSquares: {
    opcode: Op.SumSquares,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [SumSquaresArg.G]: at.input(0),
        [SumSquaresArg.N]: numel(shapeOf(graph, n.inputs[0]!)),
        [SumSquaresArg.STATE]: at.update(0),
      }),
    cost: moves,
  },
  /** updates state. */
  Schedule: {
    opcode: Op.Schedule,
    infer: () => [],
    lower: (_n, at) => words({ [ScheduleArg.STATE]: at.update(0) }),
    cost: moves,
  },
  /** input state; updates p, g, mean, variance; attribute decay. */
  AdamW: {
    opcode: Op.AdamW,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [AdamWArg.P]: at.update(0),
        [AdamWArg.G]: at.update(1),
        [AdamWArg.MEAN]: at.update(2),
        [AdamWArg.VARIANCE]: at.update(3),
        [AdamWArg.N]: numel(shapeOf(graph, n.updates[0]!)),
        [AdamWArg.STATE]: at.input(0),
        [AdamWArg.DECAY]: n.attributes.decay!,
      }),
    cost: moves,
  },
  /** input state; updates p, g, momentum; attribute decay. */
  Sgd: {
    opcode: Op.Sgd,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [SgdArg.P]: at.update(0),
        [SgdArg.G]: at.update(1),
        [SgdArg.MOMENTUM]: at.update(2),
        [SgdArg.N]: numel(shapeOf(graph, n.updates[0]!)),
        [SgdArg.STATE]: at.input(0),
        [SgdArg.DECAY]: n.attributes.decay!,
      }),
    cost: moves,
  },
};
