/** Flower's messages: what a server asks of a node, and the answer, which goes back as objects of their own. */
import { InputError } from '../base/error.ts';
import { parseJson } from '../base/json.ts';
import type { Field, Wire } from '../formats/wire.ts';
import { double, inside, int, type Message, message, string, whole } from '../formats/wirewriter.ts';
import { arraysObject, type NumberArray, pythonJson, type Room, readArray } from './arrays.ts';
import { type FleetObject, makeObject, type Parsed } from './objects.ts';
import { readRecord, type Values, writeRecord } from './records.ts';

/** What is said of a message beside its content. Moments are seconds since 1970. */
export interface Metadata {
  run: bigint;
  id: string;
  from: bigint;
  to: bigint;
  group: string;
  /** Seconds after `created` until which an answer is taken. */
  ttl: number;
  /** `train`, `evaluate` or `query`, where one is named with a part of its own behind it. */
  type: string;
  created: number;
  fromTask: bigint | undefined;
  toTask: bigint | undefined;
}

/** What a message holds: records by name. */
export interface Content {
  arrays: Map<string, Map<string, NumberArray>>;
  values: Map<string, Values>;
}

/** An answer: its records, or the sentence why there is none. */
export type Reply = { arrays: ReadonlyMap<string, NumberArray> | undefined; metrics: Values; config: Values } | { error: string };

/** Reads the metadata of a message: 1 run_id · 2 message_id · 3 src · 4 dst · 6 group · 7 ttl · 8 type · 9 created_at · 10, 11 tasks. */
export function readMetadata(wire: Wire, field: Field): Metadata {
  const found: Metadata = {
    ...{ run: 0n, id: '', from: 0n, to: 0n, group: '', ttl: 0, type: '', created: 0 },
    ...{ fromTask: undefined, toTask: undefined },
  };
  for (const inner of wire.inner(field)) {
    if (inner.id === 1) found.run = wire.big(inner);
    else if (inner.id === 2) found.id = wire.text(inner);
    else if (inner.id === 3) found.from = wire.big(inner);
    else if (inner.id === 4) found.to = wire.big(inner);
    else if (inner.id === 6) found.group = wire.text(inner);
    else if (inner.id === 7) found.ttl = wire.double(inner);
    else if (inner.id === 8) found.type = wire.text(inner);
    else if (inner.id === 9) found.created = wire.double(inner);
    else if (inner.id === 10) found.fromTask = wire.big(inner);
    else if (inner.id === 11) found.toTask = wire.big(inner);
  }
  return found;
}

/** The metadata of an answer to `asked`, made at `now`: it is taken as long as one to `asked` is. */
export function metadataMessage(asked: Metadata, id: string, now: number): Message {
  const optional = (at: number, value: bigint | undefined): Message | undefined => (value === undefined ? undefined : int(at, value));
  return message(
    int(1, asked.run),
    id === '' ? undefined : string(2, id),
    int(3, asked.to),
    int(4, asked.from),
    string(5, asked.id),
    asked.group === '' ? undefined : string(6, asked.group),
    double(7, asked.created + asked.ttl - now),
    string(8, asked.type),
    double(9, now),
    optional(10, asked.toTask),
    optional(11, asked.fromTask),
  );
}

/** 2 reason; its number is 0, a fault that has none of its own, and a zero is what is not written. */
const errorMessage = (reason: string): Message => inside(3, message(string(2, reason)));

/** The objects of an answer. */
export function replyObject(asked: Metadata, reply: Reply, now: number): FleetObject {
  const about = inside(1, metadataMessage(asked, '', now));
  if ('error' in reply) return makeObject('Message', [], whole(message(about, errorMessage(reply.error))));
  const records: [string, FleetObject][] = [];
  if (reply.arrays) records.push(['arrays', arraysObject(reply.arrays)]);
  records.push(['metrics', makeObject('MetricRecord', [], writeRecord(reply.metrics))]);
  records.push(['config', makeObject('ConfigRecord', [], writeRecord(reply.config))]);
  const names = Object.fromEntries(records.map(([name, { id }]) => [name, id]));
  const dict = makeObject(
    'RecordDict',
    records.map(([, object]) => object),
    new TextEncoder().encode(pythonJson(names)),
  );
  return makeObject('Message', [dict], whole(about));
}

/** The message that announces it: its content follows as objects. */
export const announced = (asked: Metadata, id: string, reply: Pick<FleetObject, 'children'>, reason: string, now: number): Message =>
  message(inside(1, metadataMessage(asked, id, now)), reply.children.length > 0 ? inside(2, message()) : errorMessage(reason));

/** The names in a body that says which record or array is which. */
function namesOf(where: string, { children, body }: Parsed): [string, string][] {
  const names = Object.entries(parseJson(where, body));
  for (const [name, id] of names)
    if (typeof id !== 'string' || !children.includes(id))
      throw new InputError({ where: `${where}: ${name}`, what: 'names an object that is not its own' });
  return names as [string, string][];
}

/** Reads what a message holds; `objectOf` gives its objects, checked, by their names. InputError for what is no message of records, or has no room. */
export function readContent(where: string, { type, children }: Parsed, objectOf: (id: string) => Parsed, room: Room): Content {
  if (type !== 'Message' || children.length !== 1) throw new InputError({ where, what: 'is no message with a content', got: type });
  const dict = objectOf(children[0]!);
  if (dict.type !== 'RecordDict') throw new InputError({ where, what: 'holds no records', got: dict.type });
  const content: Content = { arrays: new Map(), values: new Map() };
  for (const [name, id] of namesOf(where, dict)) {
    const record = objectOf(id);
    const at = `${where}: ${name}`;
    if (record.type === 'ArrayRecord') {
      const arrays = namesOf(at, record).map(([key, array]) => [key, readArray(`${at}: ${key}`, objectOf(array), objectOf, room)] as const);
      content.arrays.set(name, new Map(arrays));
    } else if (record.type === 'ConfigRecord' || record.type === 'MetricRecord') content.values.set(name, readRecord(at, record.body));
    else throw new InputError({ where: at, what: 'is a record of a kind that is not read', got: record.type });
  }
  return content;
}

/** An object of a message by its name. InputError where it was not sent. */
export function inMessage(objects: ReadonlyMap<string, Parsed>, id: string): Parsed {
  const found = objects.get(id);
  if (found === undefined) throw new InputError({ where: 'message', what: 'names an object that was not sent with it', got: id });
  return found;
}
