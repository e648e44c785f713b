/**
 * A labelled picture on its way into the watched folder: written whole under a name made of its bytes, so that sending it twice is sending it once,
 * and another label moves it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { InputError } from '../base/error.ts';
import { guarded, isFolder, makeFolder, writeAtomic } from '../base/files.ts';
import { composed } from '../data/entries.ts';
import { isSystems, partOf } from '../data/parts.ts';
import { TABLES } from '../data/table.ts';
import { readHeader } from '../pictures/header.ts';
import { HttpError } from './httperror.ts';

const ENDINGS = { jpeg: 'jpg', png: 'png', webp: 'webp' } as const;
const MOST_CHARACTERS = 80;

/** A class's name as a folder of that name can be made on any system. HttpError 400 for one that cannot. */
export function checkLabel(text: string | null): string {
  const label = composed(text ?? '').trim();
  const refuse = (why: string): never => {
    throw new HttpError(400, why);
  };
  if (label === '') refuse('no label is given: /pictures?label=NAME');
  if (label.length > MOST_CHARACTERS) refuse(`a label has at most ${MOST_CHARACTERS} characters`);
  if (/[/\\:*?"<>|\p{Cc}\p{Cf}]/u.test(label)) refuse('a label is the name of a folder, without / \\ : * ? " < > | or control characters');
  if (label.startsWith('.') || label.endsWith('.') || isSystems(label)) refuse('a label is no name that systems use for themselves');
  if (partOf(label) !== undefined) refuse(`${label} is the name of a part of the pictures, not of a class`);
  return label;
}

/** Where class folders lie: the root, or its train folder. HttpError 409 where labels come from a table, which is another program's. */
function classesIn(root: string): string {
  const names = guarded(root, 'cannot be read', () => readdirSync(root));
  const table = names.find((name) => TABLES.includes(name.toLowerCase()));
  if (table !== undefined) throw new HttpError(409, `labels come from ${table}, so pictures are added there`);
  const train = names.find((name) => partOf(name) === 'train' && isFolder(join(root, name)));
  return train === undefined ? root : join(root, train);
}

export interface Added {
  /** Below the folder of pictures. */
  path: string;
  /** It was there already. */
  isKnown: boolean;
  /** The class that it was moved from. */
  from?: string;
}

/** Puts a picture's bytes into the folder of its class. Throws InputError of code S2A_DISK where the disk has no room: then nothing is left of it. */
export function addPicture(root: string, label: string, bytes: Uint8Array): Added {
  if (!isFolder(root)) throw new InputError({ where: root, what: 'the folder of the pictures is gone' }, 'S2A_FILE');
  const above = classesIn(root);
  const name = `s2a-${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}.${ENDINGS[readHeader(bytes).format]}`;
  const below = (folder: string): string => relative(root, join(folder, name)).replaceAll(sep, '/');
  const folder = join(above, folderOf(above, label));
  if (existsSync(join(folder, name))) return { path: below(folder), isKnown: true };
  const other = readdirSync(above).find((one) => existsSync(join(above, one, name)));
  makeFolder(folder);
  if (other !== undefined) guarded(folder, 'cannot be written', () => renameSync(join(above, other, name), join(folder, name)));
  else writeAtomic(join(folder, name), (write) => write(bytes));
  return { path: below(folder), isKnown: false, ...(other === undefined ? {} : { from: other }) };
}

/** The class's own folder, however its accents are composed there. */
const folderOf = (above: string, label: string): string => readdirSync(above).find((name) => composed(name) === label) ?? label;
