/** What a folder of pictures holds, once it has been looked through: scan.ts. */

import type { ArrayFacts } from '../input/example.ts';
import type { TaskName } from '../task/index.ts';
import type { PartName } from './parts.ts';

export interface Sample {
  /** Below the root, with `/` between its parts. */
  path: string;
  /** Index into the classes; 0 where the task has targets. */
  label: number;
  /** Targets by output, f32, where the task is not one class of several. */
  values?: readonly number[];
  bytes: number;
  modifiedMs: number;
  /** SHA-256 of its bytes, once it has been read. */
  content?: string | undefined;
}

/** A file that is not used, and why. */
export interface Skipped {
  path: string;
  reason: string;
}

export interface Folder {
  root: string;
  /** What its pictures are for; absent: classification. */
  task?: Exclude<TaskName, 'classify'>;
  /** Sorted names of classes, composed (NFC); a label is an index into them. Of other tasks the outputs' names, in the order of `values`. */
  classes: string[];
  train: Sample[];
  /** Null where the folder has no such part. */
  val: Sample[] | null;
  test: Sample[] | null;
  skipped: Skipped[];
  /** What its examples are where they are arrays, not pictures. */
  arrays?: ArrayFacts;
  /** What else a person has to know: folders passed over, pictures that no class has. One sentence each. */
  notes: string[];
}

/** A picture with the name of its class, before classes have numbers. */
export interface Named extends Omit<Sample, 'label' | 'values'> {
  /** Composed (NFC). */
  label: string;
  /** By the output's name, where the task is not one class of several. */
  targets?: ReadonlyMap<string, number>;
  /** Where a table says so. */
  part?: PartName;
}

/** What classes a person may lay out. */
export const SHAPES = 'root/class/picture.jpg or root/{train,val}/class/picture.jpg';

/** Three of a list, and how many more there are. */
export const listed = (names: readonly string[]): string =>
  `${names.slice(0, 3).join(', ')}${names.length > 3 ? `, and ${names.length - 3} more` : ''}`;
