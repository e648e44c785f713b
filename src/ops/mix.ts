/** Two pictures in one; the loss of what is two in one is among the losses. */
import { MixArg } from '../../assembly/abi/ops/mix.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, i32, shapeOf } from '../graph/graph.ts';
import { MOVE, moves, type OpDef, same, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const mix: Record<string, OpDef> = {
  /**
   * inputs pictures f32[B,H,W,C], labels i32[B], samples u32[B], state and, where B is odd, the partner that the pass has outside: picture f32[1,H,W,C],
   * label i32[1], number u32[1]; outputs pictures, shares f32[B], others i32[B]; attributes mixup and cutmix: for how many of 65536 pairs.
   */
  Mix: {
    opcode: Op.Mix,
    infer(inputs) {
      const [b, h, w, c] = shape(inputs, 0) as Four;
      same('mix: labels', shape(inputs, 1), [b]);
      if (b % 2 === 1) same('mix: partner', shape(inputs, 4), [1, h, w, c]);
      return [f32(b, h, w, c), f32(b), i32(b)];
    },
    lower: (n, at, graph) => {
      const [b, h, w, c] = shapeOf(graph, n.inputs[0]!) as Four;
      const apart = (i: number): number => (b % 2 === 1 ? at.input(i) : 0);
      return words({
        [MixArg.X]: at.input(0),
        [MixArg.Y]: at.output(0),
        [MixArg.SHARES]: at.output(1),
        [MixArg.OTHERS]: at.output(2),
        [MixArg.LABELS]: at.input(1),
        [MixArg.SAMPLES]: at.input(2),
        [MixArg.PARTNER]: apart(4),
        [MixArg.PARTNER_LABEL]: apart(5),
        [MixArg.PARTNER_SAMPLE]: apart(6),
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
};
