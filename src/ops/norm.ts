/** Layer normalisation over the last axis. */
import { Keep } from '../../assembly/abi/keep.ts';
import { LayerNormArg, LayerNormBackwardArg, LayerNormBackwardWArg, layerNormScratch } from '../../assembly/abi/ops/norm.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group4RowBytes } from '../../assembly/abi/sizes.ts';
import { f32, lastDim, rowsOf, shapeOf, u8 } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, rowSplit, same, shape, words } from './def.ts';
import { copyBytes, groupsOf } from './quantize.ts';

const [X, GAMMA, BETA] = [0, 1, 2];

/** Bytes of a row of x̂ as it is kept. */
const keptRow = (keep: number | undefined, c: number): number =>
  keep === Keep.Group4 ? group4RowBytes(c) : keep === Keep.Group8 ? 0 : 4 * c;

export const norm: Record<string, OpDef> = {
  /** inputs x[…,C], gamma[C], beta[C]; output y; kept: x̂ (f32, or in groups of 8 or 4 bits) and rstd by row; attributes eps, keep. */
  LayerNorm: {
    opcode: Op.LayerNorm,
    infer(inputs) {
      const x = shape(inputs, X);
      same('layer norm: gamma', shape(inputs, GAMMA), [x.at(-1)!]);
      same('layer norm: beta', shape(inputs, BETA), [x.at(-1)!]);
      return [{ dtype: 'f32', shape: x }];
    },
    saves(node, graph, needs) {
      if (!needs[X] && !needs[GAMMA]) return [];
      const x = node.inputs[X]!;
      const [rows, c] = [rowsOf(graph, x), lastDim(graph, x)];
      return [
        { as: { ln: 'f32' }, keep: Keep.Value, inputs: [], extra: [f32(...shapeOf(graph, x)), f32(rows)] },
        { as: { ln: '8' }, keep: Keep.Group8, inputs: [], extra: [u8(copyBytes(shapeOf(graph, x), 8)), f32(rows)] },
        { as: { ln: '4' }, keep: Keep.Group4, inputs: [], extra: [u8(rows * group4RowBytes(c)), f32(rows)] },
      ];
    },
    autograd: (node, graph, needs) =>
      needs[X] || needs[GAMMA] || needs[BETA]
        ? { values: [node.inputs[X]!], bytes: 8 * rowsOf(graph, node.inputs[X]!) }
        : { values: [], bytes: 0 },
    storage: () => 'rows',
    backward(node, g) {
      const [x, gamma, beta] = node.inputs as [number, number, number];
      const [y, xhat, rstd] = node.outputs as [number, number, number];
      const dy = g.of(y);
      const { keep } = node.attributes as { keep: number };
      if (g.needs(beta)) g.emit('BiasBackward', `${node.name}.db`, [dy], {}, [g.accumulator(beta)]);
      if (g.needs(gamma)) g.emit('LayerNormBackwardW', `${node.name}.dgamma`, [xhat, dy], { keep }, [g.accumulator(gamma)]);
      if (g.needs(x)) g.set(x, g.emit('LayerNormBackward', `${node.name}.dx`, [dy, xhat, rstd, gamma, g.soFar(x)], { keep })[0]!);
    },
    // The normalised input has a size of 1: what multiplies it counts as what is added.
    rates: () => ({ rule: 'added' }),
    inPlace: [[0, 0]],
    pieces: (n) => ({ of: 'rows', whole: [GAMMA, BETA], separatelyStored: n.attributes.keep === Keep.Group8 }),
    scratch: (inputs, a) => (a.keep === Keep.Group8 ? layerNormScratch(shape(inputs, X).at(-1)!) : 0),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row, keptRow(n.attributes.keep, row / 4), 4] };
    },
    lower: (n, at, graph) =>
      words({
        [LayerNormArg.X]: at.input(X),
        [LayerNormArg.GAMMA]: at.input(GAMMA),
        [LayerNormArg.BETA]: at.input(BETA),
        [LayerNormArg.Y]: at.output(0),
        [LayerNormArg.XHAT]: n.outputs.length > 1 ? at.output(1) : 0,
        [LayerNormArg.RSTD]: n.outputs.length > 1 ? at.output(2) : 0,
        [LayerNormArg.M]: rowsOf(graph, n.inputs[X]!),
        [LayerNormArg.C]: lastDim(graph, n.inputs[X]!),
        [LayerNormArg.EPS]: float(n.attributes.eps!),
        [LayerNormArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [LayerNormArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[X]!)),
      }),
    cost: moves,
    costRate: { mac: 0, byte: 0.09 },
  },
  /** inputs dy, x̂, rstd, gamma, acc or absent; output dx. */
  LayerNormBackward: {
    opcode: Op.LayerNormBackward,
    infer: (inputs) => [{ dtype: 'f32', shape: shape(inputs, 0) }],
    inPlace: [
      [4, 0],
      [0, 0],
    ],
    pieces: () => ({ of: 'rows', whole: [3] }),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[0]!);
      return { units, inputs: [row, keptRow(n.attributes.keep, row / 4), 4, 0, row], outputs: [row] };
    },
    scratch: (inputs) => layerNormScratch(shape(inputs, 0).at(-1)!),
    lower: (n, at, graph) =>
      words({
        [LayerNormBackwardArg.XHAT]: at.input(1),
        [LayerNormBackwardArg.RSTD]: at.input(2),
        [LayerNormBackwardArg.GAMMA]: at.input(3),
        [LayerNormBackwardArg.DY]: at.input(0),
        [LayerNormBackwardArg.ACC]: at.input(4),
        [LayerNormBackwardArg.DX]: at.output(0),
        [LayerNormBackwardArg.M]: rowsOf(graph, n.inputs[0]!),
        [LayerNormBackwardArg.C]: lastDim(graph, n.inputs[0]!),
        [LayerNormBackwardArg.KEEP]: n.attributes.keep!,
        [LayerNormBackwardArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[0]!)),
      }),
    cost: moves,
    costRate: { mac: 0, byte: 0.08 },
  },
  /** inputs x̂, dy; updates dgamma. */
  LayerNormBackwardW: {
    opcode: Op.LayerNormBackwardW,
    infer: () => [],
    scratch: (inputs) => layerNormScratch(shape(inputs, 1).at(-1)!),
    lower: (n, at, graph) =>
      words({
        [LayerNormBackwardWArg.XHAT]: at.input(0),
        [LayerNormBackwardWArg.DY]: at.input(1),
        [LayerNormBackwardWArg.DGAMMA]: at.update(0),
        [LayerNormBackwardWArg.M]: rowsOf(graph, n.inputs[1]!),
        [LayerNormBackwardWArg.C]: lastDim(graph, n.inputs[1]!),
        [LayerNormBackwardWArg.KEEP]: n.attributes.keep!,
        [LayerNormBackwardWArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[1]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
