/**
 * A zip archive's entries as PyTorch writes them: stored, never compressed, and read by ranges:
 *
 *     [local header, name, padding, data]…   central directory   (its end for 64 bits)   its end
 *
 * The central directory says where each entry lies. It is not trusted: every entry must be where its own header is, under the same name,
 * before the directory and beside no other's bytes.
 */
import { InputError, shown } from '../../base/error.ts';
import type { ByteSource } from '../../base/files.ts';

/** An entry's bytes in the file. */
export interface Entry {
  offset: number;
  bytes: number;
}

const END_BYTES = 22;
const MOST_COMMENT = 0xffff;
const LOCATOR_BYTES = 20;
const END64_BYTES = 56;
const DIRECTORY_BYTES = 46;
const LOCAL_BYTES = 30;
/** Room for some 100,000 entries; a network has a few hundred. */
const MOST_DIRECTORY = 8 << 20;
/** Sizes are in a local header, or behind the data. */
const SIZES_BEHIND = 8;
const ENCRYPTED = 1 | 64;
const FULL = 0xffffffff;

const viewOf = (source: ByteSource, offset: number, bytes: number): DataView => {
  const piece = new Uint8Array(bytes);
  source.readAt(offset, piece);
  return new DataView(piece.buffer);
};
const fault = (where: string, what: string, got?: string | number, hint = 'is the file whole? download it again'): InputError =>
  new InputError({ where, what, ...(got === undefined ? {} : { got }), hint });

/**
 * The archive's entries by name, in the order of their bytes; `check` sees their names first. Throws InputError for whatever a writer of
 * PyTorch's does not write.
 */
export function zipEntries(path: string, source: ByteSource, check: (names: readonly string[]) => void): Map<string, Entry> {
  const directory = directoryOf(path, source);
  const found = entriesOf(path, directory.view, directory.count).sort((a, b) => a.header - b.header);
  check(found.map(({ name }) => name));
  const packed = found.find(({ method }) => method !== 0);
  if (packed !== undefined)
    throw fault(
      `${path}, ${shown(packed.name)}`,
      'is compressed',
      `method ${packed.method}`,
      'PyTorch stores its entries as they are: give the file that it wrote',
    );
  const entries = new Map<string, Entry>();
  for (const [i, { name, header, bytes }] of found.entries()) {
    const where = `${path}, ${shown(name)}`;
    const end = found[i + 1]?.header ?? directory.offset;
    const offset = dataOf(where, source, { name, header, bytes, end });
    if (entries.has(name)) throw fault(where, 'stands twice in the archive');
    entries.set(name, { offset, bytes });
  }
  return entries;
}

/** A number of 64 bits that is a place in a file. */
const long = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

/** Where the central directory is, and what stands there. */
function directoryOf(path: string, source: ByteSource): { offset: number; count: number; view: DataView } {
  const tail = Math.min(source.size, END_BYTES + MOST_COMMENT);
  if (tail < END_BYTES) throw fault(path, 'is no zip archive: it is shorter than one');
  const last = viewOf(source, source.size - tail, tail);
  let at = tail - END_BYTES;
  while (at >= 0 && (last.getUint32(at, true) !== 0x06054b50 || last.getUint16(at + 20, true) !== tail - at - END_BYTES)) at--;
  if (at < 0) throw fault(path, 'is a zip archive without its end');
  if (last.getUint16(at + 4, true) !== 0 || last.getUint16(at + 6, true) !== 0) throw fault(path, 'is a part of a divided zip archive');
  let [count, bytes, offset] = [last.getUint16(at + 10, true), last.getUint32(at + 12, true), last.getUint32(at + 16, true)];
  let end = source.size - tail + at;
  if (count === 0xffff || bytes === FULL || offset === FULL) ({ count, bytes, offset, end } = longEnd(path, source, end));
  else if (offset + bytes !== end) ({ count, bytes, offset, end } = longEnd(path, source, end));
  if (offset + bytes !== end) throw fault(path, 'its list of entries is not where its end says', `${offset} + ${bytes}, before ${end}`);
  if (bytes > MOST_DIRECTORY) throw fault(path, 'its list of entries is too long', bytes, `at most ${MOST_DIRECTORY} bytes are read`);
  if (count * DIRECTORY_BYTES > bytes) throw fault(path, 'its list has no room for its entries', count);
  return { offset, count, view: viewOf(source, offset, bytes) };
}

