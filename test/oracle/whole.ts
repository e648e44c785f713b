/** Products over coded weights as assembly/kernels/codedgemm.ts describes them, number by number: what the engine must give to the bit. */
import { Encoding } from '../../assembly/abi/weights.ts';
import type { Numbers } from './linear.ts';
import { nearest, readWeight } from './weights.ts';

const { fround } = Math;

/** A weight as a unit a row times whole numbers. */
export interface WholeWeight {
  k: number;
  /** Numbers that are rounded together. */
  depth: number;
  /** The largest that they are rounded to. */
  largest: number;
  units: Float32Array;
  whole: Int16Array;
}

export function wholeWeight(encoding: Encoding, o: number, k: number, bytes: Uint8Array): WholeWeight {
  const { scale, code } = readWeight(encoding, o, k, bytes);
  const units = Float32Array.from({ length: o }, (_, c) => {
    if (encoding !== Encoding.Int4) return scale(c, 0);
    const most = Math.max(...Array.from({ length: k }, (_, i) => Math.abs(scale(c, i))));
    const unit = fround(most / 127);
    return unit < fround(1e-30) ? 0 : unit;
  });
  const whole = new Int16Array(o * k);
  for (let c = 0; c < o; c++)
    for (let i = 0; i < k; i++) {
      const part = encoding !== Encoding.Int4 ? 1 : units[c] === 0 ? 0 : fround(scale(c, i) / units[c]!);
      whole[c * k + i] = nearest(fround(code(c, i) * part));
    }
  return { k, depth: encoding === Encoding.Int12 ? 128 : 256, largest: encoding === Encoding.Int8By7 ? 63 : 8191, units, whole };
}

/** One piece: whole numbers of -largest … largest and their factor. */
export function roundPiece(x: readonly number[], largest = 8191): { factor: number; whole: number[] } {
  const most = Math.max(...x.map(Math.abs));
  if (!Number.isFinite(most)) return { factor: Number.NaN, whole: x.map(() => 0) };
  if (most < fround(1e-30)) return { factor: 0, whole: x.map(() => 0) };
  const inverse = fround(largest / most);
  return { factor: fround(most / largest), whole: x.map((v) => nearest(fround(v * inverse))) };
}

const pieces = (x: readonly number[], { depth, largest }: WholeWeight): { at: number; factor: number; whole: number[] }[] =>
  Array.from({ length: Math.ceil(x.length / depth) }, (_, i) => ({
    at: i * depth,
    ...roundPiece(x.slice(i * depth, (i + 1) * depth), largest),
  }));

/** start[O] + w[O,K] · x[K]. */
export function forwardRow(w: WholeWeight, x: readonly number[], start: (o: number) => number): number[] {
  const { k, units, whole } = w;
  const parts = pieces(x, w);
  return Array.from(units, (unit, o) =>
    parts.reduce((sum, { at, factor, whole: q }) => {
      const dot = q.reduce((s, v, i) => s + v * whole[o * k + at + i]!, 0);
      return fround(sum + fround(fround(dot) * fround(factor * unit)));
    }, start(o)),
  );
}

/** start[columns] + dy[O] · w[O, column …], `dy` being that of rows 0 … O-1. */
export function backwardRow(w: WholeWeight, dy: readonly number[], column: number, start: readonly number[]): number[] {
  const { k, units, whole } = w;
  const parts = pieces(
    dy.map((v, o) => fround(v * units[o]!)),
    w,
  );
  return start.map((from, j) =>
    parts.reduce((sum, { at, factor, whole: q }) => {
      const dot = q.reduce((s, v, i) => s + v * whole[(at + i) * k + column + j]!, 0);
      return fround(sum + fround(fround(dot) * factor));
    }, from),
  );
}

const rowsOf = (m: number, x: Numbers, k: number): number[] => Array.from({ length: k }, (_, i) => x[m * k + i]!);

/** y[M,O] = x[M,K]·wᵀ + b. */
export const wholeLinear = (w: WholeWeight, m: number, x: Numbers, b: Numbers | null): Float32Array =>
  Float32Array.from(Array.from({ length: m }, (_, i) => forwardRow(w, rowsOf(i, x, w.k), (o) => b?.[o] ?? 0)).flat());

/** dx[M,K] = dy[M,O]·w + acc. */
export const wholeLinearBackwardX = (w: WholeWeight, m: number, dy: Numbers, acc: Numbers | null): Float32Array =>
  Float32Array.from(
    Array.from({ length: m }, (_, i) =>
      backwardRow(w, rowsOf(i, dy, w.units.length), 0, acc ? rowsOf(i, acc, w.k) : new Array(w.k).fill(0)),
    ).flat(),
  );

/** A square window on square pictures. */
export interface Square {
  batch: number;
  h: number;
  c: number;
  out: number;
  r: number;
  stride: number;
  pad: number;
}

/** y[B,OUT,OUT,O]. */
export function wholeConv(w: WholeWeight, { batch, h, c, out, r, stride, pad }: Square, x: Numbers, b: Numbers): Float32Array {
  const y: number[] = [];
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < out; i++)
      for (let j = 0; j < out; j++) {
        const patch: number[] = [];
        for (let s = 0; s < r * r; s++) {
          const [row, column] = [i * stride + Math.floor(s / r) - pad, j * stride + (s % r) - pad];
          const inside = row >= 0 && row < h && column >= 0 && column < h;
          for (let l = 0; l < c; l++) patch.push(inside ? x[((n * h + row) * h + column) * c + l]! : 0);
        }
        y.push(...forwardRow(w, patch, (o) => b[o]!));
      }
  return Float32Array.from(y);
}

/** dx[B,H,H,C], tap by tap. */
export function wholeConvBackwardX(w: WholeWeight, { batch, h, c, out, r, stride, pad }: Square, dy: Numbers): Float32Array {
  const o = w.units.length;
  const dx: number[] = [];
  for (let n = 0; n < batch; n++)
    for (let i = 0; i < h; i++)
      for (let j = 0; j < h; j++) {
        let sum: number[] = new Array(c).fill(0);
        for (let s = 0; s < r * r; s++) {
          const [row, column] = [(i + pad - Math.floor(s / r)) / stride, (j + pad - (s % r)) / stride];
          if (!Number.isInteger(row) || !Number.isInteger(column) || row < 0 || column < 0 || row >= out || column >= out) continue;
          const at = ((n * out + row) * out + column) * o;
          const outputs = Array.from({ length: o }, (_, l) => dy[at + l]!);
          sum = backwardRow(w, outputs, s * c, sum);
        }
        dx.push(...sum);
      }
  return Float32Array.from(dx);
}
