import { base } from './team';

/** Argument `i` of the instruction whose arguments start at `p`, as an integer. */
@inline export function int(p: usize, i: i32): i32 {
  return load<i32>(p + ((<usize>i) << 2));
}

/** Argument `i` as f32. */
@inline export function float(p: usize, i: i32): f32 {
  return load<f32>(p + ((<usize>i) << 2));
}

/** Argument `i` as an address in this memory; 0 stays 0 (absent). */
@inline export function address(p: usize, i: i32): usize {
  const offset = <usize>load<u32>(p + ((<usize>i) << 2));
  return offset == 0 ? 0 : base + offset;
}
