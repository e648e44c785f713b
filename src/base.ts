/** A model folder, opened: what it is, how it wants its pictures, and its weights by ranges. */
import { join } from 'node:path';
import { checkWeights, type WeightsUse } from './checkweights.ts';
import { outputSize, type Preprocess, readPreprocess } from './data/preprocess.ts';
import { baseDigest } from './digest.ts';
import { InputError } from './error.ts';
import { fileExists, isFolder, readJson } from './files.ts';
import { MOST_PIXELS } from './models/config.ts';
import { type Model, readModel } from './models/index.ts';
import { hasWeights, openSafetensors, type SafetensorsFile } from './safetensors.ts';

export interface Base {
  folder: string;
  model: Model;
}

/** Reads the configuration, no weights. `imageSize` overrides its height and width. */
export function openBase(folder: string, imageSize?: number): Base {
  if (!isFolder(folder))
    throw new InputError({
      where: folder,
      what: fileExists(folder) ? 'is a file, not a model folder' : 'no such model folder',
      hint: 'give a folder with config.json and model.safetensors',
    });
  if (imageSize !== undefined && !(Number.isInteger(imageSize) && imageSize >= 1 && imageSize <= MOST_PIXELS))
    throw new InputError({
      where: '--image-size',
      what: 'wrong value',
      got: imageSize,
      expected: `a whole number from 1 to ${MOST_PIXELS}`,
    });
  const side = imageSize ?? processorSize(folder);
  return { folder, model: readModel(folder, side === undefined ? undefined : [side, side]) };
}

/** Hugging Face's ResNets state their image size in the processor's file alone. */
function processorSize(folder: string): number | undefined {
  const config = readJson(join(folder, 'config.json'));
  const processor = join(folder, 'preprocessor_config.json');
  if (config.model_type !== 'resnet' || config.image_size !== undefined || !fileExists(processor)) return undefined;
  const { height, width } = outputSize(readPreprocess(readJson(processor), processor));
  return height === width ? height : undefined;
}

/** How pictures are prepared: preprocessor_config.json (Hugging Face) or config.json (timm), at the model's size. */
export function preprocessOf({ folder, model }: Base): Preprocess {
  const [h, w] = model.image;
  if (h !== w)
    throw new InputError({
      where: folder,
      what: 'the model wants pictures that are not square',
      got: `${h}x${w}`,
      hint: 'give --image-size',
    });
  const processor = join(folder, 'preprocessor_config.json');
  const where = fileExists(processor) ? processor : join(folder, 'config.json');
  const spec = readPreprocess(readJson(where), where);
  const size = spec.crop ?? (spec.resize.mode === 'exact' ? spec.resize : { height: 0, width: 0 });
  return size.height === h && size.width === w ? spec : readPreprocess(readJson(where), where, h);
}

/** The folder's weights, opened and held against its configuration: names, shapes, types. `use` says what of them is about to be read. */
export function openWeights({ folder, model }: Base, use: WeightsUse = {}): SafetensorsFile {
  const file = openSafetensors(folder);
  try {
    checkWeights(model, file, use);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The same check where the folder has weights: a plan needs none, but says nothing of a network that they are not. */
export function checkBaseWeights(base: Base, use: WeightsUse = {}): void {
  if (hasWeights(base.folder)) openWeights(base, use).close();
}

/** What an adapter remembers of its base. */
export function identity(
  { model }: Base,
  weights: SafetensorsFile,
): { type: string; digest: string; imageSize: readonly [number, number] } {
  return { type: model.type, digest: baseDigest(weights), imageSize: model.image };
}
