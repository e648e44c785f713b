/** WebP by @jsquash/webp (libwebp as WebAssembly), lossy and lossless. */
import createCodec from '@jsquash/webp/codec/dec/webp_dec.js';
import { rgbaPixels } from './channels.ts';
import { Codec } from './codec.ts';
import type { Pixels } from './resample.ts';
import { Unreadable } from './unreadable.ts';
import { readWebp, withAlphaChunk } from './webpheader.ts';

const codec = new Codec(createCodec, '@jsquash/webp/codec/dec/webp_dec.wasm');

export const openWebp = (limit: number): Promise<void> => codec.open(limit);

/** Calls `use` with the pixels, which live only during the call. */
export function decodeWebp<T>(bytes: Uint8Array, withAlpha: boolean, use: (pixels: Pixels) => T): T {
  const image = readWebp(bytes);
  const { width, height } = image;
  const outcome = codec.run(withAlpha ? withAlphaChunk(image) : image.chunk, (rgba, w, h) => {
    if (w !== width || h !== height) throw new Unreadable('a damaged WebP: two sizes');
    return use(rgbaPixels(rgba, w, h));
  });
  if ('result' in outcome) return outcome.result;
  // What libwebp says of a file is of no use.
  throw new Unreadable('a damaged or truncated WebP');
}
