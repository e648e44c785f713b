/**
 * Which pictures a folder holds: `root/class/*` or `root/{train,val,test}/class/*`, or those of a table (labels.ts). No picture is opened.
 * docs/data.md says what a folder may look like, and what is said of one that looks otherwise.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Answer } from '../../assembly/abi/task.ts';
import { InputError, nearest } from '../base/error.ts';
import { placeOf } from '../input/example.ts';
import { type TaskName, taskOf } from '../task/index.ts';
import { classFolders } from './classes.ts';
import { composed, type Entries, entriesOf, realPath } from './entries.ts';
import { type Folder, listed, type Named, type Sample, SHAPES, type Skipped } from './folder.ts';
import { ARRAYS, PICTURES, type Wanted } from './kinds.ts';
import { labelled } from './labels.ts';
import { ownKind, PART_NAMES, type PartName, partOf } from './parts.ts';
import { findStacks, listStacks, meaningOf, refuseArchives } from './stacks.ts';
import { type LabelTable, readTable, TABLES } from './table.ts';
import { isUsable, type Targets, targetsOf } from './targets.ts';
import { arrayFacts, holdsArrays } from './whicharrays.ts';

export type { Folder, Sample, Skipped } from './folder.ts';

export interface ScanOptions {
  /** A table of labels, instead of class folders or a table among them. */
  labels?: string | undefined;
  /** What the pictures are for, where the table's columns do not say it. */
  task?: TaskName | undefined;
  /** Nothing is learnt from them: one class is enough, and no part need be there. */
  isJudged?: boolean | undefined;
  /** They are learnt beside classes that are known already: one is enough. */
  isMore?: boolean | undefined;
}

/** Size and time of a listed picture as they are now; undefined where it is gone. */
export function statSample(root: string, { path }: Pick<Sample, 'path'>): Pick<Sample, 'bytes' | 'modifiedMs'> | undefined {
  const stats = statSync(join(root, placeOf(path).file), { throwIfNoEntry: false });
  return stats?.isFile() ? { bytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) } : undefined;
}

/** What has been found so far. */
interface Found {
  root: string;
  wanted: Wanted;
  wish: TaskName | undefined;
  isJudged: boolean;
  /** Whether one class is enough. */
  mayBeOne: boolean;
  /** What the tables are for, and which of them said it; lists of names name no output that no picture has. */
  targets?: Targets & { where: string };
  parts: Partial<Record<PartName, Named[]>>;
  /** Class folders of train without a picture. */
  empty: InputError[];
  skipped: Skipped[];
  notes: string[];
}

/** Lists a folder of pictures without opening one, or a folder of arrays by their headers. */
export function scanFolder(root: string, { labels, task, isJudged = false, isMore = false }: ScanOptions = {}): Folder {
  const isArrays = holdsArrays(root);
  const wanted = isArrays ? ARRAYS : PICTURES;
  const found: Found = { root, wish: task, isJudged, mayBeOne: isJudged || isMore, wanted, parts: {}, empty: [], skipped: [], notes: [] };
  const top = entriesOf(root);
  if (isArrays) {
    refuseArchives(root, top);
    const stacks = labels === undefined ? findStacks(root, top) : undefined;
    if (stacks) return listStacks(root, stacks, top, task);
  }
  const given = labels === undefined ? tableIn(root, top, found) : readTable(labels);
  if (given) readLabelled(found, '', given, foldersOfParts(root, top));
  else {
    const parts = partsOf(root, top, found);
    if (parts === undefined) readPart(found, 'train', '', top);
    else for (const [part, name] of parts) readPart(found, part, `${name}/`, entriesOf(join(root, name)));
  }
  const folder = finish(found);
  return isArrays ? { ...folder, arrays: arrayFacts(folder) } : folder;
}

/** A table of labels among a folder's entries; one without the columns of one is said, where class folders stand beside it. */
function tableIn(root: string, { files, folders }: Entries, found: Found): LabelTable | undefined {
  const names = files.map(({ name }) => name).filter((name) => TABLES.includes(name.toLowerCase()));
  if (names.length === 0) return undefined;
  const tables = names.map((name) => readTable(join(root, name)));
  const usable = tables.filter((table) => isUsable(table, found.wish));
  if (usable.length > 1)
    throw new InputError({
      where: root,
      what: 'two tables of labels',
      got: names.join(' and '),
      expected: 'one',
      hint: '--labels names one',
    });
  if (usable.length === 1 || folders.length === 0) return usable[0] ?? tables[0];
  for (const { where, header } of tables)
    found.notes.push(`${where}: not used, it has no columns for file and label but ${listed(header)}; classes come from folders`);
  return undefined;
}

