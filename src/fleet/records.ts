/**
 * Flower's records of named values, as protocol buffers:
 *
 *     ConfigRecord, MetricRecord   1 item, repeated: 1 key text · 2 value
 *     value   1 f64 · 2 sint64 · 3 uint64 · 4 bool · 5 text · 6 bytes · 21 … 26 lists of these: 1 element, repeated, numbers packed
 *
 * Here a whole number is a bigint and an f64 a number, so that neither is taken for the other. Held against flwr's own bytes
 * (tools/golden/fleet.py).
 */
import { InputError } from '../base/error.ts';
import type { Field, Wire } from '../formats/wire.ts';
import { bytes, double, inside, int, ints, type Message, message, string, whole } from '../formats/wirewriter.ts';
import { wireOf } from './bytes.ts';

/** One value of a record. */
export type Value = number | bigint | boolean | string | Uint8Array | readonly number[] | readonly bigint[] | readonly string[];

/** A ConfigRecord or a MetricRecord, in its order. */
export type Values = ReadonlyMap<string, Value>;

/** Most items of a record, and elements of a list, that are believed. */
const MOST = 1 << 16;

/** A number with its sign in the lowest bit. */
const zigzag = (n: bigint): bigint => BigInt.asUintN(64, (n << 1n) ^ (n >> 63n));
const unzigzag = (n: bigint): bigint => (n >> 1n) ^ -(n & 1n);

const f64s = (values: readonly number[]): Message => bytes(1, new Uint8Array(Float64Array.from(values).buffer));

function valueMessage(value: Value): Message {
  if (typeof value === 'number') return double(1, value);
  if (typeof value === 'bigint') return int(2, zigzag(value));
  if (typeof value === 'boolean') return int(4, value ? 1 : 0);
  if (typeof value === 'string') return string(5, value);
  if (value instanceof Uint8Array) return bytes(6, value);
  const [first] = value;
  if (first === undefined) throw new TypeError('an empty list has no type on the wire');
  if (typeof first === 'string') return inside(25, message(...(value as string[]).map((one) => string(1, one))));
  return typeof first === 'number' ? inside(21, f64s(value as number[])) : inside(22, ints(1, (value as bigint[]).map(zigzag)));
}

/** The record's body. A list that is empty has no type on the wire: leave it out. */
export function writeRecord(values: Values): Uint8Array<ArrayBuffer> {
  return whole(message(...[...values].map(([key, value]) => inside(1, message(string(1, key), inside(2, valueMessage(value)))))));
}

/** The elements of a list, which `read` finds in each of its fields; a server that says more than are believed is refused before they are added. */
function listOf<T>(wire: Wire, field: Field, read: (inner: Field, most: number) => readonly T[]): T[] {
  const list: T[] = [];
  for (const inner of wire.inner(field)) {
    if (inner.id !== 1) continue;
    const most = MOST - list.length;
    const more = read(inner, most);
    if (more.length > most) throw wire.fault(`more than ${MOST} elements in a list`, field.from);
    list.push(...more);
  }
  return list;
}

function f64sIn(wire: Wire, field: Field): number[] {
  if (field.kind === 'eight') return [wire.double(field)];
  if (field.kind !== 'bytes' || (field.to - field.from) % 8 !== 0) throw wire.fault('no list of numbers', field.from);
  return [...new Float64Array(wire.bytes(field).buffer)];
}

function wholeList(wire: Wire, field: Field, isSigned: boolean): bigint[] {
  const list = listOf(wire, field, (inner, most) => wire.bigs(inner, most));
  return isSigned ? list.map(unzigzag) : list;
}

/** A value; lists of yes and no, and of bytes, have no use here and are refused. */
function readValue(wire: Wire, field: Field, where: string): Value {
  let value: Value | undefined;
  for (const inner of wire.inner(field)) {
    if (inner.id === 1) value = wire.double(inner);
    else if (inner.id === 2) value = unzigzag(wire.big(inner));
    else if (inner.id === 3) value = wire.big(inner);
    else if (inner.id === 4) value = wire.big(inner) !== 0n;
    else if (inner.id === 5) value = wire.text(inner);
    else if (inner.id === 6) value = wire.bytes(inner);
    else if (inner.id === 21) value = listOf(wire, inner, (one) => f64sIn(wire, one));
    else if (inner.id === 22 || inner.id === 23) value = wholeList(wire, inner, inner.id === 22);
    else if (inner.id === 25) value = listOf(wire, inner, (one) => [wire.text(one)]);
    else throw new InputError({ where, what: 'holds a value of a kind that is not read', got: `field ${inner.id}` });
  }
  if (value === undefined) throw new InputError({ where, what: 'holds a key without a value' });
  return value;
}

/** Reads a record's body; `where` names it. Throws InputError for what is none, or names a key twice. */
export function readRecord(where: string, body: Uint8Array): Values {
  const wire = wireOf(where, body);
  const values = new Map<string, Value>();
  for (const item of wire.fields(0, body.length)) {
    if (item.id !== 1) throw new InputError({ where, what: 'is no record of named values', got: `field ${item.id}` });
    let key = '';
    let field: Field | undefined;
    for (const inner of wire.inner(item)) {
      if (inner.id === 1) key = wire.text(inner);
      else if (inner.id === 2) field = inner;
    }
    if (field === undefined) throw new InputError({ where, what: `holds ${key} without a value` });
    if (values.has(key)) throw new InputError({ where, what: `the key ${key} stands twice` });
    if (values.size >= MOST) throw new InputError({ where, what: 'holds too many keys', expected: `at most ${MOST}` });
    values.set(key, readValue(wire, field, `${where}: ${key}`));
  }
  return values;
}
