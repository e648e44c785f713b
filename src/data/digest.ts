/** What a run's data are, whatever files they came from: the same from a cache of pictures and from arrays under WASI. */
import { createHash } from 'node:crypto';
import type { Cache } from './cache.ts';

/**
 * SHA-256 over both lists, pictures to learn from and to judge by: a count (u32), then of each picture the SHA-256 of its pixels and its
 * label (i32) or its targets (f32), little-endian, in the order of the lists. Reads no pixels: the cache has each picture's.
 */
export function dataDigest(cache: Pick<Cache, 'pictures' | 'digests'>, train: readonly number[], val: readonly number[]): string {
  const hash = createHash('sha256');
  const word = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
  for (const indices of [train, val]) {
    hash.update(word(indices.length));
    for (const index of indices) {
      hash.update(Buffer.from(cache.digests[index]!, 'hex'));
      const { label, values } = cache.pictures[index]!;
      hash.update(values ? new Uint8Array(Float32Array.from(values).buffer) : word(label));
    }
  }
  return hash.digest('hex');
}
