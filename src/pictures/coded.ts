/**
 * Small pictures in few bytes, for an adapter's memory (src/training/memory): blocks of 8 × 8, an integer cosine transform, steps that grow with frequency,
 * and binary arithmetic coding whose probabilities adapt. No header and no tables, which would be most of a picture of 28 × 28. Integers alone, so the
 * same bytes and pixels everywhere. Planes: grey where every pixel is; of three channels luma, and colour at half the side; of others each as it is.
 *
 *     byte 0: 1 where three channels are one grey, else 0; twice the fineness added │ coefficients of each plane, block by block, in the order of frequency
 *
 * Each step of fineness halves the quantiser's steps.
 */
import { BitReader, type Bits, BitWriter } from './binarycoder.ts';

/** Height, width, channels of a picture; its bytes are rows from the top, channels interleaved. */
export interface CodedShape {
  height: number;
  width: number;
  channels: number;
}

const SIDE = 8;
/** The finest code; 0 is the coarsest. */
export const FINEST = 3;
/** The quantiser's step for the mean, and by how much it grows with each step of frequency; of colour. */
const STEP = 10;
const GROWTH = 4;
const COLOUR_STEP = 16;
const COLOUR_GROWTH = 8;

/** Row k: cos((2i + 1)·k·π/16)·√(2/8), of the first row √(1/8), times 8192. */
const COSINES: readonly (readonly number[])[] = [
  [2896, 2896, 2896, 2896, 2896, 2896, 2896, 2896],
  [4017, 3406, 2276, 799, -799, -2276, -3406, -4017],
  [3784, 1567, -1567, -3784, -3784, -1567, 1567, 3784],
  [3406, -799, -4017, -2276, 2276, 4017, 799, -3406],
  [2896, -2896, -2896, 2896, 2896, -2896, -2896, 2896],
  [2276, -4017, 799, 3406, -3406, -799, 4017, -2276],
  [1567, -3784, 3784, -1567, -1567, 3784, -3784, 1567],
  [799, -2276, 3406, -4017, 4017, -3406, 2276, -799],
];

/** Positions of a block by rising frequency. */
const ORDER: readonly number[] = [...new Array(64).keys()].sort((a, b) => (a >> 3) + (a & 7) - (b >> 3) - (b & 7) || a - b);

interface Plane {
  height: number;
  width: number;
  /** One number a pixel, about 0. */
  values: Int16Array;
  isColour: boolean;
}

const clamp = (v: number): number => (v < 0 ? 0 : v > 255 ? 255 : v);

/** A picture in few bytes; with each step of `fineness`, 0 to FINEST, more of them. */
export function encodeSmall(pixels: Uint8Array, shape: CodedShape, fineness = 0): Uint8Array {
  const isGrey = shape.channels === 3 && pixels.every((v, i) => i % 3 === 0 || v === pixels[i - 1]);
  const writer = new BitWriter();
  for (const plane of planesOf(pixels, shape, isGrey)) {
    const coder = planeCoder(writer, plane.isColour, fineness);
    eachBlock(plane, (block) => {
      readBlock(plane, block, (values) => coder(forward(values)));
    });
  }
  const body = writer.finish();
  const out = new Uint8Array(body.length + 1);
  out[0] = (isGrey ? 1 : 0) + 2 * fineness;
  out.set(body, 1);
  return out;
}

/** The picture again, nearly. Whatever the bytes are, some picture of this shape comes of them. */
export function decodeSmall(bytes: Uint8Array, shape: CodedShape): Uint8Array {
  const { height, width, channels } = shape;
  const isGrey = channels === 3 && (bytes[0]! & 1) === 1;
  const reader = new BitReader(bytes.subarray(1));
  const planes = emptyPlanes(shape, isGrey);
  for (const plane of planes) {
    const coder = planeCoder(reader, plane.isColour, finenessOf(bytes));
    eachBlock(plane, (block) => writeBlock(plane, block, inverse(coder(new Int32Array(64)))));
  }
  const out = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) putPixel(out, (y * width + x) * channels, planes, { x, y, isGrey, isRgb: channels === 3 });
  return out;
}

