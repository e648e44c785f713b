/** A checkpoint's tensors as the engine takes them, and the digest that an adapter knows its base by. */
import { createHash } from 'node:crypto';
import { hashRange } from '../base/digest.ts';
import { InputError, shown } from '../base/error.ts';
import { type Shape, sameShape, shapeText } from '../base/tensor.ts';
import type { SafetensorsFile, Tensor } from './safetensors.ts';

/** Codes of the element types that weights may have; the engine converts each to f32. */
const DTYPES: Readonly<Record<string, { code: number; bytes: number }>> = {
  F32: { code: 0, bytes: 4 },
  F16: { code: 1, bytes: 2 },
  BF16: { code: 2, bytes: 2 },
};

/** A tensor of the checkpoint that is read in this shape, and its element type. Throws InputError where it is not there so. */
export function weightOf(
  file: SafetensorsFile,
  name: string,
  shape: Shape,
): { tensor: Tensor; where: string; dtype: { code: number; bytes: number } } {
  const tensor = file.tensor(name);
  const where = `${file.path}: ${shown(name)}`;
  // A leading axis of 1 (position embeddings, class tokens) may be absent.
  if (!sameShape(tensor.shape, shape))
    throw new InputError({ where, what: 'wrong shape', got: shapeText(tensor.shape), expected: shapeText(shape) });
  const dtype = DTYPES[tensor.dtype];
  if (dtype === undefined)
    throw new InputError({ where, what: 'unsupported element type', got: tensor.dtype, expected: 'F32, F16 or BF16' });
  return { tensor, where, dtype };
}

/**
 * By what an adapter knows its base: every byte of the weights, header included, in the order of the shards. For a single file it is
 * what `sha256sum model.safetensors` prints. One pass of reading, which a run needs anyway to load the weights.
 */
export function baseDigest(weights: SafetensorsFile): string {
  const hash = createHash('sha256');
  for (const { source } of weights.files) hashRange(hash, source, 0, source.size);
  return hash.digest('hex');
}
