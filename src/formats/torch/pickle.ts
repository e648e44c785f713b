/**
 * A pickle as PyTorch writes state dicts, read without running anything. A pickle is a program for a machine with a stack; this machine knows
 * the instructions and the names that dictionaries of tensors are made with, and stops at any other by its name. What it makes are plain values
 * and descriptions of tensors: no number of a tensor is read here. (The format: Python's pickletools.)
 */
import { InputError, shown } from '../../base/error.ts';
import type { ByteSource } from '../../base/files.ts';
import { linesFor, TRUST } from './lines.ts';
import { made, named, type Refuse } from './names.ts';
import { Dict, Name, STORAGES, Storage, type Value } from './values.ts';

/** What one pickle may take: room for some 25,000 tensors with what a trainer keeps of each. */
const MOST_BYTES = 16 << 20;
const MOST_STEPS = 2_000_000;
const MOST_MADE = 300_000;

const PIECE = 1 << 16;

/** Bytes from `offset` on, before `end`, in their order. */
class Cursor {
  private piece = new Uint8Array(0);
  private from: number;
  private readonly limit: number;
  at: number;
  constructor(
    readonly where: string,
    private readonly source: ByteSource,
    offset: number,
    private readonly end: number,
  ) {
    this.at = this.from = offset;
    this.limit = Math.min(end, offset + MOST_BYTES);
  }

  private ends(): InputError {
    if (this.limit < this.end)
      return new InputError({
        where: this.where,
        what: 'has a pickle longer than any of a state dict',
        got: `more than ${MOST_BYTES} bytes`,
      });
    return new InputError({ where: this.where, what: 'ends within a pickle', got: this.end, hint: 'is the file whole? download it again' });
  }

  byte(): number {
    if (this.at >= this.limit) throw this.ends();
    let value = this.piece[this.at - this.from];
    if (value === undefined) {
      this.piece = new Uint8Array(Math.min(PIECE, this.limit - this.at));
      this.source.readAt(this.at, this.piece);
      this.from = this.at;
      value = this.piece[0]!;
    }
    this.at++;
    return value;
  }

  bytes(count: number): Uint8Array {
    if (count > this.limit - this.at) throw this.ends();
    const bytes = new Uint8Array(count);
    for (let i = 0; i < count; i++) bytes[i] = this.byte();
    return bytes;
  }

  number(count: 1 | 2 | 4): number {
    let value = 0;
    for (let i = 0; i < count; i++) value += this.byte() * 256 ** i;
    return value;
  }

