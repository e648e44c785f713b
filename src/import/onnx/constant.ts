/** What is known of an ONNX graph before any picture: weights where they lie, and numbers computed from them when they are asked for. */
import { InputError, shown } from '../../base/error.ts';
import { elements } from '../../base/tensor.ts';
import { ELEMENTS, halfOf, type OnnxFile, type TensorRef } from './model.ts';

export interface Constant {
  kind: 'constant';
  shape: readonly number[];
  /** Whole numbers and truth values; others are rounded to f32 wherever something is computed. */
  integer: boolean;
  /** The stored tensor whose elements these are, in its order or, of two axes, with these changed over. */
  stored?: { tensor: TensorRef; isTransposed: boolean };
  numbers(): Float64Array;
}

/** Most elements that are computed with: weights of layers are not, they are read where the network wants them. */
const MOST = 1 << 26;
/** Numbers of larger constants are computed each time anew. */
const KEPT = 1 << 20;

/** A constant whose numbers are computed when they are asked for. */
export function constant(shape: readonly number[], integer: boolean, compute: () => ArrayLike<number>): Constant {
  let kept: Float64Array | undefined;
  return {
    kind: 'constant',
    shape,
    integer,
    numbers() {
      if (kept) return kept;
      const count = elements(shape);
      if (!(count <= MOST))
        throw new InputError({
          where: 'onnx',
          what: 'too large a constant is computed in the graph',
          got: `${count} numbers`,
          expected: `at most ${MOST}`,
        });
      const list = compute();
      const out = new Float64Array(count);
      for (let i = 0; i < count; i++) out[i] = integer ? list[i]! : Math.fround(list[i]!);
      if (count <= KEPT) kept = out;
      return out;
    },
  };
}

export const listOf = (values: readonly number[], shape: readonly number[] = [values.length], integer = true): Constant =>
  constant(shape, integer, () => values);

/** A tensor of the file. */
export function storedConstant(file: OnnxFile, tensor: TensorRef): Constant {
  const integer = ![1, 10, 11, 16].includes(tensor.element);
  if (ELEMENTS[tensor.element] === undefined)
    throw new InputError({
      where: `${file.path}, tensor ${shown(tensor.name)}`,
      what: 'unsupported element type',
      got: `type ${tensor.element} of the format`,
    });
  return { ...constant(tensor.shape, integer, () => readNumbers(file, tensor)), stored: { tensor, isTransposed: false } };
}

/** The elements of a stored tensor. */
export function readNumbers(file: OnnxFile, { element, place }: TensorRef): ArrayLike<number> {
  if ('numbers' in place) return place.numbers;
  const bytes = new Uint8Array(place.bytes);
  file.files[place.file]!.source.readAt(place.offset, bytes);
  const view = new DataView(bytes.buffer);
  const [name, size] = ELEMENTS[element]!;
  const read: Record<string, (at: number) => number> = {
    F32: (at) => view.getFloat32(at, true),
    F64: (at) => view.getFloat64(at, true),
    F16: (at) => halfOf(view.getUint16(at, true), 10),
    BF16: (at) => halfOf(view.getUint16(at, true), 16),
    U8: (at) => view.getUint8(at),
    BOOL: (at) => view.getUint8(at),
    I8: (at) => view.getInt8(at),
    U16: (at) => view.getUint16(at, true),
    I16: (at) => view.getInt16(at, true),
    U32: (at) => view.getUint32(at, true),
    I32: (at) => view.getInt32(at, true),
    U64: (at) => Number(view.getBigUint64(at, true)),
    I64: (at) => Number(view.getBigInt64(at, true)),
  };
  const one = read[name]!;
  const out = new Float64Array(place.bytes / size);
  for (let i = 0; i < out.length; i++) out[i] = one(i * size);
  return out;
}

/** The same numbers in another shape. */
export const reshaped = (c: Constant, shape: readonly number[]): Constant => ({
  ...constant(shape, c.integer, () => c.numbers()),
  ...(c.stored && !c.stored.isTransposed ? { stored: c.stored } : {}),
});

export const strides = (shape: readonly number[]): number[] => {
  const out = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1]! * shape[i + 1]!;
  return out;
};

/** Walks `shape` row-major and lists Σ index · step, from `start`. */
export function walk(shape: readonly number[], steps: readonly number[], start = 0): Int32Array {
  const count = elements(shape);
  const out = new Int32Array(count);
  const index = new Array<number>(shape.length).fill(0);
  let at = start;
  for (let i = 0; i < count; i++) {
    out[i] = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += steps[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= steps[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** The elements of `c` that a walk reads. */
export const picked = (c: Constant, shape: readonly number[], steps: readonly number[], start = 0): Constant =>
  constant(shape, c.integer, () => {
    const numbers = c.numbers();
    return Float64Array.from(walk(shape, steps, start), (at) => numbers[at]!);
  });

export function transposed(c: Constant, perm: readonly number[]): Constant {
  const steps = strides(c.shape);
  const out = picked(
    c,
    perm.map((axis) => c.shape[axis]!),
    perm.map((axis) => steps[axis]!),
  );
  if (c.stored === undefined || c.shape.length !== 2 || perm[0] === 0 || !sameAxes(c)) return out;
  return { ...out, stored: { ...c.stored, isTransposed: !c.stored.isTransposed } };
}

/** Is the stored tensor itself a matrix of these two sides? */
const sameAxes = (c: Constant): boolean => {
  const { tensor, isTransposed } = c.stored!;
  const [n, k] = isTransposed ? [c.shape[1], c.shape[0]] : [c.shape[0], c.shape[1]];
  return tensor.shape.length === 2 && tensor.shape[0] === n && tensor.shape[1] === k;
};

/** The shape that two operands have together; undefined where they do not fit. */
export function broadcast(a: readonly number[], b: readonly number[]): number[] | undefined {
  const out: number[] = [];
  for (let i = 1; i <= Math.max(a.length, b.length); i++) {
    const [x, y] = [a[a.length - i] ?? 1, b[b.length - i] ?? 1];
    if (x !== y && x !== 1 && y !== 1) return undefined;
    out.unshift(x === 1 ? y : x);
  }
  return out;
}

/** A constant seen in a larger shape: axes of one are repeated. */
export function expanded(c: Constant, shape: readonly number[]): Constant {
  if (c.shape.length === shape.length && c.shape.every((d, i) => d === shape[i])) return c;
  const own = strides(c.shape);
  const pad = shape.length - c.shape.length;
  return picked(
    c,
    shape,
    shape.map((_, i) => (i < pad || c.shape[i - pad] === 1 ? 0 : own[i - pad]!)),
  );
}

/** One number, where all are the same. */
export function scalarOf(c: Constant): number | undefined {
  if (elements(c.shape) > KEPT || elements(c.shape) === 0) return undefined;
  const numbers = c.numbers();
  return numbers.every((x) => x === numbers[0]) ? numbers[0] : undefined;
}