/** The folders that are parts by their names. Two of one part are refused. */
function foldersOfParts(root: string, { folders }: Entries): Map<PartName, string> {
  const parts = new Map<PartName, string>();
  for (const name of folders) {
    const part = partOf(name);
    if (part === undefined) continue;
    const other = parts.get(part);
    if (other !== undefined)
      throw new InputError({ where: root, what: `two folders for ${part}`, got: `${other} and ${name}`, expected: 'one of them' });
    parts.set(part, name);
  }
  return parts;
}

/**
 * The folders of the parts where the root is divided into such, undefined where its folders are classes. `train` is a part where it holds
 * folders, or a table; where it holds pictures as well, only if nothing but parts stands beside it.
 */
function partsOf(root: string, top: Entries, found: Found): Map<PartName, string> | undefined {
  const train = top.folders.find((name) => partOf(name) === 'train');
  const isOther = (name: string): boolean => partOf(name) === undefined;
  if (train === undefined) {
    const holdsFolders = (name: string): boolean => {
      const inner = entriesOf(join(root, name));
      return inner.folders.length > 0 && !inner.files.some((file) => found.wanted.isOne(file.name));
    };
    if (top.folders.length > 0 && !top.folders.some(isOther) && top.folders.every(holdsFolders))
      throw new InputError({
        where: root,
        what: 'has no train folder',
        got: top.folders.join(', '),
        expected: SHAPES,
        hint: `to judge by one of them name it: ${join(root, top.folders[0]!)}`,
      });
    return undefined;
  }
  const inner = entriesOf(join(root, train));
  const hasTable = inner.files.some(({ name }) => TABLES.includes(name.toLowerCase()));
  if (inner.folders.length === 0 && !hasTable) return undefined;
  if (top.folders.some(isOther) && !hasTable && inner.files.some(({ name }) => found.wanted.isOne(name))) return undefined;
  const parts = foldersOfParts(root, top);
  const others = [...top.folders.filter(isOther), ...top.others.map(({ name }) => name)];
  if (others.length > 0)
    found.notes.push(`${root}: passed over, since ${train} stands beside ${others.length === 1 ? 'it' : 'them'}: ${listed(others)}`);
  sayLoose(found, root, top);
  return new Map(PART_NAMES.flatMap((part) => (parts.has(part) ? [[part, parts.get(part)!]] : [])));
}

/** The pictures of one part, from its table or its class folders. */
function readPart(found: Found, part: PartName, base: string, entries: Entries): void {
  const table = base === '' ? undefined : tableIn(join(found.root, base), entries, found);
  if (table) {
    readLabelled(found, base, table, new Map(), part);
    return;
  }
  const { root, wish = 'classify', wanted } = found;
  const where = join(root, base);
  const rows = entries.files.find(({ name }) => meaningOf(name)?.role === 'y');
  if (rows && (wish !== 'classify' || entries.folders.length === 0))
    throw new InputError({
      where: join(where, rows.name),
      what: `does not say which ${wanted.one} each of its rows is of`,
      expected: 'a table: labels.csv with file,value or file,labels',
    });
  if (wish !== 'classify')
    throw new InputError({
      where,
      what: `class folders do not say what ${wish} learns`,
      expected: taskOf(wish).answer === Answer.Numbers ? 'a table: labels.csv with file,value' : 'a table: labels.csv with file,labels',
      hint: '--labels names another',
    });
  checkTargets(found, { task: 'classify', columns: [], isList: false }, where);
  const isTop = base === '';
  const classes: string[] = [];
  for (const name of entries.folders) {
    const own = isTop ? ownFolder(root, name) : undefined;
    if (own) found.notes.push(`${join(where, name)}: passed over, ${own}`);
    else classes.push(name);
  }
  for (const { name, reason, mayBeFolder } of entries.others) {
    if (mayBeFolder && !found.wanted.isOne(name))
      throw new InputError({
        where: join(where, name),
        what: `a class that cannot be read: ${reason}`,
        expected: `a folder of ${found.wanted.many}`,
      });
    found.notes.push(`${join(where, name)}: passed over, ${reason}`);
  }
  sayLoose(found, where, entries);
  if (part === 'train') checkClasses(found, base, classes);
  const { pictures, skipped, empty } = classFolders(root, base, classes, found.wanted);
  found.parts[part] = pictures;
  found.skipped.push(...skipped);
  if (part === 'train') found.empty.push(...empty);
}

