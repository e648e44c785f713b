/**
 * Files on a board whose power may go at any moment: a file is written under a temporary name, synced, renamed, and its folder synced,
 * so that it appears whole or not at all. Every byte is counted, because SD cards wear.
 */
import {
  errno,
  fd_close,
  fd_readdir,
  fd_sync,
  fd_write,
  fdflags,
  iovec,
  oflags,
  path_create_directory,
  path_rename,
  path_unlink_file,
  rights,
} from 'bindings/wasi_snapshot_preview1';
import { folder, locate, need, opened, openLocated, rest, restBytes } from './files';
import { append, appendBytes, copyPath, endsWith, leave, pathIn } from './path';

const vector = memory.data(8);
const word = memory.data(4);
const temporary = memory.data(1024);
const listing = memory.data(4096);

/** Bytes written so far, in all files. */
export let written: u64 = 0;

export function countWritten(bytes: usize): void {
  written += bytes;
}

/** Writes all of it at the end of an open file; returns an errno. */
export function appendTo(fd: u32, p: usize, n: usize): u32 {
  while (n > 0) {
    const part = changetype<iovec>(vector);
    part.buf = p;
    part.buf_len = n;
    const failed = fd_write(fd, vector, 1, word);
    if (failed == errno.INTR) continue;
    if (failed != errno.SUCCESS) return failed;
    const moved = <usize>load<u32>(word);
    if (moved == 0 || moved > n) return errno.IO;
    p += moved;
    n -= moved;
    written += moved;
  }
  return errno.SUCCESS;
}

/** Opens a file to write to: what was in it is gone, or stays (`keep`) and what is written comes after it. */
export function openToWrite(path: usize, keep: bool): u32 {
  const failed = locate(path);
  if (failed != errno.SUCCESS) return failed;
  const wanted = rights.FD_WRITE | rights.FD_SYNC | rights.FD_SEEK | rights.FD_FILESTAT_GET;
  return openLocated(wanted, keep ? oflags.CREAT : oflags.CREAT | oflags.TRUNC, keep ? fdflags.APPEND : 0);
}

/** The file in the making. */
let making: u32 = 0;
/** The path that it will have, and what will be said if it cannot be written. */
let target: usize = 0;

function check(failed: u32): void {
  if (failed == errno.SUCCESS) return;
  // Nothing half-written stays behind.
  if (locate(temporary) == errno.SUCCESS) path_unlink_file(folder, rest, restBytes);
  need(failed, target, 'cannot be written: ');
}

/** Begins the file of that path. One at a time; `place` tells where its bytes are until it is complete. */
export function create(path: usize): void {
  target = path;
  copyPath(temporary, path);
  append(temporary, '.wasi.tmp');
  check(openToWrite(temporary, false));
  making = opened;
}

export function put(p: usize, n: usize): void {
  check(appendTo(making, p, n));
}

/** Its bytes are on disk, under the temporary name. */
export function seal(): void {
  check(fd_sync(making));
  fd_close(making);
}

/** Puts a sealed file in its place. */
export function place(path: usize): void {
  target = path;
  copyPath(temporary, path);
  append(temporary, '.wasi.tmp');
  check(locate(temporary));
  const from = folder;
  const p = rest;
  const n = restBytes;
  check(locate(path));
  check(path_rename(from, p, n, folder, rest, restBytes));
}

/** Makes renames in a folder durable. Some file systems cannot: the rename is then as durable as they make it. */
export function syncFolder(path: usize): void {
  if (locate(path) != errno.SUCCESS) return;
  if (openLocated(rights.FD_SYNC | rights.FD_READDIR, oflags.DIRECTORY, 0) != errno.SUCCESS) return;
  fd_sync(opened);
  fd_close(opened);
}

/** Makes the folder; its parent must be there. */
export function makeFolder(path: usize): void {
  let failed = locate(path);
  if (failed == errno.SUCCESS) failed = path_create_directory(folder, rest, restBytes);
  if (failed == errno.SUCCESS) {
    copyPath(temporary, path);
    leave(temporary);
    syncFolder(temporary);
    return;
  }
  if (failed == errno.EXIST) return;
  // A folder that is opened to the program cannot be made again.
  if (openLocated(rights.FD_READDIR, oflags.DIRECTORY, 0) == errno.SUCCESS) {
    fd_close(opened);
    return;
  }
  need(failed, path, 'cannot be made: ');
}

export function remove(path: usize): void {
  const failed = locate(path);
  if (failed == errno.SUCCESS) path_unlink_file(folder, rest, restBytes);
}

/** Where a listing stands: entries are seen one by one, by address and bytes of their names. */
export let entry: usize = 0;
export let entryBytes: usize = 0;
let listed: u32 = 0;
let cookie: u64 = 0;
let at: usize = 0;
let filled: usize = 0;
const ENTRY: usize = 24;

/** Begins to list a folder; false where there is none. */
export function openListing(path: usize): bool {
  if (locate(path) != errno.SUCCESS) return false;
  if (openLocated(rights.FD_READDIR, oflags.DIRECTORY, 0) != errno.SUCCESS) return false;
  listed = opened;
  cookie = 0;
  at = 0;
  filled = 0;
  return true;
}

/** The next name into `entry`; false, and the listing closed, at its end. An entry that the buffer cuts is asked for again. */
export function nextEntry(): bool {
  for (;;) {
    if (at + ENTRY <= filled) {
      const n = <usize>load<u32>(listing + at, 16);
      if (at + ENTRY + n <= filled) {
        cookie = load<u64>(listing + at);
        entry = listing + at + ENTRY;
        entryBytes = n;
        at += ENTRY + n;
        return true;
      }
    }
    const isEnd = filled > 0 && filled < 4096;
    if (isEnd || fd_readdir(listed, changetype<usize>(listing), 4096, cookie, word) != errno.SUCCESS) break;
    filled = <usize>load<u32>(word);
    at = 0;
    if (filled < ENTRY) break;
    // One name that is longer than the buffer would be asked for without end.
    if (filled == 4096 && ENTRY + <usize>load<u32>(listing, 16) > 4096) break;
  }
  fd_close(listed);
  return false;
}

const leftover = memory.data(1024);

/** Removes temporary files that a power cut left in a folder: this program's, which writes there alone. */
export function removeLeftovers(path: usize): void {
  if (!openListing(path)) return;
  while (nextEntry()) {
    if (entryBytes <= 9 || !endsWith(entry, entryBytes, '.wasi.tmp')) continue;
    pathIn(leftover, path, '');
    appendBytes(leftover, entry, entryBytes);
    remove(leftover);
  }
}
