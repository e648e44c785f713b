/** Which pictures a folder holds: `root/class/*` or `root/{train,val,test}/class/*`. */
import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../error.ts';

export interface Sample {
  /** Below the root, with `/` between its parts. */
  path: string;
  /** Index into the classes. */
  label: number;
  bytes: number;
  modifiedMs: number;
}

/** A file that is not used, and why. */
export interface Skipped {
  path: string;
  reason: string;
}

export interface Folder {
  root: string;
  /** Sorted folder names; a label is an index into them. */
  classes: string[];
  train: Sample[];
  /** Null where the folder has no such part. */
  val: Sample[] | null;
  test: Sample[] | null;
  skipped: Skipped[];
}

const parts = ['train', 'val', 'test'];
const wanted = /\.(jpe?g|png)$/i;
/** Left by cameras, desktops and editors; not worth a line in the report. */
const ignored = /^(thumbs\.db|desktop\.ini)$/i;

/** Order of UTF-8 bytes: the same on every file system, locale and runtime. */
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

interface Listing {
  folders: string[];
  files: { name: string; stats: Stats }[];
  broken: string[];
}

/** Visible entries in byte order; symbolic links count as what they lead to. */
function list(folder: string, where: string): Listing {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const what = code === 'ENOENT' ? 'no such folder' : code === 'ENOTDIR' ? 'not a folder' : `cannot be read (${code})`;
    throw new InputError({ where, what });
  }
  const listing: Listing = { folders: [], files: [], broken: [] };
  for (const { name } of entries.sort((a, b) => byBytes(a.name, b.name))) {
    if (name.startsWith('.') || ignored.test(name)) continue;
    const stats = statSync(join(folder, name), { throwIfNoEntry: false });
    if (stats?.isDirectory()) listing.folders.push(name);
    else if (stats?.isFile()) listing.files.push({ name, stats });
    else listing.broken.push(name);
  }
  return listing;
}

/** Size and time of a listed picture as they are now; undefined where it is gone. */
export function statSample(root: string, { path }: Sample): Pick<Sample, 'bytes' | 'modifiedMs'> | undefined {
  const stats = statSync(join(root, path), { throwIfNoEntry: false });
  return stats?.isFile() ? { bytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) } : undefined;
}

/** Lists a folder of pictures without opening one. */
export function scanFolder(root: string): Folder {
  const top = list(root, root);
  const split =
    top.folders.includes('train') && top.folders.every((f) => parts.includes(f)) && list(join(root, 'train'), root).folders.length > 0;
  const base = split ? 'train/' : '';
  const classes = split ? list(join(root, 'train'), root).folders : top.folders;
  if (classes.length === 0) {
    throw new InputError({
      where: root,
      what: 'no class folders',
      expected: 'root/class/picture.jpg or root/{train,val}/class/picture.jpg',
    });
  }
  if (classes.length === 1) {
    const hint = classes[0] === 'val' || classes[0] === 'test' ? 'a train folder is needed beside it' : 'a classifier needs two or more';
    throw new InputError({ where: root, what: 'only one class', got: classes[0]!, expected: 'a folder for each class', hint });
  }
  const skipped: Skipped[] = [];
  const part = (name: string) => (split && top.folders.includes(name) ? pictures(root, `${name}/`, classes, skipped) : null);
  const train = pictures(root, base, classes, skipped);
  if (train.length === 0)
    throw new InputError({ where: root, what: 'no pictures', expected: '.jpg, .jpeg or .png files in the class folders' });
  const seen = new Set(train.map((s) => s.label));
  for (let label = 0; label < classes.length; label++) {
    if (!seen.has(label)) {
      throw new InputError({
        where: join(root, base, classes[label]!),
        what: 'no pictures in this class folder',
        expected: '.jpg, .jpeg or .png',
      });
    }
  }
  return { root, classes, train, val: part('val'), test: part('test'), skipped };
}

function pictures(root: string, base: string, classes: string[], skipped: Skipped[]): Sample[] {
  if (base) {
    const unknown = list(join(root, base), join(root, base)).folders.find((f) => !classes.includes(f));
    if (unknown) throw new InputError({ where: join(root, base, unknown), what: 'a class that the train folder lacks' });
  }
  const samples: Sample[] = [];
  for (const [label, name] of classes.entries()) {
    const below = `${base}${name}`;
    if (base && !statSync(join(root, below), { throwIfNoEntry: false })) continue;
    const { folders, files, broken } = list(join(root, below), join(root, below));
    for (const folder of folders) skipped.push({ path: `${below}/${folder}`, reason: 'a folder inside a class folder' });
    for (const file of broken) skipped.push({ path: `${below}/${file}`, reason: 'a broken link or special file' });
    for (const file of files) {
      const path = `${below}/${file.name}`;
      if (wanted.test(file.name)) samples.push({ path, label, bytes: file.stats.size, modifiedMs: Math.trunc(file.stats.mtimeMs) });
      else
        skipped.push({ path, reason: /\.(heic|heif)$/i.test(file.name) ? 'a HEIC picture, not a JPEG or PNG' : 'not .jpg, .jpeg or .png' });
    }
  }
  return samples;
}
