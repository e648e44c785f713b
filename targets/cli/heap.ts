/**
 * A small young generation for this process: V8 lets it grow to tens of MiB before it looks for garbage, which is most of what the host adds
 * to linear memory (measured with `s2a train`: 8 MiB less at the peak). What training allocates is short-lived and little. Imported
 * before everything else, since it counts from the first allocation on.
 */
import { setFlagsFromString } from 'node:v8';

try {
  setFlagsFromString('--semi-space-growth-factor=1');
} catch {
  // A runtime without V8's flags keeps its own habits.
}
