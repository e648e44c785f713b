/** Maps of another size: the nearest pixel, or a mean of four. */
import { ResizeArg, ResizeBackwardArg } from '../../assembly/abi/ops/resize.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, type Graph, type Node, type Split, shapeOf } from '../graph/graph.ts';
import { moves, type OpDef, shape, words } from './def.ts';

type Four = [number, number, number, number];

function pictureRows({ outputs }: Node, graph: Graph): Split {
  const [batch, h, w, c] = shapeOf(graph, outputs[0]!) as Four;
  return { units: batch * h, outputs: [4 * w * c] };
}

export const resize: Record<string, OpDef> = {
  /** input x[B,H,W,C]; output y[B,oh,ow,C]; attributes oh, ow, mode (a Resizing of abi/ops/resize.ts). */
  Resize: {
    opcode: Op.Resize,
    pieces: () => ({ of: 'pictures', whole: [] }),
    split: pictureRows,
    infer(inputs, a) {
      const [batch, , , c] = shape(inputs, 0) as Four;
      return [f32(batch, a.oh!, a.ow!, c)];
    },
    backward(node, g) {
      const x = node.inputs[0]!;
      const [, h, w] = shapeOf(g.graph, x) as Four;
      g.add(x, g.emit('ResizeBackward', `${node.name}.dx`, [g.of(node.outputs[0]!)], { h, w, mode: node.attributes.mode! })[0]!);
    },
    lower(n, at, graph) {
      const [batch, h, w, c] = shapeOf(graph, n.inputs[0]!) as Four;
      return words({
        [ResizeArg.X]: at.input(0),
        [ResizeArg.Y]: at.output(0),
        [ResizeArg.BATCH]: batch,
        [ResizeArg.H]: h,
        [ResizeArg.WIDTH]: w,
        [ResizeArg.C]: c,
        [ResizeArg.OH]: n.attributes.oh!,
        [ResizeArg.OW]: n.attributes.ow!,
        [ResizeArg.MODE]: n.attributes.mode!,
      });
    },
    cost: moves,
    costRate: { mac: 0, byte: 0.1 },
  },
  /** input dy[B,OH,OW,C]; output dx[B,h,w,C]; attributes h, w, mode. */
  ResizeBackward: {
    opcode: Op.ResizeBackward,
    pieces: () => ({ of: 'pictures', whole: [] }),
    split: pictureRows,
    infer(inputs, a) {
      const [batch, , , c] = shape(inputs, 0) as Four;
      return [f32(batch, a.h!, a.w!, c)];
    },
    lower(n, at, graph) {
      const [batch, oh, ow, c] = shapeOf(graph, n.inputs[0]!) as Four;
      return words({
        [ResizeBackwardArg.DY]: at.input(0),
        [ResizeBackwardArg.DX]: at.output(0),
        [ResizeBackwardArg.BATCH]: batch,
        [ResizeBackwardArg.H]: n.attributes.h!,
        [ResizeBackwardArg.WIDTH]: n.attributes.w!,
        [ResizeBackwardArg.C]: c,
        [ResizeBackwardArg.OH]: oh,
        [ResizeBackwardArg.OW]: ow,
        [ResizeBackwardArg.MODE]: n.attributes.mode!,
      });
    },
    cost: moves,
    costRate: { mac: 0, byte: 0.1 },
  },
};
