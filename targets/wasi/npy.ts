/** An array's file: opened, and its head read by assembly/formats/npy.ts. */
import { expected, got, hint, readHead } from '../../assembly/formats/npy';
import { fault } from '../../assembly/formats/scan';
import { fileBytes, needFile } from './files';
import { byteAt, openReader } from './reader';
import { begin, finish } from './refuse';
import { say } from './text';

/** Opens the array of that path and returns its file. */
export function openArray(path: usize): u32 {
  const file = needFile(path);
  openReader(file, fileBytes, path);
  if (readHead(byteAt, <f64>fileBytes)) return file;
  begin(path);
  say(fault);
  if (got >= 0) say(', got #, expected #', got, expected);
  finish(hint);
  return 0;
}