/** Two classes at least to learn from; one to judge by, or to learn beside others. */
function checkClasses({ root, wanted, mayBeOne }: Found, base: string, classes: readonly string[]): void {
  if (classes.length === 0) throw new InputError({ where: join(root, base), what: 'no class folders', expected: SHAPES });
  if (classes.length === 1 && !mayBeOne) {
    const [only] = classes as [string];
    const inner = join(root, base, only);
    const { folders, files } = entriesOf(inner);
    const isDeeper = folders.length > 0 && !files.some(({ name }) => wanted.isOne(name));
    throw new InputError({
      where: join(root, base),
      what: 'only one class',
      got: only,
      expected: 'a folder for each class',
      hint: isDeeper ? `are the classes one folder deeper? then give ${inner}` : 'a classifier needs two or more',
    });
  }
}

/** What s2a has written into a folder that has no picture of its own. */
function ownFolder(root: string, name: string): string | undefined {
  // A link to the folder itself or above it holds no class.
  const real = realPath(join(root, name));
  const here = realPath(root);
  if (here === real || here.startsWith(`${real}/`)) return 'a link that leads back to the folder itself';
  const { files } = entriesOf(join(root, name));
  const kind = files.some(({ name }) => PICTURES.isOne(name) || ARRAYS.isOne(name)) ? undefined : ownKind(files.map((file) => file.name));
  return kind && `${kind} of s2a and no class`;
}

/** Pictures beside folders belong to no class. */
function sayLoose(found: Found, where: string, { files }: Entries): void {
  const loose = files.map(({ name }) => name).filter(found.wanted.isOne);
  if (loose.length === 1)
    found.notes.push(
      `${where}: ${found.wanted.one === 'array' ? 'an array' : 'a picture'} beside the class folders is not used: ${loose[0]}`,
    );
  if (loose.length > 1)
    found.notes.push(`${where}: ${loose.length} ${found.wanted.many} beside the class folders are not used: ${listed(loose)}`);
  const own = files.find(({ name }) => ownKind([name]) !== undefined);
  if (own) found.notes.push(`${join(where, own.name)}: passed over, ${ownKind([own.name])} of s2a`);
}

/** The pictures of a table: all of one part, or of those that its rows or the folders that it names say. */
function readLabelled(found: Found, base: string, table: LabelTable, folders: ReadonlyMap<PartName, string>, part?: PartName): void {
  const targets = targetsOf(table, found.wish);
  checkTargets(found, targets, table.where);
  const { pictures, skipped, notes } = labelled(found.root, base, table, targets, found.wanted);
  const partBy = new Map([...folders].map(([name, folder]) => [folder, name]));
  const inFolder = (path: string): PartName | undefined => partBy.get(path.split('/')[0]!);
  const isDivided = part === undefined && pictures.every(({ path, part: said }) => said === undefined && inFolder(path) !== undefined);
  for (const picture of pictures) {
    const own = part ?? picture.part ?? (isDivided ? inFolder(picture.path)! : 'train');
    const list = found.parts[own] ?? [];
    found.parts[own] = list;
    list.push(picture);
  }
  if (pictures.length > 0 && found.parts.train === undefined && !found.isJudged)
    throw new InputError({ where: table.where, what: 'no row is of train', expected: 'pictures to learn from' });
  found.skipped.push(...skipped);
  found.notes.push(...notes);
}

