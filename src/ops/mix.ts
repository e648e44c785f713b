/** Two pictures in one, and the loss of what is two in one. */
import { MixArg, MixCrossEntropyArg } from '../../assembly/abi/ops/mix.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, i32, shapeOf } from '../graph/graph.ts';
import { alone, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const mix: Record<string, OpDef> = {
  /**
   * inputs pictures f32[B,H,W,C], labels i32[B], samples u32[B], state; outputs pictures, shares f32[B]; attributes mixup and cutmix: for how many of 65536
   * pairs of neighbours.
   */
  Mix: {
    opcode: Op.Mix,
    infer(inputs) {
      const [b, h, w, c] = shape(inputs, 0) as Four;
      same('mix: labels', shape(inputs, 1), [b]);
      return [f32(b, h, w, c), f32(b)];
    },
    lower: (n, at, graph) => {
      const [b, h, w, c] = shapeOf(graph, n.inputs[0]!) as Four;
      return words({
        [MixArg.X]: at.input(0),
        [MixArg.Y]: at.output(0),
        [MixArg.SHARES]: at.output(1),
        [MixArg.LABELS]: at.input(1),
        [MixArg.SAMPLES]: at.input(2),
        [MixArg.STATE]: at.input(3),
        [MixArg.BATCH]: b,
        [MixArg.H]: h,
        [MixArg.WIDTH]: w,
        [MixArg.C]: c,
        [MixArg.MIXUP]: n.attributes.mixup!,
        [MixArg.CUTMIX]: n.attributes.cutmix!,
      });
    },
    draws: () => true,
    cost: moves,
    costRate: MOVE,
  },
  /** inputs logits[B,N], labels i32[B], shares f32[B]; outputs losses[B], choices i32[B] and, with attribute train, dlogits[B,N]; updates state. */
  MixCrossEntropy: {
    opcode: Op.MixCrossEntropy,
    infer(inputs, a) {
      const [b, n] = shape(inputs, 0) as [number, number];
      same('cross entropy: labels', shape(inputs, 1), [b]);
      same('cross entropy: shares', shape(inputs, 2), [b]);
      return [f32(b), i32(b), ...(a.train ? [f32(b, n)] : [])];
    },
    split: alone,
    /** The log-probabilities, and the targets, f32 both. */
    autograd(node, graph) {
      const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
      return { values: [], bytes: 8 * b * n };
    },
    lower: (n, at, graph) => {
      const [b, classes] = shapeOf(graph, n.inputs[0]!) as [number, number];
      return words({
        [MixCrossEntropyArg.X]: at.input(0),
        [MixCrossEntropyArg.LABELS]: at.input(1),
        [MixCrossEntropyArg.SHARES]: at.input(2),
        [MixCrossEntropyArg.DLOGITS]: n.attributes.train ? at.output(2) : 0,
        [MixCrossEntropyArg.LOSSES]: at.output(0),
        [MixCrossEntropyArg.CHOICES]: at.output(1),
        [MixCrossEntropyArg.STATE]: at.update(0),
        [MixCrossEntropyArg.BATCH]: b,
        [MixCrossEntropyArg.N]: classes,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
