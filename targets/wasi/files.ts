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
  filestat,
  filetype,
  iovec,
  lookupflags,
  path_open,
  prestat,
  prestat_dir,
  rights,
} from 'bindings/wasi_snapshot_preview1';
import { reserve } from './memory';

const FIRST_PREOPEN: u32 = 3;
const state = memory.data(64);
const vector = memory.data(8);
const word = memory.data(4);

/** The file that `openFile` opened last. */
export let opened: u32 = 0;

/** Opens the file of path [p, p + n) for reading, below the preopened folder with the longest name that the path begins with. */
export function openFile(p: usize, n: usize): u32 {
  const end = p + n;
  let folder: u32 = 0;
  let longest: usize = 0;
  const path = withoutRoot(p, end);
  for (let fd = FIRST_PREOPEN; fd_prestat_get(fd, changetype<prestat>(state)) == errno.SUCCESS; fd++) {
    const length = <usize>changetype<prestat_dir>(state).name_len;
    const name = reserve(length);
    if (name == 0) return errno.NOMEM;
    if (fd_prestat_dir_name(fd, name, length) != errno.SUCCESS) continue;
    const start = withoutRoot(name, name + length);
    const prefix = name + length - start;
    if ((folder != 0 && prefix <= longest) || !leadsInto(path, end, start, prefix)) continue;
    folder = fd;
    longest = prefix;
  }
  if (folder == 0) return errno.NOTCAPABLE;
  let rest = withoutRoot(path + longest, end);
  let left = end - rest;
  if (left == 0) {
    // The folder itself.
    rest = word;
    left = 1;
    store<u8>(rest, 0x2e);
  }
  const wanted = rights.FD_READ | rights.FD_SEEK | rights.FD_FILESTAT_GET;
  const failed = path_open(folder, lookupflags.SYMLINK_FOLLOW, rest, left, 0, wanted, 0, 0, word);
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
  while (n > 0) {
    const part = changetype<iovec>(vector);
    part.buf = p;
    part.buf_len = n;
    const failed = fd_pread(fd, vector, 1, offset, word);
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

export function closeFile(fd: u32): void {
  fd_close(fd);
}

/** What an errno means to the person who reads it. */
export function meaning(code: u32): string {
  if (code == errno.NOENT) return 'no such file';
  if (code == errno.ACCES || code == errno.PERM) return 'permission denied';
  if (code == errno.NOTCAPABLE) return 'outside the folders opened to this program';
  if (code == errno.ISDIR) return 'is a folder, not a file';
  if (code == errno.NOTDIR) return 'a part of the path is a file, not a folder';
  if (code == errno.NOTSUP) return 'is not an ordinary file';
  if (code == errno.LOOP) return 'too many symbolic links';
  if (code == errno.NAMETOOLONG) return 'the name is too long';
  if (code == errno.NOMEM) return 'out of memory';
  return 'the device reports a fault';
}
