/**
 * Memory is taken once, when it is known how much a command needs, and never again. There is no managed heap: what lies above the static
 * data is the program's own.
 *
 *     0        __heap_base       · program file   · 16 a tensor    · 128, and 64 an epoch · 24 a class     · linear memory of the plan
 *     | static | (16-aligned)    | as it is       | where it lies  | a checkpoint's head   | pictures of it | arena                    |
 */
import { CheckpointHead, EpochRecord } from '../../assembly/abi/checkpoint';

/** Bytes that are kept for each tensor: its file, element type, place (weights.ts). */
export const TENSOR_BYTES: u64 = 16;
/** Bytes for the counts of each class, label or number (abi/task.ts). */
export const CLASS_BYTES: u64 = 24;
/** Bytes of what a run of so many epochs remembers: a checkpoint's head, and their records. */
export function headBytes(epochs: u64): u64 {
  return CheckpointHead.Bytes + EpochRecord.Bytes * epochs;
}

let top: u64 = 0;
let end: u64 = 0;

@inline function align(n: u64): u64 {
  return (n + 15) & ~15;
}

/** Pages of the whole memory for these needs. */
export function pagesFor(fileBytes: u64, tensors: u64, epochs: u64, classes: u64, linearBytes: u64): u64 {
  const tables = align(TENSOR_BYTES * tensors) + align(headBytes(epochs)) + align(CLASS_BYTES * classes);
  const bytes = align(__heap_base) + align(fileBytes) + tables + linearBytes;
  return (bytes + 0xffff) >> 16;
}

/** Makes the memory that large; false where the machine, or the limit that it was given, allows less. */
export function takePages(pages: u64): bool {
  if (pages > 0x10000) return false;
  const more = <i32>pages - memory.size();
  if (more > 0 && memory.grow(more) < 0) return false;
  top = align(__heap_base);
  end = pages << 16;
  return true;
}

/** The next `bytes` of what was taken, zero, 16-byte aligned; 0 where they were not counted in. */
export function carve(bytes: u64): usize {
  const start = top;
  const next = align(start + bytes);
  if (start + bytes > end) return 0;
  top = next;
  return <usize>start;
}
