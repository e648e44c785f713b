/** PNG by fast-png, any depth and colour type; alpha is dropped and 16 bits lose their low byte, as Pillow's convert('RGB') does. */
import { type DecodedPng, decode } from 'fast-png';
import { Unreadable } from './header.ts';
import type { Pixels } from './resample.ts';
import { packageName } from './version.ts';

export const pngName = packageName('fast-png');

export function decodePng(bytes: Uint8Array): Pixels {
  let png: DecodedPng;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (error) {
    throw new Unreadable(`a damaged or truncated PNG: ${(error as Error).message}`);
  }
  const { width, height, channels, depth, data } = png;
  // A true-colour PNG may carry a palette as a mere suggestion.
  const palette = channels === 1 ? png.palette : undefined;
  const samples = width * channels;
  const stride = depth < 8 ? Math.ceil((samples * depth) / 8) : samples;
  if (data.length !== stride * height) throw new Unreadable('a damaged PNG: wrong amount of data');
  const shift = depth === 16 ? 8 : 0;
  // Grey below 8 bits spans 0 to 255; a palette's index stays as it is.
  const stretch = depth < 8 && !palette ? 255 / ((1 << depth) - 1) : 1;
  const sample = (start: number, i: number): number => {
    if (depth >= 8) return data[start + i]! >> shift;
    const bit = i * depth;
    return ((data[start + (bit >> 3)]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1)) * stretch;
  };
  return {
    width,
    height,
    readRow(y, row) {
      const start = y * stride;
      for (let x = 0, to = 0; x < width; x++, to += 3) {
        if (palette) {
          const colour = palette[sample(start, x)];
          if (!colour) throw new Unreadable('a damaged PNG: a colour outside its palette');
          row[to] = colour[0]!;
          row[to + 1] = colour[1]!;
          row[to + 2] = colour[2]!;
        } else {
          const grey = channels < 3;
          const i = x * channels;
          row[to] = sample(start, i);
          row[to + 1] = sample(start, grey ? i : i + 1);
          row[to + 2] = sample(start, grey ? i : i + 2);
        }
      }
    },
  };
}
