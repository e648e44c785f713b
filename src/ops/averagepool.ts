/** Means of windows of maps. */
import { AveragePoolArg, AveragePoolBackwardArg } from '../../assembly/abi/ops/averagepool.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { type Attributes, type Graph, type Node, type Split, shapeOf } from '../graph/graph.ts';
import { MOVE, moves, type OpDef, shape, words } from './def.ts';

type Four = [number, number, number, number];

/**
 * Attributes: windows of r × s pixels, `stepY` rows and `stepX` columns apart, oh × ow of them, the first one `top` rows above and `left` columns
 * left of the picture. `padded` 1: the zeros around it count, `bottom` rows of them below and `right` columns on the right.
 */
const WINDOW = ['oh', 'ow', 'r', 's', 'stepY', 'stepX', 'top', 'left', 'bottom', 'right', 'padded'] as const;

/** BATCH … PADDED. */
const geometry = (first: number, image: readonly number[], a: Attributes): Record<number, number> =>
  Object.fromEntries([...image, ...WINDOW.map((name) => a[name]!)].map((word, i) => [first + i, word]));

function pictureRows({ outputs }: Node, graph: Graph): Split {
  const [batch, h, w, c] = shapeOf(graph, outputs[0]!) as Four;
  return { units: batch * h, outputs: [4 * w * c] };
}

export const averagePool: Record<string, OpDef> = {
  /** input x[B,H,W,C]; output y[B,OH,OW,C]; attributes as above. */
  AveragePool: {
    opcode: Op.AveragePool,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs, a) {
      const [batch, , , c] = shape(inputs, 0) as Four;
      return [{ dtype: 'f32', shape: [batch, a.oh!, a.ow!, c] }];
    },
    split: pictureRows,
    backward(node, g) {
      const x = node.inputs[0]!;
      const [, h, w, c] = shapeOf(g.graph, x) as Four;
      g.add(x, g.emit('AveragePoolBackward', `${node.name}.dx`, [g.of(node.outputs[0]!)], { ...node.attributes, h, w, c })[0]!);
    },
    lower: (n, at, graph) =>
      words({
        [AveragePoolArg.X]: at.input(0),
        [AveragePoolArg.Y]: at.output(0),
        ...geometry(AveragePoolArg.BATCH, shapeOf(graph, n.inputs[0]!), n.attributes),
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** input dy; output dx[B,h,w,c]; attributes as above and h, w, c. */
  AveragePoolBackward: {
    opcode: Op.AveragePoolBackward,
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer: (inputs, a) => [{ dtype: 'f32', shape: [shape(inputs, 0)[0]!, a.h!, a.w!, a.c!] }],
    split: pictureRows,
    lower: (n, at, graph) =>
      words({
        [AveragePoolBackwardArg.DY]: at.input(0),
        [AveragePoolBackwardArg.DX]: at.output(0),
        ...geometry(AveragePoolBackwardArg.BATCH, shapeOf(graph, n.outputs[0]!), n.attributes),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
