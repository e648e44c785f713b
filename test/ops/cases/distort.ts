/** Pictures changed at random, by the definition: what is drawn by the JavaScript twin of the generator, angles by Math. */
import { State } from '../../../assembly/abi/head.ts';
import { CHANCES, PARTS } from '../../../assembly/abi/ops/distort.ts';
import { Augment } from '../../../assembly/abi/ops/pixels.ts';
import { Stream } from '../../../assembly/abi/random.ts';
import { f32 } from '../../../src/graph/graph.ts';
import { philox } from '../../oracle/random.ts';
import { close } from '../../support/close.ts';
import { type Direct, plain } from '../table.ts';

/** What is changed, as the operator counts it. */
interface Change {
  augment?: number;
  pad?: number;
  turn?: number;
  scale?: number;
  bright?: number;
  contrast?: number;
  saturation?: number;
  grey?: number;
  blur?: number;
  erase?: number;
}
interface View extends Change {
  h: number;
  w: number;
  c?: number;
  float?: boolean;
}

const SEED = 911;
const SAMPLES = Uint32Array.from([0, 5, 4294967295]);
const tableOf = (c: number): Float32Array =>
  Float32Array.from({ length: 2 * c }, (_, i) => (i < c ? 0.017 + 0.0003 * i : -2.1 + 0.07 * (i - c)));

/** Four times 16 bits of a draw, the lowest first. */
function drawn(k: number, counter: number): [number, number, number, number] {
  const [low, high] = philox(SEED, Stream.Augment | (k << 4), counter);
  return [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16];
}
const either = (bits: number): number => bits / 32768 - 1;
const clamp = (v: number, least: number, most: number): number => Math.max(least, Math.min(most, v));

function changed(pictures: Uint8Array | Float32Array, view: View): Float64Array {
  const { h, w, c: channels = 3, float = false, augment = 0, pad = 0 } = view;
  const { turn = 0, scale = 0, bright = 0, contrast = 0, saturation = 0, grey = 0, blur = 0, erase = 0 } = view;
  const y = new Float64Array(SAMPLES.length * h * w * channels);
  const table = tableOf(channels);
  SAMPLES.forEach((counter, b) => {
    const pixel = (i: number, j: number, c: number): number =>
      pictures[((b * h + clamp(i, 0, h - 1)) * w + clamp(j, 0, w - 1)) * channels + c]!;
    const [vertical, horizontal, , mirror] = drawn(0, counter);
    const shift = (bits: number): number => (augment & Augment.Crop ? Math.floor((bits * (2 * pad + 1)) / 65536) - pad : 0);
    const isMirrored = (augment & Augment.Flip) !== 0 && mirror >= 0x8000;
    const shape = drawn(1, counter);
    const angle = (Math.PI * either(shape[0]) * turn) / PARTS;
    const zoom = 1 + (either(shape[1]) * scale) / PARTS;
    const lit = 1 + (either(shape[2]) * bright) / PARTS;
    const steep = 1 + (either(shape[3]) * contrast) / PARTS;
    const tone = drawn(2, counter);
    const colour = tone[1] < grey ? 0 : 1 + (either(tone[0]) * saturation) / PARTS;
    const k = tone[2] < blur ? tone[3] / (3 * CHANCES) : 0;
    const [isHole, tall, broad] = drawn(3, counter);
    const place = drawn(4, counter);
    const side = (n: number, bits: number): number => {
      const least = Math.max(1, n >> 3);
      return least + Math.floor((bits * (Math.max(1, n >> 1) - least + 1)) / 65536);
    };
    const [eh, ew] = isHole < erase ? [side(h, tall), side(w, broad)] : [0, 0];
    const [et, el] = [Math.floor((place[0] * (h - eh + 1)) / 65536), Math.floor((place[1] * (w - ew + 1)) / 65536)];
    const blurred = (i: number, j: number, c: number): number =>
      [-1, 0, 1].reduce(
        (sum, di) => sum + [-1, 0, 1].reduce((s, dj) => s + (di ? k : 1 - 2 * k) * (dj ? k : 1 - 2 * k) * pixel(i + di, j + dj, c), 0),
        0,
      );
    const luma = (v: readonly number[]): number => 0.299 * v[0]! + 0.587 * v[1]! + 0.114 * v[2]!;
    let mean = 0;
    if (channels === 3)
      for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) mean += luma([0, 1, 2].map((c) => pixel(i, j, c))) / (h * w);
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++) {
        if (i >= et && i < et + eh && j >= el && j < el + ew) continue;
        const [u, v] = [(isMirrored ? -1 : 1) * (j - (w - 1) / 2), i - (h - 1) / 2];
        const column = clamp((w - 1) / 2 + shift(horizontal) + (Math.cos(angle) * u + Math.sin(angle) * v) / zoom, 0, w - 1);
        const line = clamp((h - 1) / 2 + shift(vertical) + (Math.cos(angle) * v - Math.sin(angle) * u) / zoom, 0, h - 1);
        const [i0, j0] = [Math.floor(line), Math.floor(column)];
        const [p, q] = [line - i0, column - j0];
        let value = Array.from(
          { length: channels },
          (_, c) =>
            (1 - p) * ((1 - q) * blurred(i0, j0, c) + q * blurred(i0, j0 + 1, c)) +
            p * ((1 - q) * blurred(i0 + 1, j0, c) + q * blurred(i0 + 1, j0 + 1, c)),
        );
        if (channels === 3 && !float) {
          value = value.map((x) => clamp(lit * mean + steep * (clamp(x * lit, 0, 255) - lit * mean), 0, 255));
          const own = luma(value);
          value = value.map((x) => clamp(own + colour * (x - own), 0, 255));
        }
        for (const [c, x] of value.entries()) y[((b * h + i) * w + j) * channels + c] = x * table[c]! + table[channels + c]!;
      }
  });
  return y;
}

