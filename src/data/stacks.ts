/**
 * Arrays of many examples beside the arrays of their labels, as NumPy, Keras and Kaggle leave them:
 *
 *     root/{train,val,test}/x.npy, y.npy      or      root/{x,y}_{train,val,test}.npy      or      root/x.npy, y.npy
 *
 * x may be called X, images, imgs, inputs or data, y labels or targets; the part may stand before or behind: train_images.npy. What s2a pack writes
 * is one of these. What y says: arraytargets.ts.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Answer } from '../../assembly/abi/task.ts';
import { InputError } from '../base/error.ts';
import { type Npy, npzLine, openNpy } from '../formats/npy/read.ts';
import { type ArrayFacts, elementOf, exampleShape, rowPath } from '../input/example.ts';
import { CLASSIFY, type TaskName, taskOf } from '../task/index.ts';
import { classNumbers, columnNames, namesIn, targetRows } from './arraytargets.ts';
import { type Entries, entriesOf } from './entries.ts';
import { type Folder, listed, type Sample } from './folder.ts';
import { PART_NAMES, type PartName, partOf } from './parts.ts';

/** What a folder of arrays may look like, for sentences. */
export const ARRAY_SHAPES = 'root/class/example.npy, root/train/x.npy and y.npy, or root/x_train.npy and y_train.npy';

const ROLES: Readonly<Record<'x' | 'y', readonly string[]>> = {
  x: ['x', 'images', 'image', 'imgs', 'inputs', 'data'],
  y: ['y', 'labels', 'label', 'targets'],
};
type Role = keyof typeof ROLES;
const roleOf = (word: string): Role | undefined => (['x', 'y'] as const).find((role) => ROLES[role].includes(word));

/** What a file's name says: `X_train.npy` is x of train; without a part, of the part that its folder is. */
export function meaningOf(name: string): { role: Role; part?: PartName } | undefined {
  const stem = /^(.*)\.npy$/i.exec(name)?.[1]?.toLowerCase();
  if (stem === undefined) return undefined;
  const alone = roleOf(stem);
  if (alone) return { role: alone };
  const words = stem.split(/[-_. ]/);
  if (words.length !== 2) return undefined;
  for (const [a, b] of [words, [...words].reverse()] as [string, string][]) {
    const [role, part] = [roleOf(a), partOf(b)];
    if (role && part) return { role, part };
  }
  return undefined;
}

type Stack = Partial<Record<Role, string>>;

/** The stacks of a folder by part, as paths below it; undefined where it has none. */
export function findStacks(root: string, top: Entries = entriesOf(root)): Map<PartName, Stack> | undefined {
  const found = new Map<PartName, Stack>();
  const add = (base: string, name: string, folderPart: PartName | undefined): void => {
    const meaning = meaningOf(name);
    if (meaning === undefined) return;
    const part = meaning.part ?? folderPart ?? 'train';
    const stack = found.get(part) ?? {};
    found.set(part, stack);
    const other = stack[meaning.role];
    const path = `${base}${name}`;
    if (other !== undefined)
      throw new InputError({
        where: root,
        what: `two arrays for ${meaning.role} of ${part}`,
        got: `${other} and ${path}`,
        expected: 'one of them',
      });
    stack[meaning.role] = path;
  };
  for (const { name } of top.files) add('', name, undefined);
  for (const folder of top.folders) {
    const part = partOf(folder);
    if (part !== undefined) for (const { name } of entriesOf(join(root, folder)).files) add(`${folder}/`, name, part);
  }
  return [...found.values()].some(({ x }) => x !== undefined) ? found : undefined;
}

/** Refuses an archive of arrays with the line that unpacks it. */
export function refuseArchives(root: string, { files }: Entries): void {
  const archive = files.find(({ name }) => /\.npz$/i.test(name));
  if (archive) {
    const where = join(root, archive.name);
    throw new InputError({ where, what: 'is a .npz file, several arrays in one', expected: ARRAY_SHAPES, hint: npzLine(where) });
  }
}

/** A part's examples: rows of one file, each with its class's number or its targets. */
interface Rows extends Pick<Sample, 'bytes' | 'modifiedMs'> {
  path: string;
  labels: number[];
  targets: number[][];
}

