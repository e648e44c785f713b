/** SHA-256 digests, by which programs, data sets, checkpoints and adapters recognise what they belong to. */
import { createHash, type Hash } from 'node:crypto';
import type { ByteSource } from './files.ts';

const chunkBytes = 1 << 20;

/** SHA-256 of the parts, one after the other, as 64 hex digits. Text counts as UTF-8. */
export function digest(...parts: (Uint8Array | string)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Feeds a range of a file to a hash, one small buffer at a time. */
export function hashRange(hash: Hash, source: ByteSource, from: number, to: number): void {
  const buffer = new Uint8Array(Math.min(chunkBytes, Math.max(0, to - from)));
  for (let at = from; at < to; at += buffer.length) {
    const piece = buffer.subarray(0, Math.min(buffer.length, to - at));
    source.readAt(at, piece);
    hash.update(piece);
  }
}

/** SHA-256 of a whole file: what `sha256sum` prints. */
export function fileDigest(source: ByteSource): string {
  const hash = createHash('sha256');
  hashRange(hash, source, 0, source.size);
  return hash.digest('hex');
}
