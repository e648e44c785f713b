/**
 * Little-endian numbers of a memory by byte address: what the runner reads and writes with. Each host brings its own: the WASI program loads and
 * stores, the TypeScript host goes through a DataView.
 */
export class Words {
  u8!: (at: number) => number;
  u32!: (at: number) => number;
  f32!: (at: number) => number;
  f64!: (at: number) => number;
  setU8!: (at: number, value: number) => void;
  setU32!: (at: number, value: number) => void;
  setF32!: (at: number, value: number) => void;
  setF64!: (at: number, value: number) => void;
  /** Zeros to so many bytes. */
  clear!: (at: number, bytes: number) => void;
}

/** Whether so many bytes at two places are the same. */
export function isSame(words: Words, a: number, b: number, bytes: number): boolean {
  for (let i: number = 0; i < bytes; i++) if (words.u8(a + i) !== words.u8(b + i)) return false;
  return true;
}