/** Lists stacks: an example is a row; `wish`: --task. */
export function listStacks(root: string, stacks: ReadonlyMap<PartName, Stack>, top: Entries, wish?: TaskName): Folder {
  const notes: string[] = [];
  const parts = new Map<PartName, Rows>();
  const hasTargets = wish !== undefined && wish !== CLASSIFY.name;
  let facts: (ArrayFacts & { where: string }) | undefined;
  for (const part of PART_NAMES) {
    const { x, y } = stacks.get(part) ?? {};
    if (x === undefined) {
      if (y !== undefined) notes.push(`${join(root, y)}: not used, no array of examples stands beside it`);
      continue;
    }
    if (y === undefined) {
      if (part === 'train')
        throw new InputError({
          where: join(root, x),
          what: 'has no labels beside it',
          expected: 'an array y, labels or targets of the same part',
        });
      notes.push(`${join(root, x)}: not used, no array of labels stands beside it`);
      continue;
    }
    const npy = openNpy(join(root, x));
    try {
      facts = joined(facts, npy);
      const path = join(root, y);
      const said = hasTargets
        ? { labels: [], targets: targetRows(path, npy, wish) }
        : { labels: classNumbers(path, npy, wish), targets: [] };
      parts.set(part, { path: x, ...said, ...stampOf(npy.path) });
    } finally {
      npy.close();
    }
  }
  if (!parts.has('train')) throw new InputError({ where: root, what: 'no arrays to learn from', expected: ARRAY_SHAPES });
  const used = new Set([...stacks.values()].flatMap(({ x, y }) => [x, y]));
  const others = top.files.map(({ name }) => name).filter((name) => /\.np[yz]$/i.test(name) && !used.has(name));
  if (others.length > 0) notes.push(`${root}: not used: ${listed(others)}`);
  const { where: _, ...arrays } = facts!;
  const found = hasTargets ? withTargets(root, parts, wish) : withClasses(root, parts);
  return { root, skipped: [], arrays, ...found, notes: [...notes, ...found.notes] };
}

const stampOf = (path: string): Pick<Sample, 'bytes' | 'modifiedMs'> => {
  const stats = statSync(path);
  return { bytes: stats.size, modifiedMs: Math.trunc(stats.mtimeMs) };
};

/** Facts of another file: the same shape, bytes only where all are. */
export function joined(before: (ArrayFacts & { where: string }) | undefined, npy: Npy, isStack = true): ArrayFacts & { where: string } {
  const [height, width, channels] = exampleShape(npy, isStack);
  const element = elementOf(npy);
  if (before === undefined) return { where: npy.path, height, width, channels, element };
  if (before.height !== height || before.width !== width || before.channels !== channels)
    throw new InputError({
      where: npy.path,
      what: 'has another shape',
      got: `${height}x${width}x${channels}`,
      expected: `${before.height}x${before.width}x${before.channels}, as ${before.where}`,
    });
  return { ...before, element: before.element === element ? element : 'f32' };
}

type Listed = Pick<Folder, 'task' | 'classes' | 'train' | 'val' | 'test' | 'notes'>;

/** Each row with its targets, in their order. */
function withTargets(root: string, parts: ReadonlyMap<PartName, Rows>, wish: TaskName): Listed {
  const columnsOf = (part: PartName): number => parts.get(part)?.targets[0]?.length ?? 0;
  const columns = columnsOf('train');
  const samples = (part: PartName): Sample[] | null => {
    const found = parts.get(part);
    if (found === undefined) return null;
    const { path, targets, bytes, modifiedMs } = found;
    if (targets.length > 0 && columnsOf(part) !== columns)
      throw new InputError({
        where: join(root, path),
        what: 'has another number of targets for each example',
        got: columnsOf(part),
        expected: `${columns}, as ${join(root, parts.get('train')!.path)}`,
      });
    return targets.map((values, row) => ({ path: rowPath(path, row), label: 0, values, bytes, modifiedMs }));
  };
  const train = samples('train')!;
  if (train.length === 0) throw new InputError({ where: join(root, parts.get('train')!.path), what: 'no examples to learn from' });
  const classes = columnNames(root, columns, wish);
  const never = taskOf(wish).answer === Answer.Labels ? classes.filter((_, i) => !train.some(({ values }) => values![i] === 1)) : [];
  const notes = never.length > 0 ? [`${root}: no example to learn from has the label ${listed(never)}`] : [];
  return { task: wish as Exclude<TaskName, 'classify'>, classes, train, val: samples('val'), test: samples('test'), notes };
}

/** Each row with its class, class by class. */
function withClasses(root: string, parts: ReadonlyMap<PartName, Rows>): Listed {
  const train = parts.get('train')!;
  const numbers = [...new Set(train.labels)].sort((a, b) => a - b);
  const named = namesIn(root);
  const nameOf = (n: number, path: string): string => {
    if (named === undefined) return String(n);
    const name = named.names[n];
    if (name !== undefined) return name;
    throw new InputError({ where: join(root, path), what: `class ${n} has no name`, got: `${named.names.length} names in ${named.path}` });
  };
  const index = new Map(numbers.map((n, i) => [n, i]));
  if (numbers.length === 1)
    throw new InputError({
      where: join(root, train.path),
      what: 'only one class',
      got: nameOf(numbers[0]!, train.path),
      hint: 'a classifier needs two or more',
    });
  const samples = (part: PartName): Sample[] | null => {
    const found = parts.get(part);
    if (found === undefined) return null;
    const { path, labels, bytes, modifiedMs } = found;
    const list = labels.map((n, row): Sample => {
      const label = index.get(n);
      if (label === undefined)
        throw new InputError({ where: join(root, path), what: 'a class that the train part lacks', got: nameOf(n, path) });
      return { path: rowPath(path, row), label, bytes, modifiedMs };
    });
    return list.sort((a, b) => a.label - b.label);
  };
  const classes = numbers.map((n) => nameOf(n, train.path));
  return { classes, train: samples('train')!, val: samples('val'), test: samples('test'), notes: [] };
}
