/** Weights that stay in a file (assembly/abi/ops/stored.ts): what instructions ask for is done here. The file is that of src/engine/storedfile.ts. */
import { Head } from '../../assembly/abi/head';
import { Instruction, Op } from '../../assembly/abi/ops';
import { PlaceWeightArg, Stored } from '../../assembly/abi/ops/stored';
import { LayoutWord, Section } from '../../assembly/abi/program';
import { Status, statusText } from '../../assembly/abi/status';
import { errno, oflags, rights } from 'bindings/wasi_snapshot_preview1';
import { endOf, INIT, stage, stageBytes, startOf } from './arena';
import { closeFile, fileBytes, locate, meaning, measure, need, opened, openLocated, readAt, writeAt } from './files';
import { copyPath } from './path';
import { arena, layoutWord, section } from './program';
import { begin, finish, refuse } from './refuse';
import { say } from './text';
import { saveBefore } from './train';
import { placeWeight } from './weights';
import { countWritten, remove } from './write';

const MAGIC_BYTES: usize = 8;
const magic = memory.data<u8>([0x53, 0x32, 0x41, 0x57, 0x47, 0x48, 0x54, 0]);
const path = memory.data(1024);
let file: u32 = 0;
let isNew = false;

/** Whether an instruction of init asks for the i-th weight; of any weight where `i` is -1. */
export function isStored(i: i32): bool {
  const base = section(Section.Image) - <usize>layoutWord(LayoutWord.ProgramOffset);
  for (
    let at: usize = base + startOf(INIT), end: usize = base + endOf(INIT);
    at < end;
    at += (<usize>load<u32>(at, Instruction.Words << 2)) << 2
  ) {
    if (load<u32>(at, Instruction.Op << 2) != Op.PlaceWeight) continue;
    if (i < 0 || load<i32>(at, (Instruction.Arguments + PlaceWeightArg.WEIGHT) << 2) == i) return true;
  }
  return false;
}

/** Opens or makes the file; another program's is refused. */
export function openStored(where: usize): void {
  copyPath(path, where);
  need(locate(path), path, 'cannot be written: ');
  const wanted = rights.FD_READ | rights.FD_WRITE | rights.FD_SEEK | rights.FD_FILESTAT_GET;
  need(openLocated(wanted, oflags.CREAT, 0), path, 'cannot be written: ');
  file = opened;
  need(measure(file), path);
  isNew = fileBytes == 0;
  if (isNew) put(0, magic, MAGIC_BYTES);
  else if (fileBytes < MAGIC_BYTES || !holds(0, magic, MAGIC_BYTES))
    refuse(path, 'is no file of stored weights', 'remove it, or give the weights another place');
}

export function closeStored(): void {
  closeFile(file);
}

/** Does what the walk asks for. */
export function answer(status: i32): void {
  const p = arena + <usize>load<u32>(arena + Head.AskedOffset);
  const n = <usize>load<u32>(arena + Head.AskedBytes);
  const at = <u64>load<u32>(arena + Head.AskedPlace) * Stored.Unit;
  if (file == 0) refuse(0, 'the program wants weights from a file, and none was named', 'pack it again');
  if (status == Status.Place) placeWeight(load<u32>(arena + Head.AskedPlace));
  else if (status == Status.Await) {
    const failed = readAt(file, at, p, n);
    if (failed != errno.SUCCESS) lose('cannot be read: ', meaning(failed));
  } else if (status == Status.Store && !holds(at, p, n)) put(at, p, n);
}

/** The file does not give back what was put into it: a run is saved as it stood before, and the program ends. */
export function lose(what: string, why: string = ''): void {
  const hint = saveBefore() ? 'the run is saved: --resume writes the file anew and goes on' : '';
  begin(path);
  say(what);
  say(why);
  finish(hint);
}
export function loseChanged(): void {
  lose(statusText(Status.StoredChanged));
}

/** Whether the file has these bytes there already: cards wear. */
function holds(at: u64, p: usize, n: usize): bool {
  const room = stageBytes();
  for (let done: usize = 0; done < n; done += room) {
    const some = min<usize>(room, n - done);
    if (readAt(file, at + done, stage(), some) != errno.SUCCESS || memory.compare(stage(), p + done, some) != 0) return false;
  }
  return true;
}

/** Writes to the file, and counts what it wrote; half a new file is of no use to anybody. */
function put(at: u64, p: usize, n: usize): void {
  const failed = writeAt(file, at, p, n);
  if (failed != errno.SUCCESS && isNew) remove(path);
  need(failed, path, 'cannot be written: ');
  countWritten(n);
}
