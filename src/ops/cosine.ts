/** Attention by cosines: factors of heads and biases by distance, computed once from the weights. */
import { HeadFactorsArg, PositionTableArg } from '../../assembly/abi/ops/cosine.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { numel, shapeOf } from '../graph/graph.ts';
import { MOVE, moves, type OpDef, words } from './def.ts';

export const cosine: Record<string, OpDef> = {
  /**
   * inputs w1[hidden, 2], b1[hidden], w2[heads, hidden]; updates a table as Attention takes it, of a window wh × ww; attributes wh, ww, tall, wide (the
   * window that the weights were trained with).
   */
  PositionTable: {
    opcode: Op.PositionTable,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [PositionTableArg.Y]: at.update(0),
        [PositionTableArg.W1]: at.input(0),
        [PositionTableArg.B1]: at.input(1),
        [PositionTableArg.W2]: at.input(2),
        [PositionTableArg.HIDDEN]: numel(shapeOf(graph, n.inputs[1]!)),
        [PositionTableArg.HEADS]: shapeOf(graph, n.updates[0]!)[1]!,
        [PositionTableArg.WH]: n.attributes.wh!,
        [PositionTableArg.WW]: n.attributes.ww!,
        [PositionTableArg.TALL]: n.attributes.tall!,
        [PositionTableArg.WIDE]: n.attributes.wide!,
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** input x[heads]; updates y[heads·D] = exp(min(x, ln 100)), D times for each head. */
  HeadFactors: {
    opcode: Op.HeadFactors,
    infer: () => [],
    lower: (n, at, graph) => {
      const heads = numel(shapeOf(graph, n.inputs[0]!));
      return words({
        [HeadFactorsArg.X]: at.input(0),
        [HeadFactorsArg.Y]: at.update(0),
        [HeadFactorsArg.HEADS]: heads,
        [HeadFactorsArg.D]: numel(shapeOf(graph, n.updates[0]!)) / heads,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
