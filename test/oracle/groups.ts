/** Decoders of the group-wise encodings of `assembly/abi/groups.ts`, written from the drawing alone. */
import { group4HeadBytes, group4RowBytes } from '../../src/groups.ts';

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
