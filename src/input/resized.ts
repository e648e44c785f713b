/** What is done to a picture: how it is resized before its centre is cut out, what another image size makes of that, and its numbers. */
import { InputError } from '../base/error.ts';
import type { Resample } from '../pictures/resample.ts';
import type { Size } from './fields.ts';

/**
 * `exact` stretches to height × width. The others keep the picture's shape: `shortest` brings its shorter side to `edge`, `cover` makes it as
 * small as still covers height × width (timm's, where these differ).
 */
export type Resize =
  | { mode: 'exact'; height: number; width: number }
  | { mode: 'shortest'; edge: number }
  | { mode: 'cover'; height: number; width: number };

/** Centre crop after resizing; an odd margin leaves the smaller half (`floor`) or the even half (`even`) before it. */
export type Crop = Size & { rounding: 'floor' | 'even' };

export interface Frame {
  resize: Resize;
  crop: Crop | null;
}

/** How a picture of any size becomes the network's input: resize, crop, scale, normalise. */
export interface Preprocess extends Frame {
  /** How pixels between pixels are made. */
  resample: Resample;
  /** The model sees (pixel · scale − mean) / std. */
  scale: number;
  /** Of each channel: one number for grey pictures, three for RGB, four for RGBA. */
  mean: readonly number[];
  /** The same. */
  std: readonly number[];
  /** The model sees the channels in reverse order, blue first, once they are normalised. */
  reversed?: true;
}

/** Height and width of every prepared picture. */
export function outputSize({ resize, crop }: Frame): Size {
  if (crop) return { height: crop.height, width: crop.width };
  if (resize.mode === 'exact') return { height: resize.height, width: resize.width };
  throw new InputError({
    where: 'preprocessing',
    what: 'pictures of one size are needed',
    got: 'a resize that keeps their shape, without a crop',
  });
}

/** The picture at `height` × `width` that keeps its shape: its shorter side where these are equal, else what covers both. */
export const keeping = ({ height, width }: Size): Resize =>
  height === width ? { mode: 'shortest', edge: height } : { mode: 'cover', height, width };

/** What is resized to, as one side of a square or both. */
export const target = (resize: Resize): Size => (resize.mode === 'shortest' ? { height: resize.edge, width: resize.edge } : resize);

/** The same frame for pictures of another size; the crop keeps its share of the picture. */
export function framedFor({ resize, crop }: Frame, size: Size): Frame {
  if (!crop) return { resize: { mode: 'exact', ...size }, crop };
  const grown = (edge: number, wanted: number, cropped: number) => Math.floor((edge * wanted) / cropped);
  const at = target(resize);
  const shorter = Math.min(crop.height, crop.width);
  const of = (side: 'height' | 'width') => grown(at[side], size[side], resize.mode === 'shortest' ? shorter : crop[side]);
  const scaled = { height: of('height'), width: of('width') };
  return { resize: resize.mode === 'exact' ? { mode: 'exact', ...scaled } : keeping(scaled), crop: { ...crop, ...size } };
}

/** Height and width of a picture of that size after resizing. */
export function resizedSize({ width, height }: Size, resize: Resize): Size {
  if (resize.mode === 'exact') return { width: resize.width, height: resize.height };
  if (resize.mode === 'cover') {
    const ratio = Math.min(height / resize.height, width / resize.width);
    return { width: roundEven(width / ratio), height: roundEven(height / ratio) };
  }
  const long = (side: number, short: number) => Math.trunc((resize.edge * side) / short);
  return width <= height ? { width: resize.edge, height: long(height, width) } : { width: long(width, height), height: resize.edge };
}

/** Python's round(): halves go to the even neighbour. */
export function roundEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}