  /** A whole number of `count` bytes with a sign: as a number where one holds it. */
  long(count: number): number | bigint {
    let value = 0n;
    for (const [i, byte] of this.bytes(count).entries()) value |= BigInt(byte) << BigInt(8 * i);
    value = BigInt.asIntN(8 * count, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  /** Up to the end of a line. */
  line(): string {
    let text = '';
    for (let byte = this.byte(); byte !== 10; byte = this.byte()) {
      if (text.length >= 200) throw new InputError({ where: this.where, what: 'has a name that is too long', got: `${shown(text)}…` });
      text += String.fromCharCode(byte);
    }
    return text;
  }

  text(count: number, isAscii = false): string {
    const bytes = this.bytes(count);
    try {
      if (isAscii && bytes.some((byte) => byte > 127)) throw new RangeError();
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new InputError({ where: this.where, what: 'has a text that is not UTF-8', got: `byte ${this.at - count}` });
    }
  }
}

/** The machine: its stack, where marks are on it, and what it was told to remember. */
class Machine {
  readonly stack: Value[] = [];
  readonly marks: number[] = [];
  readonly memo = new Map<number, Value>();
  /** By their keys. */
  readonly storages = new Map<string, Storage>();
  private count = 0;
  constructor(readonly cursor: Cursor) {}

  readonly refuse: Refuse = (what, got, hint) =>
    new InputError({
      where: this.cursor.where,
      what,
      got: `${got === undefined ? '' : `${got}, `}byte ${this.cursor.at - 1}`,
      ...(hint === undefined ? {} : { hint: hint(linesFor(this.cursor.where)) }),
    });

  pop(): Value {
    // Never below a mark: what lies there is not this instruction's.
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.refuse('takes more from its stack than there is');
    return this.stack.pop()!;
  }

  top(): Value {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) throw this.refuse('takes more from its stack than there is');
    return this.stack.at(-1)!;
  }

  /** Everything above the last mark. */
  sinceMark(): Value[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.refuse('goes back to a mark that it has not set');
    return this.stack.splice(mark);
  }

  /** A container comes on the stack. */
  make(value: Value): void {
    if (++this.count > MOST_MADE) throw this.refuse('holds too many values', `more than ${MOST_MADE}`);
    this.stack.push(value);
  }

  /** One storage is one object, however often it is referred to. */
  storage(storage: Storage): Storage {
    const { key, dtype, count } = storage;
    const known = this.storages.get(key) ?? storage;
    if (known.dtype !== dtype || known.count !== count) throw this.refuse('refers to one storage as two', shown(key));
    this.storages.set(key, known);
    return known;
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.refuse('asks for what it has not remembered', String(index));
    this.stack.push(value);
  }

  put(pairs: Value[]): void {
    const target = this.top();
    if (!(target instanceof Dict) || pairs.length % 2 !== 0) throw this.refuse('puts a key where no dictionary is');
    for (let i = 0; i < pairs.length; i += 2) {
      const key = pairs[i]!;
      if (typeof key !== 'string' && typeof key !== 'number') throw this.refuse('has a key that is no text and no number');
      if (target.entries.has(key)) throw this.refuse('has a key twice', shown(String(key)));
      target.entries.set(key, pairs[i + 1]!);
    }
  }

  append(items: Value[]): void {
    const target = this.top();
    if (!Array.isArray(target)) throw this.refuse('appends to what is no list');
    for (const item of items) target.push(item);
  }
}

type Instruction = (m: Machine, c: Cursor) => void;

const tuple =
  (count: number): Instruction =>
  (m) => {
    const items = Array.from({ length: count }, () => m.pop());
    m.make(items.reverse());
  };

/** Every instruction that is known, by its letter. */
const INSTRUCTIONS: Readonly<Record<string, Instruction>> = {
  '(': (m) => m.marks.push(m.stack.length),
  '}': (m) => m.make(new Dict()),
  ']': (m) => m.make([]),
  ')': (m) => m.make([]),
  N: (m) => m.stack.push(null),
  '\x88': (m) => m.stack.push(true),
  '\x89': (m) => m.stack.push(false),
  K: (m, c) => m.stack.push(c.number(1)),
  M: (m, c) => m.stack.push(c.number(2)),
  J: (m, c) => m.stack.push(c.number(4) | 0),
  '\x8a': (m, c) => m.stack.push(c.long(c.number(1))),
  G: (m, c) => m.stack.push(new DataView(c.bytes(8).buffer).getFloat64(0)),
  X: (m, c) => m.stack.push(c.text(c.number(4))),
  U: (m, c) => m.stack.push(c.text(c.number(1), true)),
  T: (m, c) => m.stack.push(c.text(c.number(4), true)),
  q: (m, c) => m.remember(c.number(1)),
  r: (m, c) => m.remember(c.number(4)),
  h: (m, c) => m.recall(c.number(1)),
  j: (m, c) => m.recall(c.number(4)),
  t: (m) => m.make(m.sinceMark()),
  '\x85': tuple(1),
  '\x86': tuple(2),
  '\x87': tuple(3),
  s: (m) => {
    const value = m.pop();
    m.put([m.pop(), value]);
  },
  u: (m) => m.put(m.sinceMark()),
  a: (m) => m.append([m.pop()]),
  e: (m) => m.append(m.sinceMark()),
  c: (m, c) => m.stack.push(named(`${c.line()}.${c.line()}`, m.refuse)),
  R: (m) => {
    const values = m.pop();
    m.make(made(m.pop(), values, m.refuse));
  },
  Q: (m) => m.make(m.storage(storageOf(m.pop(), m.refuse))),
  b: (m) => {
    const state = m.pop();
    const isVersions = state instanceof Dict && [...state.entries.keys()].every((key) => key === '_metadata');
    if (!(m.top() instanceof Dict) || !isVersions) throw m.refuse('gives an object a state (BUILD), as no state dict does');
  },
};

/** `('storage', type, key, device, numbers)`, and in the older form a sixth of views, which nothing writes any more. */
function storageOf(id: Value, refuse: Refuse): Storage {
  const [kind, type, key, device, count, view = null] = Array.isArray(id) ? id : [];
  const dtype = type instanceof Name ? STORAGES[type.text.replace(/^torch\./, '')] : undefined;
  const isOne = kind === 'storage' && dtype !== undefined && typeof key === 'string' && typeof device === 'string';
  if (!isOne || view !== null || !Number.isSafeInteger(count) || (count as number) < 0)
    throw refuse('refers to what is no storage of numbers');
  return new Storage(key, dtype, count as number);
}

/** What a pickle says. */
export interface Pickled {
  value: Value;
  storages: ReadonlyMap<string, Storage>;
  /** The byte behind it. */
  end: number;
}

/**
 * Reads one pickle of the file `path` from byte `from` on; it ends before `end`. Returns the value, the storages that it refers to, and where its
 * last instruction ends. Throws InputError for the
 * first instruction or name that is not known, and for a pickle that is damaged or too large.
 */
export function readPickle(path: string, source: ByteSource, { from, end }: { from: number; end: number }): Pickled {
  const cursor = new Cursor(path, source, from, end);
  const m = new Machine(cursor);
  if (cursor.byte() !== 0x80) throw m.refuse('is no pickle of protocol 2');
  const protocol = cursor.byte();
  if (protocol !== 2)
    throw m.refuse('is a pickle of another protocol', String(protocol), ({ state }) => `write it anew with: ${state} ${TRUST}`);
  for (let step = 0; ; step++) {
    if (step > MOST_STEPS) throw m.refuse('takes too many instructions', `more than ${MOST_STEPS}`);
    const letter = String.fromCharCode(cursor.byte());
    if (letter === '.') break;
    const instruction = Object.hasOwn(INSTRUCTIONS, letter) ? INSTRUCTIONS[letter] : undefined;
    if (instruction === undefined) throw m.refuse('has an instruction that state dicts do not need', codeText(letter));
    instruction(m, cursor);
  }
  const value = m.pop();
  if (m.stack.length > 0 || m.marks.length > 0) throw m.refuse('ends with values that nothing has taken');
  return { value, storages: m.storages, end: cursor.at };
}

const codeText = (letter: string): string => (/^[!-~]$/.test(letter) ? letter : `0x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`);
