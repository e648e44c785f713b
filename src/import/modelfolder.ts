/** A model folder, opened: what it is, how it wants its pictures, and its weights by ranges. */

import { join } from 'node:path';
import { InputError, shown } from '../base/error.ts';
import { fileExists, isFolder, readJson } from '../base/files.ts';
import { type AdapterFile, checkBase } from '../formats/adapterfile.ts';
import type { ConfigSource } from '../formats/config.ts';
import { refuseHubName } from '../formats/hub.ts';
import type { SafetensorsFile } from '../formats/safetensors.ts';
import { baseDigest } from '../formats/weightsfile.ts';
import { hasSafetensors, hasWeights, openWeightsFile } from '../formats/weightsfolder.ts';
import { type ImageSize, imageSizeOf } from '../input/fields.ts';
import { assumedProcessor } from '../input/huggingface.ts';
import { checkPreparation, type Preparation, portOf } from '../input/index.ts';
import { outputSize, type Preprocess, readPreprocess } from '../input/preprocess.ts';
import { torchvisionPreprocess } from '../input/torchvision.ts';
import { checkPictureChannels } from '../pictures/channels.ts';
import { checkWeights, type WeightsUse } from './checkweights.ts';
import type { Size } from './family.ts';
import { configPath, headsOf, type Model, parseModel, readModel } from './index.ts';
import { configsSaid, isWeightsAlone, modelName, unsaid } from './modelname.ts';
import { onnxNote, onnxPreprocess, openOnnxBase } from './onnx/base.ts';
import { onnxPathOf } from './onnx/index.ts';
import { timmPreprocess } from './timmstatistics.ts';

/** A model folder, its configuration read and understood. */
export interface ModelFolder {
  /** The folder. */
  folder: string;
  /** The network that its configuration describes. */
  model: Model;
  /** The ONNX file that it is, in place of a folder with a configuration. */
  onnx?: string;
  /** The value of it that a head reads, where that was said. */
  features?: string;
  /** Its configuration, where the network's name was said and no config.json says more. */
  said?: Record<string, unknown>;
}

/**
 * Reads a model folder's configuration, no weights. `imageSize` overrides its height and width, in pixels. Throws InputError for a folder
 * that is none, for a configuration that is not understood whole (the key is named), and for a size that the network cannot take.
 */
export function openModelFolder(folder: string, imageSize?: ImageSize): ModelFolder {
  const asked = imageSize === undefined ? undefined : imageSizeOf(imageSize, '--image-size');
  const { path, said } = modelName(folder);
  const onnx = onnxPathOf(path);
  if (onnx !== undefined && (onnx === path || !hasSafetensors(path)))
    return openGraph(path, onnx, asked && [asked.height, asked.width], said);
  if (said !== undefined) return openSaid(path, said, asked && [asked.height, asked.width]);
  if (isWeightsAlone(folder)) throw unsaid(folder);
  if (!isFolder(folder)) {
    if (!fileExists(folder)) refuseHubName(folder);
    throw new InputError({
      where: folder,
      what: fileExists(folder) ? 'is a file, not a model folder' : 'no such model folder',
      hint: 'give a folder with config.json and model.safetensors; docs/checkpoints.md has lines that fetch some',
    });
  }
  const size = asked ?? processorSize(folder);
  return { folder, model: readModel(folder, size && [size.height, size.width]) };
}

function openGraph(folder: string, onnx: string, size: Size, features: string | undefined): ModelFolder {
  const { model, weights } = openOnnxBase(onnx, size, features);
  weights.close();
  return { folder, model, onnx, ...(features === undefined ? {} : { features }) };
}

/** Weights whose network's name was said: of torchvision's and timm's of that name the first whose weights these are. */
function openSaid(path: string, said: string, size: Size): ModelFolder {
  if (!isFolder(path) && !fileExists(path)) throw new InputError({ where: path, what: 'no such file' });
  if (!isFolder(path) && !isWeightsAlone(path))
    throw new InputError({
      where: path,
      what: 'is no file of weights',
      expected: 'a .pth, .pt, .bin or .safetensors, or a folder with one',
    });
  let fault: InputError | undefined;
  for (const config of configsSaid(path, said)) {
    try {
      const model = parseModel(config, size);
      const base = { folder: path, said: config.values, model: { ...model, labels: rowsOf(model, config) } };
      checkFolderWeights(base);
      return base;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      fault ??= error;
    }
  }
  // Of several networks of that name the first one's fault.
  if (fault!.where.startsWith(path)) throw new InputError({ ...fault!.parts, hint: `these are not the weights of ${shown(said)}` });
  throw fault;
}

/** Names for the rows of the file's own head. */
function rowsOf(model: Model, { tensors }: ConfigSource): string[] | undefined {
  const rows = tensors?.get(`${headsOf(model)[0]}.weight`)?.[0];
  return rows === undefined ? undefined : Array.from({ length: rows }, (_, i) => `LABEL_${i}`);
}

const PROCESSOR = 'preprocessor_config.json';

/** Hugging Face's ResNets state their image size in the processor's file alone. */
function processorSize(folder: string): { height: number; width: number } | undefined {
  const config = readJson(configPath(folder));
  const processor = join(folder, PROCESSOR);
  if (config.model_type !== 'resnet' || config.image_size !== undefined || !fileExists(processor)) return undefined;
  const channels = typeof config.num_channels === 'number' ? config.num_channels : undefined;
  return outputSize(readPreprocess(readJson(processor), processor, undefined, 'resnet', channels));
}

