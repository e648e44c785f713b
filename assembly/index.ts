/** The engine's exports: everything that the host can ask of it. */
import { writeConstants } from './engine/math';
import { configure } from './engine/team';

export { placeCoded } from './kernels/encode';
export { place } from './kernels/load';
export { sampleAt } from './engine/random';
export { ridgeBegin, ridgeFound, ridgeNext, ridgePictures, ridgeRow } from './ridge/ridge';
export { resume, walk } from './engine/run';

/** Prepares an arena: constants into the head, this thread's number and scratch. Call once in each instance. */
export function setup(arena: usize, scratchOffset: usize, scratchBytes: usize, thread: i32, threads: i32): void {
  configure(arena, scratchOffset, scratchBytes, thread, threads);
  if (thread == 0) writeConstants();
}
