/** Where the network begins: pictures in. */
import { Augment, CHANNELS_UNIT, MOST_CHANNELS, PixelsArg } from '../../assembly/abi/ops/pixels.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, shapeOf, typeOf } from '../graph/graph.ts';
import { MOVE, moves, type OpDef, same, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const pixels: Record<string, OpDef> = {
  /**
   * inputs pictures u8 or f32[B,SH,SW,C], table f32[2·C] (scale, shift), samples u32[B], state; output f32[B,h,w,C]; attributes h, w, augment,
   * pad.
   */
  Pixels: {
    opcode: Op.Pixels,
    infer(inputs, a) {
      const [b, , , c] = shape(inputs, 0) as Four;
      if (c > MOST_CHANNELS) throw new RangeError(`Pixels: ${c} channels`);
      same('Pixels: table', shape(inputs, 1), [2 * c]);
      return [f32(b, a.h!, a.w!, c)];
    },
    split(n, graph) {
      const [b, , , c] = shapeOf(graph, n.inputs[0]!) as Four;
      return { units: b * n.attributes.h!, outputs: [4 * c * n.attributes.w!] };
    },
    lower: (n, at, graph) => {
      const [b, sh, sw, c] = shapeOf(graph, n.inputs[0]!) as Four;
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
        [PixelsArg.AUGMENT]:
          n.attributes.augment! + (typeOf(graph, n.inputs[0]!).dtype === 'f32' ? Augment.Float : 0) + CHANNELS_UNIT * (c === 3 ? 0 : c),
        [PixelsArg.PAD]: n.attributes.pad!,
      });
    },
    draws: ({ attributes }) => (attributes.augment! & (Augment.Crop | Augment.Flip)) !== 0,
    cost: moves,
    costRate: MOVE,
  },
};
