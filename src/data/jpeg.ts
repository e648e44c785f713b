/** JPEG by @jsquash/jpeg (mozjpeg as WebAssembly). */
import createCodec from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import { Codec, rgbaPixels } from './codec.ts';
import type { Pixels } from './resample.ts';
import { Unreadable } from './unreadable.ts';
import { packageName } from './version.ts';

export const jpegName = (): string => packageName('@jsquash/jpeg');

// EXIF's orientation is obeyed when the picture is prepared.
const codec = new Codec(createCodec, '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm', [false]);

export const openJpeg = (limit: number): Promise<void> => codec.open(limit);

/** Decodes one or three components and calls `use` with the pixels, which live only during the call. */
export function decodeJpeg<T>(bytes: Uint8Array, use: (pixels: Pixels) => T): T {
  // The caller's errors are its own; the codec's are told by its warnings.
  let own: unknown;
  try {
    const outcome = codec.run(bytes, (rgba, width, height) => {
      try {
        refuseHoles();
        return use(rgbaPixels(rgba, width, height));
      } catch (error) {
        own = error;
        throw error;
      }
    });
    if (outcome) return outcome.result;
  } catch (error) {
    if (error === own) throw error;
    refuseHoles();
    throw new Unreadable(`a damaged JPEG: ${(codec.warnings.at(-1) ?? (error as Error).message).trim()}`);
  }
  throw new Unreadable('a damaged JPEG');
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
