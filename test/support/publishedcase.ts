/** Checkpoints as libraries publish them (test/golden/published.json, from tools/golden/published.py): folders with the recipe's numbers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../../src/base/files.ts';
import { elements } from '../../src/base/tensor.ts';
import { type TensorData, writeSafetensors } from '../../src/formats/safetensors.ts';
import { newFolder } from './folder.ts';
import { uniform } from './golden.ts';

export interface Published {
  config: Record<string, unknown>;
  /** Height and width of the pictures. */
  size: [number, number];
  tensors: Record<string, number[]>;
  /** What the library computed, row by row. */
  logits: number[];
  /** Where a new classifier stands; absent: the file has one. */
  head?: string;
}

const golden = readJson('test/golden/published.json');
export const NORMALIZE = golden.normalize as [mean: number, std: number];
export const BATCH = golden.batch as number;
export const published = golden.cases as Record<string, Published>;

/** Tensor `number` of a recipe: bounds by its name and shape. */
export function recipe(number: number, name: string, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const between = (low: number, high: number) => uniform(0, { number, low, high, shape: [...shape] });
  if (name.endsWith('running_var') || (name.endsWith('weight') && shape.length === 1)) return between(0.5, 1.5);
  if (shape.length < 2) return between(-0.2, 0.2);
  const wide = name.endsWith('weight') ? 1.7 / Math.sqrt(elements(shape.slice(1))) : 0.5;
  return between(-wide, wide);
}

/** The pictures that the library saw, as bytes. */
export const pictures = ([h, w]: readonly [number, number]): Uint8Array =>
  Uint8Array.from(uniform(0, { number: 100000, low: 0, high: 256, shape: [BATCH, h, w, 3] }), Math.floor);

/** A folder as it was published; `edit` changes its configuration. */
export function publishedFolder({ config, tensors }: Published, edit: (config: Record<string, unknown>) => void = () => {}): string {
  const folder = newFolder();
  const data: TensorData[] = Object.entries(tensors).map(([name, shape], number) => {
    const values = recipe(number, name, shape);
    return { name, dtype: 'F32', shape, data: new Uint8Array(values.buffer) };
  });
  // What counts stands in the file too.
  for (const name of Object.keys(tensors))
    if (name.endsWith('running_mean'))
      data.push({ name: name.replace('running_mean', 'num_batches_tracked'), dtype: 'I64', shape: [], data: new Uint8Array(8) });
  writeSafetensors(join(folder, 'model.safetensors'), data, { format: 'pt' });
  const changed = structuredClone(config);
  edit(changed);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(changed));
  return folder;
}

/** A Hugging Face MobileNetV2 with folded batch norms, as only this project has them, and a head. */
export function foldedFolder(edit: (config: Record<string, unknown>) => void = () => {}): string {
  const { config, tensors, ...rest } = published['mobilenetv2-bare']!;
  const shapes: Record<string, number[]> = { 'classifier.weight': [3, 0], 'classifier.bias': [3] };
  for (const [name, shape] of Object.entries(tensors)) {
    if (!name.endsWith('convolution.weight')) continue;
    shapes[`mobilenet_v2.${name}`] = shape;
    shapes[`mobilenet_v2.${name.replace(/weight$/, 'bias')}`] = [shape[0]!];
    if (name.startsWith('conv_1x1')) shapes['classifier.weight'] = [3, shape[0]!];
  }
  const sorted = Object.fromEntries(Object.entries(shapes).sort(([a], [b]) => (a < b ? -1 : 1)));
  return publishedFolder({ ...rest, config: { ...config, batch_norm: 'folded', image_size: 64 }, tensors: sorted }, edit);
}
