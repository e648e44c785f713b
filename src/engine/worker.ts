/** One of the engine's other threads: an instance of its own over the shared memory, told where to go by thread 0 through the head alone. */
import { workerData } from 'node:worker_threads';
import { Head } from '../../assembly/abi/head.ts';
import { type Orders, releaseAll } from './workermessage.ts';

interface Exports {
  setup(arena: number, scratchOffset: number, scratchBytes: number, thread: number, threads: number): void;
  /** Waits for the phase after the `seen`th and walks it; 0: go home. */
  attend(seen: number): number;
}

const { memory, module, scratch, thread, threads } = workerData as Orders;
let finished = false;
// Thread 0 may be asleep in the engine, where no event reaches it: whatever ends this thread, it is told through the memory.
process.once('exit', () => {
  if (!finished) releaseAll(new Int32Array(memory.buffer, 0, Head.Bytes >> 2));
});
const engine = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Exports;
engine.setup(0, scratch.offset, scratch.bytes, thread, threads);
for (let seen = engine.attend(0); seen !== 0; ) seen = engine.attend(seen);
finished = true;
