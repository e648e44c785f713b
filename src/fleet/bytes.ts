/** Bytes that are already here, read as a file is. */
import type { ByteSource } from '../base/files.ts';
import { Wire } from '../formats/wire.ts';

/** A source over bytes in memory. */
export const sourceOf = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  readAt: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
  close: () => {},
});

/** A message of the server's as protocol buffers; `where` names it in messages. Throws InputError where its fields do not add up. */
export const wireOf = (where: string, bytes: Uint8Array): Wire =>
  new Wire(where, sourceOf(bytes), 'is it a Flower server, of version 1.42?');
