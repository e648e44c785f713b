/** Convolutions in NHWC whose channels fall into groups, or whose taps are spaced, or whose steps differ by axis. */
import { GroupConvArg, GroupConvBackwardWArg, GroupConvBackwardXArg, groupConvScratch } from '../../assembly/abi/ops/groupconv.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { Patch } from '../../assembly/abi/tiles.ts';
import { type Attributes, encodingOf, type Graph, type Node, numel, shapeOf } from '../graph/graph.ts';
import { type OpDef, same, shape, traffic, words } from './def.ts';
import { keptInput, savesInput } from './quantize.ts';

const [X, W, B] = [0, 1, 2];
type Four = [number, number, number, number];

/**
 * Attributes of a window: r × s taps, `down` rows and `across` columns apart; windows begin `stepY` rows and `stepX` columns apart, the first one
 * `top` rows above and `left` columns left of the picture; oh × ow of them. `groups` of channels, which do not mix.
 */
const WINDOW = ['r', 's', 'stepY', 'stepX', 'down', 'across', 'top', 'left', 'groups'] as const;
type Window = Record<(typeof WINDOW)[number] | 'oh' | 'ow', number>;

/** BATCH … GROUPS, from the image side [B,H,W,C], the filters' number and the attributes. */
function geometry(image: readonly number[], o: number, a: Attributes): number[] {
  const { oh, ow } = a as Window;
  return [...image, oh, ow, o, ...WINDOW.map((name) => a[name]!)];
}
/** Words one after the other, from argument `first` on. */
const list = (first: number, values: readonly number[]): Record<number, number> =>
  Object.fromEntries(values.map((word, i) => [first + i, word]));

const imageOf = (n: Node, graph: Graph): number[] => [shapeOf(graph, n.inputs[0]!)[0]!, n.attributes.h!, n.attributes.w!, n.attributes.c!];
const pixelsOf = ({ attributes }: Node): number => attributes.pixels ?? Patch.Rows;
/** Taps of a filter w[O,R,S,C/groups]. */
const tapsOf = (w: readonly number[]): number => numel(w) / w[0]!;

function cost(n: Node, graph: Graph, w: number, dy: number): { macs: number; bytes: number } {
  const [batch, oh, ow] = shapeOf(graph, dy) as Four;
  return { macs: batch * oh * ow * numel(shapeOf(graph, w)), bytes: traffic(n, graph) };
}
/** Narrow products: half of what a wide one is worth. */
const costRate = { mac: 0.12, byte: 0.3 };

