/** Parts of an axis: put next to each other, and taken out. */
import { ConcatArg, Join, SliceArg, SliceBackwardArg } from '../../assembly/abi/ops/join.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { ABSENT, f32, type Graph, type Node, numel, type Split, shapeOf } from '../graph/graph.ts';
import { MOST_AXES, MOVE, moves, type OpDef, type Operands, type Pieces, same, shape, words } from './def.ts';

/** An axis, as nodes name it, is counted from the end: -1 is the last. What lies before it, the floats of one of its rows, and of one place on it. */
const outerOf = (x: readonly number[], axis: number): number => numel(x.slice(0, axis));
const rowOf = (x: readonly number[], axis: number): number => numel(x.slice(axis));
const innerOf = (x: readonly number[], axis: number): number => numel(x.slice(axis).slice(1));
/** The same shape, but `length` long along an axis. */
const withLength = (x: readonly number[], axis: number, length: number): number[] => x.map((n, i) => (i === x.length + axis ? length : n));

/** Cut where the axis is not: between rows where it is the last, between pictures where it is another but the first. */
function pieces(x: readonly number[], axis: number): Pieces | undefined {
  if (axis === -x.length) return undefined;
  return { of: axis === -1 ? 'rows' : 'pictures', whole: [] };
}

/** Rows of what a node writes, before the axis. */
function rows(n: Node, graph: Graph): Split {
  const y = shapeOf(graph, n.outputs[0]!);
  return { units: outerOf(y, n.attributes.axis!), outputs: [4 * rowOf(y, n.attributes.axis!)] };
}

/** The words of a Slice instruction: `count` floats from `from` on of each of the rows. */
const sliceWords = (at: Operands, outer: number, row: number, from: number, count: number): number[] =>
  words({
    [SliceArg.X]: at.input(0),
    [SliceArg.Y]: at.output(0),
    [SliceArg.OUTER]: outer,
    [SliceArg.ROW]: row,
    [SliceArg.FROM]: from,
    [SliceArg.COUNT]: count,
  });

