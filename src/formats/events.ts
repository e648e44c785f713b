/**
 * TensorBoard's event files: a chain of TFRecords, each an `Event` message of protocol buffers.
 *
 *     record   u64 length · u32 masked CRC of these 8 bytes · data[length] · u32 masked CRC of the data      little-endian, CRC-32C
 *     Event    1 wall_time f64 · 2 step i64 · 3 file_version text | 5 summary | 7 session_log
 *     Summary  1 value, repeated: 1 tag text · 2 simple_value f32
 *     session_log  1 status: 1 is START, after which a reader drops what it has of this step and later ones
 *
 * Source: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto; held against TensorBoard's own reader (tools/golden/events.py).
 */

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32C (Castagnoli), rotated and shifted by a constant, since a CRC of data that hold CRCs says little. */
function maskedCrc(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = table[(c ^ byte) & 255]! ^ (c >>> 8);
  c = ~c >>> 0;
  return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;
}

const LENGTH_DELIMITED = 2;
const VARINT = 0;
const [FIXED64, FIXED32] = [1, 5];

/** A whole number of at most 2^53 as protocol buffers write it: seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
  return bytes;
}

const key = (field: number, type: number): number => field * 8 + type;
const nested = (field: number, bytes: ArrayLike<number>): number[] => [
  key(field, LENGTH_DELIMITED),
  ...varint(bytes.length),
  ...Array.from(bytes),
];
const f64 = (field: number, value: number): number[] => [key(field, FIXED64), ...new Uint8Array(Float64Array.of(value).buffer)];
const f32 = (field: number, value: number): number[] => [key(field, FIXED32), ...new Uint8Array(Float32Array.of(value).buffer)];
const text = (field: number, value: string): number[] => nested(field, new TextEncoder().encode(value));

/** A zero is what is not written. */
const stepOf = (step: number): number[] => (step === 0 ? [] : [key(2, VARINT), ...varint(step)]);

function record(event: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(16 + event.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, event.length, true);
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true);
  bytes.set(event, 12);
  view.setUint32(12 + event.length, maskedCrc(bytes.subarray(12, 12 + event.length)), true);
  return bytes;
}

/** The record that a file begins with. `seconds` since 1970. */
export const eventsHead = (seconds: number): Uint8Array => record([...f64(1, seconds), ...text(3, 'brain.Event:2')]);

/** A run goes on: what was logged of `step` and later ones is dropped by who reads the folder. */
export const eventsRestart = (seconds: number, step: number): Uint8Array =>
  record([...f64(1, seconds), ...stepOf(step), ...nested(7, [key(1, VARINT), 1])]);

/** Numbers of a step by their tags. */
export function eventsScalars(seconds: number, step: number, scalars: readonly (readonly [tag: string, value: number])[]): Uint8Array {
  const values = scalars.flatMap(([tag, value]) => nested(1, [...text(1, tag), ...f32(2, value)]));
  return record([...f64(1, seconds), ...stepOf(step), ...nested(5, values)]);
}
