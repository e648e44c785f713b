/** Models for which calibration finds tables of its own. */
import { join } from 'node:path';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { openWeightsFile } from '../../src/formats/weightsfolder.ts';
import { modelCopy } from '../cli/command.ts';

/** A golden model whose activations see inputs of another spread than the shipped tables are for. */
export function spread(name: string, layers: RegExp, factor: number): string {
  const folder = modelCopy(name);
  const path = join(folder, 'model.safetensors');
  const file = openWeightsFile(path);
  const tensors = [...file.tensors.values()].map((t) => {
    const data = new Uint8Array(t.bytes);
    file.read(t, data);
    if (layers.test(t.name)) {
      const values = new Float32Array(data.buffer);
      for (let i = 0; i < values.length; i++) values[i]! *= factor;
    }
    return { name: t.name, dtype: t.dtype, shape: t.shape, data };
  });
  file.close();
  writeSafetensors(path, tensors);
  return folder;
}