/** How finely a picture was coded. */
export const finenessOf = (code: Uint8Array): number => Math.min(FINEST, code[0]! >> 1);

function putPixel(
  out: Uint8Array,
  at: number,
  planes: Plane[],
  { x, y, isGrey, isRgb }: { x: number; y: number; isGrey: boolean; isRgb: boolean },
): void {
  const [first] = planes as [Plane];
  const luma = first.values[y * first.width + x]! + 128;
  if (isGrey) out.fill(clamp(luma), at, at + 3);
  else if (isRgb) {
    const [, blue, red] = planes as [Plane, Plane, Plane];
    const half = (y >> 1) * blue.width + (x >> 1);
    const [b, r] = [blue.values[half]!, red.values[half]!];
    out[at] = clamp(luma + ((91881 * r + 32768) >> 16));
    out[at + 1] = clamp(luma - ((22554 * b + 46802 * r + 32768) >> 16));
    out[at + 2] = clamp(luma + ((116130 * b + 32768) >> 16));
  } else for (const [c, plane] of planes.entries()) out[at + c] = clamp(plane.values[y * plane.width + x]! + 128);
}

function emptyPlanes({ height, width, channels }: CodedShape, isGrey: boolean): Plane[] {
  const plane = (h: number, w: number, isColour: boolean): Plane => ({ height: h, width: w, values: new Int16Array(h * w), isColour });
  if (isGrey) return [plane(height, width, false)];
  if (channels !== 3) return Array.from({ length: channels }, () => plane(height, width, false));
  const [h, w] = [(height + 1) >> 1, (width + 1) >> 1];
  return [plane(height, width, false), plane(h, w, true), plane(h, w, true)];
}

function planesOf(pixels: Uint8Array, shape: CodedShape, isGrey: boolean): Plane[] {
  const { height, width, channels } = shape;
  const planes = emptyPlanes(shape, isGrey);
  const isRgb = channels === 3 && !isGrey;
  const colours = isRgb ? [new Int32Array(height * width), new Int32Array(height * width)] : [];
  for (let i = 0; i < height * width; i++) {
    const at = i * channels;
    if (isRgb) {
      const [r, g, b] = [pixels[at]!, pixels[at + 1]!, pixels[at + 2]!];
      planes[0]!.values[i] = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) - 128;
      colours[0]![i] = (-11059 * r - 21709 * g + 32768 * b + 32768) >> 16;
      colours[1]![i] = (32768 * r - 27439 * g - 5329 * b + 32768) >> 16;
    } else for (const [c, plane] of planes.entries()) plane.values[i] = pixels[at + c]! - 128;
  }
  for (const [c, colour] of colours.entries()) halve(colour, shape, planes[c + 1]!);
  return planes;
}

/** Means of 2 × 2. */
function halve(from: Int32Array, { height, width }: CodedShape, to: Plane): void {
  for (let y = 0; y < to.height; y++)
    for (let x = 0; x < to.width; x++) {
      const [y1, x1] = [Math.min(2 * y + 1, height - 1), Math.min(2 * x + 1, width - 1)];
      const sum = from[2 * y * width + 2 * x]! + from[2 * y * width + x1]! + from[y1 * width + 2 * x]! + from[y1 * width + x1]!;
      to.values[y * to.width + x] = (sum + 2) >> 2;
    }
}

function eachBlock({ height, width }: Plane, use: (block: { y: number; x: number }) => void): void {
  for (let y = 0; y < height; y += SIDE) for (let x = 0; x < width; x += SIDE) use({ y, x });
}

