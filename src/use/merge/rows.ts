/** Tensors of a checkpoint as f32, changed on their way from one file to the other, a piece at a time. */
import { InputError } from '../../base/error.ts';
import { elements, type Shape } from '../../base/tensor.ts';
import type { SafetensorsFile, Tensor } from '../../formats/safetensors.ts';

/** b·a·scale is added to rows [row, row + b's rows): low-rank adaptation. a [rank, k], b [rows, rank]. */
export interface LowRank {
  row: number;
  rank: number;
  a: Float32Array;
  b: Float32Array;
  scale: number;
}

/** What becomes of a tensor, in this order: rows scaled, elements replaced, products added. */
export interface Edit {
  /** A factor for each row of the first axis. */
  scale?: ArrayLike<number>;
  /** Elements from `start` on. */
  slices: { start: number; values: Float32Array }[];
  low: LowRank[];
}

/** Elements read at a time where rows do not matter. */
const PIECE = 16384;

const FLOATS: readonly string[] = ['F32', 'F16', 'BF16'];
/** Is this a tensor of numbers that training reads? Counters and indices are not. */
export const isFloat = ({ dtype }: Tensor): boolean => FLOATS.includes(dtype);

/** Elements [from, from + count) of a tensor. */
export function readFloats(file: SafetensorsFile, tensor: Tensor, from = 0, count = elements(tensor.shape)): Float32Array<ArrayBuffer> {
  const width = tensor.dtype === 'F32' ? 4 : 2;
  if (!isFloat(tensor))
    throw new InputError({
      where: `${file.path}: ${tensor.name}`,
      what: 'unsupported element type',
      got: tensor.dtype,
      expected: 'F32, F16 or BF16',
    });
  const bytes = new Uint8Array(count * width);
  file.read(tensor, bytes, from * width);
  if (width === 4) return new Float32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer);
  return Float32Array.from(halves, tensor.dtype === 'BF16' ? bfloat : half);
}

const view = new DataView(new ArrayBuffer(4));
const bfloat = (bits: number): number => {
  view.setUint32(0, bits << 16);
  return view.getFloat32(0);
};
/** IEEE half: 1 sign, 5 exponent, 10 mantissa bits. */
const half = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
};

/** A tensor's bytes as f32, with its edit, piece by piece; of a low-rank product or a scaled row one row at a time. */
export function* editedPieces(file: SafetensorsFile, tensor: Tensor, edit: Edit | undefined): Generator<Uint8Array> {
  const total = elements(tensor.shape);
  const row = total / (tensor.shape[0] ?? 1);
  const byRow = edit !== undefined && (edit.scale !== undefined || edit.low.length > 0);
  const step = byRow ? row : PIECE;
  for (let at = 0; at < total; at += step) {
    const piece = readFloats(file, tensor, at, Math.min(step, total - at));
    if (edit) change(piece, at, row, edit);
    yield new Uint8Array(piece.buffer);
  }
}

function change(piece: Float32Array, at: number, k: number, { scale, slices, low }: Edit): void {
  if (scale) {
    const factor = scale[at / k]!;
    piece.forEach((x, i) => {
      piece[i] = x * factor;
    });
  }
  for (const { start, values } of slices) {
    const [from, to] = [Math.max(at, start), Math.min(at + piece.length, start + values.length)];
    if (from < to) piece.set(values.subarray(from - start, to - start), from - at);
  }
  for (const { row, rank, a, b, scale: factor } of low) {
    const o = at / k - row;
    if (o < 0 || o >= b.length / rank) continue;
    for (let i = 0; i < k; i++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += b[o * rank + r]! * a[r * k + i]!;
      piece[i]! += factor * sum;
    }
  }
}

/** A tensor that is made here and not in the file. */
export interface Made {
  shape: Shape;
  values: Float32Array<ArrayBuffer>;
}
