/**
 * JPEG by @jsquash/jpeg (mozjpeg as WebAssembly), driven through its codec file so that the pixels are read where they were
 * decoded. The package's own `decode` copies them (4 bytes a pixel) into an ImageData: at 12 megapixels, 46 MiB more.
 */
import { readFileSync } from 'node:fs';
import createCodec from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import { Unreadable } from './header.ts';
import type { Pixels } from './resample.ts';
import { packageName, require } from './version.ts';

interface Codec {
  decode(bytes: Uint8Array, turn: boolean): unknown;
}

export const jpegName = (): string => packageName('@jsquash/jpeg');

let wasm: WebAssembly.Module | undefined;
let codec: Codec | undefined;
let warnings: string[] = [];

/** Reads and compiles the package's wasm file; once, and never through the network. */
export async function openJpeg(): Promise<void> {
  if (codec) return;
  wasm ??= new WebAssembly.Module(readFileSync(require.resolve('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm')));
  const compiled = wasm;
  codec = (await createCodec({
    noInitialRun: true,
    print: () => {},
    printErr: (line: string) => void warnings.push(line),
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) {
      const instance = new WebAssembly.Instance(compiled, imports);
      done(instance);
      return instance.exports;
    },
  } as never)) as unknown as Codec;
}

/** Gives the globals back. */
let restore: () => void = () => {};

/** What the decoder's result is handed to, during `decodeJpeg`. */
let take: (rgba: Uint8Array, width: number, height: number) => void = () => {};

/**
 * The codec wraps its result in `new ImageData(new Uint8ClampedArray(view of its memory), width, height)` and frees it on
 * return. It looks these two names up once, at its first picture: for that call they are ours, and look at the view in place.
 */
const stand = {
  Uint8ClampedArray: function view(memory: Uint8Array) {
    return memory;
  },
  ImageData: function receive(rgba: Uint8Array, width: number, height: number) {
    restore();
    take(rgba, width, height);
  },
};

/** Calls `codec.decode` with the names in place until it has a picture; it is synchronous, so nobody else sees them. */
function runCodec({ decode }: Codec, bytes: Uint8Array): void {
  const { Uint8ClampedArray: clamped, ImageData: image } = globalThis;
  restore = () => Object.assign(globalThis, { Uint8ClampedArray: clamped, ImageData: image });
  Object.assign(globalThis, stand);
  try {
    decode(bytes, false);
  } finally {
    restore();
  }
}

/** Decodes one or three components and calls `use` with the pixels, which live only during the call. */
export function decodeJpeg<T>(bytes: Uint8Array, use: (pixels: Pixels) => T): T {
  if (!codec) throw new Error('openJpeg comes first');
  let outcome: { result: T } | { error: unknown } | undefined;
  warnings = [];
  take = (rgba, width, height) => {
    // An exception must not cross the codec's frames: they would not free the picture.
    try {
      refuseHoles();
      outcome = { result: use(rgbaPixels(rgba, width, height)) };
    } catch (error) {
      outcome = { error };
    }
  };
  try {
    runCodec(codec, bytes);
  } catch (error) {
    // A fatal error exits the codec, which can then not be used again.
    codec = undefined;
    refuseHoles();
    throw new Unreadable(`a damaged JPEG: ${(warnings.at(-1) ?? (error as Error).message).trim()}`);
  } finally {
    take = () => {};
  }
  if (!outcome) throw new Unreadable('a damaged JPEG');
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

/**
 * libjpeg fills what is missing with grey and only warns; a picture with such a hole must not be learned from. Stray bytes
 * between segments, which some cameras leave, do no harm.
 */
function refuseHoles(): void {
  for (const warning of warnings) {
    if (/premature end of jpeg file/i.test(warning)) throw new Unreadable('a truncated JPEG: it ends before the picture does');
    if (/corrupt/i.test(warning) && !/extraneous/i.test(warning)) throw new Unreadable(`a damaged JPEG: ${warning.trim()}`);
  }
}

function rgbaPixels(rgba: Uint8Array, width: number, height: number): Pixels {
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
  };
}
