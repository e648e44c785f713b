/**
 * A MobileNetV2 whose batch norms are folded (`batch_norm: "folded"`) is ours alone: transformers builds its batch norms whatever the file holds. A
 * merged folder is for transformers, so it gets norms that change nothing: y = (x − 0)·γ/√(v + ε) + β with γ = 1, v + ε = 1 in f32, and the convolution's
 * bias as β. The sum is exactly 1, so the numbers are those of the folded network.
 */
import { InputError } from '../../base/error.ts';
import type { TensorData } from '../../formats/safetensors.ts';
import type { Model } from '../../import/index.ts';

export interface Norms {
  /** Where a tensor's values belong, by its name. */
  renamed: ReadonlyMap<string, string>;
  made: TensorData[];
}

/** Is this a network whose norms only this project leaves out? */
export const isFolded = (model: Model): boolean => foldedOf(model).length > 0;

const foldedOf = ({ family, spec }: Model) => family.folded?.(spec) ?? [];

/** The norms of convolutions that have none; nothing for networks that keep theirs. */
export function identityNorms(model: Model, where: string): Norms {
  const renamed = new Map<string, string>();
  const made: TensorData[] = [];
  for (const { names, channels } of foldedOf(model)) {
    const norm = names.conv.replace(/convolution$/, 'normalization');
    renamed.set(`${names.conv}.bias`, `${norm}.bias`);
    const filled = (part: string, value: number): void => {
      const data = new Uint8Array(new Float32Array(channels).fill(value).buffer);
      made.push({ name: `${norm}.${part}`, dtype: 'F32', shape: [channels], data });
    };
    filled('weight', 1);
    filled('running_mean', 0);
    filled('running_var', complement(names.eps, where));
    made.push({ name: `${norm}.num_batches_tracked`, dtype: 'I64', shape: [], data: new Uint8Array(8) });
  }
  return { renamed, made };
}

/** The variance v with v + eps = 1 in f32. */
function complement(eps: number, where: string): number {
  const near = Math.fround(1 - eps);
  const found = [near, near + 2 ** -24, near - 2 ** -24].find((v) => Math.fround(Math.fround(v) + Math.fround(eps)) === 1);
  if (found !== undefined) return found;
  throw new InputError({ where, what: 'no batch norm with this layer_norm_eps changes nothing', got: eps, expected: 'a number below 1' });
}
