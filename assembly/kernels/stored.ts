/** Weights that stay in a file: the questions to the host, and the sums by which what comes back is known. */
import { AwaitWeightArg, FetchWeightArg, PlaceWeightArg, StoreWeightArg } from '../abi/ops/stored';
import { Status } from '../abi/status';
import { address, int } from '../engine/argument';
import { ask } from '../engine/ask';
import { fail } from '../engine/status';
import { thread } from '../engine/team';

/** PlaceWeight. The first thread's alone. */
export function placeWeight(p: usize): void {
  if (thread != 0) return;
  ask(Status.Place, address(p, PlaceWeightArg.Y), int(p, PlaceWeightArg.BYTES), int(p, PlaceWeightArg.WEIGHT));
}

/** StoreWeight: sum = Σ as `sumOf` has it. The first thread's alone. */
export function storeWeight(p: usize): void {
  if (thread != 0) return;
  const bytes = int(p, StoreWeightArg.BYTES);
  if (!ask(Status.Store, address(p, StoreWeightArg.X), bytes, int(p, StoreWeightArg.PLACE))) return;
  store<u64>(address(p, StoreWeightArg.SUM), sumOf(address(p, StoreWeightArg.X), bytes));
}

/** FetchWeight. The first thread's alone. */
export function fetchWeight(p: usize): void {
  if (thread != 0) return;
  ask(Status.Fetch, address(p, FetchWeightArg.Y), int(p, FetchWeightArg.BYTES), int(p, FetchWeightArg.PLACE));
}

/** AwaitWeight. The first thread's alone. */
export function awaitWeight(p: usize): void {
  if (thread != 0) return;
  const bytes = int(p, AwaitWeightArg.BYTES);
  if (!ask(Status.Await, address(p, AwaitWeightArg.Y), bytes, int(p, AwaitWeightArg.PLACE))) return;
  if (sumOf(address(p, AwaitWeightArg.Y), bytes) != load<u64>(address(p, AwaitWeightArg.SUM))) fail(Status.StoredChanged);
}

/**
 * Of the n bytes at x: s = Σ word, t = Σ of all the s so far (Fletcher's sum over 64-bit words, two lanes side by side), all of it mixed into one
 * number. Bytes that changed, moved or are missing change it.
 */
function sumOf(x: usize, n: i32): u64 {
  const end = x + <usize>n;
  let s = i64x2.splat(0);
  let t = i64x2.splat(0);
  for (; x + 16 <= end; x += 16) {
    s = i64x2.add(s, v128.load(x));
    t = i64x2.add(t, s);
  }
  let hash = mix(mix(mix(<u64>n, i64x2.extract_lane(s, 0)), i64x2.extract_lane(s, 1)), i64x2.extract_lane(t, 0));
  hash = mix(hash, i64x2.extract_lane(t, 1));
  for (; x < end; x++) hash = mix(hash, <u64>load<u8>(x));
  return hash;
}

/** One step of FNV-1a over a whole word, its high bits folded down. */
@inline function mix(hash: u64, word: u64): u64 {
  const h = (hash ^ word) * 0x100000001b3;
  return h ^ (h >> 32);
}
