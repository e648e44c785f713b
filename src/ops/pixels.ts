/** Where the network begins: pictures in. */
import { Augment, PixelsArg } from '../../assembly/abi/ops/pixels.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, shapeOf, typeOf } from '../graph/graph.ts';
import { MOVE, moves, type OpDef, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const pixels: Record<string, OpDef> = {
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
};
