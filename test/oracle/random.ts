/** Philox-2x32-10 in whole numbers of JavaScript: the twin of assembly/engine/random.ts. Returns its two words. */
export function philox(seed: number, stream: number, counter: number): [number, number] {
  let left = BigInt(counter >>> 0);
  let right = BigInt(stream >>> 0);
  let key = BigInt(seed >>> 0);
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const product = left * 0xd256d193n;
    [left, right] = [(product >> 32n) ^ key ^ right, product & mask];
    key = (key + 0x9e3779b9n) & mask;
  }
  return [Number(left), Number(right)];
}

/** The standard normal number at `counter`. */
export function normal(seed: number, stream: number, counter: number): number {
  const [a, b] = philox(seed, stream, counter);
  return Math.sqrt(-2 * Math.log((a + 1) / 2 ** 32)) * Math.cos((2 * Math.PI * b) / 2 ** 32);
}
