/** Whether a picture is the one that was there: by its time where that is the same, else by its bytes. A copy has other times and is the same picture. */

import { join } from 'node:path';
import { fileDigest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import { openFile } from '../base/files.ts';
import { placeOf, storedDigest } from '../input/example.ts';
import type { Sample } from './folder.ts';
import { ARRAYS } from './kinds.ts';

/** What a file was when it was decoded. */
export interface Known {
  path: string;
  modifiedMs: number;
  /** SHA-256 of its bytes; absent where it could not be read. */
  content?: string | undefined;
}

/** Whether `sample`, of the same size, still is what is known of it. Reads the file only where the times differ. */
export const isSame = (root: string, sample: Pick<Sample, 'path' | 'modifiedMs'>, known: Known): boolean =>
  sample.modifiedMs === known.modifiedMs || (known.content !== undefined && contentOf(join(root, sample.path)) === known.content);

/** SHA-256 of a file's bytes; undefined where it cannot be read. */
function contentOf(path: string): string | undefined {
  try {
    if (ARRAYS.isOne(placeOf(path).file)) return storedDigest(path);
    const file = openFile(path);
    try {
      return fileDigest(file);
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
