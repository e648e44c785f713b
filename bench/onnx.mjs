// A tiny ONNX model, encoded by hand (protocol buffers; fields as in onnx.proto): the same product a·b several times over, all operands
// constants, and one element of the last result as its output.

const bytes = (parts) => Buffer.concat(parts.map((p) => (typeof p === 'number' ? Buffer.from([p]) : Buffer.from(p))));

function varint(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  return Buffer.from([...out, n]);
}

/** A field holding an integer, and one holding bytes, text or a message. */
const number = (field, n) => bytes([varint(field << 3), varint(n)]);
const data = (field, content) => {
  const body = Buffer.from(content);
  return bytes([varint((field << 3) | 2), varint(body.length), body]);
};
const message = (field, ...parts) => data(field, bytes(parts));

const FLOAT = 1;
const INT64 = 7;

const tensor = (name, type, dims, raw) => message(5, ...dims.map((d) => number(1, d)), number(2, type), data(8, name), data(9, raw));
const node = (op, inputs, output) => message(1, ...inputs.map((i) => data(1, i)), data(2, output), data(4, op));

/** `products` times MatMul(a[m,k], b[k,n]); the model takes nothing and gives one number. */
export function modelOfProducts(m, n, k, a, b, products) {
  const raw = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const pair = (name, x, y) => tensor(name, INT64, [2], raw(BigInt64Array.of(BigInt(x), BigInt(y))));
  const nodes = Array.from({ length: products }, (_, i) => node('MatMul', ['a', 'b'], `c${i}`));
  const one = message(1, number(1, 1));
  return bytes([
    number(1, 8),
    message(
      7,
      ...nodes,
      node('Slice', [`c${products - 1}`, 'from', 'to'], 'corner'),
      data(2, 'products'),
      tensor('a', FLOAT, [m, k], raw(a)),
      tensor('b', FLOAT, [k, n], raw(b)),
      pair('from', 0, 0),
      pair('to', 1, 1),
      message(12, data(1, 'corner'), message(2, message(1, number(1, FLOAT), message(2, one, one)))),
    ),
    message(8, number(2, 13)),
  ]);
}
