/** The heads of files, as assembly/formats reads them byte by byte: where the bytes come from, and what is wrong as a sentence. */
import * as text from '../../assembly/formats/scan.ts';
import { InputError, shown } from '../base/error.ts';

/** A file by ranges. */
type Source = { size: number; readAt(offset: number, target: Uint8Array): void };

/** Read at once: the head of most files. */
const BLOCK = 4096;

/** The byte at a place of a file, of which one block is held. */
export function bytesOf({ size, readAt }: Source): (at: number) => number {
  let block = new Uint8Array();
  let start = 0;
  return (at) => {
    if (at < start || at >= start + block.length) {
      start = at;
      block = new Uint8Array(Math.min(BLOCK, size - at));
      readAt(at, block);
    }
    return block[at - start]!;
  };
}

/** The line by which Python runs a statement that mends the file `p`. */
export const mendingLine = (path: string, statement: string): string =>
  `python -c 'import numpy as np; p = ${JSON.stringify(path)}; ${statement}'`;

/** What the reader that was asked last found wrong; `where` stands before it, `path` is the file. */
export function faultOf(where: string, path: string, source: Source): InputError {
  const { fault: what, got, expected, gotFrom, gotTo, wanted, hint, mend } = text;
  const said = new Uint8Array(gotTo > gotFrom ? Math.min(400, gotTo - gotFrom) : 0);
  if (said.length > 0) source.readAt(gotFrom, said);
  return new InputError({
    ...{ where, what },
    ...(said.length > 0 ? { got: shown(new TextDecoder().decode(said)) } : got >= 0 ? { got } : {}),
    ...(wanted !== '' ? { expected: wanted } : expected >= 0 ? { expected } : {}),
    ...(mend !== '' ? { hint: mendingLine(path, mend) } : hint !== '' ? { hint } : {}),
  });
}
