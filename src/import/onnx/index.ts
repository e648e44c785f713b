/** An ONNX file as a model: its graph read, its picture's size known, its weights where they lie. */

import { join } from 'node:path';
import { InputError, shown } from '../../base/error.ts';
import { fileExists, isFolder } from '../../base/files.ts';
import type { SafetensorsFile } from '../../formats/safetensors.ts';
import { everywhere } from '../../network/drop.ts';
import type { Model } from '../index.ts';
import { ONNX, type Onnx } from './build.ts';
import { cutAt } from './features.ts';
import { inputLayout } from './layout.ts';
import { type OnnxFile, openOnnx, type Port } from './model.ts';
import { paramsOf, readNetwork } from './network.ts';
import { openWeightsOf } from './weights.ts';

const NO_DROP = { dropout: everywhere(0), path: 0, pathFrom: '', unused: [] };

/** Largest side of a picture. */
const MOST_PIXELS = 4096;

/** The ONNX file that a path means: the file itself, or a model folder's where that holds one. */
export function onnxPathOf(path: string): string | undefined {
  if (/\.onnx$/i.test(path) && !isFolder(path)) return path;
  if (!isFolder(path)) return undefined;
  return ['model.onnx', join('onnx', 'model.onnx')].map((name) => join(path, name)).find(fileExists);
}

/** What is not written in the file itself: labels, and the size of its pictures where it leaves that open. */
export interface Beside {
  /** The size that was asked for: the file's own must be that. */
  asked?: readonly [number, number] | undefined;
  /** The size that its pictures are prepared in, where the file leaves it open. */
  usual?: readonly [number, number] | undefined;
  labels?: string[] | undefined;
  /** The value that a head reads, by its name or its node's, where that was said. */
  features?: string | undefined;
}

/** The one input, which is a batch of pictures. */
function pictureOf(file: OnnxFile): Port {
  const [port, second] = file.inputs;
  const refuse = (what: string, got: string, expected: string) => new InputError({ where: file.path, what, got, expected });
  if (port === undefined) throw refuse('has no input', 'none', 'one, of pictures');
  if (second) throw refuse('has more inputs than one', file.inputs.map(({ name }) => shown(name)).join(', '), 'pictures alone');
  if (port.element !== 1 && port.element !== 10)
    throw refuse(
      `input ${shown(port.name)} is of another type than f32 or f16`,
      `type ${port.element} of the format`,
      'pictures that are normalised before they come in',
    );
  const { shape } = port;
  if (shape?.length !== 4 || inputLayout(shape) === undefined)
    throw refuse(
      `input ${shown(port.name)} is no batch of pictures`,
      shape ? `[${shape.map((d) => d ?? '?').join(', ')}]` : 'no shape',
      '[pictures, 3, height, width], or of one channel or four',
    );
  const [batch] = shape;
  if (typeof batch === 'number' && batch !== 1)
    throw refuse(
      'is made for a fixed number of pictures at a time',
      String(batch),
      'one, or any: export it with a batch of one picture, or with a dynamic axis',
    );
  return port;
}

function sizeOf(file: OnnxFile, { shape }: Port, { asked: wanted, usual }: Beside): [number, number] {
  const sides = inputLayout(shape)!.isFirst ? shape!.slice(2) : shape!.slice(1, 3);
  const named = sides.map((d, i) => (typeof d === 'number' && d > 0 ? d : (wanted ?? usual)?.[i]));
  const [h, w] = named;
  if (h === undefined || w === undefined)
    throw new InputError({
      where: file.path,
      what: 'leaves the size of its pictures open',
      got: `[${shape!.map((d) => d ?? '?').join(', ')}]`,
      hint: 'say it with --image-size',
    });
  if (wanted && (h !== wanted[0] || w !== wanted[1]))
    throw new InputError({
      where: '--image-size',
      what: 'is not the size that the file was exported for',
      got: wanted.join('x'),
      expected: `${h}x${w}`,
      hint: `another size needs another export of ${file.path}`,
    });
  if ([h, w].some((d) => !(Number.isInteger(d) && d >= 1 && d <= MOST_PIXELS)))
    throw new InputError({
      where: file.path,
      what: 'has an impossible size of pictures',
      got: `${h}x${w}`,
      expected: `at most ${MOST_PIXELS} a side`,
    });
  return [h, w];
}

/** Reads the graph; the weights stay in the file, which is open until `close`. */
export function openOnnxModel(path: string, beside: Beside = {}): { model: Model; weights: SafetensorsFile } {
  const whole = openOnnx(path);
  try {
    const { features } = beside;
    const file = features === undefined ? whole : cutAt(whole, features);
    const port = pictureOf(file);
    const image = sizeOf(file, port, beside);
    const network = readNetwork(file, { port, size: image }, features);
    const spec: Onnx = { image, network };
    const rows = network.head?.shape[0];
    const labels =
      rows === undefined
        ? undefined
        : beside.labels?.length === rows
          ? beside.labels
          : Array.from({ length: rows }, (_, i) => `LABEL_${i}`);
    const model: Model = {
      // By it an adapter knows what its head reads.
      type: features === undefined ? 'onnx' : `onnx#${file.outputs[0]!.name}`,
      library: 'onnx',
      family: ONNX,
      spec,
      image,
      channels: inputLayout(port.shape)!.channels,
      labels,
      bare: network.head === undefined,
      drop: NO_DROP,
    };
    return { model, weights: openWeightsOf(file, paramsOf(network)) };
  } catch (error) {
    whole.close();
    throw error;
  }
}
