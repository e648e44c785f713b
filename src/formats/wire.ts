/**
 * The wire format of protocol buffers, read by ranges: a message is a list of fields, each a key (number · 8 + type) and a number, eight or four
 * bytes, or a length and so many bytes. Bytes are never read before they are asked for, and no length is believed before it is held against
 * what encloses it.
 */
import { InputError } from '../base/error.ts';
import type { ByteSource } from '../base/files.ts';

/** One field of a message. `number` fields carry `value`; `bytes`, `four` and `eight` the range [from, to) of the file. */
export interface Field {
  id: number;
  kind: 'number' | 'bytes' | 'four' | 'eight';
  value: number;
  from: number;
  to: number;
}

/** Bytes that are read at a time. */
const WINDOW = 1 << 16;
/** Longest text that is read: names, operators, keys. */
const LONGEST_TEXT = 1 << 16;

/** Reads messages of one file. */
export class Wire {
  private readonly window = new Uint8Array(WINDOW);
  private first = 0;
  private last = 0;
  readonly path: string;
  readonly source: ByteSource;
  private readonly hint: string;

  /** `path` and `hint` stand in the sentences of what is wrong with it. */
  constructor(path: string, source: ByteSource, hint: string) {
    this.path = path;
    this.source = source;
    this.hint = hint;
  }

  fault(what: string, at: number): InputError {
    return new InputError({ where: this.path, what: `${what} at byte ${at}`, hint: this.hint });
  }

  private byte(at: number): number {
    if (at < this.first || at >= this.last) {
      if (at < 0 || at >= this.source.size) throw this.fault('ends early', at);
      this.first = at;
      this.last = Math.min(at + WINDOW, this.source.size);
      this.source.readAt(at, this.window.subarray(0, this.last - this.first));
    }
    return this.window[at - this.first]!;
  }

  /** A whole number of up to ten bytes, as a signed one of 64 bits; beyond 2^53 the nearest that there is. */
  private varint(at: number, end: number): { value: number; next: number } {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 5; i++) {
      if (at >= end) throw this.fault('a number runs over the end of its message', at);
      const byte = this.byte(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return { value, next: at };
      scale *= 128;
    }
    let high = BigInt(value);
    for (let shift = 35n; shift < 70n; shift += 7n) {
      if (at >= end) throw this.fault('a number runs over the end of its message', at);
      const byte = this.byte(at++);
      high += BigInt(byte & 127) << shift;
      if (byte < 128) return { value: Number(BigInt.asIntN(64, high)), next: at };
    }
    throw this.fault('a number of more than ten bytes', at);
  }

  /** The fields of the message that lies at [from, to). */
  *fields(from: number, to: number): Generator<Field> {
    let at = from;
    while (at < to) {
      const key = this.varint(at, to);
      const id = Math.floor(key.value / 8);
      const type = key.value % 8;
      if (!(id >= 1)) throw this.fault('a field without a number', at);
      at = key.next;
      if (type === 0) {
        const { value, next } = this.varint(at, to);
        yield { id, kind: 'number', value, from: at, to: next };
        at = next;
        continue;
      }
      let length = type === 1 ? 8 : type === 5 ? 4 : -1;
      if (type === 2) {
        const { value, next } = this.varint(at, to);
        length = value;
        at = next;
      }
      if (length < 0) throw this.fault(`a field of type ${type}, which is none that is read,`, at);
      if (length > to - at) throw this.fault(`a field of ${length} bytes in ${to - at}`, at);
      yield { id, kind: type === 2 ? 'bytes' : type === 1 ? 'eight' : 'four', value: 0, from: at, to: at + length };
      at += length;
    }
  }

  bytes({ from, to }: { from: number; to: number }): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(to - from);
    this.source.readAt(from, out);
    return out;
  }

  text(field: Field): string {
    if (field.kind !== 'bytes') throw this.fault('a number where a text should be', field.from);
    if (field.to - field.from > LONGEST_TEXT) throw this.fault(`a text of ${field.to - field.from} bytes`, field.from);
    let text = '';
    const size = field.to - field.from;
    for (let i = 0; i < size && text !== undefined; i++) {
      const byte = this.byte(field.from + i);
      if (byte >= 128) return new TextDecoder().decode(this.bytes(field));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** A number as all its 64 bits, without a sign: ids are drawn from the whole range. */
  big(field: Field): bigint {
    if (field.kind !== 'number') throw this.fault('no number where one should be', field.from);
    let value = 0n;
    for (let at = field.from, shift = 0n; at < field.to; at++, shift += 7n) value |= BigInt(this.byte(at) & 127) << shift;
    return BigInt.asUintN(64, value);
  }

  /** The same of a repeated number, alone or packed; at most `most` of them. */
  bigs(field: Field, most: number): bigint[] {
    if (field.kind === 'number') return [this.big(field)];
    if (field.kind !== 'bytes') throw this.fault('no whole numbers where some should be', field.from);
    const list: bigint[] = [];
    for (let at = field.from; at < field.to; ) {
      const { next } = this.varint(at, field.to);
      list.push(this.big({ ...field, kind: 'number', from: at, to: next }));
      if (list.length > most) throw this.fault(`more than ${most} numbers in a list`, field.from);
      at = next;
    }
    return list;
  }

  /** A number of eight bytes. */
  double(field: Field): number {
    if (field.kind !== 'eight') throw this.fault('no number of eight bytes where one should be', field.from);
    return new DataView(this.bytes(field).buffer).getFloat64(0, true);
  }

  /** A message within this one. */
  *inner(field: Field): Generator<Field> {
    if (field.kind !== 'bytes') throw this.fault('a number where a message should be', field.from);
    yield* this.fields(field.from, field.to);
  }

  /** `list` with what a field of a repeated whole number adds, alone or packed; at most `most` of them. */
  integers(field: Field, list: number[] = [], most = 1): number[] {
    if (field.kind === 'number') list.push(field.value);
    else {
      if (field.kind !== 'bytes') throw this.fault('a float where whole numbers should be', field.from);
      for (let at = field.from; at < field.to; ) {
        const { value, next } = this.varint(at, field.to);
        list.push(value);
        if (list.length > most) break;
        at = next;
      }
    }
    if (list.length > most) throw this.fault(`more than ${most} numbers in a list`, field.from);
    return list;
  }

  /** The same of a repeated f32. */
  floats(field: Field, list: number[] = [], most = 1): number[] {
    const size = field.to - field.from;
    if (field.kind === 'number' || field.kind === 'eight' || size % 4 !== 0) throw this.fault('no list of floats', field.from);
    if (list.length + size / 4 > most) throw this.fault(`more than ${most} numbers in a list`, field.from);
    const view = new DataView(this.bytes(field).buffer);
    for (let i = 0; i < size; i += 4) list.push(view.getFloat32(i, true));
    return list;
  }
}
