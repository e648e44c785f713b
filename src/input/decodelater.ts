/** `decodePicture` with its decoders loaded when the first picture comes: a run that decodes in a process of its own never holds them (5 MiB). */
import { defaultDecoderBytes } from './decoderlimit.ts';
import type { Preprocess } from './resized.ts';

export const decodeLater = async (bytes: Uint8Array, spec: Preprocess, limit = defaultDecoderBytes): Promise<Uint8Array> =>
  (await import('./decode.ts')).decodePicture(bytes, spec, limit);