/**
 * How pictures are prepared: preprocessor_config.json (Hugging Face) or config.json (timm), at the model's size; where Hugging Face's is
 * missing, what `processorNote` says. Throws InputError for a field that is not understood.
 */
export function preprocessOf(base: ModelFolder): Preprocess {
  const { folder, model } = base;
  const [h, w] = model.image;
  checkPictureChannels(model.channels, folder);
  if (base.onnx !== undefined) return onnxPreprocess(base.onnx, model.image, model.channels);
  if (lacksProcessor(base))
    return model.library === 'torchvision'
      ? torchvisionPreprocess(model.type, model.image, model.spec.half)
      : model.library === 'timm'
        ? timmPreprocess(saidName(base), model.image, model.channels)
        : assumedProcessor(model.type, model.image, model.channels);
  const processor = join(folder, PROCESSOR);
  const where = fileExists(processor) ? processor : join(folder, 'config.json');
  const read = (size?: ImageSize): Preprocess => readPreprocess(readJson(where), where, size, model.type, model.channels);
  const spec = read();
  const size = outputSize(spec);
  return size.height === h && size.width === w ? spec : read(model.image);
}

/** Beside config.json, where a network was merged that learnt from arrays: no processor of the libraries says how these are prepared. */
export const ARRAY_INPUT = 's2a_input.json';

/** What the folder's own head wants: pictures, or arrays where it says so. */
export function ownPreparation(base: ModelFolder): Preparation {
  const path = join(base.folder, ARRAY_INPUT);
  if (!fileExists(path)) return preprocessOf(base);
  const own = checkPreparation(readJson(path), path);
  const { height, width, channels } = portOf(own);
  const { image, channels: read } = base.model;
  if (height !== image[0] || width !== image[1] || channels !== read)
    throw new InputError({
      where: path,
      what: 'is of arrays of another shape than config.json says',
      got: `${height}x${width}x${channels}`,
      expected: `${image.join('x')}x${read}`,
    });
  return own;
}

/** The folder at the size that an adapter was trained at. Throws InputError where it takes no such pictures, or cannot be opened at all. */
export function openBaseOf(adapter: Pick<AdapterFile, 'path' | 'base'>, model: string): ModelFolder {
  try {
    return openModelFolder(model, adapter.base.imageSize);
  } catch (error) {
    // A network that does not take pictures of that size is not the adapter's: that is what is wrong, not the size.
    const { type, image } = openModelFolder(model).model;
    checkBase(adapter, { type, imageSize: image });
    throw error;
  }
}

/** timm's configurations say how pictures are prepared; Hugging Face's, and ours for torchvision, leave that to a file beside them. */
const lacksProcessor = ({ folder, model, said }: ModelFolder): boolean =>
  (model.library !== 'timm' || said !== undefined) && !fileExists(join(folder, PROCESSOR));

/** The network's name as it was said, with its tag where it has one. */
const saidName = ({ model, said }: ModelFolder): string => String(said?.architecture ?? model.type);

/** One line where a folder does not say how it wants its pictures, of what is done instead. */
export function processorNote(base: ModelFolder): string | undefined {
  if (base.onnx !== undefined) return onnxNote(base.onnx, base.model.image, base.model.channels);
  if (!lacksProcessor(base) || fileExists(join(base.folder, ARRAY_INPUT))) return undefined;
  const { resize, crop, resample, mean, std, reversed } = preprocessOf(base);
  const [h, w] = base.model.image;
  const form = resize.mode === 'exact' && !crop ? `stretched to ${h}x${w}` : `resized and cut to ${h}x${w}`;
  const numbers = (three: readonly number[]): string => (three.every((x) => x === three[0]) ? String(three[0]) : three.join(' '));
  const whose = base.model.library === 'timm' ? `timm's weights of ${saidName(base)}` : `published ${base.model.type} networks`;
  // A file of weights alone has no place for it.
  const what = isFolder(base.folder)
    ? `${join(base.folder, PROCESSOR)} is missing`
    : `${base.folder} does not say how its pictures are prepared`;
  return (
    `${what}, so pictures are prepared as ${whose} want them: ` +
    `${form} (${resample}), mean ${numbers(mean)}, deviation ${numbers(std)}${reversed ? ', blue first' : ''}`
  );
}

/** The folder's weights, opened and held against its configuration: names, shapes, types. `use` says what of them is about to be read. */
export function openWeights({ folder, model, onnx, features }: ModelFolder, use: WeightsUse = {}): SafetensorsFile {
  // What the graph reads is in the file, or it was refused when it was opened.
  if (onnx !== undefined) return openOnnxBase(onnx, model.image, features).weights;
  const file = openWeightsFile(folder);
  try {
    checkWeights(model, file, use);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The same check where the folder has weights: a plan needs none, but says nothing of a network that they are not. */
export function checkFolderWeights(base: ModelFolder, use: WeightsUse = {}): void {
  if (base.onnx === undefined && hasWeights(base.folder)) openWeights(base, use).close();
}

/** For what needs a folder with safetensors: `what` an ONNX file cannot be. */
export function refuseOnnx({ onnx }: ModelFolder, what: string, hint?: string): void {
  if (onnx === undefined) return;
  throw new InputError({
    where: onnx,
    what: `an ONNX file cannot be ${what}`,
    expected: 'a folder with config.json and model.safetensors',
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What an adapter remembers of its base. */
export function identity(
  { model }: ModelFolder,
  weights: SafetensorsFile,
): { type: string; digest: string; imageSize: readonly [number, number] } {
  return { type: model.type, digest: baseDigest(weights), imageSize: model.image };
}
