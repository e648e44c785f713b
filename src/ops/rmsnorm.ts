/** Norms over the last axis that take no mean away: root mean square, and rows of length 1. */
import { Keep } from '../../assembly/abi/keep.ts';
import { RmsNormArg, RmsNormBackwardArg, rmsNormScratch } from '../../assembly/abi/ops/rmsnorm.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group4RowBytes } from '../../assembly/abi/sizes.ts';
import { ABSENT, f32, lastDim, rowsOf, shapeOf, u8 } from '../graph/graph.ts';
import { float, moves, type OpDef, rowSplit, type Saved, same, shape, words } from './def.ts';
import { copyBytes, groupsOf } from './quantize.ts';

const [X, GAMMA] = [0, 1];

/** Bytes of a row of x̂ as it is kept, where those of a thread lie together. */
const keptRow = (keep: number | undefined, row: number): number =>
  keep === Keep.Value ? row : keep === Keep.Group4 ? group4RowBytes(row / 4) : 0;

export const rmsNorm: Record<string, OpDef> = {
  /**
   * inputs x[…,C], gamma[C] or absent; output y = x·r·gamma, r = 1/√(mean of x² + eps) by row or, with `unit` 1, 1/max(‖x‖, eps); kept: x·r (f32, or
   * in groups of 8 or 4 bits) and r; attributes eps, unit, keep.
   */
  RmsNorm: {
    opcode: Op.RmsNorm,
    infer(inputs) {
      const x = shape(inputs, X);
      if (inputs[GAMMA]) same('rms norm: gamma', shape(inputs, GAMMA), [x.at(-1)!]);
      return [{ dtype: 'f32', shape: x }];
    },
    saves(node, graph, needs) {
      if (!needs[X] && !needs[GAMMA]) return [];
      const x = shapeOf(graph, node.inputs[X]!);
      const r = f32(rowsOf(graph, node.inputs[X]!));
      const exact: Saved = { as: { ln: 'f32' }, keep: Keep.Value, inputs: [], extra: [f32(...x), r] };
      const coded = ([8, 4] as const).map(
        (bits): Saved => ({
          ...exact,
          as: { ln: `${bits}` },
          keep: bits === 8 ? Keep.Group8 : Keep.Group4,
          extra: [u8(copyBytes(x, bits)), r],
        }),
      );
      return [exact, ...coded];
    },
    autograd: (node, graph, needs) =>
      needs[X] || needs[GAMMA] ? { values: [node.inputs[X]!], bytes: 4 * rowsOf(graph, node.inputs[X]!) } : { values: [], bytes: 0 },
    backward(node, g) {
      const [x, gamma] = node.inputs as [number, number];
      const [y, xhat, r] = node.outputs as [number, number, number];
      const dy = g.of(y);
      const { keep, eps, unit } = node.attributes as Record<'keep' | 'eps' | 'unit', number>;
      if (g.needs(gamma)) g.emit('LayerNormBackwardW', `${node.name}.dgamma`, [xhat, dy], { keep }, [g.accumulator(gamma)]);
      const inputs = [dy, xhat, r, gamma, g.soFar(x)];
      if (g.needs(x)) g.set(x, g.emit('RmsNormBackward', `${node.name}.dx`, inputs, { keep, eps, unit })[0]!);
    },
    rates: () => ({ rule: 'added' }),
    inPlace: [[X, 0]],
    pieces: (n) => ({ of: 'rows', whole: [GAMMA], apart: n.attributes.keep === Keep.Group8 }),
    scratch: (inputs) => rmsNormScratch(shape(inputs, X).at(-1)!),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row, keptRow(n.attributes.keep, row), 4] };
    },
    lower: (n, at, graph) =>
      words({
        [RmsNormArg.X]: at.input(X),
        [RmsNormArg.GAMMA]: at.input(GAMMA),
        [RmsNormArg.Y]: at.output(0),
        [RmsNormArg.XHAT]: n.outputs.length > 1 ? at.output(1) : 0,
        [RmsNormArg.RSTD]: n.outputs.length > 1 ? at.output(2) : 0,
        [RmsNormArg.M]: rowsOf(graph, n.inputs[X]!),
        [RmsNormArg.C]: lastDim(graph, n.inputs[X]!),
        [RmsNormArg.EPS]: float(n.attributes.eps!),
        [RmsNormArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [RmsNormArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[X]!)),
        [RmsNormArg.UNIT]: n.attributes.unit!,
      }),
    cost: moves,
    costRate: { mac: 0, byte: 0.09 },
  },
  /** inputs dy, x̂, r, gamma or absent, acc or absent; output dx; attributes keep, eps, unit. */
  RmsNormBackward: {
    opcode: Op.RmsNormBackward,
    infer: (inputs) => [{ dtype: 'f32', shape: shape(inputs, 0) }],
    inPlace: [
      [4, 0],
      [0, 0],
    ],
    pieces: () => ({ of: 'rows', whole: [3] }),
    scratch: (inputs) => rmsNormScratch(shape(inputs, 0).at(-1)!),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[0]!);
      const acc = n.inputs[4] === ABSENT ? 0 : row;
      return { units, inputs: [row, keptRow(n.attributes.keep, row), 4, 0, acc], outputs: [row] };
    },
    lower: (n, at, graph) =>
      words({
        [RmsNormBackwardArg.XHAT]: at.input(1),
        [RmsNormBackwardArg.RSTD]: at.input(2),
        [RmsNormBackwardArg.GAMMA]: at.input(3),
        [RmsNormBackwardArg.DY]: at.input(0),
        [RmsNormBackwardArg.ACC]: at.input(4),
        [RmsNormBackwardArg.DX]: at.output(0),
        [RmsNormBackwardArg.M]: rowsOf(graph, n.inputs[0]!),
        [RmsNormBackwardArg.C]: lastDim(graph, n.inputs[0]!),
        [RmsNormBackwardArg.EPS]: float(n.attributes.eps!),
        [RmsNormBackwardArg.KEEP]: n.attributes.keep!,
        [RmsNormBackwardArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[0]!)),
        [RmsNormBackwardArg.UNIT]: n.attributes.unit!,
      }),
    cost: moves,
    costRate: { mac: 0, byte: 0.08 },
  },
};
