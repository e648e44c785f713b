/** Functions of preview1 about files and folders by name, all of them below a folder that is open. */
import { constants, mkdirSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { fault } from '../sandbox.ts';
import { FD_APPEND, FILE_RIGHTS, FILE_TYPE, FOLLOW, type Functions, kindOf, OPEN, RIGHT, type World } from './world.ts';

export function paths({ open, find, mayWrite, setStat, setWord }: World): Functions {
  return {
    path_create_directory(fd, p, n) {
      mayWrite();
      const { path, stat } = find(fd, p, n, false);
      if (stat) fault('EEXIST');
      mkdirSync(path);
    },
    path_filestat_get(fd, flags, p, n, result) {
      const { stat } = find(fd, p, n, (flags & FOLLOW) !== 0);
      if (!stat) return fault('ENOENT');
      setStat(result, stat, FILE_TYPE[kindOf(stat)]);
    },
    path_open(fd, lookup, p, n, flags, rights, _inheriting, fdflags, result) {
      const { path, stat } = find(fd, p, n, (lookup & FOLLOW) !== 0);
      const [reads, writes] = [(rights & RIGHT.read) !== 0n, (rights & RIGHT.write) !== 0n];
      if (writes || (flags & (OPEN.create | OPEN.truncate)) !== 0) mayWrite();
      if (!stat && (flags & OPEN.create) === 0) fault('ENOENT');
      if (stat && (flags & OPEN.create) !== 0 && (flags & OPEN.exclusive) !== 0) fault('EEXIST');
      if (stat?.isSymbolicLink()) fault('ELOOP');
      let fresh = 3;
      while (open.has(fresh)) fresh++;
      if (stat?.isDirectory()) {
        if (writes || (flags & OPEN.truncate) !== 0) fault('EISDIR');
        open.set(fresh, { kind: 'folder', path });
      } else {
        if ((flags & OPEN.directory) !== 0) fault('ENOTDIR');
        // A pipe could block for ever, a device does what it likes.
        if (stat && !stat.isFile()) fault('EACCES');
        const how =
          (writes || !stat || (flags & OPEN.truncate) !== 0 ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY) |
          ((flags & OPEN.create) !== 0 ? constants.O_CREAT : 0) |
          // What was not there a moment ago is made here, not found: nothing can be put in between.
          (stat ? 0 : constants.O_EXCL) |
          ((flags & OPEN.truncate) !== 0 ? constants.O_TRUNC : 0);
        const append = (fdflags & FD_APPEND) !== 0;
        open.set(fresh, { kind: 'file', fd: openSync(path, how), rights: rights & FILE_RIGHTS, append, position: 0 });
      }
      setWord(result, fresh);
    },
    path_rename(from, p, n, to, q, m) {
      mayWrite();
      const [source, target] = [find(from, p, n, false), find(to, q, m, false)];
      if (!source.stat) fault('ENOENT');
      if (source.isRoot || target.isRoot) fault('EBUSY');
      renameSync(source.path, target.path);
    },
    path_unlink_file(fd, p, n) {
      mayWrite();
      const { path, stat } = find(fd, p, n, false);
      if (stat?.isDirectory()) fault('EISDIR');
      unlinkSync(path);
    },
  };
}
