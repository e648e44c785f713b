/** Numbers by chance for the host, from integers alone: a function of a counter, the same ones every time and on every runtime. */

/** Mixes two words into one (the finaliser of MurmurHash3). */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ Math.imul(b + 0x9e3779b9, 0x85ebca6b), 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Number `counter` of stream `stream`: a whole number from 0 to `below` - 1. */
export const chance = (stream: number, counter: number, below: number): number => Math.floor((mix(stream, counter) / 2 ** 32) * below);
