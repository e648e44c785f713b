/**
 * Random numbers without state: a number is a function of (seed, stream, counter), so every runtime, thread count and resumed run sees
 * the same ones. Philox-2x32 with ten rounds: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011.
 */
import { Stream } from '../abi/random';
import { cosPi, log64 } from './math';

export const MULTIPLIER: u64 = 0xd256d193;
export const WEYL: u32 = 0x9e3779b9;

/** 64 random bits: the low word is Philox's first output, the high word its second. */
export function random(seed: u32, stream: u32, counter: u32): u64 {
  let left = counter;
  let right = stream;
  let key = seed;
  for (let round = 0; round < 10; round++) {
    const product = MULTIPLIER * <u64>left;
    left = <u32>(product >> 32) ^ key ^ right;
    right = <u32>product;
    key += WEYL;
  }
  return ((<u64>right) << 32) | <u64>left;
}

/** A number in 0 … n-1 from 16 random bits; n at most 2¹⁶. */
@inline export function below(n: u32, bits: u32): u32 {
  return ((bits & 0xffff) * n) >> 16;
}

/** Rounds of the Feistel network: enough that small permutations look uniform too. */
const ROUNDS: u32 = 8;

/**
 * Position `i` of epoch `epoch`'s order of `n` pictures: a permutation of 0 … n-1 computed without memory, by a balanced Feistel network
 * over the next power of four, walked until it lands below n (J. Black, P. Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002).
 * `i` must be below `n`; epochs below 2²⁴ differ.
 */
export function sampleAt(i: u32, n: u32, seed: u32, epoch: u32): u32 {
  if (n < 2) return 0;
  const half = (33 - clz(n - 1)) >> 1;
  const mask: u32 = (1 << half) - 1;
  const stream = (epoch << 8) | Stream.Order;
  let value = i;
  do {
    let left = value >> half;
    let right = value & mask;
    for (let round: u32 = 0; round < ROUNDS; round++) {
      const next = (left ^ <u32>random(seed, stream | (round << 4), right)) & mask;
      left = right;
      right = next;
    }
    value = (left << half) | right;
  } while (value >= n);
  return value;
}

/** A standard normal number: Box-Muller on the two words of `random`. */
export function normalAt(seed: u32, stream: u32, counter: u32): f64 {
  const bits = random(seed, stream, counter);
  // In (0, 1], so that the logarithm is finite.
  const radius = sqrt<f64>(-2 * log64((<f64>(<u32>bits) + 1) / 4294967296));
  return radius * cosPi(<f64>(<u32>(bits >> 32)) / 2147483648);
}