/** Refuses tables of one folder that are for several tasks, or have other columns. */
function checkTargets(found: Found, targets: Targets, where: string): void {
  const { targets: before } = found;
  found.targets ??= { ...targets, where };
  if (before === undefined) return;
  if (before.task !== targets.task)
    throw new InputError({ where, what: 'another task than beside it', got: targets.task, expected: `${before.task}, as ${before.where}` });
  const names = ({ columns, isList }: Targets): string =>
    isList || targets.task === 'classify'
      ? ''
      : columns
          .map(({ name }) => composed(name))
          .sort()
          .join(', ');
  if (names(before) !== names(targets))
    throw new InputError({
      where,
      what: 'other columns than beside it',
      got: names(targets),
      expected: `${names(before)}, as ${before.where}`,
    });
}

/** Numbers the outputs of tasks other than classification, and each picture's targets by them. */
function finishTargets({ root, parts, skipped, notes, isJudged }: Found, { task, columns, isList }: Targets): Folder {
  const { train = [], val = [], test = [] } = parts;
  const naming = isJudged ? [...train, ...val, ...test] : train;
  if (naming.length === 0) throw new InputError({ where: root, what: 'no pictures to learn from' });
  const named = [...new Set(naming.flatMap(({ targets }) => [...targets!.keys()]))].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  const classes = isList ? named : columns.map(({ name }) => composed(name));
  if (classes.length === 0) throw new InputError({ where: root, what: 'no picture to learn from has a label' });
  const twice = classes.find((name, i) => name === '' || classes.indexOf(name) !== i);
  if (twice !== undefined)
    throw new InputError({
      where: root,
      what: twice === '' ? 'a column has no name' : `two columns of the name ${twice}`,
      expected: 'a name for each',
    });
  const samples = (part: PartName): Sample[] | null =>
    parts[part]?.map(({ path, bytes, modifiedMs, targets }) => {
      const unknown = [...targets!.keys()].find((name) => !classes.includes(name));
      if (unknown !== undefined) {
        const near = nearest(unknown, classes)[0];
        const hint = near ? { hint: `did you mean ${near}?` } : {};
        throw new InputError({ where: join(root, path), what: 'a label that no picture to learn from has', got: unknown, ...hint });
      }
      return { path, label: 0, values: classes.map((name) => targets!.get(name) ?? 0), bytes, modifiedMs };
    }) ?? null;
  const never =
    taskOf(task).answer === Answer.Labels ? classes.filter((name) => !naming.some(({ targets }) => targets!.get(name) === 1)) : [];
  if (never.length > 0) notes.push(`${root}: no picture to learn from has the label ${listed(never)}`);
  const name = task as Exclude<TaskName, 'classify'>;
  return { root, task: name, classes, train: samples('train') ?? [], val: samples('val'), test: samples('test'), skipped, notes };
}

/** Numbers the classes and refuses what cannot train. */
function finish(found: Found): Folder {
  if (found.targets && found.targets.task !== 'classify') return finishTargets(found, found.targets);
  const { root, wanted, parts, empty, skipped, notes, isJudged } = found;
  const { train = [], val = [], test = [] } = parts;
  const named = isJudged ? [...train, ...val, ...test] : train;
  if (empty[0]) throw empty[0];
  if (named.length === 0) throw new InputError({ where: root, what: `no ${wanted.many} to learn from`, expected: SHAPES });
  const classes = [...new Set(named.map(({ label }) => label))].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  if (classes.length === 1 && !found.mayBeOne)
    throw new InputError({ where: root, what: 'only one class', got: classes[0]!, hint: 'a classifier needs two or more' });
  const index = new Map(classes.map((name, i) => [name, i]));
  const samples = (part: PartName): Sample[] | null => {
    const pictures = parts[part];
    if (pictures === undefined) return null;
    const unknown = pictures.find(({ label }) => !index.has(label));
    if (unknown) {
      const near = nearest(unknown.label, classes)[0];
      throw new InputError({
        where: join(root, unknown.path),
        what: 'a class that the train folder lacks',
        got: unknown.label,
        ...(near ? { hint: `did you mean ${near}?` } : {}),
      });
    }
    return pictures
      .map(({ path, label, bytes, modifiedMs }) => ({ path, label: index.get(label)!, bytes, modifiedMs }))
      .sort((a, b) => a.label - b.label);
  };
  return { root, classes, train: samples('train') ?? [], val: samples('val'), test: samples('test'), skipped, notes };
}
