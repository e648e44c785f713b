/** Rotary positions: pairs of channels turned by angles that grow with the position. */
import { RotaryArg, RotaryTableArg, WaveTableArg } from '../../assembly/abi/ops/rotary.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { lastDim, shapeOf } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, rowSplit, same, shape, words } from './def.ts';

const [X, TABLE] = [0, 1];
type Three = [number, number, number];

export const rotary: Record<string, OpDef> = {
  /**
   * inputs x[B,T,heads·D], table[T-first, R] (a row's R/2 cosines, then its sines), R at most D; output y; attributes heads, first (rows before it stay),
   * neighbours (1: pairs are channels 2i, 2i+1; 0: i, i+R/2), perhaps back (1: the other way, as the derivative).
   */
  Rotary: {
    opcode: Op.Rotary,
    infer(inputs, a) {
      const [, t, c] = shape(inputs, X) as Three;
      const turned = shape(inputs, TABLE)[1]!;
      same('rotary: table', shape(inputs, TABLE), [t - a.first!, turned]);
      if (c % a.heads! || turned % 2 || turned > c / a.heads!)
        throw new RangeError(`rotary: ${turned} of ${c} channels in ${a.heads} heads`);
      return [{ dtype: 'f32', shape: shape(inputs, X) }];
    },
    backward(node, g) {
      const [x, table] = node.inputs as [number, number];
      const a = { ...node.attributes, back: node.attributes.back ? 0 : 1 };
      if (g.needs(x)) g.add(x, g.emit('Rotary', `${node.name}.dx`, [g.of(node.outputs[0]!), table], a)[0]!);
    },
    inPlace: [[X, 0]],
    pieces: () => ({ of: 'pictures', whole: [TABLE] }),
    split(n, graph) {
      const { units, row } = rowSplit(graph, n.inputs[X]!);
      return { units, inputs: [row], outputs: [row] };
    },
    lower(n, at, graph) {
      const [batch, t, c] = shapeOf(graph, n.inputs[X]!) as Three;
      const { heads, first, neighbours, back } = n.attributes as Record<'heads' | 'first' | 'neighbours', number> & { back?: number };
      return words({
        [RotaryArg.X]: at.input(X),
        [RotaryArg.TABLE]: at.input(TABLE),
        [RotaryArg.Y]: at.output(0),
        [RotaryArg.BATCH]: batch,
        [RotaryArg.T]: t,
        [RotaryArg.HEADS]: heads,
        [RotaryArg.D]: c / heads,
        [RotaryArg.TURNED]: lastDim(graph, n.inputs[TABLE]!),
        [RotaryArg.FIRST]: first,
        [RotaryArg.NEIGHBOURS]: neighbours,
        [RotaryArg.BACK]: back ?? 0,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
  /** updates a table[h·w, 4·bands]; attributes h, w, theta, scale, centred (abi/ops/rotary.ts). Once, before the first step. */
  RotaryTable: {
    opcode: Op.RotaryTable,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [RotaryTableArg.Y]: at.update(0),
        [RotaryTableArg.H]: n.attributes.h!,
        [RotaryTableArg.WIDTH]: n.attributes.w!,
        [RotaryTableArg.BANDS]: lastDim(graph, n.updates[0]!) / 4,
        [RotaryTableArg.THETA]: float(n.attributes.theta!),
        [RotaryTableArg.SCALE]: float(n.attributes.scale!),
        [RotaryTableArg.CENTRED]: n.attributes.centred!,
      }),
    cost: moves,
    costRate: MOVE,
  },
  /** updates a table[h·w, 4·bands]; attributes h, w, theta, scale (abi/ops/rotary.ts). Once, before the first step. */
  WaveTable: {
    opcode: Op.WaveTable,
    infer: () => [],
    lower: (n, at, graph) =>
      words({
        [WaveTableArg.Y]: at.update(0),
        [WaveTableArg.H]: n.attributes.h!,
        [WaveTableArg.WIDTH]: n.attributes.w!,
        [WaveTableArg.BANDS]: lastDim(graph, n.updates[0]!) / 4,
        [WaveTableArg.THETA]: float(n.attributes.theta!),
        [WaveTableArg.SCALE]: float(n.attributes.scale!),
      }),
    cost: moves,
    costRate: MOVE,
  },
};
