/** Pictures and arrays as the network reads them: normalised, cut out, augmented. */
import { State } from '../../../assembly/abi/head.ts';
import { Augment } from '../../../assembly/abi/ops/pixels.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { f32 } from '../../../src/graph/graph.ts';
import { philox } from '../../oracle/random.ts';
import { close } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';
import { TAILS } from './tails.ts';

interface View {
  sh: number;
  sw: number;
  h: number;
  w: number;
  augment?: number;
  pad?: number;
  /** Pictures of f32. */
  float?: boolean;
  /** Channels; three where absent. */
  c?: number;
}

const SEED = 911;
const SAMPLES = Uint32Array.from([0, 5, 4294967295]);
/** scale[C], shift[C]. */
const tableOf = (c: number): Float32Array =>
  c === 3
    ? Float32Array.from([0.017, 0.0175, 0.0174, -2.1, -2.03, -1.8])
    : Float32Array.from({ length: 2 * c }, (_, i) => (i < c ? 0.017 + 0.0003 * i : -2.1 + 0.07 * (i - c)));

/** The window by its definition; random bits from the JavaScript twin of the generator. */
function window(pictures: Uint8Array | Float32Array, { sh, sw, h, w, augment = 0, pad = 0, c: channels = 3 }: View): Float64Array {
  const y = new Float64Array(SAMPLES.length * h * w * channels);
  const table = tableOf(channels);
  SAMPLES.forEach((counter, b) => {
    const [low, high] = philox(SEED, Stream.Augment, counter);
    const shift = (bits: number): number => (augment & Augment.Crop ? Math.floor((bits * (2 * pad + 1)) / 65536) - pad : 0);
    const top = Math.floor((sh - h) / 2) + shift(low & 0xffff);
    const left = Math.floor((sw - w) / 2) + shift(low >>> 16);
    const mirrored = (augment & Augment.Flip) !== 0 && high >= 0x80000000;
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++) {
        const row = Math.min(sh - 1, Math.max(0, top + i));
        const column = Math.min(sw - 1, Math.max(0, left + (mirrored ? w - 1 - j : j)));
        for (let c = 0; c < channels; c++)
          y[((b * h + i) * w + j) * channels + c] =
            pictures[((b * sh + row) * sw + column) * channels + c]! * table[c]! + table[channels + c]!;
      }
  });
  return y;
}

function pixels(view: View): Direct {
  const { sh, sw, h, w, augment = 0, pad = 0, float = false, c = 3 } = view;
  const count = { length: SAMPLES.length * sh * sw * c };
  const value = (_: unknown, i: number): number => (i * 89 + (i >> 3) * 31) & 255;
  const pictures = float ? Float32Array.from(count, (_, i) => value(_, i) + 0.25) : Uint8Array.from(count, value);
  const state = new Uint8Array(State.Bytes);
  new DataView(state.buffer).setUint32(State.Seed, SEED, true);
  return {
    op: 'Pixels',
    name: `Pixels ${sh}×${sw} → ${h}×${w}, augment ${augment}, pad ${pad}${c === 3 ? '' : `, ${c} channels`}${float ? ', f32' : ''}`,
    phase: 'train',
    inputs: [
      plain(pictures, [SAMPLES.length, sh, sw, c], 'batch'),
      plain(tableOf(c), [2 * c]),
      plain(SAMPLES, [SAMPLES.length], 'batch'),
      plain(state, [State.Bytes], 'state'),
    ],
    attributes: { h, w, augment, pad },
    types: [f32(SAMPLES.length, h, w, c)],
    check([y]) {
      close(new Float32Array(y!.buffer), window(pictures, view), 1e-6, 'pixels');
    },
  };
}

const BOTH = Augment.Crop | Augment.Flip;
export const pixelsCases: readonly Direct[] = [
  ...TAILS.map((w) => pixels({ sh: 3, sw: w, h: 2, w })),
  pixels({ sh: 9, sw: 12, h: 6, w: 7 }),
  pixels({ sh: 9, sw: 12, h: 6, w: 7, augment: BOTH, pad: 3 }),
  pixels({ sh: 8, sw: 8, h: 8, w: 8, augment: BOTH, pad: 20 }),
  pixels({ sh: 5, sw: 7, h: 5, w: 7, augment: Augment.Flip }),
  pixels({ sh: 3, sw: 4, h: 7, w: 9 }),
  pixels({ sh: 9, sw: 12, h: 6, w: 7, augment: BOTH, pad: 3, float: true }),
  pixels({ sh: 3, sw: 4, h: 7, w: 9, float: true }),
  ...[1, 2, 4, 5, 16, 33].flatMap((c) => [
    pixels({ sh: 5, sw: 7, h: 5, w: 7, c }),
    pixels({ sh: 9, sw: 12, h: 6, w: 7, augment: BOTH, pad: 3, c }),
    pixels({ sh: 3, sw: 4, h: 7, w: 9, augment: Augment.Flip, float: true, c }),
  ]),
];