export const groupConv: Record<string, OpDef> = {
  /** inputs x[B,H,W,C], w[O,R,S,C/groups], b[O] or absent; output y[B,OH,OW,O]; attributes Window. */
  GroupConv: {
    opcode: Op.GroupConv,
    pieces: () => ({ of: 'pictures', whole: [W, B] }),
    tile: 'pixels',
    coded: W,
    infer(inputs, a) {
      const [batch, , , c] = shape(inputs, X) as Four;
      const { r, s, oh, ow, groups } = a as Window;
      const [o] = shape(inputs, W) as Four;
      if (c % groups || o % groups) throw new RangeError(`group conv: ${c} and ${o} channels do not divide into ${groups} groups`);
      same('group conv: weight', shape(inputs, W), [o, r, s, c / groups]);
      if (inputs[B]) same('group conv: bias', shape(inputs, B), [o]);
      return [{ dtype: 'f32', shape: [batch, oh, ow, o] }];
    },
    rates(node, graph, i) {
      const { r, s, groups } = node.attributes as Window;
      return i === B
        ? { rule: 'added' }
        : { rule: 'product', input: X, inner: tapsOf(shapeOf(graph, node.inputs[W]!)), spread: (r * s) / groups };
    },
    saves: (node, graph, needs) => (needs[W] ? savesInput(node, graph, X) : []),
    /** PyTorch's convolution keeps its input even where only the bias learns (pytorch issue 133566). */
    autograd: (node) => ({ values: [node.inputs[X]!], bytes: 0 }),
    backward(node, g) {
      const [x, w, b] = node.inputs as [number, number, number];
      const dy = g.of(node.outputs[0]!);
      const [, h, width, c] = shapeOf(g.graph, x) as Four;
      const a = { ...node.attributes, h, w: width, c };
      if (g.needs(b)) g.emit('BiasBackward', `${node.name}.db`, [dy], {}, [g.accumulator(b)]);
      if (g.needs(w)) g.emit('GroupConvBackwardW', `${node.name}.dw`, [dy, keptInput(node, g, X)], a, [g.accumulator(w)]);
      if (g.needs(x)) g.add(x, g.emit('GroupConvBackwardX', `${node.name}.dx`, [dy, w], a)[0]!);
    },
    scratch: (inputs, a) => groupConvScratch(shape(inputs, X)[0]! * a.oh! * a.ow!, tapsOf(shape(inputs, W)), a.pixels),
    lower: (n, at, graph) =>
      words({
        [GroupConvArg.X]: at.input(X),
        [GroupConvArg.W]: at.input(W),
        [GroupConvArg.B]: at.input(B),
        [GroupConvArg.Y]: at.output(0),
        ...list(GroupConvArg.BATCH, geometry(shapeOf(graph, n.inputs[X]!), shapeOf(graph, n.inputs[W]!)[0]!, n.attributes)),
        [GroupConvArg.ENCODING]: encodingOf(graph, n.inputs[W]!),
        [GroupConvArg.PIXELS]: pixelsOf(n),
      }),
    cost: (n, graph) => cost(n, graph, n.inputs[W]!, n.outputs[0]!),
    costRate,
  },
  /** inputs dy, w; output dx[B,h,w,c]; attributes Window and h, w, c. */
  GroupConvBackwardX: {
    opcode: Op.GroupConvBackwardX,
    pieces: () => ({ of: 'pictures', whole: [1] }),
    tile: 'pixels',
    coded: 1,
    infer: (inputs, a) => [{ dtype: 'f32', shape: [shape(inputs, 0)[0]!, a.h!, a.w!, a.c!] }],
    scratch: (inputs, a) => groupConvScratch(shape(inputs, 0)[0]! * a.h! * a.w!, shape(inputs, 1)[0]! / a.groups!, a.pixels),
    lower: (n, at, graph) =>
      words({
        [GroupConvBackwardXArg.DY]: at.input(0),
        [GroupConvBackwardXArg.W]: at.input(1),
        [GroupConvBackwardXArg.DX]: at.output(0),
        ...list(GroupConvBackwardXArg.BATCH, geometry(imageOf(n, graph), shapeOf(graph, n.inputs[1]!)[0]!, n.attributes)),
        [GroupConvBackwardXArg.ENCODING]: encodingOf(graph, n.inputs[1]!),
        [GroupConvBackwardXArg.PIXELS]: pixelsOf(n),
      }),
    cost: (n, graph) => cost(n, graph, n.inputs[1]!, n.inputs[0]!),
    costRate,
  },
  /** inputs dy, x; updates dw. */
  GroupConvBackwardW: {
    opcode: Op.GroupConvBackwardW,
    pieces: () => ({ of: 'pictures', whole: [] }),
    tile: 'pixels',
    infer: () => [],
    scratch(inputs, a) {
      const [batch, oh, ow] = shape(inputs, 0) as Four;
      return groupConvScratch(batch * oh * ow, (a.r! * a.s! * a.c!) / a.groups!, a.pixels);
    },
    lower: (n, at, graph) =>
      words({
        [GroupConvBackwardWArg.DY]: at.input(0),
        [GroupConvBackwardWArg.X]: at.input(1),
        [GroupConvBackwardWArg.DW]: at.update(0),
        ...list(GroupConvBackwardWArg.BATCH, geometry(imageOf(n, graph), shapeOf(graph, n.inputs[0]!)[3]!, n.attributes)),
        [GroupConvBackwardWArg.PIXELS]: pixelsOf(n),
      }),
    cost: (n, graph) => cost(n, graph, n.updates[0]!, n.inputs[0]!),
    costRate,
  },
};
