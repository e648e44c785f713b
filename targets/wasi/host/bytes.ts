/** Functions of preview1 that read and write. */
import { Buffer } from 'node:buffer';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { fault } from '../sandbox.ts';
import { type Functions, position, RIGHT, type World } from './world.ts';

/** Reads or writes at `position` until a transfer comes out short; returns the bytes moved. */
const transfer = (parts: Uint8Array[], position: number, move: (part: Uint8Array, at: number) => number): number => {
  let moved = 0;
  for (const part of parts) {
    const n = part.length === 0 ? 0 : move(part, position + moved);
    moved += n;
    if (n < part.length) break;
  }
  return moved;
};

export function readingAndWriting({ descriptor, setWord, setLong, vectors, fileAt }: World): Functions {
  return {
    fd_read(fd, list, count, moved) {
      const found = descriptor(fd);
      if (found.kind === 'source') {
        let n = 0;
        for (const part of vectors(list, count)) {
          const piece = found.bytes.subarray(found.position, found.position + part.length);
          part.set(piece);
          found.position += piece.length;
          n += piece.length;
        }
        return setWord(moved, n);
      }
      const file = fileAt(fd, RIGHT.read);
      const bytes = transfer(vectors(list, count), file.position, (part, at) => readSync(file.fd, part, 0, part.length, at));
      file.position += bytes;
      setWord(moved, bytes);
    },
    fd_pread(fd, list, n, offset, moved) {
      const file = fileAt(fd, RIGHT.read | RIGHT.seek);
      const move = (part: Uint8Array, at: number): number => readSync(file.fd, part, 0, part.length, at);
      setWord(moved, transfer(vectors(list, n), position(offset), move));
    },
    fd_pwrite(fd, list, n, offset, moved) {
      const file = fileAt(fd, RIGHT.write | RIGHT.seek);
      const move = (part: Uint8Array, at: number): number => writeSync(file.fd, part, 0, part.length, at);
      setWord(moved, transfer(vectors(list, n), position(offset), move));
    },
    fd_write(fd, list, n, moved) {
      const found = descriptor(fd);
      const parts = vectors(list, n);
      if (found.kind === 'sink') {
        const bytes = Uint8Array.from(Buffer.concat(parts));
        found.write(bytes);
        return setWord(moved, bytes.length);
      }
      const file = fileAt(fd, RIGHT.write);
      if (file.append) file.position = fstatSync(file.fd).size;
      const bytes = transfer(parts, file.position, (part, at) => writeSync(file.fd, part, 0, part.length, at));
      file.position += bytes;
      setWord(moved, bytes);
    },
    fd_seek(fd, offset, whence, result) {
      const file = fileAt(fd, RIGHT.seek);
      if (whence > 2) fault('EINVAL');
      const from = [0, file.position, whence === 2 ? fstatSync(file.fd).size : 0][whence]!;
      file.position = position(BigInt(from) + offset);
      setLong(result, file.position);
    },
    fd_tell: (fd, result) => setLong(result, fileAt(fd, RIGHT.tell).position),
  };
}
