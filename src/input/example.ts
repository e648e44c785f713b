/**
 * Examples of arrays (.npy): spectrograms, thermal pictures, depth. They are seen at their own size, value by value as they are stored; of each
 * channel a mean is taken away and what is left divided by a deviation.
 */
import { createHash } from 'node:crypto';
import { InputError, shownValue } from '../base/error.ts';
import { isRecord } from '../base/json.ts';
import { convertLine, type Npy, numbersOf, openNpy } from '../formats/npy/read.ts';
import { divisors, perChannel, pixels } from './fields.ts';

/** What a value takes in the network's port: bytes as they are, or f32. */
export type Element = 'u8' | 'f32';
export const ELEMENTS: readonly Element[] = ['u8', 'f32'];

/** What the arrays of a folder are, by their headers. */
export interface ArrayFacts {
  height: number;
  width: number;
  channels: number;
  element: Element;
}

export const NORMALIZE_SOURCES = ['measured', 'model', 'given'] as const;
export type NormalizeSource = (typeof NORMALIZE_SOURCES)[number];

/** How an adapter's arrays become its network's input: the network sees (value · scale − mean) / std. */
export interface ArrayPreparation extends ArrayFacts {
  /** What tells it from the preparation of pictures. */
  input: 'array';
  /** Where mean and std come from: the examples to learn from, the model folder, or whoever gave them. */
  from: NormalizeSource;
  /** Factor on every value, before anything else; 1 unless the model folder says another. */
  scale: number;
  /** By channel: taken away. */
  mean: readonly number[];
  /** By channel: what is left is divided by it. */
  std: readonly number[];
}

/** Most channels: what the engine's first operator reads. */
const MOST_CHANNELS = 1024;
const MOST_SIDE = 4096;

export const isArray = (name: string): boolean => /\.npy$/i.test(name);
const ROW = /^(.*\.npy)\[(\d+)\]$/i;

/** An example's place: a file of its own, or `row` of an array of many, whose path is written `x.npy[7]`. */
export function placeOf(path: string): { file: string; row?: number } {
  const [, file, row] = ROW.exec(path) ?? [];
  return file === undefined ? { file: path } : { file, row: Number(row) };
}
export const rowPath = (file: string, row: number): string => `${file}[${row}]`;

/** Height, width and channels of an example of a file, whose first axis counts examples where `isStack`. */
export function exampleShape({ path, shape }: Pick<Npy, 'path' | 'shape'>, isStack: boolean): [number, number, number] {
  const axes = isStack ? shape.slice(1) : shape;
  if ((axes.length === 2 || axes.length === 3) && axes.every((n) => n >= 1)) {
    const [h, w, c = 1] = axes as [number, number, number?];
    if (h <= MOST_SIDE && w <= MOST_SIDE && c <= MOST_CHANNELS) return [h, w, c];
  }
  throw new InputError({
    where: path,
    what: 'has the wrong shape',
    got: `[${shape.join(', ')}]`,
    expected: `${isStack ? '[N, H, W] or [N, H, W, C]' : '[H, W] or [H, W, C]'}, sides up to ${MOST_SIDE} and ${MOST_CHANNELS} channels`,
  });
}

/** u8 where bytes are what is stored, else f32. */
export const elementOf = ({ kind, size }: Pick<Npy, 'kind' | 'size'>): Element => (size === 1 && kind !== 'i' ? 'u8' : 'f32');

