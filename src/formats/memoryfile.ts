/**
 * Pictures that an adapter remembers, beside it in its folder, so that what is learnt next does not cost what it knows:
 *
 *     memory.safetensors    codes u8 [bytes], entries i32 [n,3]: row of the head, 1 where it judges, bytes; metadata s2a: adapter, budget, shape
 *
 * Codes follow one another in the order of the entries (src/pictures/coded.ts). Whoever has the file has the pictures, as small as they are.
 */
import { join } from 'node:path';
import { writeAtomic } from '../base/files.ts';
import { stableJson } from '../base/json.ts';
import { shapeText } from '../base/tensor.ts';
import type { AdapterFile } from './adapterfile.ts';
import { type Companion, readCompanion } from './companionfile.ts';
import { type TensorData, writeTensors } from './safetensors.ts';

/** The file's name in an adapter's folder. */
export const MEMORY = 'memory.safetensors';

/** The first version had pictures of one fineness alone; who knows no other would take finer ones for something else. */
const VERSIONS = [1, 2] as const;
/** Most bytes that are believed: they are held while a run goes on. */
const MOST_BYTES = 2 ** 30;
const MOST_ENTRIES = 1 << 20;

/** A remembered picture. */
export interface Remembered {
  /** Row of the head. */
  label: number;
  /** Whether it judges; else it is learnt from. */
  isJudge: boolean;
  /** The picture, as src/pictures/coded.ts writes it. */
  code: Uint8Array;
}

/** What an adapter remembers. */
export interface Memory {
  /** The most bytes that the file may take. */
  budget: number;
  /** Height, width and channels of the pictures. */
  shape: readonly [height: number, width: number, channels: number];
  entries: readonly Remembered[];
}

/** Writes the memory of an adapter that is there already; returns its bytes. */
export function writeMemory(folder: string, adapter: string, memory: Memory): number {
  const path = join(folder, MEMORY);
  let bytes = 0;
  writeAtomic(path, (write) =>
    writeTensors(
      path,
      (piece) => {
        bytes += piece.length;
        write(piece);
      },
      tensorsOf(memory),
      metadataOf(adapter, memory),
    ),
  );
  return bytes;
}

function tensorsOf({ entries }: Memory): TensorData[] {
  const rows = Int32Array.from(entries.flatMap(({ label, isJudge, code }) => [label, isJudge ? 1 : 0, code.length]));
  const bytes = entries.reduce((sum, { code }) => sum + code.length, 0);
  return [
    { name: 'codes', dtype: 'U8', shape: [bytes], data: () => Buffer.concat(entries.map(({ code }) => code)) },
    { name: 'entries', dtype: 'I32', shape: [entries.length, 3], data: new Uint8Array(rows.buffer) },
  ];
}
const metadataOf = (adapter: string, { budget, shape }: Memory): Record<string, string> => ({
  s2a: stableJson({ version: VERSIONS.at(-1), adapter, budget, shape }),
});

/** Bytes of an entry beside its code, and of the file beside its entries, at most. */
export const ENTRY_BYTES = 12;
export const FILE_BYTES = 512;

/** What an adapter remembers; undefined where it has no memory, or that of another one lies beside it. InputError where it is damaged. */
export function readMemory(adapter: AdapterFile): Memory | undefined {
  const found = readCompanion(adapter, MEMORY, VERSIONS, (of) => parse(of, adapter.labels.length));
  return found === 'absent' || found === 'foreign' ? undefined : found;
}

function parse({ file, fields: { budget, shape }, need }: Companion, classes: number): Memory {
  need(Number.isSafeInteger(budget) && (budget as number) > 0 && (budget as number) <= MOST_BYTES, 'budget', budget, 'bytes');
  const isSize = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= 1 << 14;
  need(Array.isArray(shape) && shape.length === 3 && shape.every(isSize), 'shape', shape, '[height, width, channels]');
  const [codes, rows] = [file.tensor('codes'), file.tensor('entries')];
  need(codes.dtype === 'U8' && codes.shape.length === 1 && codes.bytes <= MOST_BYTES, 'codes', shapeText(codes.shape), 'U8 bytes');
  const isList = rows.dtype === 'I32' && rows.shape.length === 2 && rows.shape[1] === 3 && rows.shape[0]! <= MOST_ENTRIES;
  need(isList, 'entries', shapeText(rows.shape), 'I32 [n, 3]');
  const bytes = new Uint8Array(codes.bytes);
  file.read(codes, bytes);
  const words = new Int32Array(rows.shape[0]! * 3);
  file.read(rows, new Uint8Array(words.buffer));
  const entries: Remembered[] = [];
  let at = 0;
  for (let i = 0; i < words.length; i += 3) {
    const [label, judges, length] = [words[i]!, words[i + 1]!, words[i + 2]!];
    need(label >= 0 && label < classes, 'entries', label, 'a row of the head');
    need((judges === 0 || judges === 1) && length > 0 && at + length <= bytes.length, 'entries', length, 'bytes that are there');
    entries.push({ label, isJudge: judges === 1, code: bytes.subarray(at, at + length) });
    at += length;
  }
  need(at === bytes.length, 'codes', bytes.length, `${at} bytes`);
  return { budget: budget as number, shape: shape as unknown as Memory['shape'], entries };
}
