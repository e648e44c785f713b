/**
 * Antialiased resizing of 8-bit pictures, RGB or of another number of channels, horizontal pass first, then vertical, each rounded to 8 bits: the arithmetic of
 * Pillow's `Image.resize`, which the Hugging Face and timm processors call.
 *
 * For output i with scale s = in/out, the filter f is stretched by max(s, 1) and centred on (i + 1/2)·s; its weights over
 * the input pixels it covers are normalised to sum 1 and held as integers of 22 fraction bits.
 */

/** Pillow's filters; a name's place is its number there. */
export const RESAMPLES = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'] as const;
export type Resample = (typeof RESAMPLES)[number];

/** A picture as it is decoded: rows are asked for once each, top to bottom, so nothing need hold the whole as RGB. */
export interface Pixels {
  width: number;
  height: number;
  /** Bytes of a pixel of a row; three, RGB, where absent. */
  channels?: number;
  /** Writes row y as width × channels into `row`. */
  readRow(y: number, row: Uint8Array): void;
  /** The same as width × RGBA, where the file has alpha. */
  readRgba?(y: number, row: Uint8Array): void;
}

const FRACTION = 22;
const HALF = 1 << (FRACTION - 1);

interface Filter {
  /** Half the width of the filter's support, in input pixels when enlarging. */
  support: number;
  at(x: number): number;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const filters: Record<Exclude<Resample, 'nearest'>, Filter> = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys' cubic convolution with a = -1/2.
  bicubic: {
    support: 2,
    at(x) {
      const t = Math.abs(x);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      if (t < 2) return ((-0.5 * t + 2.5) * t - 4) * t + 2;
      return 0;
    },
  },
  hamming: { support: 1, at: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0) },
  lanczos: { support: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** The weights of outputs [first, first + count) along one axis; output i reads inputs [from[i], from[i] + taps[i]). */
interface Weights {
  from: Int32Array;
  taps: Int32Array;
  /** Row i starts at i · most. */
  values: Int32Array;
  most: number;
}

function weights(nIn: number, nOut: number, first: number, count: number, resample: Resample): Weights {
  if (resample === 'nearest') return nearest(nIn, nOut, first, count);
  const { support, at } = filters[resample];
  const scale = nIn / nOut;
  const stretch = Math.max(scale, 1);
  const narrow = 1 / stretch;
  const reach = support * stretch;
  const most = 2 * Math.ceil(reach) + 1;
  const from = new Int32Array(count);
  const taps = new Int32Array(count);
  const values = new Int32Array(count * most);
  const exact = new Float64Array(most);
  for (let i = 0; i < count; i++) {
    const centre = (first + i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(nIn, Math.trunc(centre + reach + 0.5));
    let sum = 0;
    for (let x = begin; x < end; x++) {
      const w = at((x - centre + 0.5) * narrow);
      exact[x - begin] = w;
      sum += w;
    }
    for (let x = begin; x < end; x++) {
      const w = (exact[x - begin]! / sum) * (1 << FRACTION);
      values[i * most + x - begin] = Math.trunc(w < 0 ? w - 0.5 : w + 0.5);
    }
    from[i] = begin;
    taps[i] = end - begin;
  }
  return { from, taps, values, most };
}

/** One input for each output: that under its centre. */
function nearest(nIn: number, nOut: number, first: number, count: number): Weights {
  const scale = nIn / nOut;
  const from = new Int32Array(count);
  // Pillow adds up the steps, so what falls between two pixels falls to the same one only if we do too.
  for (let i = 0, x = scale / 2; i < first + count; i++, x += scale) if (i >= first) from[i - first] = Math.min(nIn - 1, Math.floor(x));
  return { from, taps: new Int32Array(count).fill(1), values: new Int32Array(count).fill(1 << FRACTION), most: 1 };
}

/** A rectangle of the resized picture. */
export interface Window {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * The `window` of `pixels` resized to width × height, packed. Only the columns and rows of the window are computed,
 * so a thin picture that would resize to a million columns costs no more than its crop.
 */
export function resample(pixels: Pixels, width: number, height: number, window: Window, by: Resample): Uint8Array {
  const across = weights(pixels.width, width, window.left, window.width, by);
  const down = weights(pixels.height, height, window.top, window.height, by);
  const { channels = 3 } = pixels;
  const stride = window.width * channels;
  // Clamped arrays: a negative lobe may carry a sum below 0 or above 255. No more rows are held than one output row covers.
  const held = new Uint8ClampedArray(down.most * stride);
  const row = new Uint8Array(pixels.width * channels);
  const sums = new Int32Array(stride);
  const out = new Uint8ClampedArray(window.height * stride);
  for (let y = 0, next = 0; y < window.height; y++) {
    const first = down.from[y]!;
    const taps = down.taps[y]!;
    // A decoder that streams has to pass the rows above the window too.
    for (; next < first + taps; next++) {
      pixels.readRow(next, row);
      if (next < down.from[0]!) continue;
      if (channels === 3) resampleRgb(row, across, held, (next % down.most) * stride);
      else resampleRow(row, across, held, (next % down.most) * stride, channels);
    }
    sums.fill(HALF);
    for (let k = 0; k < taps; k++) {
      const weight = down.values[y * down.most + k]!;
      const at = ((first + k) % down.most) * stride;
      for (let x = 0; x < stride; x++) sums[x] = sums[x]! + held[at + x]! * weight;
    }
    for (let x = 0; x < stride; x++) out[y * stride + x] = sums[x]! >> FRACTION;
  }
  return new Uint8Array(out.buffer);
}

/** One row of any number of channels. */
function resampleRow(row: Uint8Array, { from, taps, values, most }: Weights, out: Uint8ClampedArray, at: number, channels: number): void {
  for (let i = 0; i < from.length; i++) {
    const begin = i * most;
    const end = begin + taps[i]!;
    for (let c = 0; c < channels; c++) {
      let sum = HALF;
      for (let k = begin, p = from[i]! * channels + c; k < end; k++, p += channels) sum = (sum + row[p]! * values[k]!) | 0;
      out[at + channels * i + c] = sum >> FRACTION;
    }
  }
}

/** One row of three channels: their sums side by side. */
function resampleRgb(row: Uint8Array, { from, taps, values, most }: Weights, out: Uint8ClampedArray, at: number): void {
  for (let i = 0; i < from.length; i++) {
    let r = HALF;
    let g = HALF;
    let b = HALF;
    let p = from[i]! * 3;
    const begin = i * most;
    const end = begin + taps[i]!;
    for (let k = begin; k < end; k++, p += 3) {
      const w = values[k]!;
      r = (r + row[p]! * w) | 0;
      g = (g + row[p + 1]! * w) | 0;
      b = (b + row[p + 2]! * w) | 0;
    }
    out[at + 3 * i] = r >> FRACTION;
    out[at + 3 * i + 1] = g >> FRACTION;
    out[at + 3 * i + 2] = b >> FRACTION;
  }
}
