/** Where the network begins in training, where pictures are changed by more than a shifted window. */
import { DistortArg } from '../../assembly/abi/ops/distort.ts';
import { Augment, CHANNELS_UNIT, MOST_CHANNELS } from '../../assembly/abi/ops/pixels.ts';
import { Op } from '../../assembly/abi/ops.ts';
import { f32, shapeOf, typeOf } from '../graph/graph.ts';
import { moves, type OpDef, same, shape, words } from './def.ts';

type Four = [number, number, number, number];

export const distort: Record<string, OpDef> = {
  /**
   * inputs pictures u8 or f32[B,H,W,C], table f32[2·C] (scale, shift), samples u32[B], state; output f32[B,H,W,C]; attributes augment, pad, turn, scale,
   * bright, contrast, saturation, grey, blur, erase, whole numbers as the operator counts them.
   */
  Distort: {
    opcode: Op.Distort,
    infer(inputs) {
      const [b, h, w, c] = shape(inputs, 0) as Four;
      if (c > MOST_CHANNELS) throw new RangeError(`Distort: ${c} channels`);
      same('Distort: table', shape(inputs, 1), [2 * c]);
      return [f32(b, h, w, c)];
    },
    split(n, graph) {
      const [b, h, w, c] = shapeOf(graph, n.inputs[0]!) as Four;
      return { units: b * h, outputs: [4 * c * w] };
    },
    lower: (n, at, graph) => {
      const [b, h, w, c] = shapeOf(graph, n.inputs[0]!) as Four;
      const { augment, pad, turn, scale, bright, contrast, saturation, grey, blur, erase } = n.attributes;
      return words({
        [DistortArg.X]: at.input(0),
        [DistortArg.Y]: at.output(0),
        [DistortArg.TABLE]: at.input(1),
        [DistortArg.SAMPLES]: at.input(2),
        [DistortArg.STATE]: at.input(3),
        [DistortArg.BATCH]: b,
        [DistortArg.H]: h,
        [DistortArg.WIDTH]: w,
        [DistortArg.AUGMENT]:
          augment! + (typeOf(graph, n.inputs[0]!).dtype === 'f32' ? Augment.Float : 0) + CHANNELS_UNIT * (c === 3 ? 0 : c),
        [DistortArg.PAD]: pad!,
        [DistortArg.TURN]: turn!,
        [DistortArg.ZOOM]: scale!,
        [DistortArg.BRIGHT]: bright!,
        [DistortArg.CONTRAST]: contrast!,
        [DistortArg.SATURATION]: saturation!,
        [DistortArg.GREY]: grey!,
        [DistortArg.BLUR]: blur!,
        [DistortArg.ERASE]: erase!,
      });
    },
    draws: () => true,
    cost: moves,
    costRate: { mac: 0, byte: 0.6 },
  },
};
