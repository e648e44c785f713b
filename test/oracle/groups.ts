/** Decoders of the group-wise encodings of `assembly/abi/groups.ts`, written from the drawing alone. */
import { code4Bytes, group4HeadBytes, group4RowBytes, softmax4Bytes, tileRows } from '../../assembly/abi/sizes.ts';

const bf16 = (bits: number): number => new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!;

export interface Group4 {
  values: Float64Array;
  /** Of each channel's own group. */
  step: Float64Array;
  minimum: Float64Array;
  code: Uint8Array;
}

/** `rows` group4 rows of `c` channels. */
export function decodeGroup4(bytes: Uint8Array, rows: number, c: number): Group4 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = rows * c;
  const out = { values: new Float64Array(n), step: new Float64Array(n), minimum: new Float64Array(n), code: new Uint8Array(n) };
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < c; i++) {
      const row = r * group4RowBytes(c);
      const header = row + (i >> 6) * 4;
      const byte = bytes[row + group4HeadBytes(c) + (i >> 5) * 16 + (i & 15)]!;
      const at = r * c + i;
      out.minimum[at] = bf16(view.getUint16(header, true));
      out.step[at] = bf16(view.getUint16(header + 2, true));
      out.code[at] = (i & 31) < 16 ? byte & 15 : byte >> 4;
      out.values[at] = Math.fround(out.minimum[at]! + Math.fround(out.step[at]! * out.code[at]!));
    }
  return out;
}

/** A group8 tensor of `rows` rows of `c` channels in `heads` groups each. */
export function decodeGroup8(bytes: Uint8Array, rows: number, c: number, heads: number): { values: Float64Array; scale: Float64Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scales = Math.ceil((rows * c) / 16) * 16;
  const out = { values: new Float64Array(rows * c), scale: new Float64Array(rows * c) };
  for (let i = 0; i < rows * c; i++) {
    const group = Math.floor(i / c) * heads + Math.floor(((i % c) * heads) / c);
    out.scale[i] = bf16(view.getUint16(scales + group * 2, true));
    out.values[i] = Math.fround(view.getInt8(i) * out.scale[i]!);
  }
  return out;
}

/** Code `i` of a run of blocks. */
const nibble = (bytes: Uint8Array, at: number, i: number): number => {
  const byte = bytes[at + (i >> 5) * 16 + (i & 15)]!;
  return (i & 31) < 16 ? byte & 15 : byte >> 4;
};

/** A signed4 tensor of `rows` rows of `c` channels in `heads` groups each. */
export function decodeSigned4(bytes: Uint8Array, rows: number, c: number, heads: number): { values: Float64Array; step: Float64Array } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const d = c / heads;
  const out = { values: new Float64Array(rows * c), step: new Float64Array(rows * c) };
  for (let i = 0; i < rows * c; i++) {
    const group = Math.floor(i / d);
    out.step[i] = bf16(view.getUint16(rows * heads * code4Bytes(d) + group * 2, true));
    out.values[i] = Math.fround(Math.fround(-7.5 * out.step[i]!) + Math.fround(nibble(bytes, group * code4Bytes(d), i % d) * out.step[i]!));
  }
  return out;
}

/** `matrices` softmax4 matrices [T,T] of probabilities, one after the other. */
export function decodeSoftmax4(bytes: Uint8Array, matrices: number, t: number): Float64Array {
  const p = new Float64Array(matrices * t * t);
  const tile = tileRows(t);
  for (let row = 0; row < matrices * t; row++) {
    const [matrix, i] = [Math.floor(row / t), row % t];
    const at = matrix * softmax4Bytes(t) + Math.floor(i / tile) * code4Bytes(tile * t);
    const squares = Array.from({ length: t }, (_, j) => nibble(bytes, at, (i % tile) * t + j) ** 2);
    const sum = squares.reduce((a, b) => a + b, 0);
    squares.forEach((square, j) => {
      p[row * t + j] = square / sum;
    });
  }
  return p;
}
