/** JPEG by @jsquash/jpeg (mozjpeg as WebAssembly). */
import createCodec from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import { rgbaPixels } from './channels.ts';
import { Codec } from './codec.ts';
import type { Pixels } from './resample.ts';
import { Unreadable } from './unreadable.ts';

// EXIF's orientation is obeyed when the picture is prepared.
const codec = new Codec(createCodec, '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm', [false]);

export const openJpeg = (limit: number): Promise<void> => codec.open(limit);

/** Decodes one or three components and calls `use` with the pixels, which live only during the call. */
export function decodeJpeg<T>(bytes: Uint8Array, use: (pixels: Pixels) => T): T {
  const outcome = codec.run(bytes, (rgba, width, height) => {
    refuseHoles();
    return use(rgbaPixels(rgba, width, height));
  });
  if ('result' in outcome) return outcome.result;
  if (outcome.fault === undefined) throw new Unreadable('a damaged JPEG');
  refuseHoles();
  throw new Unreadable(`a damaged JPEG: ${outcome.fault}`);
}

/**
 * libjpeg fills what is missing with grey and only warns; a picture with such a hole must not be learned from. Stray bytes
 * between segments, which some cameras leave, do no harm.
 */
function refuseHoles(): void {
  for (const warning of codec.warnings) {
    if (/premature end of jpeg file/i.test(warning)) throw new Unreadable('a truncated JPEG: it ends before the picture does');
    if (/corrupt/i.test(warning) && !/extraneous/i.test(warning)) throw new Unreadable(`a damaged JPEG: ${warning.trim()}`);
  }
}
