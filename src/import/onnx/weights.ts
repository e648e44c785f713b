/**
 * A file's weights under the names of the network's layers, as the engine loads them: by ranges where they lie in the file or beside it, a matrix
 * that is stored the other way round turned a band at a time, and what was computed from several of them from memory.
 */
import { InputError, nearest, shown } from '../../base/error.ts';
import { type Dtype, elements } from '../../base/tensor.ts';
import type { SafetensorsFile, Tensor } from '../../formats/safetensors.ts';
import type { Constant } from './constant.ts';
import { ELEMENTS, type OnnxFile } from './model.ts';
import type { Param } from './steps.ts';

/** Bytes of a matrix that are turned at a time. */
const BAND = 1 << 20;
const FLOATS: readonly string[] = ['F32', 'F16', 'BF16'];

/** Fills `target` with a weight's bytes from byte `from` on. */
type Read = (target: Uint8Array, from: number) => void;

interface Entry {
  tensor: Tensor;
  read: Read;
}

export function openWeightsOf(file: OnnxFile, params: ReadonlyMap<string, Param>): SafetensorsFile {
  const entries = new Map([...params].map(([name, param]) => [name, entryOf(file, name, param)]));
  return {
    path: file.path,
    files: file.files,
    metadata: new Map(),
    tensors: new Map([...entries].map(([name, { tensor }]) => [name, tensor])),
    tensor(name) {
      const entry = entries.get(name);
      if (entry) return entry.tensor;
      const near = nearest(name, entries.keys()).map(shown);
      throw new InputError({
        where: file.path,
        what: `tensor ${shown(name)} is missing`,
        ...(near.length > 0 ? { hint: `nearest names: ${near.join(', ')}` } : {}),
      });
    },
    read(tensor, target, from = 0) {
      if (from < 0 || from + target.length > tensor.bytes) throw new RangeError(`${tensor.name}: read past its end`);
      entries.get(tensor.name)!.read(target, from);
    },
    close: file.close,
  };
}

function entryOf(file: OnnxFile, name: string, { shape, from }: Param): Entry {
  const stored = from.stored?.tensor;
  const place = stored?.place;
  const kind = stored && ELEMENTS[stored.element]?.[0];
  if (place !== undefined && 'bytes' in place && kind !== undefined && FLOATS.includes(kind)) {
    const tensor: Tensor = { name, dtype: kind as Dtype, shape, offset: place.offset, bytes: place.bytes, file: place.file };
    const { source } = file.files[place.file]!;
    if (!from.stored!.isTransposed) return { tensor, read: (target, at) => source.readAt(place.offset + at, target) };
    return { tensor, read: turned(file, stored!.shape as [number, number], place, ELEMENTS[stored!.element]![1]) };
  }
  return { tensor: { name, dtype: 'F32', shape, offset: 0, bytes: 4 * elements(shape), file: 0 }, read: computed(from) };
}

/** Reads a stored [K, N] as [N, K]. */
function turned(
  file: OnnxFile,
  [k, n]: readonly [number, number],
  { file: index, offset }: { file: number; offset: number },
  width: number,
): Read {
  const { source } = file.files[index]!;
  const rows = Math.max(1, Math.min(n, Math.floor(BAND / (k * width))));
  let band: Uint8Array | undefined;
  let first = -1;
  const load = (row: number): void => {
    const count = Math.min(rows, n - row);
    band = new Uint8Array(count * k * width);
    const line = new Uint8Array(count * width);
    for (let c = 0; c < k; c++) {
      source.readAt(offset + (c * n + row) * width, line);
      for (let r = 0; r < count; r++) for (let b = 0; b < width; b++) band[(r * k + c) * width + b] = line[r * width + b]!;
    }
    first = row;
  };
  return (target, from) => {
    for (let done = 0; done < target.length; ) {
      const at = from + done;
      const row = Math.floor(at / (k * width) / rows) * rows;
      if (row !== first) load(row);
      const start = at - row * k * width;
      const piece = band!.subarray(start, Math.min(band!.length, start + target.length - done));
      target.set(piece, done);
      done += piece.length;
    }
    // Not kept beyond a weight's end.
    if (from + target.length === n * k * width) {
      band = undefined;
      first = -1;
    }
  };
}

/** Numbers that the file does not hold as they are. */
function computed(from: Constant): Read {
  let bytes: Uint8Array | undefined;
  return (target, at) => {
    bytes ??= new Uint8Array(Float32Array.from(from.numbers()).buffer);
    target.set(bytes.subarray(at, at + target.length));
    if (at + target.length === bytes.length) bytes = undefined;
  };
}
