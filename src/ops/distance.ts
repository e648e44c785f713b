/** How far a picture is from what was learnt. */
import { DistanceArg, distanceNumbers } from '../../assembly/abi/ops/distance.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, shapeOf } from '../graph/graph.ts';
import { alone, MOVE, type OpDef, same, shape, words } from './def.ts';

export const distance: Record<string, OpDef> = {
  /** inputs x[B,F], table f32 (abi/ops/distance.ts); output y[B]; attributes classes and directions. */
  Distance: {
    opcode: Op.Distance,
    infer(inputs, { classes, directions }) {
      const [b, f] = shape(inputs, 0) as [number, number];
      same('distance: table', shape(inputs, 1), [distanceNumbers(f, classes!, directions!)]);
      return [f32(b)];
    },
    split: alone,
    lower: (n, at, graph) => {
      const [b, f] = shapeOf(graph, n.inputs[0]!) as [number, number];
      return words({
        [DistanceArg.X]: at.input(0),
        [DistanceArg.TABLE]: at.input(1),
        [DistanceArg.Y]: at.output(0),
        [DistanceArg.BATCH]: b,
        [DistanceArg.F]: f,
        [DistanceArg.N]: n.attributes.classes!,
        [DistanceArg.K]: n.attributes.directions!,
      });
    },
    cost(n, graph) {
      const [b, f] = shapeOf(graph, n.inputs[0]!) as [number, number];
      const rows = n.attributes.classes! * (1 + n.attributes.directions!);
      return { macs: b * f * rows, bytes: 4 * b * f + 4 * f * (n.attributes.classes! + n.attributes.directions!) };
    },
    costRate: MOVE,
  },
};