/** The same of the end for 64 bits, which a locator before `end` names. */
function longEnd(path: string, source: ByteSource, end: number): { count: number; bytes: number; offset: number; end: number } {
  const locator = end - LOCATOR_BYTES;
  const damaged = (): InputError => fault(path, 'its list of entries is not where its end says');
  if (locator < END64_BYTES) throw damaged();
  const where = viewOf(source, locator, LOCATOR_BYTES);
  const at = long(where, 8);
  if (where.getUint32(0, true) !== 0x07064b50 || at !== locator - END64_BYTES) throw damaged();
  const view = viewOf(source, at, END64_BYTES);
  if (view.getUint32(0, true) !== 0x06064b50 || long(view, 4) !== END64_BYTES - 12) throw damaged();
  return { count: long(view, 32), bytes: long(view, 40), offset: long(view, 48), end: at };
}

interface Listed {
  name: string;
  method: number;
  header: number;
  bytes: number;
}

/** The central directory's entries. */
function entriesOf(path: string, view: DataView, count: number): Listed[] {
  const listed: Listed[] = [];
  const damaged = (): InputError => fault(path, 'its list of entries is damaged');
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + DIRECTORY_BYTES > view.byteLength || view.getUint32(at, true) !== 0x02014b50) throw damaged();
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((o) => view.getUint16(at + o, true)) as [number, number, number];
    const next = at + DIRECTORY_BYTES + nameBytes + extraBytes + commentBytes;
    if (next > view.byteLength) throw damaged();
    const name = nameOf(path, new Uint8Array(view.buffer, at + DIRECTORY_BYTES, nameBytes));
    const where = `${path}, ${shown(name)}`;
    if (view.getUint16(at + 8, true) & ENCRYPTED) throw fault(where, 'is encrypted', undefined, 'PyTorch writes no such archive');
    const method = view.getUint16(at + 10, true);
    const short = [24, 20, 42].map((o) => view.getUint32(at + o, true));
    const [bytes, packed, header] = widened(where, view, { at: at + DIRECTORY_BYTES + nameBytes, bytes: extraBytes, short });
    if (method === 0 && bytes !== packed) throw fault(where, 'has two sizes', `${bytes} and ${packed}`);
    listed.push({ name, method, header, bytes });
    at = next;
  }
  if (at !== view.byteLength) throw damaged();
  return listed;
}

/** Numbers that do not fit into 32 bits stand in a field of their own, in their order. */
function widened(
  where: string,
  view: DataView,
  { at, bytes, short }: { at: number; bytes: number; short: number[] },
): [number, number, number] {
  if (!short.includes(FULL)) return short as [number, number, number];
  for (let from = at; from + 4 <= at + bytes; ) {
    const size = view.getUint16(from + 2, true);
    const end = from + 4 + size;
    if (end > at + bytes) break;
    if (view.getUint16(from, true) === 1 && size >= 8 * short.filter((n) => n === FULL).length) {
      const place = (i: number): number => from + 4 + 8 * short.slice(0, i).filter((n) => n === FULL).length;
      return short.map((n, i) => (n === FULL ? long(view, place(i)) : n)) as [number, number, number];
    }
    from = end;
  }
  throw fault(where, 'its sizes are missing');
}

/** A name that leads nowhere else. */
function nameOf(path: string, bytes: Uint8Array): string {
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault(path, 'an entry has a name that is no text');
  }
  const isPlain = name !== '' && !/^\/|\\|\0|^[a-z]:/i.test(name) && !name.split('/').includes('..');
  if (!isPlain) throw fault(path, 'an entry has a name that leads elsewhere', shown(name), 'PyTorch writes no such archive');
  return name;
}

/** Where an entry's data begin, by its own header; they end before `end`. */
function dataOf(where: string, source: ByteSource, { name, header, bytes, end }: Omit<Listed, 'method'> & { end: number }): number {
  const elsewhere = (): InputError => fault(where, 'is not where the list of entries says', header);
  if (!(header + LOCAL_BYTES <= end)) throw elsewhere();
  const view = viewOf(source, header, LOCAL_BYTES);
  if (view.getUint32(0, true) !== 0x04034b50) throw elsewhere();
  const [nameBytes, extraBytes] = [view.getUint16(26, true), view.getUint16(28, true)];
  const offset = header + LOCAL_BYTES + nameBytes + extraBytes;
  if (!(offset + bytes <= end)) throw fault(where, 'overlaps what comes behind it', `${offset} + ${bytes}, before ${end}`);
  const own = new Uint8Array(nameBytes);
  source.readAt(header + LOCAL_BYTES, own);
  if (nameOf(where, own) !== name) throw fault(where, 'has another name in its own header', shown(nameOf(where, own)));
  const isBehind = (view.getUint16(6, true) & SIZES_BEHIND) !== 0;
  const size = view.getUint32(22, true);
  if (view.getUint16(8, true) !== 0 || !(isBehind || size === FULL || size === bytes))
    throw fault(where, 'has another size in its own header', size);
  return offset;
}
