/**
 * What Flower's messages are made of: objects that are named by the SHA-256 of all their bytes.
 *
 *     Type child,child length\0body        Message ─► RecordDict ─► ArrayRecord ─► Array ─► ArrayChunk (a .npy file)
 *                                                              └─► ConfigRecord, MetricRecord
 *
 * A server offers a tree of names; each object is then pulled by its name, and believed only where the name is its bytes' own.
 */
import { digest } from '../base/digest.ts';
import { InputError } from '../base/error.ts';
import type { Field, Wire } from '../formats/wire.ts';
import { inside, type Message, message, string } from '../formats/wirewriter.ts';

/** An object that is to be sent. */
export interface FleetObject {
  /** SHA-256 of `content`, 64 hex digits. */
  id: string;
  /** Head and body. */
  content: Uint8Array<ArrayBuffer>;
  children: readonly FleetObject[];
}

/** One that has come, taken apart. */
export interface Parsed {
  type: string;
  /** Names of its children. */
  children: string[];
  body: Uint8Array;
}

/** Names as a message offers them. */
export interface Tree {
  id: string;
  children: Tree[];
}

/** Depth of a tree, and objects in one, that are believed: a message has five levels. */
const MOST_LEVELS = 8;
const MOST_OBJECTS = 1 << 13;
/** Longest head of an object: 8 Ki children. */
const MOST_HEAD = 1 << 20;

/** Makes an object. Children that are equal are named once. */
export function makeObject(type: string, given: readonly FleetObject[], body: Uint8Array): FleetObject {
  const children = [...new Map(given.map((child) => [child.id, child])).values()];
  const head = new TextEncoder().encode(`${type} ${children.map(({ id }) => id).join(',')} ${body.length}\0`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return { id: digest(content), content, children };
}

/** Takes an object apart. InputError where its bytes are not those that its name says, or its head is none. */
export function parseObject(where: string, id: string, content: Uint8Array): Parsed {
  const hash = digest(content);
  if (hash !== id) throw new InputError({ where, what: 'an object that is not the one its name says (SHA-256)', got: hash, expected: id });
  const end = content.subarray(0, MOST_HEAD).indexOf(0);
  const head = /^([A-Za-z]+) ([0-9a-f,]*) (\d{1,15})$/.exec(new TextDecoder().decode(content.subarray(0, Math.max(0, end))));
  if (end < 0 || head === null) throw new InputError({ where, what: 'an object without a head', got: id });
  const [, type, names, length] = head as unknown as [string, string, string, string];
  const body = content.subarray(end + 1);
  if (Number(length) !== body.length)
    throw new InputError({ where, what: `${type} ${id} is cut off`, got: `${body.length} bytes`, expected: Number(length) });
  return { type, children: names === '' ? [] : names.split(','), body };
}

/** The names of an object and of all below it, as a message of protocol buffers: 1 object_id · 2 children, repeated. */
export const treeMessage = ({ id, children }: FleetObject): Message =>
  message(string(1, id), ...children.map((child) => inside(2, treeMessage(child))));

/** Reads such a tree. */
export function readTree(wire: Wire, field: Field): Tree {
  let count = 0;
  const walk = (at: Field, level: number): Tree => {
    if (level > MOST_LEVELS || ++count > MOST_OBJECTS) throw wire.fault('a tree of objects without an end', at.from);
    const tree: Tree = { id: '', children: [] };
    for (const inner of wire.inner(at)) {
      if (inner.id === 1) tree.id = wire.text(inner);
      else if (inner.id === 2) tree.children.push(walk(inner, level + 1));
    }
    if (!/^[0-9a-f]{64}$/.test(tree.id)) throw wire.fault('an object without a name', at.from);
    return tree;
  };
  return walk(field, 0);
}

/** Every name of a tree once, children before what holds them. */
export function namesIn({ id, children }: Tree, into = new Set<string>()): Set<string> {
  for (const child of children) namesIn(child, into);
  return into.add(id);
}

/** Every object once, children before what holds them. */
export function objectsIn(object: FleetObject, into = new Map<string, FleetObject>()): Map<string, FleetObject> {
  for (const child of object.children) objectsIn(child, into);
  return into.set(object.id, object);
}
