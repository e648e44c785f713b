// Reads an ONNX file (protocol buffers; fields as in onnx.proto): its nodes, and its weights as they lie.
import { readFileSync } from 'node:fs';

const DTYPES = { 1: ['F32', 4], 7: ['I64', 8], 10: ['F16', 2] };

/** Every field of a message: `[number, value]`; a value is a number, or the bytes of a text, a message, a list. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, type] = [Math.floor(key / 8), key % 8];
    if (type === 0) yield [number, varint()];
    else if (type === 2) {
      const size = varint();
      yield [number, bytes.subarray(at, at + size)];
      at += size;
    } else if (type === 5 || type === 1) {
      const size = type === 5 ? 4 : 8;
      yield [number, bytes.subarray(at, at + size)];
      at += size;
    } else throw new Error(`a field of kind ${type}: not a protocol buffer of ONNX`);
  }
}

/** Fields by number, each a list. */
function message(bytes) {
  const found = new Map();
  for (const [number, value] of fields(bytes)) found.set(number, [...(found.get(number) ?? []), value]);
  return (number) => found.get(number) ?? [];
}
const text = (bytes) => bytes?.toString('utf8') ?? '';
/** Repeated whole numbers, one by one or packed. */
const numbers = (list) => list.flatMap((v) => (typeof v === 'number' ? [v] : [...packed(v)]));
function* packed(bytes) {
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale = byte < 128 ? 1 : scale * 128;
    if (byte < 128) {
      yield value;
      value = 0;
    }
  }
}

function tensorOf(field, name) {
  const [type] = field(2);
  const [dtype, size] = DTYPES[type] ?? [];
  const shape = numbers(field(1));
  const count = shape.reduce((a, b) => a * b, 1);
  const bytes = Buffer.concat(field(9).length > 0 ? field(9) : field(4));
  if (!dtype || bytes.length !== count * size) return { name, dtype: dtype ?? `type ${type}`, shape, bytes: undefined };
  return { name, dtype, shape, bytes };
}

/** Whole numbers and floats of a node's attributes by name; others are left out. */
function attributesOf(list) {
  return Object.fromEntries(
    list.map(message).map((field) => {
      const [int] = field(3);
      const [float] = field(2);
      const ints = numbers(field(8));
      return [text(field(1)[0]), ints.length > 0 ? ints : (int ?? float?.readFloatLE(0))];
    }),
  );
}

/** `{ nodes: [{ op, name, inputs, outputs, attributes }], weights: Map(name → { name, dtype, shape, bytes }), inputs, outputs }` */
export function readOnnx(path) {
  const [graph] = message(readFileSync(path))(7);
  const field = message(graph);
  const nodes = field(1)
    .map(message)
    .map((node) => ({
      op: text(node(4)[0]),
      name: text(node(3)[0]),
      inputs: node(1).map(text),
      outputs: node(2).map(text),
      attributes: attributesOf(node(5)),
    }));
  const weights = new Map(
    field(5)
      .map(message)
      .map((tensor) => [text(tensor(8)[0]), tensorOf(tensor, text(tensor(8)[0]))]),
  );
  const names = (number) => field(number).map((info) => text(message(info)(1)[0]));
  return { nodes, weights, inputs: names(11), outputs: names(12) };
}
