/** Windows of a feature map: shifted, padded with zeros; each operator is the other's derivative. */
import { WindowPartitionArg, WindowReverseArg } from '../../assembly/abi/ops/window.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { type Attributes, f32, numel, shapeOf } from '../graph/graph.ts';
import { MOVE, moves, type OpDef, shape, words } from './def.ts';

/**
 * Windows of wh × ww, rows × columns of them, on a map of h × w with c channels. `sy`, `sx`: how far it is rolled; `modh`, `modw`: the size
 * at which that wraps (h and w: rolled, then padded; rows·wh and columns·ww: padded, then rolled). `merge` 1: positions of a window column by
 * column, as channels of one.
 */
export const WINDOW = ['h', 'w', 'c', 'wh', 'ww', 'rows', 'columns', 'sy', 'sx', 'modh', 'modw', 'merge'] as const;
export type Windows = Record<(typeof WINDOW)[number], number>;

const sizes = (a: Attributes): number[] => WINDOW.map((name) => a[name]!);

export const window: Record<string, OpDef> = {
  /** input x[B,h,w,c]; output windows [B·rows·columns, wh·ww, c], or [B,rows,columns,wh·ww·c] with merge. */
  WindowPartition: {
    opcode: Op.WindowPartition,
    infer(inputs, a) {
      const b = shape(inputs, 0)[0]!;
      const { rows, columns, wh, ww, c } = a as Windows;
      return [a.merge ? f32(b, rows, columns, wh * ww * c) : f32(b * rows * columns, wh * ww, c)];
    },
    backward(node, g) {
      const x = node.inputs[0]!;
      if (g.needs(x)) g.add(x, g.emit('WindowReverse', `${node.name}.dx`, [g.of(node.outputs[0]!)], node.attributes)[0]!);
    },
    lower: (n, at, graph) =>
      words({
        [WindowPartitionArg.X]: at.input(0),
        [WindowPartitionArg.Y]: at.output(0),
        [WindowPartitionArg.BATCH]: shapeOf(graph, n.inputs[0]!)[0]!,
        ...Object.fromEntries(sizes(n.attributes).map((word, i) => [WindowPartitionArg.H + i, word])),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** input windows; output y[B,h,w,c]. */
  WindowReverse: {
    opcode: Op.WindowReverse,
    infer(inputs, a) {
      const { rows, columns, wh, ww, c, h, w } = a as Windows;
      return [f32(numel(shape(inputs, 0)) / (rows * columns * wh * ww * c), h, w, c)];
    },
    backward(node, g) {
      const x = node.inputs[0]!;
      if (g.needs(x)) g.add(x, g.emit('WindowPartition', `${node.name}.dx`, [g.of(node.outputs[0]!)], node.attributes)[0]!);
    },
    lower: (n, at, graph) =>
      words({
        [WindowReverseArg.X]: at.input(0),
        [WindowReverseArg.Y]: at.output(0),
        [WindowReverseArg.BATCH]: shapeOf(graph, n.outputs[0]!)[0]!,
        ...Object.fromEntries(sizes(n.attributes).map((word, i) => [WindowReverseArg.H + i, word])),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
