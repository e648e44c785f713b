/** Group normalisation of maps: groups of neighbouring channels share mean and variance over a picture. */
import { Keep } from '../../assembly/abi/keep.ts';
import { GroupNormArg, GroupNormBackwardArg, GroupStatsArg, GroupSumsArg, groupNormScratch } from '../../assembly/abi/ops/groupnorm.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group4RowBytes } from '../../assembly/abi/sizes.ts';
import { f32, type Graph, lastDim, type Node, numel, shapeOf, u8 } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, rowSplit, type Saved, same, shape, words } from './def.ts';
import { copyBytes, groupsOf } from './quantize.ts';

const [X, STATS, GAMMA, BETA] = [0, 1, 2, 3];

const batchOf = (graph: Graph, id: number): number => shapeOf(graph, id)[0]!;
const positionsOf = (graph: Graph, id: number): number => numel(shapeOf(graph, id).slice(1, -1));
const keptRow = (keep: number | undefined, row: number): number =>
  keep === Keep.Value ? row : keep === Keep.Group4 ? group4RowBytes(row / 4) : 0;

export const groupNorm: Record<string, OpDef> = {
  /** input x[B,…,C]; output mean and rstd [B,groups,2]; attributes groups, eps. GroupNorm's derivative is the whole of it. */
  GroupStats: {
    opcode: Op.GroupStats,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs, a) {
      const x = shape(inputs, X);
      if (x.at(-1)! % a.groups!) throw new RangeError(`group norm: ${x.at(-1)} channels do not divide into ${a.groups} groups`);
      return [f32(x[0]!, a.groups!, 2)];
    },
    lower: (n, at, graph) =>
      words({
        [GroupStatsArg.X]: at.input(X),
        [GroupStatsArg.STATS]: at.output(0),
        [GroupStatsArg.BATCH]: batchOf(graph, n.inputs[X]!),
        [GroupStatsArg.P]: positionsOf(graph, n.inputs[X]!),
        [GroupStatsArg.C]: lastDim(graph, n.inputs[X]!),
        [GroupStatsArg.GROUPS]: n.attributes.groups!,
        [GroupStatsArg.EPS]: float(n.attributes.eps!),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs x[B,…,C], its stats, gamma[C], beta[C]; output y; kept: x̂ (f32, or in groups of 8 or 4 bits), stats. */
  GroupNorm: {
    opcode: Op.GroupNorm,
    pieces: (n) => ({ of: 'pictures', whole: [GAMMA, BETA], separatelyStored: n.attributes.keep === Keep.Group8 }),
    rates: () => ({ rule: 'added' }),
    infer(inputs) {
      const x = shape(inputs, X);
      same('group norm: gamma', shape(inputs, GAMMA), [x.at(-1)!]);
      same('group norm: beta', shape(inputs, BETA), [x.at(-1)!]);
      return [{ dtype: 'f32', shape: x }];
    },
    saves(node, graph, needs) {
      if (!needs[X] && !needs[GAMMA]) return [];
      const x = shapeOf(graph, node.inputs[X]!);
      const saved = { inputs: needs[X] ? [STATS] : [] };
      const coded = (bits: 8 | 4): Saved => ({
        ...saved,
        as: { gn: `${bits}` },
        keep: bits === 8 ? Keep.Group8 : Keep.Group4,
        extra: [u8(copyBytes(x, bits))],
      });
      return [{ ...saved, as: { gn: 'f32' }, keep: Keep.Value, extra: [f32(...x)] }, coded(8), coded(4)];
    },
    autograd: (node, graph, needs) =>
      needs[X] || needs[GAMMA] || needs[BETA]
        ? { values: [node.inputs[X]!], bytes: 4 * numel(shapeOf(graph, node.inputs[STATS]!)) }
        : { values: [], bytes: 0 },
    backward(node, g) {
      const [x, stats, gamma, beta] = node.inputs as [number, number, number, number];
      const [y, xhat] = node.outputs as [number, number | undefined];
      const dy = g.of(y);
      if (xhat === undefined) {
        if (g.needs(beta)) g.emit('BiasBackward', `${node.name}.db`, [dy], {}, [g.accumulator(beta)]);
        return;
      }
      const { keep } = node.attributes as { keep: number };
      const [sums, products] = g.emit('GroupSums', `${node.name}.dsums`, [dy, xhat], { keep }) as [number, number];
      if (g.needs(beta)) g.emit('BiasBackward', `${node.name}.db`, [sums], {}, [g.accumulator(beta)]);
      if (g.needs(gamma)) g.emit('BiasBackward', `${node.name}.dgamma`, [products], {}, [g.accumulator(gamma)]);
      const inputs = [dy, xhat, stats, gamma, sums, products];
      if (g.needs(x)) g.add(x, g.emit('GroupNormBackward', `${node.name}.dx`, inputs, { keep })[0]!);
    },
    inPlace: [[X, 0]],
    scratch: (inputs) => groupNormScratch(shape(inputs, X).at(-1)!),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row, keptRow(n.attributes.keep, row)] };
    },
    lower: (n, at, graph) =>
      words({
        [GroupNormArg.X]: at.input(X),
        [GroupNormArg.STATS]: at.input(STATS),
        [GroupNormArg.GAMMA]: at.input(GAMMA),
        [GroupNormArg.BETA]: at.input(BETA),
        [GroupNormArg.Y]: at.output(0),
        [GroupNormArg.XHAT]: n.outputs.length > 1 ? at.output(1) : 0,
        [GroupNormArg.BATCH]: batchOf(graph, n.inputs[X]!),
        [GroupNormArg.P]: positionsOf(graph, n.inputs[X]!),
        [GroupNormArg.C]: lastDim(graph, n.inputs[X]!),
        [GroupNormArg.GROUPS]: groupCount(n, graph, STATS),
        [GroupNormArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [GroupNormArg.CODES]: groupsOf(lastDim(graph, n.inputs[X]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs dy[B,…,C], x̂ as it was kept; outputs Σ dy and Σ dy·x̂ over positions, [B,C] each. */
  GroupSums: {
    opcode: Op.GroupSums,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs) {
      const dy = shape(inputs, 0);
      return [f32(dy[0]!, dy.at(-1)!), f32(dy[0]!, dy.at(-1)!)];
    },
    scratch: (inputs) => groupNormScratch(shape(inputs, 0).at(-1)!),
    lower: (n, at, graph) =>
      words({
        [GroupSumsArg.DY]: at.input(0),
        [GroupSumsArg.XHAT]: at.input(1),
        [GroupSumsArg.SUMS]: at.output(0),
        [GroupSumsArg.PRODUCTS]: at.output(1),
        [GroupSumsArg.BATCH]: batchOf(graph, n.inputs[0]!),
        [GroupSumsArg.P]: positionsOf(graph, n.inputs[0]!),
        [GroupSumsArg.C]: lastDim(graph, n.inputs[0]!),
        [GroupSumsArg.KEEP]: n.attributes.keep!,
        [GroupSumsArg.CODES]: groupsOf(lastDim(graph, n.inputs[0]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs dy, x̂, stats, gamma, sums, products; output dx. */
  GroupNormBackward: {
    opcode: Op.GroupNormBackward,
    pieces: () => ({ of: 'pictures', whole: [3] }),
    infer: (inputs) => [{ dtype: 'f32', shape: shape(inputs, 0) }],
    inPlace: [[0, 0]],
    scratch: (inputs) => groupNormScratch(shape(inputs, 0).at(-1)!),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[0]!);
      return { units, inputs: [row, keptRow(n.attributes.keep, row)], outputs: [row] };
    },
    lower: (n, at, graph) =>
      words({
        [GroupNormBackwardArg.DY]: at.input(0),
        [GroupNormBackwardArg.XHAT]: at.input(1),
        [GroupNormBackwardArg.STATS]: at.input(2),
        [GroupNormBackwardArg.GAMMA]: at.input(3),
        [GroupNormBackwardArg.SUMS]: at.input(4),
        [GroupNormBackwardArg.PRODUCTS]: at.input(5),
        [GroupNormBackwardArg.DX]: at.output(0),
        [GroupNormBackwardArg.BATCH]: batchOf(graph, n.inputs[0]!),
        [GroupNormBackwardArg.P]: positionsOf(graph, n.inputs[0]!),
        [GroupNormBackwardArg.C]: lastDim(graph, n.inputs[0]!),
        [GroupNormBackwardArg.GROUPS]: groupCount(n, graph, 2),
        [GroupNormBackwardArg.KEEP]: n.attributes.keep!,
        [GroupNormBackwardArg.CODES]: groupsOf(lastDim(graph, n.inputs[0]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
};

/** Groups of the stats that are operand `i`. */
const groupCount = (n: Node, graph: Graph, i: number): number => shapeOf(graph, n.inputs[i]!)[1]!;