/** A preparation that comes from a file of ours: every field checked. */
export function checkArrayPreparation(value: Record<string, unknown>, where: string): ArrayPreparation {
  const fault = (key: string, expected: string): never => {
    throw new InputError({ where, what: `bad preprocessing.${key}`, got: shownValue(value[key]), expected });
  };
  const { element, from, channels } = value;
  if (!ELEMENTS.includes(element as Element)) fault('element', ELEMENTS.join(', '));
  if (!NORMALIZE_SOURCES.includes(from as NormalizeSource)) fault('from', NORMALIZE_SOURCES.join(', '));
  if (!(Number.isInteger(channels) && (channels as number) >= 1 && (channels as number) <= MOST_CHANNELS))
    fault('channels', `a whole number from 1 to ${MOST_CHANNELS}`);
  const c = channels as number;
  return {
    input: 'array',
    height: pixels(where, 'preprocessing.height', value.height),
    width: pixels(where, 'preprocessing.width', value.width),
    channels: c,
    element: element as Element,
    from: from as NormalizeSource,
    scale: perChannel(where, 'preprocessing.scale', value.scale, 1)[0]!,
    mean: perChannel(where, 'preprocessing.mean', value.mean, c),
    std: divisors(where, 'preprocessing.std', value.std, c),
  };
}

export const isArrayPreparation = (value: unknown): value is ArrayPreparation => isRecord(value) && value.input === 'array';

/** One prepared example: its bytes as the port takes them, and the SHA-256 of what is stored. */
export interface Example {
  bytes: Uint8Array;
  content: string;
}

export interface ArrayReader {
  read(path: string, facts: ArrayFacts): Example;
  close(): void;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Reads examples by ranges; the file of the last one stays open. */
export function arrayReader(): ArrayReader {
  let open: Npy | undefined;
  const close = (): void => {
    open?.close();
    open = undefined;
  };
  return {
    read(path, facts) {
      const { file, row } = placeOf(path);
      if (open?.path !== file) {
        close();
        open = openNpy(file);
      }
      const raw = rawExample(open, row, facts);
      return { content: sha256(raw), bytes: asPort(path, open, raw, facts.element) };
    },
    close,
  };
}

/** The stored bytes of one example, little-endian. InputError where it has another shape. */
function rawExample(npy: Npy, row: number | undefined, { height, width, channels }: Omit<ArrayFacts, 'element'>): Uint8Array {
  const [h, w, c] = exampleShape(npy, row !== undefined);
  if (h !== height || w !== width || c !== channels)
    throw new InputError({ where: npy.path, what: 'has another shape', got: `${h}x${w}x${c}`, expected: `${height}x${width}x${channels}` });
  if (row !== undefined && row >= npy.shape[0]!)
    throw new InputError({ where: npy.path, what: 'has fewer examples', got: npy.shape[0]!, expected: `more than ${row}` });
  const count = h * w * c;
  const raw = new Uint8Array(count * npy.size);
  npy.readBytes((row ?? 0) * count, count, raw);
  return raw;
}

/** What the port takes: the same numbers, exactly. What f32 cannot hold, or is none, is refused. */
function asPort(path: string, npy: Npy, raw: Uint8Array, element: Element): Uint8Array {
  if (element === 'u8') {
    if (elementOf(npy) === 'u8') return raw;
    throw new InputError({ where: path, what: 'holds elements of another type', got: npy.descr, expected: 'uint8' });
  }
  const numbers = numbersOf(npy, raw);
  const values = Float32Array.from(numbers);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(numbers[i]))
      throw new InputError({
        where: path,
        what: 'holds a number that is NaN or infinite',
        got: `${numbers[i]} as element ${i}`,
        hint: convertLine(npy.path, 'np.nan_to_num(ARRAY)'),
      });
    if (values[i] !== numbers[i])
      throw new InputError({
        where: path,
        what: 'holds numbers that float32 does not',
        got: `${numbers[i]} as element ${i}, ${npy.descr}`,
        hint: convertLine(npy.path, 'ARRAY.astype("float32")'),
      });
  }
  return new Uint8Array(values.buffer);
}

/** SHA-256 of what is stored of an example. */
export function storedDigest(path: string): string {
  const { file, row } = placeOf(path);
  const npy = openNpy(file);
  try {
    const [height, width, channels] = exampleShape(npy, row !== undefined);
    return sha256(rawExample(npy, row, { height, width, channels }));
  } finally {
    npy.close();
  }
}
