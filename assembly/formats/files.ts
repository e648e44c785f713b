/**
 * Files as the sources that both hosts share read them: by ranges into a memory, each known by a number of its host's. Neither `read` nor `refuse` comes
 * back where something is wrong: the WASI program ends there, a TypeScript host throws.
 */
export class Files {
  /** Puts so many bytes from an offset on at an address. */
  read!: (file: number, offset: number, at: number, bytes: number) => void;
  /** The same; false where it cannot be read. */
  tryRead!: (file: number, offset: number, at: number, bytes: number) => boolean;
  /** One sentence about a file: each `#` in it is a number's place. */
  refuse!: (file: number, form: string, hint: string, a: number, b: number, c: number) => void;
  /** SHA-256 over what is added, to an address; two of them may be under way. */
  beginDigest!: (which: number) => void;
  addDigest!: (which: number, at: number, bytes: number) => void;
  endDigest!: (which: number, at: number) => void;
}
