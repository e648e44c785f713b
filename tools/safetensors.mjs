// Writes a safetensors file: u64 header length, JSON header padded to 8 bytes, then the tensors in the order given.
import { renameSync, writeFileSync } from 'node:fs';

/** `tensors` is a list of `{ name, dtype: 'F16' | 'F32' | 'U8' …, shape, bytes }`. */
export function writeSafetensors(path, tensors, metadata = {}) {
  const header = { __metadata__: metadata };
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    if (name in header) throw new Error(`${path}: two tensors are named ${name}`);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const json = JSON.stringify(header);
  const text = Buffer.from(json.padEnd(json.length + (-Buffer.byteLength(json) & 7)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(`${path}.tmp`, Buffer.concat([length, text, ...tensors.map((t) => t.bytes)]));
  renameSync(`${path}.tmp`, path);
}
