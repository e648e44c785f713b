/** Kept inputs of layers whose weight learns, as 8 or 4 bits in groups: a copy on the way forward, f32 again for backward. */
import { DequantizeArg, Keep, Op, QuantizeArg } from '../../assembly/abi/ops.ts';
import { byteLength, f32, type Graph, lastDim, type Node, rowsOf, shapeOf, type Type, u8, valueAt } from '../graph.ts';
import { group4RowBytes, group8Bytes } from '../groups.ts';
import { dequantizeScratch } from '../scratch.ts';
import { type Gradients, moves, type OpDef, type Saved, shape, words } from './def.ts';

/** Groups of a row of `c` channels: as few as keep a group within 64, all of one size. */
export function groupsOf(c: number): number {
  for (let groups = Math.ceil(c / 64); groups <= c; groups++) if (c % groups === 0) return groups;
  return c;
}

/** The coded copy of a tensor of `rows` rows of `c` channels. */
export const codedRows = (rows: number, c: number, keep: Keep): Type =>
  u8(keep === Keep.Group4 ? rows * group4RowBytes(c) : group8Bytes(rows, c, groupsOf(c)));

const rows = (x: readonly number[]): number => x.slice(0, -1).reduce((n, d) => n * d, 1);

export const quantize: Record<string, OpDef> = {
  /** input x[…,C]; output its coded copy, bytes; attribute keep. */
  Quantize: {
    opcode: Op.Quantize,
    infer: (inputs, a) => [codedRows(rows(shape(inputs, 0)), shape(inputs, 0).at(-1)!, a.keep!)],
    lower: (n, at, graph) =>
      words({
        [QuantizeArg.X]: at.input(0),
        [QuantizeArg.Y]: at.output(0),
        [QuantizeArg.ROWS]: rowsOf(graph, n.inputs[0]!),
        [QuantizeArg.C]: lastDim(graph, n.inputs[0]!),
        [QuantizeArg.GROUPS]: groupsOf(lastDim(graph, n.inputs[0]!)),
        [QuantizeArg.KEEP]: n.attributes.keep!,
      }),
    cost: moves,
  },
  /** input a coded copy; output f32[rows, c]; attributes rows, c, keep. */
  Dequantize: {
    opcode: Op.Dequantize,
    infer: (_inputs, a) => [f32(a.rows!, a.c!)],
    scratch: (_inputs, a) => (a.keep === Keep.Group4 ? dequantizeScratch(a.c!) : 0),
    lower: (n, at) =>
      words({
        [DequantizeArg.X]: at.input(0),
        [DequantizeArg.Y]: at.output(0),
        [DequantizeArg.ROWS]: n.attributes.rows!,
        [DequantizeArg.C]: n.attributes.c!,
        [DequantizeArg.GROUPS]: groupsOf(n.attributes.c!),
        [DequantizeArg.KEEP]: n.attributes.keep!,
      }),
    cost: moves,
  },
};

/**
 * How a layer whose weight learns may keep its input `i`: as it is or, where that saves bytes, coded. One row a picture (a head's input)
 * is too little to lose precision for, and what outlives the pass anyway costs nothing as it is.
 */
export function savesInput(node: Node, graph: Graph, i: number): Saved[] {
  const exact: Saved = { as: { input: 'f32' }, keep: Keep.Value, inputs: [i], extra: [] };
  const { type, role, bytes } = valueAt(graph, node.inputs[i]!);
  const c = type.shape.at(-1)!;
  if (type.shape.length <= 2 || role !== 'temp') return [exact];
  const coded = (['8', '4'] as const).map((choice): Saved => {
    const keep = choice === '8' ? Keep.Group8 : Keep.Group4;
    return { as: { input: choice }, keep, inputs: [], extra: [], quantize: i };
  });
  return [exact, ...coded.filter(({ keep }) => byteLength(codedRows(rows(type.shape), c, keep)) < bytes)];
}

/** The input that was kept so, as f32 again. */
export function keptInput(node: Node, g: Gradients, i: number): number {
  const x = node.inputs[i]!;
  const { keep, codes } = node.attributes;
  if (codes === undefined) return x;
  const type = shapeOf(g.graph, x);
  const again = g.emit('Dequantize', `${node.name}.x`, [codes], { rows: rows(type), c: type.at(-1)!, keep: keep! })[0]!;
  g.graph.values[again]!.type = g.graph.values[x]!.type;
  return again;
}
