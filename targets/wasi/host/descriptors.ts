/** Functions of preview1 about what is open: what it is, where it stands, that it is on the disk. */
import { closeSync, fstatSync, fsyncSync, lstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../sandbox.ts';
import { FD_APPEND, FILE_RIGHTS, FILE_TYPE, type Functions, folderRights, kindOf, position, RIGHT, typeOf, type World } from './world.ts';

/** What precedes a name in fd_readdir's buffer. */
const DIRENT_BYTES = 24;

export function aboutDescriptors({
  open,
  writable,
  data,
  bytesAt,
  descriptor,
  setWord,
  setLong,
  fileAt,
  mayWrite,
  setStat,
}: World): Functions {
  return {
    fd_prestat_get(fd, p) {
      const found = descriptor(fd);
      if (found.kind !== 'folder' || !found.preopen) return fault('EBADF');
      setWord(p, 0);
      setWord(p + 4, found.preopen.length);
    },
    fd_prestat_dir_name(fd, p, n) {
      const found = descriptor(fd);
      if (found.kind !== 'folder' || !found.preopen) return fault('EBADF');
      if (n < found.preopen.length) fault('ENAMETOOLONG');
      bytesAt(p, found.preopen.length).set(found.preopen);
    },
    fd_fdstat_get(fd, p) {
      const found = descriptor(fd);
      bytesAt(p, 24).fill(0);
      data().setUint8(p, typeOf(found));
      data().setUint16(p + 2, found.kind === 'file' && found.append ? FD_APPEND : 0, true);
      const own = { sink: RIGHT.write, source: RIGHT.read, folder: folderRights(writable), file: 0n }[found.kind];
      setLong(p + 8, found.kind === 'file' ? found.rights : own);
      if (found.kind === 'folder') setLong(p + 16, folderRights(writable) | (writable ? FILE_RIGHTS : FILE_RIGHTS & ~RIGHT.write));
    },
    fd_filestat_get(fd, p) {
      const found = descriptor(fd);
      const stat = found.kind === 'file' ? fstatSync(found.fd) : found.kind === 'folder' ? lstatSync(found.path) : undefined;
      setStat(p, stat, typeOf(found));
    },
    fd_sync(fd) {
      const found = descriptor(fd);
      if (found.kind !== 'folder') return fsyncSync(fileAt(fd, RIGHT.sync).fd);
      mayWrite();
      const folder = openSync(found.path, 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
    },
    fd_close(fd) {
      const found = descriptor(fd);
      open.delete(fd);
      if (found.kind === 'file') closeSync(found.fd);
    },
  };
}

export function folders({ bytesAt, descriptor, setWord }: World): Functions {
  const text = new TextEncoder();
  return {
    fd_readdir(fd, buffer, size, cookie, used) {
      const found = descriptor(fd);
      if (found.kind !== 'folder') return fault('ENOTDIR');
      // A cookie is an index into the names in order: a name that comes or goes while the folder is read may be missed, or seen twice.
      const names = readdirSync(found.path).sort();
      let filled = 0;
      for (let i = position(cookie); i < names.length && filled < size; i++) {
        const name = text.encode(names[i]!);
        const entry = new Uint8Array(DIRENT_BYTES + name.length);
        const view = new DataView(entry.buffer);
        view.setBigUint64(0, BigInt(i + 1), true);
        view.setUint32(16, name.length, true);
        const stat = lstatSync(join(found.path, names[i]!), { throwIfNoEntry: false });
        view.setUint8(20, stat ? FILE_TYPE[kindOf(stat)] : FILE_TYPE.unknown);
        entry.set(name, DIRENT_BYTES);
        const piece = entry.subarray(0, size - filled);
        bytesAt(buffer + filled, piece.length).set(piece);
        filled += piece.length;
      }
      setWord(used, filled);
    },
  };
}
