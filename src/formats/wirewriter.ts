/** The wire format of protocol buffers, written: a message is its fields in order, each a key (number · 8 + type) and a number, four bytes, or a length and so many bytes. */

const text = new TextEncoder();

/** A message as pieces that follow each other: large ones are handed on and never copied. */
export interface Message {
  bytes: number;
  pieces: readonly Uint8Array[];
}

/** A whole number of up to 2^53, or any of 64 bits, as seven bits a byte, the lowest first; a negative one in ten bytes, as two's complement of 64 bits. */
export function varint(value: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 128n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return out;
}

export function message(...fields: readonly (Message | undefined)[]): Message {
  const there = fields.filter((field) => field !== undefined);
  return { bytes: there.reduce((n, { bytes }) => n + bytes, 0), pieces: there.flatMap(({ pieces }) => pieces) };
}

const small = (bytes: readonly number[]): Message => ({ bytes: bytes.length, pieces: [Uint8Array.from(bytes)] });

export const int = (id: number, value: number | bigint): Message => small([...varint(id * 8), ...varint(value)]);
/** A list of whole numbers, packed. */
export const ints = (id: number, values: readonly (number | bigint)[]): Message => bytes(id, Uint8Array.from(values.flatMap(varint)));
export const bytes = (id: number, value: Uint8Array): Message => inside(id, { bytes: value.length, pieces: [value] });
export const string = (id: number, value: string): Message => bytes(id, text.encode(value));
export function float(id: number, value: number): Message {
  const four = new Uint8Array(4);
  new DataView(four.buffer).setFloat32(0, value, true);
  return message(small(varint(id * 8 + 5)), { bytes: 4, pieces: [four] });
}
export function double(id: number, value: number): Message {
  const eight = new Uint8Array(8);
  new DataView(eight.buffer).setFloat64(0, value, true);
  return message(small(varint(id * 8 + 1)), { bytes: 8, pieces: [eight] });
}
/** A message as a field of another one. */
export const inside = (id: number, inner: Message): Message => message(small([...varint(id * 8 + 2), ...varint(inner.bytes)]), inner);

/** The message's bytes in one piece. */
export function whole({ bytes: length, pieces }: Message): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
