/**
 * Who does which part. Every thread walks the same program; a kernel splits its output with `first`/`last`
 * and never its reductions, so the result does not depend on the number of threads.
 */

/** This thread's number and how many there are. */
export let thread: i32 = 0;
export let threads: i32 = 1;

/** Address of the arena in this memory; the program's offsets are relative to it. 0 in `engine.wasm`, where the arena is the whole memory. */
export let base: usize = 0;
/** This thread's scratch: address, 16-byte aligned. */
export let scratch: usize = 0;

export function configure(arena: usize, scratchOffset: usize, scratchBytes: usize, me: i32, all: i32): void {
  base = arena;
  thread = me;
  threads = all;
  scratch = arena + scratchOffset + scratchBytes * <usize>me;
}

/** First unit of this thread's share of `n` units. */
export function first(n: i32): i32 {
  return <i32>((<i64>n * thread) / threads);
}

/** One past the last unit of this thread's share of `n` units. */
export function last(n: i32): i32 {
  return <i32>((<i64>n * (thread + 1)) / threads);
}

/** First element of this thread's share of `n`, in whole blocks of `unit` elements (so that two threads never share a cache line). */
export function firstBy(n: i32, unit: i32): i32 {
  return min(n, first((n + unit - 1) / unit) * unit);
}

/** One past the last element of this thread's share of `n`, in whole blocks of `unit` elements. */
export function lastBy(n: i32, unit: i32): i32 {
  return min(n, last((n + unit - 1) / unit) * unit);
}
