/**
 * What a node must not forget, whatever becomes of its power: in `fleet` beside its adapter. A server gives each message but once, and takes one answer to it.
 *
 *     node.bin      who it is at which server          1 server text · 2 node number · 3 run
 *     message.bin   the message in work, as it came    ─┐ gone together when the answer is taken
 *     objects.bin   its objects, with earlier ones      │ 1, repeated: 1 name · 2 bytes
 *     answer.bin    the answer that is done            ─┘ 1 announcement · 2 tree · 3 objects, repeated · 4 seconds · 5 deadline · 6 run
 *
 * Each is written whole or not at all, before what depends on it is done: the message before its objects are asked for, the objects before the
 * server is told that it may forget them, the answer before it is sent. What was computed before a kill and not written is computed again, to the same bytes.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../base/error.ts';
import { fileExists, makeFolder, removeLeftovers, writeAtomic } from '../base/files.ts';
import { readLimited } from '../base/reading.ts';
import type { Field, Wire } from '../formats/wire.ts';
import { bytes, double, inside, int, type Message, message, string } from '../formats/wirewriter.ts';
import { wireOf } from './bytes.ts';

/** Largest file that is read back. */
const MOST = 1 << 30;

/** Who the node is. */
export interface Place {
  server: string;
  node: bigint;
  /** The run that it has taken part in; 0: none yet. */
  run: bigint;
}

/** An answer that is done and not yet known to be taken. */
export interface Answer {
  run: bigint;
  /** The message that announces it, and the tree of its objects, as they are sent. */
  said: Uint8Array;
  tree: Uint8Array;
  objects: ReadonlyMap<string, Uint8Array>;
  /** Seconds that the work took. */
  seconds: number;
  /** Until when it is taken, in seconds since 1970. */
  deadline: number;
}

export class Journal {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    makeFolder(folder);
    removeLeftovers(folder);
  }

  private path(name: string): string {
    return join(this.folder, name);
  }

  private write(name: string, { pieces }: Message): void {
    writeAtomic(this.path(name), (write) => {
      for (const piece of pieces) write(piece);
    });
  }

  private *read(name: string): Generator<{ wire: Wire; field: Field }> {
    const content = this.bytesOf(name);
    if (content === undefined) return;
    const wire = wireOf(this.path(name), content);
    for (const field of wire.fields(0, content.length)) yield { wire, field };
  }

  private bytesOf(name: string): Uint8Array | undefined {
    return fileExists(this.path(name)) ? readLimited(this.path(name), MOST, 'a journal') : undefined;
  }

  get place(): Place | undefined {
    let found: Place | undefined;
    for (const { wire, field } of this.read('node.bin')) {
      found ??= { server: '', node: 0n, run: 0n };
      if (field.id === 1) found.server = wire.text(field);
      else if (field.id === 2) found.node = wire.big(field);
      else if (field.id === 3) found.run = wire.big(field);
    }
    return found;
  }

  set place(place: Place | undefined) {
    if (place === undefined) rmSync(this.path('node.bin'), { force: true });
    else this.write('node.bin', message(string(1, place.server), int(2, place.node), int(3, place.run)));
  }

  /** The message in work, as the server gave it. */
  get message(): Uint8Array | undefined {
    return this.bytesOf('message.bin');
  }

  set message(content: Uint8Array) {
    this.write('message.bin', { bytes: content.length, pieces: [content] });
  }

  /** Objects by name: those of the message in work, or of the last one. */
  get objects(): Map<string, Uint8Array> {
    return readObjects(this.read('objects.bin'), 1);
  }

  set objects(objects: ReadonlyMap<string, Uint8Array>) {
    this.write('objects.bin', message(...writeObjects(objects, 1)));
  }

  get answer(): Answer | undefined {
    const found: Answer = { run: 0n, said: new Uint8Array(), tree: new Uint8Array(), objects: new Map(), seconds: 0, deadline: 0 };
    let isThere = false;
    for (const { wire, field } of this.read('answer.bin')) {
      isThere = true;
      if (field.id === 1) found.said = wire.bytes(field);
      else if (field.id === 2) found.tree = wire.bytes(field);
      else if (field.id === 4) found.seconds = wire.double(field);
      else if (field.id === 5) found.deadline = wire.double(field);
      else if (field.id === 6) found.run = wire.big(field);
    }
    return isThere ? { ...found, objects: readObjects(this.read('answer.bin'), 3) } : undefined;
  }

  set answer({ run, said, tree, objects, seconds, deadline }: Answer) {
    const head = message(bytes(1, said), bytes(2, tree), double(4, seconds), double(5, deadline), int(6, run));
    this.write('answer.bin', message(head, ...writeObjects(objects, 3)));
  }

  /** The message is answered, or never will be. */
  finish(): void {
    rmSync(this.path('message.bin'), { force: true });
    rmSync(this.path('answer.bin'), { force: true });
  }
}

const writeObjects = (objects: ReadonlyMap<string, Uint8Array>, id: number): Message[] =>
  [...objects].map(([name, content]) => inside(id, message(string(1, name), bytes(2, content))));

function readObjects(fields: Iterable<{ wire: Wire; field: Field }>, id: number): Map<string, Uint8Array> {
  const objects = new Map<string, Uint8Array>();
  for (const { wire, field } of fields) {
    if (field.id !== id) continue;
    let name = '';
    for (const inner of wire.inner(field)) {
      if (inner.id === 1) name = wire.text(inner);
      else if (inner.id === 2) objects.set(name, wire.bytes(inner));
    }
    if (name === '') throw new InputError({ where: wire.path, what: 'holds an object without a name' });
  }
  return objects;
}
