/** The product of squeeze-excite: each channel of a picture by a factor of its own. */
import { Keep } from '../../assembly/abi/keep.ts';
import { GateArg, GateBackwardGArg, gateScratch } from '../../assembly/abi/ops/gate.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group4RowBytes } from '../../assembly/abi/sizes.ts';
import { f32, type Graph, lastDim, type Node, numel, shapeOf, u8 } from '../graph/graph.ts';
import { MOST_AXES, MOVE, moves, type OpDef, rowSplit, type Saved, same, shape, words } from './def.ts';
import { copyBytes, groupsOf } from './quantize.ts';

const [X, G] = [0, 1];

const outer = (x: readonly number[]): readonly number[] => [x[0]!, x.at(-1)!];
const positions = (graph: Graph, id: number): number => numel(shapeOf(graph, id).slice(1, -1));
const keptAs = (node: Node): number => node.attributes.keep ?? Keep.Nothing;

export const gate: Record<string, OpDef> = {
  /** inputs x[B,…,C], g[B,…,C] with one position; output y[B,…,C]; kept: x (f32 or coded), g. */
  Gate: {
    opcode: Op.Gate,
    eightBits: 'gate',
    pieces: (n) => ({ of: 'pictures', whole: [], separatelyStored: n.attributes.keep === Keep.Group8 }),
    infer(inputs) {
      const [x, g] = [shape(inputs, X), shape(inputs, G)];
      same('gate: factors', outer(g), outer(x));
      same('gate: positions of the factors', [numel(g)], [numel(outer(x))]);
      return [{ dtype: 'f32', shape: x }];
    },
    saves(node, graph, needs) {
      const factors = needs[X] ? [G] : [];
      if (!needs[G]) return needs[X] ? [{ as: { gate: 'f32' }, keep: Keep.Value, inputs: factors, extra: [] }] : [];
      const coded = (bits: 8 | 4): Saved => ({
        as: { gate: `${bits}` },
        keep: bits === 8 ? Keep.Group8 : Keep.Group4,
        inputs: factors,
        extra: [u8(copyBytes(shapeOf(graph, node.inputs[X]!), bits))],
      });
      return [{ as: { gate: 'f32' }, keep: Keep.Value, inputs: [X, ...factors], extra: [] }, coded(8), coded(4)];
    },
    autograd: (node, _graph, needs) => ({
      values: [...(needs[G] ? [node.inputs[X]!] : []), ...(needs[X] ? [node.inputs[G]!] : [])],
      bytes: 0,
    }),
    backward(node, g) {
      const [x, factors] = node.inputs as [number, number];
      const dy = g.of(node.outputs[0]!);
      if (g.needs(factors)) {
        const kept = node.outputs[1] ?? x;
        const a = { keep: node.attributes.keep!, shape: shapeOf(g.graph, factors) };
        const dg = g.emit('GateBackwardG', `${node.name}.dg`, [dy, kept], a)[0]!;
        g.add(factors, dg);
      }
      if (g.needs(x)) g.add(x, g.emit('Gate', `${node.name}.dx`, [dy, factors])[0]!);
    },
    inPlace: [[X, 0]],
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row, n.attributes.keep === Keep.Group4 ? group4RowBytes(row / 4) : 0] };
    },
    lower: (n, at, graph) => {
      const x = n.inputs[X]!;
      return words({
        [GateArg.X]: at.input(X),
        [GateArg.G]: at.input(G),
        [GateArg.Y]: at.output(0),
        [GateArg.KEPT]: n.outputs.length > 1 ? at.output(1) : 0,
        [GateArg.BATCH]: shapeOf(graph, x)[0]!,
        [GateArg.P]: positions(graph, x),
        [GateArg.C]: lastDim(graph, x),
        [GateArg.KEEP]: keptAs(n),
        [GateArg.GROUPS]: groupsOf(lastDim(graph, x)),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** inputs dy[B,…,C], x as it was kept; output dg, of `shape`: B·C numbers. */
  GateBackwardG: {
    opcode: Op.GateBackwardG,
    lists: { shape: MOST_AXES },
    pieces: () => ({ of: 'pictures', whole: [] }),
    infer(inputs, _a, lists) {
      same('gate: gradient of the factors', [numel(lists.shape!)], [numel(outer(shape(inputs, 0)))]);
      return [f32(...lists.shape!)];
    },
    scratch: gateScratch,
    lower: (n, at, graph) => {
      const dy = n.inputs[0]!;
      return words({
        [GateBackwardGArg.DY]: at.input(0),
        [GateBackwardGArg.KEPT]: at.input(1),
        [GateBackwardGArg.DG]: at.output(0),
        [GateBackwardGArg.BATCH]: shapeOf(graph, dy)[0]!,
        [GateBackwardGArg.P]: positions(graph, dy),
        [GateBackwardGArg.C]: lastDim(graph, dy),
        [GateBackwardGArg.KEEP]: keptAs(n),
        [GateBackwardGArg.GROUPS]: groupsOf(lastDim(graph, dy)),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
