/**
 * A bench for single kernels: a wasm memory, arrays laid into it one after the other, one instruction run by the real engine's walker.
 *
 *     const rig = await openRig();
 *     const x = rig.f32(data), y = rig.f32(n);            // addresses
 *     rig.run(Op.Add, [x, x, y, n, rig.float(1)]);
 *     const result = rig.readF32(y, n);
 */
import { readFileSync } from 'node:fs';
import { instantiateSync } from '@assemblyscript/loader';
import { Head } from '../../assembly/abi/head.ts';
import { Instruction } from '../../assembly/abi/ops.ts';

/** The exports of `build/kernels.wasm`: the engine's and single kernels. Extend when `assembly/kernels.ts` gains one. */
export interface Kernels extends Record<string, unknown> {
  setup(arena: number, scratchOffset: number, scratchBytes: number, thread: number, threads: number): void;
  walk(code: number, end: number): number;
  place(
    src: number,
    dtype: number,
    start: number,
    count: number,
    dst: number,
    n1: number,
    n2: number,
    s0: number,
    s1: number,
    s2: number,
  ): number;
  placeCoded(
    src: number,
    dtype: number,
    row: number,
    rows: number,
    dst: number,
    encoding: number,
    o: number,
    n1: number,
    n2: number,
    s1: number,
    s2: number,
    staging: number,
  ): number;
  sampleAt(i: number, n: number, seed: number, epoch: number): number;
  gemmNT(
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
    bias: number,
    accumulate: number,
    panel: number,
  ): void;
  gemmNN(
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
    accumulate: number,
    panel: number,
  ): void;
  gemmTN(
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    b: number,
    ldb: number,
    c: number,
    ldc: number,
    accumulate: number,
    panel: number,
  ): void;
}

export type Data = number | ArrayLike<number>;

export function openRig(bytes = 64 << 20, scratchBytes = 4 << 20, wasm = 'build/kernels.wasm') {
  const memory = new WebAssembly.Memory({ initial: bytes >> 16, maximum: bytes >> 16 });
  const kernels = instantiateSync(readFileSync(wasm), { env: { memory } }).exports as unknown as Kernels;
  const scratch = Head.Bytes;
  let top = scratch + scratchBytes;
  kernels.setup(0, scratch, scratchBytes, 0, 1);

  const take = (n: number): number => {
    const at = top;
    top = (top + n + 15) & ~15;
    if (top > bytes) throw new Error('rig: memory is full');
    return at;
  };
  const floatBits = new DataView(new ArrayBuffer(4));
  return {
    kernels,
    memory,
    scratch,
    /** Room for `data` (or that many zeros) as f32; returns the address. */
    f32(data: Data): number {
      const n = typeof data === 'number' ? data : data.length;
      const at = take(n * 4);
      if (typeof data !== 'number') new Float32Array(memory.buffer, at, n).set(data);
      else new Float32Array(memory.buffer, at, n).fill(0);
      return at;
    },
    i32(data: Data): number {
      const n = typeof data === 'number' ? data : data.length;
      const at = take(n * 4);
      if (typeof data !== 'number') new Int32Array(memory.buffer, at, n).set(data);
      return at;
    },
    u8(data: Data): number {
      const n = typeof data === 'number' ? data : data.length;
      const at = take(n);
      if (typeof data !== 'number') new Uint8Array(memory.buffer, at, n).set(data);
      return at;
    },
    readF32: (at: number, n: number) => new Float32Array(memory.buffer, at, n).slice(),
    readI32: (at: number, n: number) => new Int32Array(memory.buffer, at, n).slice(),
    readU8: (at: number, n: number) => new Uint8Array(memory.buffer, at, n).slice(),
    /** The bits of a float argument. */
    float(x: number): number {
      floatBits.setFloat32(0, x);
      return floatBits.getInt32(0);
    },
    /** Forgets every array (not their bytes). */
    clear(): void {
      top = scratch + scratchBytes;
    },
    /** Runs one instruction and returns its status. */
    run(op: number, args: number[]): number {
      const words = [op, Instruction.Arguments + args.length, 7, 0, ...args];
      const code = take(words.length * 4);
      new Int32Array(memory.buffer, code, words.length).set(words);
      return kernels.walk(code, code + words.length * 4);
    },
  };
}
