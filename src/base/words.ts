/** A memory as the sources that both hosts share read and write it (assembly/formats/words.ts). */
import type { Words } from '../../assembly/formats/words.ts';

/** `view` gives the memory, of which at least so many bytes are there. */
export const wordsOf = (view: (end: number) => DataView): Words => ({
  u8: (at) => view(at + 1).getUint8(at),
  u32: (at) => view(at + 4).getUint32(at, true),
  f32: (at) => view(at + 4).getFloat32(at, true),
  f64: (at) => view(at + 8).getFloat64(at, true),
  setU8: (at, value) => view(at + 1).setUint8(at, value),
  setU32: (at, value) => view(at + 4).setUint32(at, value, true),
  setF32: (at, value) => view(at + 4).setFloat32(at, value, true),
  setF64: (at, value) => view(at + 8).setFloat64(at, value, true),
  clear(at, bytes) {
    const { buffer, byteOffset } = view(at + bytes);
    new Uint8Array(buffer, byteOffset + at, bytes).fill(0);
  },
});
