/**
 * The folder through which a gateway and a board speak: NFS, copied by ssh, or on a stick. It may be gone for a while, and whatever lies in it may be half
 * there, of another round, or anything else: an answer is taken whole, by its digests, as bytes that were read once.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { digest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import { fileExists, guarded, makeFolder, writeAtomic, writeText } from '../base/files.ts';
import { readLimited, readLimitedText } from '../base/reading.ts';
import { commandBytes } from '../engine/wasm.ts';
import { CARD } from './card.ts';
import { ADAPTER, DIGESTS, type Order } from './order.ts';
import type { OrderKind } from './runscript.ts';

/** What an answer holds beside what it answers, by what was asked; a board that could not do it says why instead. */
const ANSWERED: Readonly<Record<OrderKind, readonly string[]>> = {
  count: ['info.txt'],
  train: ['info.txt', ADAPTER, 'metrics.jsonl'],
  evaluate: ['info.txt', 'judged.json'],
  sums: ['info.txt', 'sums.f64'],
};
const FAILED = 'error.txt';
/** Largest list of digests, and largest text of an answer. */
const MOST_LIST = 1 << 12;
const MOST_TEXT = 1 << 22;
const TOLD = 'told.txt';

/** What lies there: `whole` is an answer to this very order; `why` is a sentence for all else. */
export type Seen =
  | { state: 'away' | 'none' | 'partial' | 'other'; why: string }
  | { state: 'whole'; files: ReadonlyMap<string, Uint8Array> };

export class Exchange {
  readonly folder: string;
  /** Most bytes that the adapter of an answer may have. */
  private readonly most: number;
  /** Where the name of the order whose answer was taken last is kept. */
  private readonly taken: string;

  constructor(folder: string, own: string, most: number) {
    this.folder = folder;
    this.most = most;
    this.taken = join(own, 'taken.txt');
  }

  /** Puts the order there, where it does not lie there already, and looks for its answer. */
  look(order: Order): Seen {
    // Of a share that is not mounted, or a stick that is pulled out, the empty folder stays.
    if (!fileExists(join(this.folder, CARD))) return { state: 'away', why: `${this.folder} is away: it holds no ${CARD}` };
    try {
      this.lay(order);
      return this.seen(order);
    } catch (error) {
      if (error instanceof InputError) return { state: 'away', why: error.message };
      throw error;
    }
  }

  /** Tells the board's keeper, in the board's folder; where that cannot be written there is nobody to tell. */
  tell(sentence: string): void {
    try {
      if (fileExists(join(this.folder, CARD))) put(join(this.folder, TOLD), new TextEncoder().encode(`${sentence}\n`));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }

  /** The answer to an order has been taken: it is none of another order from here on. */
  keep({ id }: Order): void {
    writeText(this.taken, id);
  }

  /** The order is not wanted any more: a board that sees it does not begin it. */
  withdraw(): void {
    try {
      guarded(this.folder, 'cannot be written', () => rmSync(join(this.folder, 'order', DIGESTS), { force: true }));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
  }

  private lay({ files }: Order): void {
    const folder = join(this.folder, 'order');
    if ([...files].every(([name, bytes]) => isThere(join(folder, name), bytes))) return;
    makeFolder(folder);
    guarded(folder, 'cannot be written', () => {
      rmSync(join(folder, DIGESTS), { force: true });
      for (const name of readdirSync(folder)) if (!files.has(name)) rmSync(join(folder, name), { force: true, recursive: true });
    });
    // Once for all orders: some boards compile it.
    put(join(this.folder, 's2a.wasm'), commandBytes());
    for (const [name, bytes] of files) put(join(folder, name), bytes);
  }

  private seen(order: Order): Seen {
    const folder = join(this.folder, 'answer');
    const path = join(folder, DIGESTS);
    if (!fileExists(path)) return { state: 'none', why: '' };
    const partial = (why: string): Seen => ({ state: 'partial', why: `answer/ is not whole yet: ${why}` });
    const list = digestsIn(new TextDecoder().decode(readLimited(path, MOST_LIST, 'a list of digests')));
    const of = list?.get('order');
    if (list === undefined || of === undefined) return partial('digests is cut off, or is no list of sha256sum');
    if (of !== order.id && this.isTaken(of)) return { state: 'none', why: '' };
    if (of !== order.id) return { state: 'other', why: 'answer/ is of an order that is not asked any more' };
    const wanted = list.has(FAILED) ? [FAILED] : ANSWERED[order.kind];
    const files = new Map<string, Uint8Array>();
    for (const name of wanted) {
      const expected = list.get(name);
      if (expected === undefined) return partial(`digests does not name ${name}`);
      if (!fileExists(join(folder, name))) return partial(`${name} is missing`);
      const limit = name === ADAPTER ? this.most : name === 'sums.f64' ? order.sumsBytes : MOST_TEXT;
      const bytes = readLimited(join(folder, name), limit, 'an answer');
      if (digest(bytes) !== expected) return partial(`${name} is not as digests says (SHA-256)`);
      files.set(name, bytes);
    }
    return { state: 'whole', files };
  }

  private isTaken(id: string): boolean {
    return fileExists(this.taken) && readLimitedText(this.taken, MOST_LIST, 'the name of an order') === id;
  }
}

/** A list as sha256sum writes it, by names; undefined where a line is none, its last one is cut off, or a name comes twice. */
function digestsIn(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  if (!text.endsWith('\n')) return undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, hash, name] = /^([0-9a-f]{64}) [ *]([\w.-]+)$/.exec(line) ?? [];
    if (hash === undefined || name === undefined || found.has(name)) return undefined;
    found.set(name, hash);
  }
  return found;
}

/** Whether a file holds these very bytes. */
function isThere(path: string, bytes: Uint8Array): boolean {
  if (!fileExists(path)) return false;
  try {
    return Buffer.from(bytes).equals(readLimited(path, bytes.length, 'a file'));
  } catch (error) {
    // A longer one.
    if (error instanceof InputError) return false;
    throw error;
  }
}

function put(path: string, bytes: Uint8Array): void {
  if (!isThere(path, bytes)) writeAtomic(path, (write) => write(bytes));
}
