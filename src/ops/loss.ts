/** Where the network ends: the loss, and what it answers. */
import { CrossEntropyArg } from '../../assembly/abi/ops/loss.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, i32, shapeOf } from '../graph/graph.ts';
import { alone, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

export const loss: Record<string, OpDef> = {
  /** inputs logits[B,N], labels i32[B]; outputs losses[B], choices i32[B] and, with attribute train, dlogits[B,N]; updates state. */
  CrossEntropy: {
    opcode: Op.CrossEntropy,
    infer(inputs, a) {
      const [b, n] = shape(inputs, 0) as [number, number];
      same('cross entropy: labels', shape(inputs, 1), [b]);
      return [f32(b), i32(b), ...(a.train ? [f32(b, n)] : [])];
    },
    split: alone,
    /** The log-probabilities, and the labels as int64. */
    autograd(node, graph) {
      const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
      return { values: [], bytes: 4 * b * n + 8 * b };
    },
    lower: (n, at, graph) => {
      const [b, classes] = shapeOf(graph, n.inputs[0]!) as [number, number];
      return words({
        [CrossEntropyArg.X]: at.input(0),
        [CrossEntropyArg.LABELS]: at.input(1),
        [CrossEntropyArg.DLOGITS]: n.attributes.train ? at.output(2) : 0,
        [CrossEntropyArg.LOSSES]: at.output(0),
        [CrossEntropyArg.CHOICES]: at.output(1),
        [CrossEntropyArg.STATE]: at.update(0),
        [CrossEntropyArg.BATCH]: b,
        [CrossEntropyArg.N]: classes,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
