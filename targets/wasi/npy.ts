/** An array's file: opened, and its head read by assembly/formats/npy.ts. */
import { dataOffset, expected, got, hint, readHead } from '../../assembly/formats/npy';
import { fault } from '../../assembly/formats/scan';
import { fileBytes, measure, need, opened, openFile } from './files';
import { byteAt, openReader } from './reader';
import { begin, finish, refuseNumbers } from './refuse';

/** The file of the array that was opened last. */
export let file: u32 = 0;

export function openArray(p: usize, n: usize): void {
  need(openFile(p, n), p, n);
  file = opened;
  need(measure(file), p, n);
  openReader(file, fileBytes, p, n);
  if (readHead(byteAt, <f64>fileBytes)) return;
  if (got >= 0) refuseNumbers(p, n, fault, <u64>got, <u64>expected, hint);
  begin(p, n, fault);
  finish(hint);
}
