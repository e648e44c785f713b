/** Memory taken once and kept: the program has no managed heap, so everything above its static data is its own. */
let top: usize = 0;

/** `bytes` of zeros at a 16-byte aligned address; 0 where the machine has no more. */
export function reserve(bytes: u64): usize {
  if (top == 0) top = __heap_base;
  const start = (<u64>top + 15) & ~15;
  const end = start + bytes;
  if (bytes > 0xffff0000 || end > 0xffff0000) return 0;
  const pages = <i32>((end + 0xffff) >> 16) - memory.size();
  if (pages > 0 && memory.grow(pages) < 0) return 0;
  top = <usize>end;
  return <usize>start;
}
