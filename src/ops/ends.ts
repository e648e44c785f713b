/** The two ends of the network: pictures in, loss out. */
import { Augment, CrossEntropyArg, PixelsArg } from '../../assembly/abi/ops/ends.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, i32, shapeOf, typeOf } from '../graph.ts';
import { alone, MOVE, moves, type OpDef, same, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const ends: Record<string, OpDef> = {
  /** inputs pictures u8 or f32[B,SH,SW,3], table f32[6] (scale, shift), samples u32[B], state; output f32[B,h,w,3]; attributes h, w, augment, pad. */
  Pixels: {
    opcode: Op.Pixels,
    infer: (inputs, a) => [f32(shape(inputs, 0)[0]!, a.h!, a.w!, 3)],
    split: (n, graph) => ({ units: shapeOf(graph, n.inputs[0]!)[0]! * n.attributes.h!, outputs: [12 * n.attributes.w!] }),
    lower: (n, at, graph) => {
      const [b, sh, sw] = shapeOf(graph, n.inputs[0]!) as Four;
      return words({
        [PixelsArg.X]: at.input(0),
        [PixelsArg.Y]: at.output(0),
        [PixelsArg.TABLE]: at.input(1),
        [PixelsArg.SAMPLES]: at.input(2),
        [PixelsArg.STATE]: at.input(3),
        [PixelsArg.BATCH]: b,
        [PixelsArg.SH]: sh,
        [PixelsArg.SW]: sw,
        [PixelsArg.H]: n.attributes.h!,
        [PixelsArg.WIDTH]: n.attributes.w!,
        [PixelsArg.AUGMENT]: n.attributes.augment! | (typeOf(graph, n.inputs[0]!).dtype === 'f32' ? Augment.Float : 0),
        [PixelsArg.PAD]: n.attributes.pad!,
      });
    },
    draws: ({ attributes }) => (attributes.augment! & (Augment.Crop | Augment.Flip)) !== 0,
    cost: moves,
    costRate: MOVE,
  },
  /** inputs logits[B,N], labels i32[B]; outputs losses[B], choices i32[B] and, with attribute train, dlogits[B,N]; updates state. */
  CrossEntropy: {
    opcode: Op.CrossEntropy,
    infer(inputs, a) {
      const [b, n] = shape(inputs, 0) as [number, number];
      same('cross entropy: labels', shape(inputs, 1), [b]);
      return [f32(b), i32(b), ...(a.train ? [f32(b, n)] : [])];
    },
    split: alone,
    /** The log-probabilities, and the labels as int64. */
    autograd(node, graph) {
      const [b, n] = shapeOf(graph, node.inputs[0]!) as [number, number];
      return { values: [], bytes: 4 * b * n + 8 * b };
    },
    lower: (n, at, graph) => {
      const [b, classes] = shapeOf(graph, n.inputs[0]!) as [number, number];
      return words({
        [CrossEntropyArg.X]: at.input(0),
        [CrossEntropyArg.LABELS]: at.input(1),
        [CrossEntropyArg.DLOGITS]: n.attributes.train ? at.output(2) : 0,
        [CrossEntropyArg.LOSSES]: at.output(0),
        [CrossEntropyArg.CHOICES]: at.output(1),
        [CrossEntropyArg.STATE]: at.update(0),
        [CrossEntropyArg.BATCH]: b,
        [CrossEntropyArg.N]: classes,
      });
    },
    cost: moves,
    costRate: MOVE,
  },
};
