/**
 * Targets of chance: tables of labels and numbers, and arrays of targets beside arrays of examples, damaged or made of pieces. A folder is refused with
 * one sentence, or every example has a finite number for every output, of labels 0 or 1.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../src/base/error.ts';
import { scanFolder } from '../../src/data/scan.ts';
import { npyHead } from '../../src/formats/npy/write.ts';
import { TASK_NAMES, type TaskName } from '../../src/task/index.ts';
import { damaged, type FuzzReport, generator, header, type Random } from '../wasi/fuzz.ts';

const HEADERS = ['file', 'label', 'labels', 'tags', 'value', 'value_x', 'target', 'split', 'sun', 'rain', '', 'é', 'file_name'];
const FIELDS = [
  '0',
  '1',
  'sun',
  'sun|rain',
  '|',
  '',
  ' ',
  '1e400',
  '-0',
  '1.5',
  '12,5',
  'NaN',
  'Infinity',
  'train',
  'val',
  'test',
  '0x10',
  '\u202e',
];
const FILES = ['1.jpg', '2.jpg', '3.jpg', './1.jpg', '../1.jpg', 'none.jpg', ''];

const one = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;

/** Columns that go together, and what their fields hold. */
const SOUND: readonly { columns: string[]; fields: string[] }[] = [
  { columns: ['labels'], fields: ['sun', 'sun|rain', 'rain', ''] },
  { columns: ['value'], fields: ['1', '-2.5', '1e-3'] },
  { columns: ['value_x', 'value_y'], fields: ['1', '-2.5', '1e-3'] },
  { columns: ['sun', 'rain'], fields: ['0', '1'] },
];

/** A table, sound but for a field here and there, or of whatever columns. */
function tableOf(random: Random): Uint8Array {
  const separator = one(random, [',', ';', '\t']);
  const isSound = random(3) > 0;
  const { columns, fields } = isSound
    ? one(random, SOUND)
    : { columns: Array.from({ length: 1 + random(3) }, () => one(random, HEADERS)), fields: FIELDS };
  const noise = isSound ? 16 : 3;
  const field = (): string => {
    const text = one(random, random(noise) === 0 ? FIELDS : fields);
    return text.includes(separator) ? `"${text}"` : text;
  };
  const first = one(random, isSound ? ['file', 'image'] : ['file', 'x']);
  const rows = Array.from({ length: isSound ? 3 : random(5) }, (_, i) => [
    random(noise) === 0 ? one(random, FILES) : FILES[i % 3]!,
    ...columns.map(field),
  ]);
  const bytes = new TextEncoder().encode([[first, ...columns], ...rows].map((row) => row.join(separator)).join('\n'));
  return random(8) === 0 ? damaged(bytes, random) : bytes;
}

const ARRAYS = { '|u1': Uint8Array, '<i4': Int32Array, '<f4': Float32Array } as const;

/** An array of targets, its head or all of it damaged half of the time. */
function arrayOf(random: Random): Uint8Array {
  const shape = [3 - Number(random(9) === 0), ...Array.from({ length: random(3) }, () => 1 + random(3))];
  const type = one(random, ['|u1', '<i4', '<f4'] as const);
  const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => one(random, [0, 1, 1, 0, 1, 0, 2, -1, 0.5, Number.NaN]));
  const bytes = Buffer.concat([npyHead(type, shape), new Uint8Array(ARRAYS[type].from(values).buffer)]);
  if (random(2) === 0) return bytes;
  return random(2) === 0 ? damaged(bytes, random) : header(bytes, random, { at: 8, prefix: 2 });
}

/** What is wrong with a folder that was taken. */
function wrong(root: string, task: TaskName | undefined): string | undefined {
  const { classes, train, val, test, task: found } = scanFolder(root, { task });
  if (task !== undefined && task !== 'classify' && found !== task) return `${task} was asked, and ${found} is taught`;
  for (const { values, label, path } of [...train, ...(val ?? []), ...(test ?? [])]) {
    if (found === undefined ? !(label >= 0 && label < classes.length) : values?.length !== classes.length)
      return `${path}: ${label}, ${values}`;
    if (!(values ?? []).every((v) => (found === 'multilabel' ? v === 0 || v === 1 : Number.isFinite(v)))) return `${path}: ${values}`;
  }
  return undefined;
}

/** `count` folders, half of them with a table, half with an array. */
export function fuzzTargets({ count, seed, onInput }: { count: number; seed: number; onInput(n: number): void }): FuzzReport {
  const random = generator(seed);
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 's2a-targets-'));
  const [tables, arrays] = [join(root, 'tables'), join(root, 'arrays')];
  for (const folder of [tables, arrays]) mkdirSync(folder);
  for (const name of ['1.jpg', '2.jpg', '3.jpg']) writeFileSync(join(tables, name), '');
  writeFileSync(join(arrays, 'x.npy'), Buffer.concat([npyHead('|u1', [3, 2, 2]), new Uint8Array(12)]));
  const readers: FuzzReport['readers'] = { 'tables of targets': { refused: 0, passed: 0 }, 'arrays of targets': { refused: 0, passed: 0 } };
  const failures: string[] = [];
  try {
    for (let n = 0; n < count; n++) {
      onInput(n);
      const isTable = n % 2 === 0;
      const name = isTable ? 'tables of targets' : 'arrays of targets';
      const task = one(random, [undefined, ...TASK_NAMES]);
      writeFileSync(isTable ? join(tables, 'labels.csv') : join(arrays, 'y.npy'), isTable ? tableOf(random) : arrayOf(random));
      try {
        const fault = wrong(isTable ? tables : arrays, task);
        if (fault !== undefined) failures.push(`${name} ${n}: ${fault}`);
        readers[name]!.passed++;
      } catch (error) {
        if (error instanceof InputError && !error.message.includes('\n')) readers[name]!.refused++;
        else failures.push(`${name} ${n}: ${(error as Error).stack}`);
      }
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return { readers, failures };
}
