// Reads the tensors of a PyTorch file (.pth, .pt), of the older format (one pickle after the other) and of the newer one (a zip file): a
// dictionary of tensors, nested ones with their names joined by dots. A pickle is a program; this reader knows the few instructions that
// tensors need and stops at any other, so nothing in the file is run.
import { readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';

const STORAGES = {
  FloatStorage: ['F32', 4],
  HalfStorage: ['F16', 2],
  DoubleStorage: ['F64', 8],
  LongStorage: ['I64', 8],
  IntStorage: ['I32', 4],
  ByteStorage: ['U8', 1],
};
const MARK = Symbol('mark');

/** Reads what stands behind a pickle's instructions, from `start` on. */
function operandsOf(bytes, start) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  const skip = (size) => {
    at += size;
    return at - size;
  };
  const uint = (size) => {
    const from = skip(size);
    return size === 1 ? view.getUint8(from) : size === 2 ? view.getUint16(from, true) : view.getUint32(from, true);
  };
  return {
    skip,
    uint,
    float: () => view.getFloat64(skip(8)),
    line() {
      const from = skip(bytes.indexOf(10, at) + 1 - at);
      return bytes.toString('latin1', from, at - 1);
    },
    text(length) {
      const from = skip(length);
      return bytes.toString('utf8', from, at);
    },
    long() {
      const size = uint(1);
      const from = skip(size);
      let value = 0n;
      for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[from + i]);
      return Number(BigInt.asIntN(8 * Math.max(1, size), value));
    },
  };
}

/** One pickle of `bytes` from `start`; returns the value and where it ends. `storage(id)` makes what a persistent id stands for. */
function unpickle(bytes, start, storage) {
  const { skip, uint, float, line, text, long } = operandsOf(bytes, start);
  const stack = [];
  const memo = [];
  const sinceMark = () => stack.splice(stack.lastIndexOf(MARK)).slice(1);
  const put = (pairs) => {
    const target = stack.at(-1);
    for (let i = 0; i < pairs.length; i += 2) target.set(pairs[i], pairs[i + 1]);
  };
  for (;;) {
    const code = String.fromCharCode(bytes[skip(1)]);
    if (code === '.') return { value: stack.pop(), end: skip(0) };
    else if (code === '\x80') skip(1);
    else if (code === '(') stack.push(MARK);
    else if (code === '}') stack.push(new Map());
    else if (code === ']') stack.push([]);
    else if (code === ')') stack.push([]);
    else if (code === 'N') stack.push(null);
    else if (code === '\x88' || code === '\x89') stack.push(code === '\x88');
    else if (code === 'K') stack.push(uint(1));
    else if (code === 'M') stack.push(uint(2));
    else if (code === 'J') stack.push(uint(4) | 0);
    else if (code === '\x8a') stack.push(long());
    else if (code === 'G') stack.push(float());
    else if (code === 'X') stack.push(text(uint(4)));
    else if (code === 'q') memo[uint(1)] = stack.at(-1);
    else if (code === 'r') memo[uint(4)] = stack.at(-1);
    else if (code === 'h') stack.push(memo[uint(1)]);
    else if (code === 'j') stack.push(memo[uint(4)]);
    else if (code === 'c') stack.push({ global: `${line()}.${line()}` });
    else if (code === 't') stack.push(sinceMark());
    else if (code === '\x85') stack.push(stack.splice(-1));
    else if (code === '\x86') stack.push(stack.splice(-2));
    else if (code === '\x87') stack.push(stack.splice(-3));
    else if (code === 's') put(stack.splice(-2));
    else if (code === 'u') put(sinceMark());
    else if (code === 'a') stack.at(-2).push(stack.pop());
    else if (code === 'e') {
      const items = sinceMark();
      stack.at(-1).push(...items);
    } else if (code === 'Q') stack.push(storage(stack.pop()));
    else if (code === 'b') stack.pop();
    else if (code === 'R') {
      const [{ global }, values] = stack.splice(-2);
      stack.push(made(global, values));
    } else throw new Error(`instruction ${JSON.stringify(code)} at byte ${skip(0) - 1} of a pickle: not one that tensors need`);
  }
}

function made(name, values) {
  if (name === 'collections.OrderedDict') return new Map(values[0]);
  if (name === 'torch._utils._rebuild_parameter') return values[0];
  if (name !== 'torch._utils._rebuild_tensor_v2') throw new Error(`a pickle calls ${name}: not one that tensors need`);
  const [storage, offset, shape, strides] = values;
  return { storage, offset, shape, strides };
}

/** All tensors in the file's order: `[{ name, dtype, shape, bytes }]`. */
export function readTorch(path) {
  const file = readFileSync(path);
  const storages = new Map();
  const storage = ([, { global }, key, , count]) => {
    const [dtype, size] = STORAGES[global.replace(/^torch\./, '')] ?? [];
    if (!dtype) throw new Error(`${path}: ${global} is a storage that this reader does not know`);
    if (!storages.has(key)) storages.set(key, { dtype, size, count });
    return storages.get(key);
  };
  const root = file[0] === 0x50 ? readZip(file, storages, storage) : readPickles(file, storages, storage);
  const tensors = [];
  collect(root, '', (name, { storage: { dtype, size, bytes }, offset, shape, strides }) => {
    let dense = 1;
    for (let d = shape.length - 1; d >= 0; d--) {
      if (shape[d] > 1 && strides[d] !== dense) throw new Error(`${path}: ${name} does not lie in one piece`);
      dense *= shape[d];
    }
    tensors.push({ name, dtype, shape, bytes: bytes.subarray(offset * size, (offset + dense) * size) });
  });
  return tensors;
}

function collect(value, prefix, found) {
  if (value instanceof Map) for (const [key, inner] of value) collect(inner, prefix === '' ? key : `${prefix}.${key}`, found);
  else if (value?.storage) found(prefix, value);
}

/** Magic number, protocol, system; the object; the storages' keys; then each storage: its length and its bytes. */
function readPickles(file, storages, storage) {
  let at = 0;
  const next = () => {
    const { value, end } = unpickle(file, at, storage);
    at = end;
    return value;
  };
  for (let i = 0; i < 3; i++) next();
  const root = next();
  for (const key of next()) {
    const stored = storages.get(key);
    const count = Number(file.readBigUInt64LE(at));
    if (!stored || stored.count !== count) throw new Error(`storage ${key} has ${count} elements, expected ${stored?.count}`);
    stored.bytes = file.subarray(at + 8, at + 8 + count * stored.size);
    at += 8 + count * stored.size;
  }
  return root;
}

/** <name>/data.pkl, and <name>/data/<key> for each storage. */
function readZip(file, storages, storage) {
  const entries = unzipSync(file);
  const main = Object.keys(entries).find((name) => name.endsWith('/data.pkl'));
  if (main === undefined) throw new Error('the archive has no data.pkl');
  const buffer = (name) => Buffer.from(entries[name].buffer, entries[name].byteOffset, entries[name].length);
  const { value } = unpickle(buffer(main), 0, storage);
  for (const [key, stored] of storages) stored.bytes = buffer(main.replace(/data\.pkl$/, `data/${key}`));
  return value;
}
