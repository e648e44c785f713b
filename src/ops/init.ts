/** What runs once, after the weights are in place. */
import {
  FoldBatchNormArg,
  MergeBranchArg,
  NormalArg,
  ResizePositionsArg,
  resizePositionsScratch,
  StandardiseArg,
} from '../../assembly/abi/ops/init.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { encodingOf, numel, shapeOf } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, words } from './def.ts';

export const init: Record<string, OpDef> = {
  /** inputs gamma, beta, mean, var (gamma, beta, or mean and var may be absent); updates w, b (or absent); attributes eps, depthwise. */
  FoldBatchNorm: {
    opcode: Op.FoldBatchNorm,
    infer: () => [],
    lower: (n, at, graph) => {
      const w = shapeOf(graph, n.updates[0]!);
      const o = n.attributes.depthwise ? w.at(-1)! : w[0]!;
      return words({
        [FoldBatchNormArg.W]: at.update(0),
        [FoldBatchNormArg.B]: at.update(1),
        [FoldBatchNormArg.GAMMA]: at.input(0),
        [FoldBatchNormArg.BETA]: at.input(1),
        [FoldBatchNormArg.MEAN]: at.input(2),
        [FoldBatchNormArg.VAR]: at.input(3),
        [FoldBatchNormArg.O]: o,
        [FoldBatchNormArg.K]: numel(w) / o,
        [FoldBatchNormArg.EPS]: float(n.attributes.eps!),
        [FoldBatchNormArg.DEPTHWISE]: n.attributes.depthwise!,
        [FoldBatchNormArg.ENCODING]: encodingOf(graph, n.updates[0]!),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** updates w[O,…], each filter to mean 0 and deviation 1; attribute eps. */
  Standardise: {
    opcode: Op.Standardise,
    infer: () => [],
    lower: (n, at, graph) => {
      const [o, ...rest] = shapeOf(graph, n.updates[0]!) as [number, ...number[]];
      return words({
        [StandardiseArg.W]: at.update(0),
        [StandardiseArg.O]: o,
        [StandardiseArg.K]: numel(rest),
        [StandardiseArg.EPS]: float(n.attributes.eps!),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /**
   * inputs x (a filter of as many taps as w, or of one; absent: the identity), gamma, beta, mean, var; updates w [O,R,S,I], [O,I] or depthwise [R,S,C],
   * b[O], to which they are added; attributes eps, depthwise, whole (1: as many).
   */
  MergeBranch: {
    opcode: Op.MergeBranch,
    infer: () => [],
    lower: (n, at, graph) => {
      const [w, o] = [shapeOf(graph, n.updates[0]!), shapeOf(graph, n.updates[1]!)[0]!];
      const depthwise = n.attributes.depthwise!;
      const inputs = depthwise ? 1 : w.at(-1)!;
      const r = Math.sqrt(numel(w) / o / inputs);
      return words({
        [MergeBranchArg.W]: at.update(0),
        [MergeBranchArg.B]: at.update(1),
        [MergeBranchArg.X]: at.input(0),
        [MergeBranchArg.GAMMA]: at.input(1),
        [MergeBranchArg.BETA]: at.input(2),
        [MergeBranchArg.MEAN]: at.input(3),
        [MergeBranchArg.VAR]: at.input(4),
        [MergeBranchArg.SCALE]: at.input(5),
        [MergeBranchArg.O]: o,
        [MergeBranchArg.I]: inputs,
        [MergeBranchArg.R]: r,
        [MergeBranchArg.S]: Math.max(1, n.attributes.side!),
        [MergeBranchArg.EPS]: float(n.attributes.eps!),
        [MergeBranchArg.DEPTHWISE]: depthwise,
        [MergeBranchArg.TAKEN]: n.attributes.taken!,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** input x[prefix+h0·w0, C]; updates y[prefix+h·w, C]. */
  ResizePositions: {
    opcode: Op.ResizePositions,
    infer: () => [],
    scratch: (_inputs, a) => resizePositionsScratch(a.h0!, a.w0!),
    lower: (n, at, graph) =>
      words({
        [ResizePositionsArg.X]: at.input(0),
        [ResizePositionsArg.Y]: at.update(0),
        [ResizePositionsArg.PREFIX]: n.attributes.prefix!,
        [ResizePositionsArg.H0]: n.attributes.h0!,
        [ResizePositionsArg.W0]: n.attributes.w0!,
        [ResizePositionsArg.H]: n.attributes.h!,
        [ResizePositionsArg.WIDTH]: n.attributes.w!,
        [ResizePositionsArg.C]: shapeOf(graph, n.inputs[0]!).at(-1)!,
        [ResizePositionsArg.ANTIALIAS]: n.attributes.antialias!,
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** input state; updates y with normal numbers; attributes number (of the stream), scale. */
  Normal: {
    opcode: Op.Normal,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [NormalArg.Y]: at.update(0),
        [NormalArg.N]: numel(shapeOf(graph, n.updates[0]!)),
        [NormalArg.NUMBER]: n.attributes.number!,
        [NormalArg.SCALE]: float(n.attributes.scale!),
        [NormalArg.STATE]: at.input(0),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
