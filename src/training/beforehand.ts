/** What a run will write, tried before its first picture: hours of learning must not end at a folder that was never there. */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mebibytes } from '../base/bytes.ts';
import { InputError } from '../base/error.ts';
import { createFile, freeBytes, guarded, isFolder, makeFolder } from '../base/files.ts';
import type { Program } from '../program/program.ts';
import { storedBytes } from '../program/stored.ts';
import { parametersOf } from './runner.ts';

/** Tries whether a file can be written under this name; its folder is made. Nothing is left of the trial, and nothing that was there is touched. */
export function tryFile(path: string, flag: string): void {
  if (isFolder(path)) throw new InputError({ where: flag, what: 'is a folder', got: path, expected: 'the name of a file' });
  makeFolder(dirname(path));
  createFile(path).discard();
}

/** Tries both folders of a run. */
export function tryRun(out: string): void {
  for (const folder of [out, join(out, 'run')]) {
    makeFolder(folder);
    createFile(join(folder, 'trial')).discard();
  }
}

/** Most bytes that a run has on disk at once beside the prepared pictures and their features. `stores`: the file of streamed weights is in its folder. */
export function runBytes(program: Program, { saves, goesBack, stores }: { saves: boolean; goesBack: boolean; stores: boolean }): number {
  const parameters = parametersOf(program).bytes;
  // Two of each kind stand while the next is written; the adapter is as large as the parameters.
  return (stores ? storedBytes(program) : 0) + program.region.bytes * (saves ? 3 : 1) + parameters * (3 + (goesBack ? 1 : 0) + 1);
}

/**
 * InputError where the disk of `runFolder` has less than `bytes`; those of an earlier run there count, since they are replaced.
 * Returns how many bytes the disk of another path has left beside them.
 */
export function needSpace(runFolder: string, bytes: number, there: number): (path: string) => number | undefined {
  const wanted = Math.max(0, bytes - there);
  const free = freeBytes(join(runFolder, 'any'));
  if (free !== undefined && free < wanted)
    throw new InputError(
      {
        where: runFolder,
        what: 'too little space for what the run writes',
        got: `${mebibytes(free)} free`,
        expected: mebibytes(wanted),
      },
      'S2A_DISK',
    );
  const device = (path: string): number => guarded(path, 'cannot be read', () => statSync(path).dev);
  return (path) => {
    const left = freeBytes(path);
    return left === undefined || device(dirname(path)) !== device(runFolder) ? left : Math.max(0, left - wanted);
  };
}
