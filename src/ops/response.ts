/** Global response norm of maps: what a channel is to the others of its picture. */
import { Keep } from '../../assembly/abi/keep.ts';
import { ResponseNormArg, ResponseNormBackwardArg, ResponseStatsArg, responseScratch } from '../../assembly/abi/ops/response.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group4RowBytes } from '../../assembly/abi/sizes.ts';
import { ABSENT, f32, type Graph, lastDim, numel, shapeOf, u8 } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, rowSplit, type Saved, same, shape, words } from './def.ts';
import { copyBytes, groupsOf } from './quantize.ts';

const [X, STATS, GAMMA, BETA] = [0, 1, 2, 3];

const batchOf = (graph: Graph, id: number): number => shapeOf(graph, id)[0]!;
const positionsOf = (graph: Graph, id: number): number => numel(shapeOf(graph, id).slice(1, -1));
const keptRow = (keep: number | undefined, row: number): number =>
  keep === Keep.Value ? row : keep === Keep.Group4 ? group4RowBytes(row / 4) : 0;

export const response: Record<string, OpDef> = {
  /** input x[B,…,C]; output the length of each channel of a picture, [B,C]. ResponseNorm's derivative is the whole of it. */
  ResponseStats: {
    opcode: Op.ResponseStats,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: (inputs) => [f32(shape(inputs, X)[0]!, shape(inputs, X).at(-1)!)],
    lower: (n, at, graph) =>
      words({
        [ResponseStatsArg.X]: at.input(X),
        [ResponseStatsArg.STATS]: at.output(0),
        [ResponseStatsArg.BATCH]: batchOf(graph, n.inputs[X]!),
        [ResponseStatsArg.P]: positionsOf(graph, n.inputs[X]!),
        [ResponseStatsArg.C]: lastDim(graph, n.inputs[X]!),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs x[B,…,C], its stats, gamma[C], beta[C] or absent; output y = x·(1 + gamma·n) + beta; kept: x (f32, or in groups), stats; attribute eps. */
  ResponseNorm: {
    opcode: Op.ResponseNorm,
    pieces: (n) => ({ of: 'pictures', whole: [GAMMA, BETA], apart: n.attributes.keep === Keep.Group8 }),
    rates: () => ({ rule: 'added' }),
    infer(inputs) {
      const x = shape(inputs, X);
      same('response norm: stats', shape(inputs, STATS), [x[0]!, x.at(-1)!]);
      same('response norm: gamma', shape(inputs, GAMMA), [x.at(-1)!]);
      if (inputs[BETA]) same('response norm: beta', shape(inputs, BETA), [x.at(-1)!]);
      return [{ dtype: 'f32', shape: x }];
    },
    saves(node, graph, needs) {
      if (!needs[X] && !needs[GAMMA]) return [];
      const exact: Saved = { as: { gn: 'f32' }, keep: Keep.Value, inputs: [X, STATS], extra: [] };
      const x = shapeOf(graph, node.inputs[X]!);
      const coded = ([8, 4] as const).map(
        (bits): Saved => ({
          as: { gn: `${bits}` },
          keep: bits === 8 ? Keep.Group8 : Keep.Group4,
          inputs: [STATS],
          extra: [u8(copyBytes(x, bits))],
        }),
      );
      return [exact, ...coded];
    },
    autograd: (node, graph, needs) =>
      needs[X] || needs[GAMMA]
        ? { values: [node.inputs[X]!], bytes: 8 * numel(shapeOf(graph, node.inputs[STATS]!)) }
        : { values: [], bytes: 0 },
    backward(node, g) {
      const [x, stats, gamma, beta] = node.inputs as [number, number, number, number];
      const dy = g.of(node.outputs[0]!);
      if (g.needs(beta)) g.emit('BiasBackward', `${node.name}.db`, [dy], {}, [g.accumulator(beta)]);
      if (!g.needs(x) && !g.needs(gamma)) return;
      const { keep, eps } = node.attributes as Record<'keep' | 'eps', number>;
      const kept = node.outputs[1] ?? x;
      const products = g.emit('GroupSums', `${node.name}.dsums`, [dy, kept], { keep })[1]!;
      const a = { keep, eps, wanted: g.needs(x) ? 1 : 0 };
      const updates = [g.needs(gamma) ? g.accumulator(gamma) : ABSENT];
      const dx = g.emit('ResponseNormBackward', `${node.name}.dx`, [dy, kept, stats, gamma, products], a, updates);
      if (g.needs(x)) g.add(x, dx[0]!);
    },
    inPlace: [[X, 0]],
    scratch: (inputs) => responseScratch(shape(inputs, X).at(-1)!),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row, keptRow(n.attributes.keep, row)] };
    },
    lower: (n, at, graph) =>
      words({
        [ResponseNormArg.X]: at.input(X),
        [ResponseNormArg.STATS]: at.input(STATS),
        [ResponseNormArg.GAMMA]: at.input(GAMMA),
        [ResponseNormArg.BETA]: at.input(BETA),
        [ResponseNormArg.Y]: at.output(0),
        [ResponseNormArg.KEPT]: n.outputs.length > 1 ? at.output(1) : 0,
        [ResponseNormArg.BATCH]: batchOf(graph, n.inputs[X]!),
        [ResponseNormArg.P]: positionsOf(graph, n.inputs[X]!),
        [ResponseNormArg.C]: lastDim(graph, n.inputs[X]!),
        [ResponseNormArg.EPS]: float(n.attributes.eps!),
        [ResponseNormArg.KEEP]: n.attributes.keep ?? Keep.Nothing,
        [ResponseNormArg.CODES]: groupsOf(lastDim(graph, n.inputs[X]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** inputs dy, x as it was kept, stats, gamma, Σ dy·x; output dx where wanted; updates dgamma (may be absent). */
  ResponseNormBackward: {
    opcode: Op.ResponseNormBackward,
    infer: (inputs, a) => (a.wanted ? [{ dtype: 'f32', shape: shape(inputs, 0) }] : []),
    inPlace: [[0, 0]],
    scratch: (inputs) => responseScratch(shape(inputs, 0).at(-1)!),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[0]!);
      return { units, inputs: [row, keptRow(n.attributes.keep, row)], outputs: n.attributes.wanted ? [row] : [] };
    },
    lower: (n, at, graph) =>
      words({
        [ResponseNormBackwardArg.DY]: at.input(0),
        [ResponseNormBackwardArg.KEPT]: at.input(1),
        [ResponseNormBackwardArg.STATS]: at.input(2),
        [ResponseNormBackwardArg.GAMMA]: at.input(3),
        [ResponseNormBackwardArg.PRODUCTS]: at.input(4),
        [ResponseNormBackwardArg.DX]: n.attributes.wanted ? at.output(0) : 0,
        [ResponseNormBackwardArg.DGAMMA]: at.update(0),
        [ResponseNormBackwardArg.BATCH]: batchOf(graph, n.inputs[0]!),
        [ResponseNormBackwardArg.P]: positionsOf(graph, n.inputs[0]!),
        [ResponseNormBackwardArg.C]: lastDim(graph, n.inputs[0]!),
        [ResponseNormBackwardArg.EPS]: float(n.attributes.eps!),
        [ResponseNormBackwardArg.KEEP]: n.attributes.keep!,
        [ResponseNormBackwardArg.CODES]: groupsOf(lastDim(graph, n.inputs[0]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