export const join: Record<string, OpDef> = {
  /** input x; output the same numbers in order, of `shape`: a view, or a copy of what is no temporary. */
  Reshape: {
    opcode: Op.Slice,
    lists: { shape: MOST_AXES },
    infer(inputs, _a, lists) {
      same('reshape: elements', [numel(lists.shape!)], [numel(shape(inputs, 0))]);
      return [f32(...lists.shape!)];
    },
    view: () => 0,
    storage: () => 'view',
    backward(node, g) {
      const x = node.inputs[0]!;
      g.add(x, g.emit('Reshape', `${node.name}.dx`, [g.of(node.outputs[0]!)], { shape: shapeOf(g.graph, x) })[0]!);
    },
    lower: (n, at, graph) => sliceWords(at, 1, numel(shapeOf(graph, n.outputs[0]!)), 0, numel(shapeOf(graph, n.outputs[0]!))),
    cost: (n, graph) => (n.isView ? { macs: 0, bytes: 0 } : moves(n, graph)),
    costRate: MOVE,
  },
  /** inputs x0, x1, … (at most eight), alike but for one axis; output y: one after the other along it; attribute axis. */
  Concat: {
    opcode: Op.Concat,
    pieces: (n, graph) => pieces(shapeOf(graph, n.outputs[0]!), n.attributes.axis!),
    split: rows,
    infer(inputs, a) {
      if (inputs.length < 1 || inputs.length > Join.Most) throw new RangeError(`concat: ${inputs.length} operands, at most ${Join.Most}`);
      const axis = a.axis!;
      const first = shape(inputs, 0);
      let length = 0;
      inputs.forEach((_, i) => {
        const x = shape(inputs, i);
        same(`concat: operand ${i}`, withLength(x, axis, 1), withLength(first, axis, 1));
        length += x.at(axis)!;
      });
      return [f32(...withLength(first, axis, length))];
    },
    backward(node, g) {
      const dy = g.of(node.outputs[0]!);
      const axis = node.attributes.axis!;
      let from = 0;
      node.inputs.forEach((x, i) => {
        const count = shapeOf(g.graph, x).at(axis)!;
        if (g.needs(x)) g.add(x, g.emit('Slice', `${node.name}.dx${i}`, [dy], { axis, from, count })[0]!);
        from += count;
      });
    },
    lower(n, at, graph) {
      const axis = n.attributes.axis!;
      const sizes = Array.from({ length: Join.Most }, (_, i) => (i < n.inputs.length ? rowOf(shapeOf(graph, n.inputs[i]!), axis) : 0));
      return words({
        ...Object.fromEntries(sizes.map((_, i) => [ConcatArg.X0 + i, at.input(i)])),
        [ConcatArg.Y]: at.output(0),
        [ConcatArg.OUTER]: outerOf(shapeOf(graph, n.outputs[0]!), axis),
        ...Object.fromEntries(sizes.map((size, i) => [ConcatArg.N0 + i, size])),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** input x; output y: `count` of it from `from` on along `axis`: a view where nothing lies before the axis, else a copy. */
  Slice: {
    opcode: Op.Slice,
    pieces: (n, graph) => pieces(shapeOf(graph, n.outputs[0]!), n.attributes.axis!),
    split: rows,
    infer(inputs, a) {
      const x = shape(inputs, 0);
      const { axis, from, count } = a as Record<'axis' | 'from' | 'count', number>;
      const length = x.at(axis)!;
      if (from < 0 || count < 1 || from + count > length) throw new RangeError(`slice: ${count} from ${from} on of ${length}`);
      return [f32(...withLength(x, axis, count))];
    },
    view(inputs, { axis, from }) {
      const x = shape(inputs, 0);
      return outerOf(x, axis!) === 1 ? 4 * from! * innerOf(x, axis!) : undefined;
    },
    storage: () => 'view',
    backward(node, g) {
      const x = node.inputs[0]!;
      const { axis, from } = node.attributes as Record<'axis' | 'from', number>;
      const a = { axis, from, full: shapeOf(g.graph, x).at(axis)! };
      g.set(x, g.emit('SliceBackward', `${node.name}.dx`, [g.of(node.outputs[0]!), g.soFar(x)], a)[0]!);
    },
    lower(n, at, graph) {
      const { axis, from } = n.attributes as Record<'axis' | 'from', number>;
      const [x, y] = [shapeOf(graph, n.inputs[0]!), shapeOf(graph, n.outputs[0]!)];
      const inner = innerOf(x, axis);
      return sliceWords(at, outerOf(x, axis), rowOf(x, axis), from * inner, rowOf(y, axis));
    },
    cost: (n, graph) => (n.isView ? { macs: 0, bytes: 0 } : moves(n, graph)),
    costRate: MOVE,
  },
  /** inputs dy, acc or absent; output dx, as dy but `full` long along `axis`, dy from `from` on. */
  SliceBackward: {
    opcode: Op.SliceBackward,
    pieces: (n, graph) => pieces(shapeOf(graph, n.outputs[0]!), n.attributes.axis!),
    split(n, graph) {
      const { units, outputs } = rows(n, graph);
      return { units, inputs: [0, n.inputs[1] === ABSENT ? 0 : outputs![0]!], outputs: outputs! };
    },
    infer: (inputs, a) => [f32(...withLength(shape(inputs, 0), a.axis!, a.full!))],
    inPlace: [[1, 0]],
    lower(n, at, graph) {
      const { axis, from } = n.attributes as Record<'axis' | 'from', number>;
      const [dy, dx] = [shapeOf(graph, n.inputs[0]!), shapeOf(graph, n.outputs[0]!)];
      const inner = innerOf(dx, axis);
      return words({
        [SliceBackwardArg.DY]: at.input(0),
        [SliceBackwardArg.ACC]: at.input(1),
        [SliceBackwardArg.DX]: at.output(0),
        [SliceBackwardArg.OUTER]: outerOf(dx, axis),
        [SliceBackwardArg.ROW]: rowOf(dx, axis),
        [SliceBackwardArg.FROM]: from * inner,
        [SliceBackwardArg.COUNT]: rowOf(dy, axis),
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
