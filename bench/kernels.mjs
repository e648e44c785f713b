// A module of ours as benchmarks call it: its kernels, without the host around them.
import { readFileSync } from 'node:fs';

/**
 * The exports of a module over a memory; all of them are functions of numbers. `scratch` is what its kernels work in.
 *
 * @param {WebAssembly.Memory} memory
 * @param {{ offset: number, bytes: number }} scratch
 * @param {BufferSource} wasm
 */
export function openKernels(memory, scratch, wasm = readFileSync('build/kernels.wasm')) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env: { memory } });
  const kernels = /** @type {Record<string, (...numbers: number[]) => number>} */ (exports);
  kernels.setup(0, scratch.offset, scratch.bytes, 0, 1);
  return kernels;
}
