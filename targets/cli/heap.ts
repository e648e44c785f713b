/**
 * How V8 keeps this process's heap, most of what the host adds to linear memory. Imported before everything else, since it counts from the
 * first allocation on. Three wishes, each measured with `s2a train` on 12-megapixel photos:
 * - a small young generation, which otherwise grows to tens of MiB before V8 looks for garbage (8 MiB less at the peak);
 * - an old one that is collected as it grows, not some MiB later (3 to 5 MiB less, in the same time: what computes is WebAssembly);
 * - `globalThis.gc`, which `train` calls once between preparing pictures and training (3 MiB less, and nearly the same in every run).
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

try {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--expose-gc');
  // The flag only adds `gc` to contexts that are made after it.
  (globalThis as { gc?: unknown }).gc ??= runInNewContext('gc');
} catch {
  // A runtime without V8's flags keeps its own habits.
}
