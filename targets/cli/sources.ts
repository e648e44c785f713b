/** Where `predict` finds pictures: files, folders, patterns, and standard input, frame by frame. */
import { InputError, S2aError, withoutPlace } from '../../src/base/error.ts';
import { fileExists, isFolder } from '../../src/base/files.ts';
import { expandGlob, isGlob } from '../../src/data/glob.ts';
import { isPicture } from '../../src/data/kinds.ts';
import { picturesOf } from '../../src/data/pictures.ts';
import { decodeLater } from '../../src/input/decodelater.ts';
import { defaultDecoderBytes } from '../../src/input/decoderlimit.ts';
import { isArray, placeOf } from '../../src/input/example.ts';
import { inputOf, type Preparation } from '../../src/input/index.ts';
import { type Preprocess, resizePacked } from '../../src/input/preprocess.ts';
import { type Frame, framesOf, jpegFrames, rawFrames } from '../../src/pictures/frames.ts';
import { LARGEST_PIXELS } from '../../src/pictures/header.ts';

/** The name of standard input. */
export const STDIN = '-';
/** Most bytes of one JPEG of a stream. */
const LARGEST_FRAME = 32 << 20;

/** Raw frames as they lie in a stream, `channels` bytes a pixel. */
export interface Raw {
  width: number;
  height: number;
  channels: 1 | 3 | 4;
}

/** A picture that is to be classified: made ready when it is its turn. */
export interface Source {
  file: string;
  /** In a stream, from 1. */
  frame?: number;
  /** The network's input; throws where the picture cannot be used. */
  prepared(): Promise<Uint8Array> | Uint8Array;
}

const CHANNELS: Readonly<Record<string, Raw['channels']>> = { rgb: 3, gray: 1, grey: 1, rgba: 4 };

/** `640x480`, `640x480:gray`: width and height as cameras name them. */
export function rawOf(text: string | undefined): Raw | undefined {
  if (text === undefined) return undefined;
  const [, w, h, kind = 'rgb'] = /^(\d{1,5})[x×](\d{1,5})(?::(\w+))?$/i.exec(text) ?? [];
  const [width, height, channels] = [Number(w), Number(h), CHANNELS[kind.toLowerCase()]];
  if (channels !== undefined && width > 0 && height > 0 && width * height <= LARGEST_PIXELS) return { width, height, channels };
  throw new InputError({
    where: '--raw',
    what: 'wrong value',
    got: text,
    expected: 'WIDTHxHEIGHT of RGB bytes, or 640x480:gray, 640x480:rgba',
  });
}

/** Whether a name is a pattern; `x.npy[4]` is a place in an array that is there. */
const isPattern = (name: string): boolean => isGlob(name) && !fileExists(placeOf(name).file);

/** Whether a name can only be that of pictures, and not of an adapter. */
export function isPictures(name: string): boolean {
  if (name === STDIN || isPicture(name) || isArray(placeOf(name).file) || isPattern(name)) return true;
  if (!isFolder(name) || fileExists(`${name}/adapter_model.safetensors`)) return false;
  try {
    return picturesOf([name]).length > 0;
  } catch {
    return false;
  }
}

/** Every file that is named; those of folders and patterns as picturesOf and expandGlob order them. */
export const filesOf = (names: readonly string[]): string[] =>
  names.flatMap((name) => (isPattern(name) ? expandGlob(name) : [name])).flatMap((name) => picturesOf([name]).map(({ file }) => file));

/** Pictures from files. */
export const fromFile = (file: string, preprocess: Preparation): Source => ({
  file,
  prepared: () => inputOf(preprocess).read(file, preprocess, defaultDecoderBytes),
});

/** Three bytes a pixel of one, where the network does not read one. */
const coloured = (grey: Uint8Array): Uint8Array => Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[(i / 3) | 0]!);

function rawPrepared(bytes: Uint8Array, { width, height, channels }: Raw, preprocess: Preprocess): Uint8Array {
  const pixels = channels === 1 && preprocess.mean.length !== 1 ? coloured(bytes) : bytes;
  return resizePacked(pixels, width, height, preprocess);
}

/** Frames of standard input, until it ends. Throws InputError where it is a terminal or the network takes no pictures. */
export async function* fromStream(preparation: Preparation, raw: Raw | undefined): AsyncGenerator<Source> {
  const where = 'standard input';
  if (inputOf(preparation).name !== 'picture')
    throw new InputError({ where, what: 'the network takes arrays, not pictures', expected: '.npy files' });
  if (process.stdin.isTTY)
    throw new InputError({ where, what: 'is a terminal', expected: 'a stream of JPEGs, or of raw frames with --raw' });
  const preprocess = preparation as Preprocess;
  const splitter = raw ? rawFrames(raw.width * raw.height * raw.channels) : jpegFrames(LARGEST_FRAME);
  const prepare = (frame: Frame): Promise<Uint8Array> | Uint8Array => {
    if ('fault' in frame) throw new InputError({ where, what: frame.fault });
    return raw ? rawPrepared(frame.bytes, raw, preprocess) : decodeLater(frame.bytes, preprocess, defaultDecoderBytes);
  };
  let count = 0;
  for await (const frame of framesOf(process.stdin, splitter)) {
    count++;
    yield { file: STDIN, frame: count, prepared: () => prepare(frame) };
  }
  if (count === 0)
    throw new InputError({ where, what: raw ? 'is empty' : 'no JPEG is in it', ...(raw ? {} : { hint: 'raw frames need --raw 640x480' }) });
}

/** Why a picture cannot be used, as a part of a sentence. */
export const reasonOf = (error: unknown): string => (error instanceof S2aError ? withoutPlace(error) : (error as Error).message);
