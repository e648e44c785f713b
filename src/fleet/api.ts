/** The calls of Flower's fleet protocol, one function each; flwr.proto names their fields. */
import { InputError } from '../base/error.ts';
import type { Field, Wire } from '../formats/wire.ts';
import { bytes, double, inside, int, type Message, message, string } from '../formats/wirewriter.ts';
import { wireOf } from './bytes.ts';
import { Denied, type Link } from './link.ts';
import { type Metadata, readMetadata } from './message.ts';
import { readTree, type Tree } from './objects.ts';

/** Seconds between two signs of life that a server is promised; after two without one it takes the node for gone. They come more often: a machine under load is late. */
export const HEARTBEAT = 120;

/** Flower's numbers for reasons of a no. */
export const Code = { KeyInUse: 23, Closed: 2001, NotActivated: 2004, RunOver: 2007, NoRun: 2008 } as const;

const node = (id: bigint): Message => inside(1, int(1, id));

/** The fields of an answer. */
function* fieldsOf(where: string, answer: Uint8Array): Generator<{ wire: Wire; field: Field }> {
  const wire = wireOf(where, answer);
  for (const field of wire.fields(0, answer.length)) yield { wire, field };
}

function numberOf(where: string, answer: Uint8Array, id: number): bigint {
  for (const { wire, field } of fieldsOf(where, answer)) if (field.id === id) return wire.big(field);
  return 0n;
}

/** Registers the key; where the server has it already, or takes keys from its keeper alone, nothing happens. */
export async function register(link: Link, publicPem: Uint8Array): Promise<void> {
  try {
    await link.call('register-node', bytes(1, publicPem));
  } catch (error) {
    if (!(error instanceof Denied && (error.code === Code.KeyInUse || error.code === Code.Closed))) throw error;
  }
}

/** The node's number, from now on expected to be there. */
export async function activate(link: Link, publicPem: Uint8Array): Promise<bigint> {
  const id = numberOf('activate-node', await link.call('activate-node', message(bytes(1, publicPem), double(2, HEARTBEAT))), 1);
  if (id === 0n) throw new InputError({ where: 'activate-node', what: 'the server gave the node no number' });
  return id;
}

/** A sign of life; false where the server does not know the node. */
export const heartbeat = async (link: Link, id: bigint): Promise<boolean> =>
  numberOf('send-node-heartbeat', await link.call('send-node-heartbeat', message(node(id), double(2, HEARTBEAT))), 1) === 1n;

export async function deactivate(link: Link, id: bigint): Promise<void> {
  await link.call('deactivate-node', int(1, id));
}

/** Takes the node off the server's list; a closed fleet leaves that to its keeper. */
export async function unregister(link: Link, id: bigint): Promise<void> {
  try {
    await link.call('unregister-node', int(1, id));
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
  }
}

/** A message that waits for the node, with the names of its objects. */
export interface Pulled {
  asked: Metadata;
  tree: Tree;
}

/** Asks for a message: the answer's bytes, which `readPulled` reads; the server gives each but once. */
export const pull = (link: Link, id: bigint): Promise<Uint8Array> => link.call('pull-messages', node(id));

/** Reads such an answer; undefined where nothing waits. */
export function readPulled(answer: Uint8Array): Pulled | undefined {
  let asked: Metadata | undefined;
  let tree: Tree | undefined;
  for (const { wire, field } of fieldsOf('pull-messages', answer)) {
    if (field.id === 2) for (const inner of wire.inner(field)) if (inner.id === 1) asked = readMetadata(wire, inner);
    if (field.id === 3) tree = readTree(wire, field);
  }
  if (asked === undefined && tree === undefined) return undefined;
  if (asked === undefined || tree === undefined) throw new InputError({ where: 'pull-messages', what: 'a message without its objects' });
  return { asked, tree };
}

/** An object's bytes; `wait` where another is still bringing it, `gone` where the server has it no longer. */
export async function pullObject(link: Link, id: bigint, run: bigint, name: string): Promise<Uint8Array | 'wait' | 'gone'> {
  const answer = await link.call('pull-object', message(node(id), int(2, run), string(3, name)));
  let [isFound, isThere] = [false, false];
  let content: Uint8Array = new Uint8Array();
  for (const { wire, field } of fieldsOf('pull-object', answer)) {
    if (field.id === 1) isFound = wire.big(field) === 1n;
    if (field.id === 2) isThere = wire.big(field) === 1n;
    if (field.id === 3) content = wire.bytes(field);
  }
  return !isFound ? 'gone' : isThere ? content : 'wait';
}

/** All of a message has come. */
export async function confirm(link: Link, id: bigint, run: bigint, name: string): Promise<void> {
  await link.call('confirm-message-received', message(node(id), int(2, run), string(3, name)));
}

/** Announces an answer: which of its objects the server wants, and the name under which it takes them. */
export async function push(
  link: Link,
  id: bigint,
  { said, tree, seconds }: { said: Message; tree: Message; seconds: number },
): Promise<{ wanted: string[]; session: string }> {
  const answer = await link.call('push-messages', message(node(id), inside(2, said), inside(3, tree), double(4, seconds)));
  const wanted: string[] = [];
  let session = '';
  for (const { wire, field } of fieldsOf('push-messages', answer)) {
    if (field.id === 3) wanted.push(wire.text(field));
    if (field.id === 4) session = wire.text(field);
  }
  return { wanted, session };
}

export async function pushObject(
  link: Link,
  id: bigint,
  { run, session, name, content }: { run: bigint; session: string; name: string; content: Uint8Array },
): Promise<boolean> {
  const said = message(node(id), int(2, run), string(3, name), bytes(4, content), string(5, session));
  return numberOf('push-object', await link.call('push-object', said), 1) === 1n;
}

/** Whether a run still goes on; false once it has ended, whatever way. */
export async function isRunning(link: Link, id: bigint, run: bigint): Promise<boolean> {
  try {
    await link.call('get-run', message(node(id), int(2, run)));
    return true;
  } catch (error) {
    if (error instanceof Denied && (error.code === Code.RunOver || error.code === Code.NoRun)) return false;
    throw error;
  }
}
