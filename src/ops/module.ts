/** What the prompt and side modules are made of. */
import {
  AdaptivePoolArg,
  AdaptivePoolBackwardArg,
  BroadcastAddArg,
  ChannelPoolArg,
  ChannelPoolBackwardArg,
  SumBatchArg,
} from '../../assembly/abi/ops/module.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, lastDim, numel, shapeOf } from '../graph/graph.ts';
import { MOST_AXES, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const module: Record<string, OpDef> = {
  /** inputs x[B,…], p[…] (x without its batch); output y = x + p on every picture. */
  BroadcastAdd: {
    opcode: Op.BroadcastAdd,
    pieces: () => ({ of: 'pictures', whole: [1] }),
    infer(inputs) {
      const x = shape(inputs, 0);
      if (numel(shape(inputs, 1)) !== numel(x.slice(1))) same('broadcast add: p', shape(inputs, 1), x.slice(1));
      return [f32(...x)];
    },
    rates: () => ({ rule: 'added' }),
    backward(node, g) {
      const [x, p] = node.inputs as [number, number];
      const dy = g.of(node.outputs[0]!);
      if (g.needs(p)) {
        const dp = g.emit('SumBatch', `${node.name}.dp`, [dy], { shape: shapeOf(g.graph, p) })[0]!;
        g.add(p, dp);
      }
      if (g.needs(x)) g.add(x, dy);
    },
    inPlace: [[0, 0]],
    lower: (n, at, graph) => {
      const x = shapeOf(graph, n.inputs[0]!);
      return words({
        [BroadcastAddArg.X]: at.input(0),
        [BroadcastAddArg.P]: at.input(1),
        [BroadcastAddArg.Y]: at.output(0),
        [BroadcastAddArg.BATCH]: x[0]!,
        [BroadcastAddArg.N]: numel(x.slice(1)),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** input x[B,…]; output its sum over the batch, of `shape`. */
  SumBatch: {
    opcode: Op.SumBatch,
    lists: { shape: MOST_AXES },
    infer(inputs, _a, lists) {
      same('sum of a batch', [numel(lists.shape!)], [numel(shape(inputs, 0).slice(1))]);
      return [f32(...lists.shape!)];
    },
    lower: (n, at, graph) => {
      const x = shapeOf(graph, n.inputs[0]!);
      return words({
        [SumBatchArg.X]: at.input(0),
        [SumBatchArg.Y]: at.output(0),
        [SumBatchArg.BATCH]: x[0]!,
        [SumBatchArg.N]: numel(x.slice(1)),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** Channel average pooling: input x[B,…,C]; output [B,count,C/k], all positions of an image as [B,H,W,C/k], or with `h` and `w` as a map [B,h,w,C/k]. */
  ChannelPool: {
    opcode: Op.ChannelPool,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs, a) {
      const x = shape(inputs, 0);
      const c = x.at(-1)!;
      if (c % a.k! !== 0) throw new RangeError(`channel pool: ${a.k} does not divide ${c} channels`);
      const positions = numel(x.slice(1, -1));
      if (a.first! < 0 || a.count! < 1 || a.first! + a.count! > positions)
        throw new RangeError(`channel pool: ${a.count} positions from ${a.first} on, of ${positions}`);
      const map = a.h === undefined ? (a.count === positions ? x.slice(1, -1) : [a.count!]) : [a.h, a.w!];
      if (numel(map) !== a.count) throw new RangeError(`channel pool: ${a.count} positions are no map of [${map}]`);
      return [f32(x[0]!, ...map, c / a.k!)];
    },
    backward(node, g) {
      const x = node.inputs[0]!;
      if (!g.needs(x)) return;
      const { k, first, count } = node.attributes as Record<'k' | 'first' | 'count', number>;
      const a = { k, first, count, shape: shapeOf(g.graph, x) };
      const dx = g.emit('ChannelPoolBackward', `${node.name}.dx`, [g.of(node.outputs[0]!), g.soFar(x)], a)[0]!;
      g.set(x, dx);
    },
    lower: (n, at, graph) => {
      const x = shapeOf(graph, n.inputs[0]!);
      return words({
        [ChannelPoolArg.X]: at.input(0),
        [ChannelPoolArg.Y]: at.output(0),
        [ChannelPoolArg.BATCH]: x[0]!,
        [ChannelPoolArg.P]: numel(x.slice(1, -1)),
        [ChannelPoolArg.C]: x.at(-1)!,
        [ChannelPoolArg.K]: n.attributes.k!,
        [ChannelPoolArg.FIRST]: n.attributes.first!,
        [ChannelPoolArg.COUNT]: n.attributes.count!,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** inputs dy, acc or absent; output dx[B,…,C], of `shape`. */
  ChannelPoolBackward: {
    opcode: Op.ChannelPoolBackward,
    pieces: () => ({ of: 'pictures', whole: [] }),
    lists: { shape: MOST_AXES },
    infer: (_inputs, _a, lists) => [f32(...lists.shape!)],
    inPlace: [[1, 0]],
    lower: (n, at, graph) =>
      words({
        [ChannelPoolBackwardArg.DY]: at.input(0),
        [ChannelPoolBackwardArg.ACC]: at.input(1),
        [ChannelPoolBackwardArg.DX]: at.output(0),
        [ChannelPoolBackwardArg.BATCH]: shapeOf(graph, n.inputs[0]!)[0]!,
        [ChannelPoolBackwardArg.P]: numel(shapeOf(graph, n.outputs[0]!).slice(1, -1)),
        [ChannelPoolBackwardArg.C]: lastDim(graph, n.outputs[0]!),
        [ChannelPoolBackwardArg.K]: n.attributes.k!,
        [ChannelPoolBackwardArg.FIRST]: n.attributes.first!,
        [ChannelPoolBackwardArg.COUNT]: n.attributes.count!,
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** Average pooling to oh × ow: input x[B,H,W,C]; output [B,oh,ow,C]. */
  AdaptivePool: {
    opcode: Op.AdaptivePool,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: (inputs, a) => [f32(shape(inputs, 0)[0]!, a.oh!, a.ow!, shape(inputs, 0)[3]!)],
    backward(node, g) {
      const x = node.inputs[0]!;
      const [, h, w] = shapeOf(g.graph, x) as Four;
      if (g.needs(x)) g.add(x, g.emit('AdaptivePoolBackward', `${node.name}.dx`, [g.of(node.outputs[0]!)], { h, w })[0]!);
    },
    lower: (n, at, graph) => {
      const [b, h, w, c] = shapeOf(graph, n.inputs[0]!) as Four;
      return words({
        [AdaptivePoolArg.X]: at.input(0),
        [AdaptivePoolArg.Y]: at.output(0),
        [AdaptivePoolArg.BATCH]: b,
        [AdaptivePoolArg.H]: h,
        [AdaptivePoolArg.WIDTH]: w,
        [AdaptivePoolArg.C]: c,
        [AdaptivePoolArg.OH]: n.attributes.oh!,
        [AdaptivePoolArg.OW]: n.attributes.ow!,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** input dy[B,OH,OW,C]; output dx[B,h,w,C]. */
  AdaptivePoolBackward: {
    opcode: Op.AdaptivePoolBackward,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: (inputs, a) => [f32(shape(inputs, 0)[0]!, a.h!, a.w!, shape(inputs, 0)[3]!)],
    lower: (n, at, graph) => {
      const [b, oh, ow, c] = shapeOf(graph, n.inputs[0]!) as Four;
      return words({
        [AdaptivePoolBackwardArg.DY]: at.input(0),
        [AdaptivePoolBackwardArg.DX]: at.output(0),
        [AdaptivePoolBackwardArg.BATCH]: b,
        [AdaptivePoolBackwardArg.H]: n.attributes.h!,
        [AdaptivePoolBackwardArg.WIDTH]: n.attributes.w!,
        [AdaptivePoolBackwardArg.C]: c,
        [AdaptivePoolBackwardArg.OH]: oh,
        [AdaptivePoolBackwardArg.OW]: ow,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
