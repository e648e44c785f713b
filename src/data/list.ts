/**
 * The list of pictures that a run began with, kept in its folder: a run that goes on learns from these, whatever the camera has added since.
 * Pictures that are gone are named; their prepared copies serve.
 */
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { fileExists, readJson, writeText } from '../base/files.ts';
import type { Cache } from './cache.ts';
import { isSame, type Known } from './content.ts';
import { type Folder, type Sample, type ScanOptions, scanFolder, statSample } from './scan.ts';

const fileName = 'pictures.json';
/** A million pictures. */
const limitBytes = 256 << 20;

export interface Listed {
  folder: Folder;
  /** Pictures of the list that are no longer there. */
  vanished: string[];
  /** Pictures that are there and not in the list. */
  added: string[];
}

/** Keeps the list of a run that begins, with what its pictures were when they were prepared. */
export function keepList(
  runFolder: string,
  { root: _, notes: _said, ...folder }: Folder,
  prepared: Pick<Cache, 'pictures' | 'unused'>,
): void {
  const known = new Map<string, Known>([...prepared.pictures, ...prepared.unused].map((picture) => [picture.path, picture]));
  const withContents = (samples: Sample[]): Sample[] => samples.map((sample) => ({ ...sample, content: known.get(sample.path)?.content }));
  const { train, val, test } = folder;
  const list = { ...folder, train: withContents(train), val: val && withContents(val), test: test && withContents(test) };
  writeText(join(runFolder, fileName), `${JSON.stringify(list)}\n`);
}

/**
 * The pictures of a run: those of its list where it goes on, else what the folder holds now. A picture with other bytes is another picture: the
 * run is refused.
 */
export function listPictures(runFolder: string, root: string, resume: boolean, options: ScanOptions = {}): Listed {
  const path = join(runFolder, fileName);
  if (!resume || !fileExists(path)) return { folder: scanFolder(root, options), vanished: [], added: [] };
  const folder = readList(path, root);
  const listed = all(folder);
  const vanished: string[] = [];
  for (const sample of listed) {
    const now = statSample(root, sample);
    if (now === undefined) vanished.push(sample.path);
    else if (now.bytes !== sample.bytes || !isSame(root, { ...sample, ...now }, sample))
      throw new InputError({
        where: join(root, sample.path),
        what: 'other pictures than the run began with: this one was changed',
        hint: 'put it back, or start anew without --resume',
      });
  }
  const known = new Set(listed.map((sample) => sample.path));
  return { folder, vanished, added: present(root, options).filter((picture) => !known.has(picture)) };
}

function readList(path: string, root: string): Folder {
  const list = readJson(path, limitBytes) as unknown as Omit<Folder, 'root'>;
  const isTargets = (values: unknown) =>
    list.task === undefined
      ? values === undefined
      : Array.isArray(values) && values.length === list.classes.length && values.every(Number.isFinite);
  const isList = (value: unknown) =>
    Array.isArray(value) && value.every((s) => typeof s?.path === 'string' && Number.isInteger(s.label) && isTargets(s.values));
  if (!Array.isArray(list.classes) || !Array.isArray(list.skipped) || ![list.train, list.val ?? [], list.test ?? []].every(isList))
    throw new InputError({ where: path, what: 'damaged list of pictures', hint: 'start anew without --resume' });
  // What was said when the run began need not be said again.
  return { ...list, notes: [], root };
}

const all = ({ train, val, test }: Folder): Sample[] => [...train, ...(val ?? []), ...(test ?? [])];

/** What is there now; nothing where the folder itself is gone or no longer one of classes. */
function present(root: string, options: ScanOptions): string[] {
  try {
    return all(scanFolder(root, options)).map(({ path }) => path);
  } catch (error) {
    if (error instanceof InputError) return [];
    throw error;
  }
}

/** Names what the picture folder has lost and gained since the run began. */
export function sayChanges({ vanished, added }: Listed, root: string, warn: (sentence: string) => void): void {
  const some = (list: string[]): string => `${list.slice(0, 3).join(', ')}${list.length > 3 ? `, and ${list.length - 3} more` : ''}`;
  if (vanished.length > 0)
    warn(
      `${root}: gone since the run began: ${some(vanished)}; the run goes on with ${vanished.length === 1 ? 'its' : 'their'} prepared copies`,
    );
  if (added.length > 0) warn(`${root}: new since the run began, not used: ${some(added)}; to learn from them start anew without --resume`);
}
