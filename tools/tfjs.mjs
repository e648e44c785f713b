// Reads a TensorFlow.js graph model (model.json + .bin): its nodes and its weights, the bytes as they lie.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const BYTES = { float32: 4, float16: 2, int32: 4, uint8: 1, uint16: 2, bool: 1 };

/**
 * @typedef {{name: string, op: string, inputs: string[], attr: Record<string, any>}} Node
 * @typedef {{shape: number[], dtype: string, bytes: Buffer}} Tensor  `dtype` is the stored one: float16 for a half weight.
 * @returns {{nodes: Map<string, Node>, tensor: (name: string) => Tensor}}
 */
export function openGraphModel(path) {
  const model = JSON.parse(readFileSync(path, 'utf8'));
  if (model.format !== 'graph-model') throw new Error(`${path}: not a TensorFlow.js graph model, got format ${model.format}`);

  const nodes = new Map();
  for (const { name, op, input = [], attr = {} } of model.modelTopology.node) nodes.set(name, { name, op, inputs: input, attr });

  const tensors = new Map();
  for (const { paths, weights } of model.weightsManifest) {
    const data = Buffer.concat(paths.map((p) => readFileSync(join(dirname(path), p))));
    let offset = 0;
    for (const { name, shape, dtype, quantization } of weights) {
      const stored = quantization?.dtype ?? dtype;
      if (!BYTES[stored]) throw new Error(`${path}: ${name} has dtype ${stored}, which this reader does not know`);
      const size = shape.reduce((a, b) => a * b, 1) * BYTES[stored];
      if (offset + size > data.length) throw new Error(`${path}: ${name} ends at byte ${offset + size}, the data at ${data.length}`);
      tensors.set(name, { shape, dtype: stored, bytes: data.subarray(offset, offset + size) });
      offset += size;
    }
    if (offset !== data.length) throw new Error(`${path}: ${paths} has ${data.length} bytes, the manifest describes ${offset}`);
  }

  return {
    nodes,
    tensor(name) {
      const found = tensors.get(name);
      if (!found) throw new Error(`${path}: no weight named ${name}`);
      return found;
    },
  };
}

/** A list of strings in an attribute: base64 in the file. */
export const strings = (attr) => (attr?.list?.s ?? []).map((s) => Buffer.from(s, 'base64').toString());
export const string = (attr) => Buffer.from(attr?.s ?? '', 'base64').toString();
export const integers = (attr) => (attr?.list?.i ?? []).map(Number);
