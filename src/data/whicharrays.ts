/** Whether a folder holds arrays or pictures, and what its arrays are. */
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { openNpy } from '../formats/npy/read.ts';
import type { ArrayFacts } from '../input/example.ts';
import { type Entries, entriesOf } from './entries.ts';
import type { Folder } from './folder.ts';
import { ARRAYS, PICTURES } from './kinds.ts';
import { findStacks, joined } from './stacks.ts';

/** Folders within folders that are looked into. */
const DEEPEST = 3;

/** Whether there are arrays (.npy, .npz) in it or a few folders below, and no picture anywhere there. */
export const holdsArrays = (root: string): boolean => firstArray(root) !== undefined;

/** A folder that cannot be read holds none: who lists it says why. */
function entries(folder: string): Entries {
  try {
    return entriesOf(folder);
  } catch (error) {
    if (error instanceof InputError) return { folders: [], files: [], others: [] };
    throw error;
  }
}

/** The first array below a folder, by its path; undefined where there is a picture, or no array. */
export function firstArray(root: string): string | undefined {
  let first: string | undefined;
  const hasPicture = (folder: string, depth: number): boolean => {
    const { files, folders } = entries(folder);
    for (const { name } of files) {
      if (PICTURES.isOne(name)) return true;
      if (ARRAYS.isOne(name) || /\.npz$/i.test(name)) first ??= join(folder, name);
    }
    return depth < DEEPEST && folders.some((name) => hasPicture(join(folder, name), depth + 1));
  };
  return hasPicture(root, 0) ? undefined : first;
}

/** What the arrays of a listed folder are, by the headers of all of them. */
export function arrayFacts({ root, train, val, test }: Folder): ArrayFacts {
  let facts: (ArrayFacts & { where: string }) | undefined;
  for (const { path } of [...train, ...(val ?? []), ...(test ?? [])]) {
    const npy = openNpy(join(root, path));
    try {
      facts = joined(facts, npy, false);
    } finally {
      npy.close();
    }
  }
  const { where: _, ...shared } = facts!;
  return shared;
}

/** A folder's arrays by the first of them: what a network is built for before they are listed. Undefined for pictures. */
export function firstFacts(root: string): Omit<ArrayFacts, 'element'> | undefined {
  const first = firstArray(root);
  if (first === undefined || !ARRAYS.isOne(first)) return undefined;
  const stacks = findStacks(root);
  const path = stacks ? join(root, stacks.get('train')?.x ?? [...stacks.values()].find(({ x }) => x)!.x!) : first;
  const npy = openNpy(path);
  try {
    const { height, width, channels } = joined(undefined, npy, stacks !== undefined);
    return { height, width, channels };
  } finally {
    npy.close();
  }
}
