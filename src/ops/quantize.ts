/** Kept inputs of layers whose weight learns, as 8 or 4 bits in groups: a copy on the way forward, f32 again for backward. */
import { Keep } from '../../assembly/abi/keep.ts';
import { DequantizeArg, QuantizeArg } from '../../assembly/abi/ops/quantize.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { group4RowBytes, group8Bytes } from '../../assembly/abi/sizes.ts';
import { f32, type Graph, lastDim, type Node, rowsOf, shapeOf, u8, valueAt } from '../graph/graph.ts';
import { type Gradients, MOST_AXES, moves, type OpDef, type Saved, shape, words } from './def.ts';

/** Groups of a row of `c` channels: as few as keep a group within 64, all of one size. */
export function groupsOf(c: number): number {
  for (let groups = Math.ceil(c / 64); groups <= c; groups++) if (c % groups === 0) return groups;
  return c;
}

const rows = (x: readonly number[]): number => x.slice(0, -1).reduce((n, d) => n * d, 1);

/** Bytes of a copy of x[…,C]. */
export function copyBytes(x: readonly number[], bits: number): number {
  const c = x.at(-1)!;
  return bits === 4 ? rows(x) * group4RowBytes(c) : group8Bytes(rows(x), c, groupsOf(c));
}

export const quantize: Record<string, OpDef> = {
  /** input x[…,C]; output its copy, bytes; attribute bits: 8 (where absent) or 4. */
  Quantize: {
    opcode: Op.Quantize,
    eightBits: 'input',
    infer: (inputs, a) => [u8(copyBytes(shape(inputs, 0), a.bits ?? 8))],
    pieces: (n) => ({ of: 'rows', whole: [], separatelyStored: n.attributes.bits !== 4 }),
    lower: (n, at, graph) =>
      words({
        [QuantizeArg.X]: at.input(0),
        [QuantizeArg.Y]: at.output(0),
        [QuantizeArg.ROWS]: rowsOf(graph, n.inputs[0]!),
        [QuantizeArg.C]: lastDim(graph, n.inputs[0]!),
        [QuantizeArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[0]!)),
        [QuantizeArg.BITS]: n.attributes.bits ?? 8,
      }),
    cost: moves,
    costRate: { mac: 0, byte: 0.2 },
  },
  /** input a copy; output f32 of `shape`, rows as those of the copy; attribute bits as of the copy. */
  Dequantize: {
    opcode: Op.Dequantize,
    lists: { shape: MOST_AXES },
    infer: (_inputs, _a, lists) => [f32(...lists.shape!)],
    pieces: () => ({ of: 'rows', whole: [] }),
    lower: (n, at, graph) =>
      words({
        [DequantizeArg.X]: at.input(0),
        [DequantizeArg.Y]: at.output(0),
        [DequantizeArg.ROWS]: rowsOf(graph, n.outputs[0]!),
        [DequantizeArg.C]: lastDim(graph, n.outputs[0]!),
        [DequantizeArg.GROUPS]: groupsOf(lastDim(graph, n.outputs[0]!)),
        [DequantizeArg.BITS]: n.attributes.bits ?? 8,
      }),
    cost: moves,
    costRate: { mac: 0, byte: 0.15 },
  },
};

/**
 * How a layer whose weight learns may keep its input `i`: as it is or, where that saves bytes, coded. One row a picture (a head's input)
 * is too little to lose precision for, and what outlives the pass anyway costs nothing as it is.
 */
export function savesInput(node: Node, graph: Graph, i: number): Saved[] {
  const exact: Saved = { as: { input: 'f32' }, keep: Keep.Value, inputs: [i], extra: [] };
  const { type, role, bytes } = valueAt(graph, node.inputs[i]!);
  if (type.shape.length <= 2 || role !== 'temp') return [exact];
  const coded = ([8, 4] as const).filter((bits) => copyBytes(type.shape, bits) < bytes);
  return [
    exact,
    ...coded.map(
      (bits): Saved => ({
        as: { input: `${bits}` },
        keep: bits === 8 ? Keep.Group8 : Keep.Group4,
        inputs: [],
        extra: [],
        attributes: { bits },
        quantize: i,
      }),
    ),
  ];
}

/** The input that was kept so, as f32 again. */
export function keptInput(node: Node, g: Gradients, i: number): number {
  const x = node.inputs[i]!;
  const { bits } = node.attributes;
  const codes = node.attributes.codes ?? node.attributes[`codes${i}`];
  if (codes === undefined) return x;
  return g.emit('Dequantize', `${node.name}.x`, [codes], { shape: shapeOf(g.graph, x), bits: bits! })[0]!;
}
