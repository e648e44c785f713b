/** Dropout and drop-path: masks that are functions of counters, so that nothing is kept. */
import { DropArg } from '../../assembly/abi/ops/drop.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { numel, shapeOf } from '../graph/graph.ts';
import { float, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

const [X, SAMPLES, STATE] = [0, 1, 2];
/** Masks are drawn from 16 bits. */
const STEPS = 65536;

export const drop: Record<string, OpDef> = {
  /** inputs x[B,…], samples u32[B], state; output y; attributes rate (0 … 1, in steps of 1/65536), number (of the layer), path (0 or 1). */
  Drop: {
    opcode: Op.Drop,
    infer(inputs, a) {
      same('drop: samples', shape(inputs, SAMPLES), [shape(inputs, X)[0]!]);
      if (!(a.rate! >= 0 && a.rate! < 1)) throw new RangeError(`drop: rate ${a.rate}`);
      return [{ dtype: 'f32', shape: shape(inputs, X) }];
    },
    // An element's mask is a byte in PyTorch; a path's is a number a picture.
    autograd: (node, graph, needs) => {
      const x = shapeOf(graph, node.inputs[X]!);
      return { values: [], bytes: needs[X] ? (node.attributes.path ? 4 * x[0]! : numel(x)) : 0 };
    },
    backward(node, g) {
      const [x, samples, state] = node.inputs as [number, number, number];
      g.add(x, g.emit('Drop', `${node.name}.dx`, [g.of(node.outputs[0]!), samples, state], node.attributes)[0]!);
    },
    inPlace: [[X, 0]],
    lower: (n, at, graph) => {
      const x = shapeOf(graph, n.inputs[X]!);
      const threshold = Math.round(n.attributes.rate! * STEPS);
      return words({
        [DropArg.X]: at.input(X),
        [DropArg.Y]: at.output(0),
        [DropArg.SAMPLES]: at.input(SAMPLES),
        [DropArg.STATE]: at.input(STATE),
        [DropArg.BATCH]: x[0]!,
        [DropArg.N]: numel(x) / x[0]!,
        [DropArg.THRESHOLD]: threshold,
        [DropArg.SCALE]: float(STEPS / (STEPS - threshold)),
        [DropArg.NUMBER]: n.attributes.number!,
        [DropArg.PATH]: n.attributes.path!,
      });
    },
    draws: () => true,
    cost: moves,
    costRate: MOVE,
  },
};
