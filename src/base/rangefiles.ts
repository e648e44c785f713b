/** One file as the sources that both hosts share read it (assembly/formats/files.ts): by ranges into a memory of its own. */
import { createHash } from 'node:crypto';
import type { Files } from '../../assembly/formats/files.ts';
import { InputError } from './error.ts';
import type { ByteSource } from './files.ts';

/** `memory`: where what is read goes, and digests. What cannot be read, or is refused, throws. */
export function rangeFiles(path: string, source: Pick<ByteSource, 'readAt'>, memory: Uint8Array): Files {
  const hashes = [createHash('sha256'), createHash('sha256')];
  const read = (_file: number, offset: number, at: number, bytes: number): void => source.readAt(offset, memory.subarray(at, at + bytes));
  return {
    read,
    tryRead(...of) {
      read(...of);
      return true;
    },
    refuse(_file, form, hint, ...numbers) {
      const left = [...numbers];
      const what = form.replace(/#/g, () => String(left.shift()));
      throw new InputError({ where: path, what, ...(hint === '' ? {} : { hint }) });
    },
    beginDigest(which) {
      hashes[which] = createHash('sha256');
    },
    addDigest: (which, at, bytes) => void hashes[which]!.update(memory.subarray(at, at + bytes)),
    endDigest: (which, at) => memory.set(hashes[which]!.digest(), at),
  };
}