/** Beyond the picture its last row and column go on. */
function readBlock({ height, width, values }: Plane, { y, x }: { y: number; x: number }, use: (values: Int32Array) => void): void {
  const block = new Int32Array(64);
  for (let i = 0; i < 64; i++) block[i] = values[Math.min(y + (i >> 3), height - 1) * width + Math.min(x + (i & 7), width - 1)]!;
  use(block);
}
function writeBlock({ height, width, values }: Plane, { y, x }: { y: number; x: number }, block: Int32Array): void {
  for (let i = 0; i < 64; i++) {
    const [row, column] = [y + (i >> 3), x + (i & 7)];
    if (row < height && column < width) values[row * width + column] = Math.max(-1024, Math.min(1023, block[i]!));
  }
}

/** Rows, then columns; three bits more than the pixels have are kept between. */
function forward(block: Int32Array): Int32Array {
  return pass(
    pass(block, (k, i) => COSINES[k]![i]!, 10),
    (k, i) => COSINES[k]![i]!,
    16,
  );
}
function inverse(block: Int32Array): Int32Array {
  return pass(
    pass(block, (k, i) => COSINES[i]![k]!, 10),
    (k, i) => COSINES[i]![k]!,
    16,
  );
}
/** One direction, and transposed. */
function pass(block: Int32Array, factor: (k: number, i: number) => number, shift: number): Int32Array {
  const out = new Int32Array(64);
  for (let row = 0; row < SIDE; row++)
    for (let k = 0; k < SIDE; k++) {
      let sum = 1 << (shift - 1);
      for (let i = 0; i < SIDE; i++) sum += factor(k, i) * block[8 * row + i]!;
      out[8 * k + row] = sum >> shift;
    }
  return out;
}

/** Contexts: by position whether the block ends, whether a coefficient is 0, and how large it is. */
const END = 0;
const ZERO = 64;
const SIZE = 128;
const SIZES = 14;

/** Codes a plane's blocks one after the other, writing them or reading them into what it is given; the mean is told by its difference from the last one's. */
function planeCoder(bits: Bits, isColour: boolean, fineness: number): (block: Int32Array) => Int32Array {
  const contexts = bits.contexts(SIZE + 2 * SIZES);
  const [first, growth] = isColour ? [COLOUR_STEP, COLOUR_GROWTH] : [STEP, GROWTH];
  const stepAt = (at: number): number => Math.max(1, (first + growth * ((at >> 3) + (at & 7))) >> fineness);
  let mean = 0;
  return (block) => {
    const levels = ORDER.map((at, i) => (bits.isWriting ? quantise(block[at]!, stepAt(at)) - (i === 0 ? mean : 0) : 0));
    const last = levels.findLastIndex((level) => level !== 0);
    for (let i = 0; i < 64; i++) {
      if (bits.bit(contexts, END + i, i > last ? 1 : 0)) break;
      levels[i] = codeLevel(bits, contexts, i, levels[i]!);
    }
    levels[0]! += mean;
    mean = levels[0]!;
    for (const [i, at] of ORDER.entries()) block[at] = levels[i]! * stepAt(at);
    return block;
  };
}
/** Halves go to 0, and a little more: what is small is noise. */
const quantise = (value: number, step: number): number => {
  const level = Math.floor((Math.abs(value) + step * 0.375) / step);
  return value < 0 ? -level : level;
};

function codeLevel(bits: Bits, contexts: Uint16Array, i: number, level: number): number {
  if (bits.bit(contexts, ZERO + i, level === 0 ? 1 : 0)) return 0;
  const isNegative = bits.plain(level < 0 ? 1 : 0);
  const from = SIZE + (i < 6 ? 0 : SIZES);
  let size = 1;
  while (size <= SIZES && bits.bit(contexts, from + size - 1, Math.abs(level) > size ? 1 : 0)) size++;
  if (size > SIZES) {
    // Exponential Golomb: how many bits, then they.
    const more = Math.abs(level) - size;
    let count = 0;
    while (count < 15 && bits.plain(more + 1 >= 2 ** (count + 1) ? 1 : 0)) count++;
    let rest = 0;
    for (let k = count - 1; k >= 0; k--) rest = 2 * rest + bits.plain(((more + 1) >> k) & 1);
    size += 2 ** count - 1 + rest;
  }
  return isNegative ? -size : size;
}
