/**
 * Files by ranges, over preview1: the few calls that a program on a board needs. What can fail returns an errno (0: nothing went
 * wrong), which `meaning` puts into words.
 */
import {
  errno,
  fd_close,
  fd_filestat_get,
  fd_pread,
  fd_prestat_dir_name,
  fd_prestat_get,
  fd_pwrite,
  filestat,
  filetype,
  iovec,
  lookupflags,
  path_filestat_get,
  path_open,
  prestat,
  prestat_dir,
  rights,
} from 'bindings/wasi_snapshot_preview1';
import { lengthOf, textOf } from './path';
import { begin, finish } from './refuse';
import { say } from './text';

const FIRST_PREOPEN: u32 = 3;
/** Longer names of folders than this are not looked at. */
const NAME_BYTES: usize = 1024;
const name = memory.data(1024);
const state = memory.data(64);
const vector = memory.data(8);
const word = memory.data(4);
const dot = memory.data<u8>([0x2e]);

/** What `locate` found: the preopened folder, and the path below it. */
export let folder: u32 = 0;
export let rest: usize = 0;
export let restBytes: usize = 0;

/** Finds the preopened folder with the longest name that the path begins with. */
export function locate(path: usize): u32 {
  const end = textOf(path) + lengthOf(path);
  let longest: usize = 0;
  folder = 0;
  const p = withoutRoot(textOf(path), end);
  for (let fd = FIRST_PREOPEN; fd_prestat_get(fd, changetype<prestat>(state)) == errno.SUCCESS; fd++) {
    const length = <usize>changetype<prestat_dir>(state).name_len;
    if (length > NAME_BYTES || fd_prestat_dir_name(fd, name, length) != errno.SUCCESS) continue;
    const start = withoutRoot(name, name + length);
    const prefix = name + length - start;
    if ((folder != 0 && prefix <= longest) || !leadsInto(p, end, start, prefix)) continue;
    folder = fd;
    longest = prefix;
  }
  if (folder == 0) return errno.NOTCAPABLE;
  rest = withoutRoot(p + longest, end);
  restBytes = end - rest;
  if (restBytes == 0) {
    // The folder itself.
    rest = dot;
    restBytes = 1;
  }
  return errno.SUCCESS;
}

/** The file that `openFile` opened last. */
export let opened: u32 = 0;

/** Opens a file for reading. */
export function openFile(path: usize): u32 {
  const failed = locate(path);
  return failed != errno.SUCCESS ? failed : openLocated(rights.FD_READ | rights.FD_SEEK | rights.FD_FILESTAT_GET, 0, 0);
}

/** Opens what `locate` found. */
export function openLocated(wanted: rights, create: u16, append: u16): u32 {
  // A pipe would be waited for, and a device does what it likes: nothing but a file or a folder is opened.
  const stat = changetype<filestat>(state);
  if (path_filestat_get(folder, lookupflags.SYMLINK_FOLLOW, rest, restBytes, stat) == errno.SUCCESS) {
    if (stat.filetype != filetype.REGULAR_FILE && stat.filetype != filetype.DIRECTORY) return errno.NOTSUP;
  }
  const failed = path_open(folder, lookupflags.SYMLINK_FOLLOW, rest, restBytes, create, wanted, 0, append, word);
  opened = load<u32>(word);
  return failed;
}

/** Where a path's first name begins: `/`, `./` and a lone `.` before it say nothing. */
function withoutRoot(p: usize, end: usize): usize {
  while (p < end) {
    const byte = load<u8>(p);
    const isDot = byte == 0x2e && (p + 1 == end || load<u8>(p + 1) == 0x2f);
    if (byte != 0x2f && !isDot) break;
    p++;
  }
  return p;
}

/** Whether the path [p, end) is in the folder of that name, or is the folder. */
function leadsInto(p: usize, end: usize, name: usize, bytes: usize): bool {
  if (bytes == 0) return true;
  if (end - p < bytes || memory.compare(p, name, bytes) != 0) return false;
  return end - p == bytes || load<u8>(name + bytes - 1) == 0x2f || load<u8>(p + bytes) == 0x2f;
}

/** Size of what `openFile` found. */
export let fileBytes: u64 = 0;

/** Measures the file into `fileBytes`; what is no ordinary file is refused. */
export function measure(fd: u32): u32 {
  const stat = changetype<filestat>(state);
  const failed = fd_filestat_get(fd, stat);
  if (failed != errno.SUCCESS) return failed;
  if (stat.filetype != filetype.REGULAR_FILE) return stat.filetype == filetype.DIRECTORY ? errno.ISDIR : errno.NOTSUP;
  fileBytes = stat.size;
  return errno.SUCCESS;
}

/** Reads all of [offset, offset + n) to p; a file that ends before is an IO error. */
export function readAt(fd: u32, offset: u64, p: usize, n: usize): u32 {
  return moveAt(fd, offset, p, n, false);
}

/** Writes n bytes at p to [offset, offset + n). */
export function writeAt(fd: u32, offset: u64, p: usize, n: usize): u32 {
  return moveAt(fd, offset, p, n, true);
}

/** Runtimes may move less at a time than is asked for. */
function moveAt(fd: u32, offset: u64, p: usize, n: usize, isWritten: bool): u32 {
  while (n > 0) {
    const part = changetype<iovec>(vector);
    part.buf = p;
    part.buf_len = n;
    const failed = isWritten ? fd_pwrite(fd, vector, 1, offset, word) : fd_pread(fd, vector, 1, offset, word);
    if (failed == errno.INTR) continue;
    if (failed != errno.SUCCESS) return failed;
    const moved = <usize>load<u32>(word);
    if (moved == 0 || moved > n) return errno.IO;
    p += moved;
    n -= moved;
    offset += moved;
  }
  return errno.SUCCESS;
}

/** Ends the program where something failed. */
export function need(failed: u32, path: usize, what: string = 'cannot be read: '): void {
  if (failed == errno.SUCCESS) return;
  begin(path);
  say(what);
  say(meaning(failed));
  finish();
}
/** Opens a file and measures it, or ends the program. */
export function needFile(path: usize): u32 {
  need(openFile(path), path);
  need(measure(opened), path);
  return opened;
}
/** Reads all of [offset, offset + n) of an open file, or ends the program. */
export function needBytes(fd: u32, offset: u64, p: usize, n: usize, path: usize): void {
  need(readAt(fd, offset, p, n), path);
}
export function closeFile(fd: u32): void {
  fd_close(fd);
}

/** What an errno means to the person who reads it. */
export function meaning(code: u32): string {
  if (code == errno.NOENT) return 'no such file';
  if (code == errno.ACCES) return 'permission denied';
  // For what lies outside, some runtimes say the one and some the other.
  if (code == errno.PERM) return 'not permitted, or outside the folders opened to this program (--dir FOLDER, before s2a.wasm)';
  if (code == errno.NOTCAPABLE) return 'outside the folders opened to this program (--dir FOLDER, before s2a.wasm)';
  if (code == errno.ISDIR) return 'is a folder, not a file';
  if (code == errno.NOTDIR) return 'a part of the path is a file, not a folder';
  if (code == errno.NOTSUP) return 'is not an ordinary file';
  if (code == errno.LOOP) return 'too many symbolic links';
  if (code == errno.NAMETOOLONG) return 'the name is too long';
  if (code == errno.NOMEM) return 'out of memory';
  if (code == errno.ROFS) return 'the file system is read-only';
  if (code == errno.NOSPC) return 'no space left on the device';
  if (code == errno.DQUOT) return 'the disk quota is used up';
  return 'the device reports a fault';
}
