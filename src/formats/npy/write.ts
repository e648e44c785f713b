/**
 * Arrays in NumPy's own file format, version 1.0: what a runtime without JavaScript reads its data from, and any language writes.
 *
 *     0           6      8     10                     128·k
 *     | \x93NUMPY | 1, 0 | n   | text, spaces, \n     | elements, row-major
 */
import type { Write } from '../../base/files.ts';

/** uint8, int32, f32 and f64, little-endian. */
export type ArrayType = '|u1' | '<i4' | '<f4' | '<f8';

/** All that comes before the elements; 64-byte aligned, as NumPy writes it. */
export function npyHead(type: ArrayType, shape: readonly number[]): Uint8Array {
  const list = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${list}), }`;
  const bytes = new Uint8Array(Math.ceil((10 + text.length + 1) / 64) * 64).fill(0x20);
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0]);
  new DataView(bytes.buffer).setUint16(8, bytes.length - 10, true);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

/** What a stack of examples is: `stored`, how `read` gives their values. */
export interface Stack {
  count: number;
  height: number;
  width: number;
  channels: number;
  type: '|u1' | '<f4';
  stored: 'u8' | 'f32';
}

/** Writes one example after the other: `read` fills example `i`, whose bytes are written as they are, or uint8 as f32. */
export function writePictures(
  write: Write,
  { count, height, width, channels, type, stored }: Stack,
  read: (index: number, target: Uint8Array) => void,
): void {
  write(npyHead(type, [count, height, width, channels]));
  const pixels = new Uint8Array(height * width * channels * (stored === 'f32' ? 4 : 1));
  for (let i = 0; i < count; i++) {
    read(i, pixels);
    write(type === '|u1' || stored === 'f32' ? pixels : new Uint8Array(Float32Array.from(pixels).buffer));
  }
}

/** [pictures, outputs] of f32. */
export function writeTargets(write: Write, targets: readonly (readonly number[])[], outputs: number): void {
  write(npyHead('<f4', [targets.length, outputs]));
  write(new Uint8Array(Float32Array.from(targets.flat()).buffer));
}

export function writeLabels(write: Write, labels: readonly number[]): void {
  write(npyHead('<i4', [labels.length]));
  write(new Uint8Array(Int32Array.from(labels).buffer));
}
