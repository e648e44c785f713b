/** An ONNX file as a base: what stands beside it (labels, how pictures are prepared), and what is assumed where nothing does. */
import { dirname, join } from 'node:path';
import { fileExists, readJson } from '../../base/files.ts';
import { openConfig } from '../../formats/config.ts';
import type { SafetensorsFile } from '../../formats/safetensors.ts';
import { readProcessor } from '../../input/huggingface.ts';
import { outputSize, type Preprocess, readPreprocess } from '../../input/preprocess.ts';
import type { Model } from '../index.ts';
import { labelsOf } from '../published.ts';
import { openOnnxModel } from './index.ts';

const PROCESSOR = 'preprocessor_config.json';

/** The folder's own file of this name: beside the ONNX file, or above a folder `onnx`. */
function beside(path: string, name: string): string | undefined {
  const folder = dirname(path);
  return [join(folder, name), join(folder, '..', name)].slice(0, /(^|[\\/])onnx$/.test(folder) ? 2 : 1).find(fileExists);
}

/** What says how pictures are prepared: transformers' own file, or timm's config.json. */
function processorOf(path: string): string | undefined {
  const own = beside(path, PROCESSOR);
  if (own !== undefined) return own;
  const config = beside(path, 'config.json');
  return config !== undefined && 'pretrained_cfg' in readJson(config) ? config : undefined;
}

function labelsBeside(path: string): string[] | undefined {
  const config = beside(path, 'config.json');
  return config === undefined ? undefined : labelsOf(openConfig({ where: config, values: readJson(config) }));
}

/** The size of pictures by a processor's file, which says of how many channels they are before the graph does. */
function sizeIn(processor: Record<string, unknown>, where: string): ReturnType<typeof outputSize> {
  const { image_mean: mean } = processor;
  return outputSize(readPreprocess(processor, where, undefined, undefined, Array.isArray(mean) ? mean.length : undefined));
}

/** Opens the file `path`, up to the value `features` where that is named; the weights are open, and the caller's to close. */
export function openOnnxBase(
  path: string,
  asked: readonly [number, number] | undefined,
  features?: string,
): { model: Model; weights: SafetensorsFile } {
  const processor = processorOf(path);
  const size = processor === undefined ? undefined : sizeIn(readJson(processor), processor);
  return openOnnxModel(path, { asked, usual: size && [size.height, size.width], labels: labelsBeside(path), features });
}

/** How pictures are prepared for the file `path`. */
export function onnxPreprocess(path: string, [height, width]: readonly [number, number], channels = 3): Preprocess {
  const processor = processorOf(path);
  if (processor === undefined) return assumed([height, width], channels);
  const read = readPreprocess(readJson(processor), processor, undefined, undefined, channels);
  const size = outputSize(read);
  return size.height === height && size.width === width
    ? read
    : readPreprocess(readJson(processor), processor, [height, width], undefined, channels);
}

/** As most networks that were trained on ImageNet: the middle seven eighths of the picture, by their mean and deviation. */
const assumed = ([height, width]: readonly [number, number], channels: number): Preprocess =>
  readProcessor(
    { size: { shortest_edge: 224 }, crop_pct: 0.875, resample: 2, image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] },
    'preprocessing',
    { image: { height, width }, modelType: 'convnext', channels },
  );

/** One line where nothing says how pictures are prepared, of what is done instead. */
export function onnxNote(path: string, image: readonly [number, number], channels = 3): string | undefined {
  if (processorOf(path) !== undefined) return undefined;
  const { mean, std } = onnxPreprocess(path, image, channels);
  return (
    `an ONNX file does not say how its pictures are prepared, and no ${PROCESSOR} is beside it, so they are as most networks of ImageNet want them: ` +
    `the shorter side resized, ${image.join('x')} cut out of the middle, mean ${mean.join(' ')}, deviation ${std.join(' ')}; where that is wrong, write ${join(dirname(path), PROCESSOR)}`
  );
}
