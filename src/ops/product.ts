/** The product of two values of one shape: the gate of SwiGLU and its kin. */
import { Keep } from '../../assembly/abi/keep.ts';
import { MultiplyArg } from '../../assembly/abi/ops/product.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { numel, shapeOf, valueAt } from '../graph/graph.ts';
import { BLOCK_BYTES, blocksOf, MOVE, moves, type OpDef, type Saved, same, shape, words } from './def.ts';
import { copyBytes, keptInput } from './quantize.ts';

export const product: Record<string, OpDef> = {
  /** inputs a, b of one shape; output y = a·b; kept: of each operand whose factor wants a gradient itself, or a copy in 8 or 4 bits. */
  Multiply: {
    opcode: Op.Multiply,
    infer(inputs) {
      same('multiply', shape(inputs, 1), shape(inputs, 0));
      return [{ dtype: 'f32', shape: shape(inputs, 0) }];
    },
    saves(node, graph, needs) {
      // The gradient of either is the other's multiple.
      const inputs = [1, 0].filter((i) => needs[1 - i]);
      if (inputs.length === 0) return [];
      const exact: Saved = { as: { gate: 'f32' }, keep: Keep.Value, inputs, extra: [] };
      const x = shapeOf(graph, node.inputs[0]!);
      // What outlives the pass anyway costs nothing as it is.
      const quantize = inputs.filter((i) => valueAt(graph, node.inputs[i]!).role === 'temp');
      const bits = ([8, 4] as const).filter((n) => quantize.length > 0 && copyBytes(x, n) < 4 * numel(x));
      const coded = bits.map((n): Saved => ({ ...exact, as: { gate: `${n}` }, inputs: [], attributes: { bits: n }, quantize }));
      return [exact, ...coded];
    },
    autograd: (node, _graph, needs) => ({ values: node.inputs.filter((_, i) => needs[1 - i]), bytes: 0 }),
    backward(node, g) {
      const dy = g.of(node.outputs[0]!);
      node.inputs.forEach((x, i) => {
        if (g.needs(x)) g.add(x, g.emit('Multiply', `${node.name}.d${i}`, [dy, keptInput(node, g, 1 - i)])[0]!);
      });
    },
    inPlace: [
      [0, 0],
      [1, 0],
    ],
    pieces: () => ({ of: 'rows', whole: [] }),
    split: (n, graph) => ({ units: blocksOf(graph, n.inputs[0]!), inputs: [BLOCK_BYTES, BLOCK_BYTES], outputs: [BLOCK_BYTES] }),
    lower: (n, at, graph) =>
      words({
        [MultiplyArg.A]: at.input(0),
        [MultiplyArg.B]: at.input(1),
        [MultiplyArg.Y]: at.output(0),
        [MultiplyArg.N]: numel(shapeOf(graph, n.inputs[0]!)),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