function distort(view: View): Direct {
  const { h, w, c = 3, float = false, ...change } = view;
  const count = { length: SAMPLES.length * h * w * c };
  const value = (_: unknown, i: number): number => (i * 89 + (i >> 3) * 31) & 255;
  const pictures = float ? Float32Array.from(count, (_, i) => value(_, i) + 0.25) : Uint8Array.from(count, value);
  const state = new Uint8Array(State.Bytes);
  new DataView(state.buffer).setUint32(State.Seed, SEED, true);
  const nothing = { augment: 0, pad: 0, turn: 0, scale: 0, bright: 0, contrast: 0, saturation: 0, grey: 0, blur: 0, erase: 0 };
  return {
    op: 'Distort',
    name: `Distort ${h}×${w}×${c}${float ? ' f32' : ''} ${JSON.stringify(change)}`,
    phase: 'train',
    inputs: [
      plain(pictures, [SAMPLES.length, h, w, c], 'batch'),
      plain(tableOf(c), [2 * c]),
      plain(SAMPLES, [SAMPLES.length], 'batch'),
      plain(state, [State.Bytes], 'state'),
    ],
    attributes: { ...nothing, ...change },
    types: [f32(SAMPLES.length, h, w, c)],
    check([y]) {
      close(new Float32Array(y!.buffer), changed(pictures, view), 1e-4, 'distort');
    },
  };
}

const BOTH = Augment.Crop | Augment.Flip;
const ALL: Change = {
  ...{ augment: BOTH, pad: 2, turn: 300, scale: 256, bright: 400, contrast: 400, saturation: 700, grey: 20000, blur: 40000, erase: 40000 },
};
export const distortCases: readonly Direct[] = [
  distort({ h: 7, w: 9 }),
  distort({ h: 7, w: 9, augment: BOTH, pad: 3 }),
  distort({ h: 8, w: 8, turn: 1024 }),
  distort({ h: 9, w: 6, turn: 200, scale: 512 }),
  distort({ h: 6, w: 5, bright: 1024, contrast: 1024 }),
  distort({ h: 6, w: 5, saturation: 1024, grey: 30000 }),
  distort({ h: 5, w: 8, blur: CHANCES }),
  distort({ h: 17, w: 20, erase: CHANCES }),
  distort({ h: 1, w: 1, ...ALL, erase: 0 }),
  distort({ h: 13, w: 11, ...ALL }),
  distort({ h: 12, w: 14, ...ALL, grey: CHANCES, erase: CHANCES }),
  ...[1, 2, 4, 7].map((c) => distort({ h: 9, w: 7, c, augment: BOTH, pad: 2, turn: 300, scale: 256, blur: 40000, erase: 40000 })),
  distort({ h: 9, w: 7, c: 3, float: true, augment: BOTH, pad: 2, turn: 300, scale: 256, blur: 40000, erase: 40000 }),
];
