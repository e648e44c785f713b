/** Colour pictures as a network of one channel or of four takes them, to the bytes of Pillow's `convert('L')` and `convert('RGBA')`. */
import { InputError } from '../base/error.ts';
import type { Pixels } from './resample.ts';

/** How many channels a picture can have: grey, red-green-blue, and these with what is opaque. */
export const PICTURE_CHANNELS = [1, 3, 4] as const;
export type PictureChannels = (typeof PICTURE_CHANNELS)[number];

/** Whether a network of so many channels can see pictures. */
export const isPictures = (channels: number): boolean => PICTURE_CHANNELS.includes(channels as PictureChannels);

/** InputError where a network reads what no picture has. */
export function checkPictureChannels(channels: number, where: string): PictureChannels {
  if (isPictures(channels)) return channels as PictureChannels;
  throw new InputError({
    where,
    what: 'the network does not read pictures',
    got: `${channels} channels`,
    expected: '1 (grey), 3 (RGB) or 4 (RGBA)',
    hint: 'arrays (.npy) may have any number of channels',
  });
}

/** Weights of red, green and blue in 16 fraction bits: ITU-R 601, which Pillow's `convert('L')` takes. */
const [RED, GREEN, BLUE, HALF] = [19595, 38470, 7471, 0x8000];

/** The same picture with rows of `channels` bytes a pixel. */
export function withChannels(pixels: Pixels, channels: PictureChannels): Pixels {
  const { width, height } = pixels;
  if (channels === (pixels.channels ?? 3)) return pixels;
  if (channels === 1) {
    const rgb = new Uint8Array(width * 3);
    return {
      width,
      height,
      channels,
      readRow(y, row) {
        pixels.readRow(y, rgb);
        for (let x = 0, at = 0; x < width; x++, at += 3)
          row[x] = (rgb[at]! * RED + rgb[at + 1]! * GREEN + rgb[at + 2]! * BLUE + HALF) >> 16;
      },
    };
  }
  const { readRgba } = pixels;
  if (readRgba !== undefined) return { width, height, channels, readRow: readRgba };
  const rgb = new Uint8Array(width * 3);
  return {
    width,
    height,
    channels,
    readRow(y, row) {
      pixels.readRow(y, rgb);
      for (let x = 0, at = 0, to = 0; x < width; x++, at += 3, to += 4) {
        row[to] = rgb[at]!;
        row[to + 1] = rgb[at + 1]!;
        row[to + 2] = rgb[at + 2]!;
        row[to + 3] = 255;
      }
    },
  };
}

/** Packed RGBA as a picture. */
export function rgbaPixels(rgba: Uint8Array, width: number, height: number): Pixels {
  return {
    width,
    height,
    readRow(y, row) {
      let p = y * width * 4;
      for (let i = 0; i < width * 3; i += 3, p += 4) {
        row[i] = rgba[p]!;
        row[i + 1] = rgba[p + 1]!;
        row[i + 2] = rgba[p + 2]!;
      }
    },
    readRgba: (y, row) => row.set(rgba.subarray(y * width * 4, (y + 1) * width * 4)),
  };
}

/** a · b / 255, rounded as Pillow rounds. */
const scaled = (a: number, b: number): number => {
  const t = a * b + 128;
  return ((t >> 8) + t) >> 8;
};

/** Colours times their alpha: what is resized, so that what is not seen does not bleed into what is. */
export function premultiplied({ width, height, readRow }: Pixels): Pixels {
  return {
    width,
    height,
    channels: 4,
    readRow(y, row) {
      readRow(y, row);
      for (let at = 0; at < 4 * width; at += 4) {
        const alpha = row[at + 3]!;
        for (let c = 0; c < 3; c++) row[at + c] = scaled(row[at + c]!, alpha);
      }
    },
  };
}

/** The colours again, in place. */
export function unmultiply(rgba: Uint8Array): void {
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let c = 0; c < 3; c++) rgba[at + c] = Math.min(255, Math.trunc((255 * rgba[at + c]!) / alpha));
  }
}
