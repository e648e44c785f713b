/** Both forms of torch.save's files: where the checkpoint's pickle is, and where each storage. Only what says so is read. */
import { InputError, shown } from '../../base/error.ts';
import type { ByteSource } from '../../base/files.ts';
import { dtypeBytes } from '../../base/tensor.ts';
import { linesFor } from './lines.ts';
import { readPickle } from './pickle.ts';
import { Dict, type Storage, type Value } from './values.ts';
import { type Entry, zipEntries } from './zip.ts';

/** A file as it is laid out: the checkpoint, and the first byte of each storage. Throws InputError for one that is not there whole. */
export interface Layout {
  root: Value;
  placeOf: (storage: Storage) => number;
}

/** Of torch.save's older form. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const OLD_VERSION = 1001;

/** The form since PyTorch 1.6: a zip archive. */
export function readArchive(path: string, source: ByteSource): Layout {
  const entries = zipEntries(path, source, (names) => checkNames(path, names));
  const pickle = [...entries.keys()].find(isMain)!;
  const folder = pickle.slice(0, -'data.pkl'.length);
  checkOrder(path, source, entries.get(`${folder}byteorder`));
  const { offset, bytes } = entries.get(pickle)!;
  const { value, end } = readPickle(path, source, { from: offset, end: offset + bytes });
  if (end !== offset + bytes) throw new InputError({ where: path, what: 'has bytes behind its pickle', got: offset + bytes - end });
  return { root: value, placeOf: (storage) => entryOf(path, storage, entries.get(`${folder}data/${storage.key}`)) };
}

const isMain = (name: string): boolean => /^[^/]+\/data\.pkl$/.test(name);

/** What kind of archive it is, by its entries' names. */
function checkNames(path: string, names: readonly string[]): void {
  if (names.some((name) => /^[^/]+\/(constants\.pkl|code\/)/.test(name)))
    throw new InputError({
      where: path,
      what: 'is an archive of TorchScript, a program, not a state dict',
      hint: `save its state dict with: ${linesFor(path).script}`,
    });
  if (names.filter(isMain).length !== 1)
    throw new InputError({
      where: path,
      what: 'is a zip archive, but not one of torch.save',
      got: names.slice(0, 3).map(shown).join(', '),
      expected: 'one data.pkl in one folder',
    });
}

/** Where a storage's entry is, which holds its numbers and nothing else. */
function entryOf(path: string, { key, dtype, count }: Storage, entry: Entry | undefined): number {
  const where = `${path}, data/${shown(key)}`;
  if (entry === undefined) throw new InputError({ where, what: 'is missing', hint: 'is the file whole? download it again' });
  const expected = count * dtypeBytes(dtype);
  if (entry.bytes !== expected) throw new InputError({ where, what: 'has another size than its pickle says', got: entry.bytes, expected });
  return entry.offset;
}

const checkBig = (path: string): InputError =>
  new InputError({
    where: path,
    what: 'was written on a machine that stores numbers the other way round (big-endian)',
    hint: `write it anew with: ${linesFor(path).again}`,
  });

/** Files of before 2.1 do not say it: they are little-endian. */
function checkOrder(path: string, source: ByteSource, entry: Entry | undefined): void {
  if (entry === undefined) return;
  const text = new Uint8Array(Math.min(entry.bytes, 8));
  source.readAt(entry.offset, text);
  if (String.fromCharCode(...text) !== 'little') throw checkBig(path);
}

/** The form before: pickles one behind the other, then the storages in the order of their keys. */
export function readPickles(path: string, source: ByteSource): Layout {
  let at = 0;
  const next = () => {
    const pickled = readPickle(path, source, { from: at, end: source.size });
    at = pickled.end;
    return pickled;
  };
  if (next().value !== MAGIC)
    throw new InputError({
      where: path,
      what: 'is a pickle, but not one of torch.save',
      hint: 'only what torch.save(model.state_dict(), …) writes is read',
    });
  if (next().value !== OLD_VERSION) throw new InputError({ where: path, what: 'is of an unknown version of torch.save' });
  const machine = next().value;
  if (!(machine instanceof Dict) || machine.entries.get('little_endian') !== true) throw checkBig(path);
  const { value: root, storages } = next();
  const places = new Map<Storage, number>();
  const keys = next().value;
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (storage === undefined || places.has(storage))
      throw new InputError({ where: path, what: 'lists a storage that its pickle does not have, or twice', got: shown(String(key)) });
    at = placeAt(path, source, storage, at);
    places.set(storage, at);
    at += storage.count * dtypeBytes(storage.dtype);
  }
  if (places.size !== storages.size) throw new InputError({ where: path, what: 'lacks storages that its pickle names' });
  if (at !== source.size) throw new InputError({ where: path, what: 'has bytes behind its storages', got: source.size - at });
  return { root, placeOf: (storage) => places.get(storage)! };
}

/** Where a storage's numbers begin, behind their count, which is at byte `at`. */
function placeAt(path: string, source: ByteSource, { key, dtype, count }: Storage, at: number): number {
  const where = `${path}, storage ${shown(key)}`;
  const size = count * dtypeBytes(dtype);
  if (!(at + 8 + size <= source.size))
    throw new InputError({ where, what: 'ends beyond the file', got: source.size, expected: at + 8 + size, hint: 'download it again' });
  const own = new Uint8Array(8);
  source.readAt(at, own);
  const got = new DataView(own.buffer).getBigInt64(0, true);
  if (got !== BigInt(count))
    throw new InputError({ where, what: 'has another length than its pickle says', got: String(got), expected: count });
  return at + 8;
}
