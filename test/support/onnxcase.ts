/** Exports of golden networks whose learnt tensors were moved, with their logits here. Also used by tools/onnx-check.mjs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../src/base/error.ts';
import type { Precision } from '../../src/base/precision.ts';
import type { Preprocess } from '../../src/input/preprocess.ts';
import { openInference } from '../../src/use/classifier.ts';
import { exportOnnx } from '../../src/use/onnx/export.ts';
import { modelFolder } from './golden.ts';
import { logitsOf, movedAdapter } from './mergecase.ts';

export const COUNT = 2;
const GOLDEN = 'test/golden';

/** One export: a golden network and what learnt in it. */
export interface ExportCase {
  name: string;
  network: string;
  method: string;
  weights?: Precision;
}

const networks = (): string[] => readdirSync(GOLDEN).filter((name) => existsSync(join(GOLDEN, name, 'config.json')));
/** All modules; channels that four does not divide are pooled by one. */
const all = (ratio: number): string => `bias+prompt+side:ratio=${ratio}`;
/** What else is exported of some: every method, kept weights of 8 and 4 bits. */
const MORE: Record<string, { method: string; weights?: Precision }[]> = {
  'vit-hf': [
    { method: 'probe' },
    { method: 'full' },
    { method: 'lora:rank=2,all=1' },
    { method: 'bias', weights: 'int8' },
    { method: 'bias', weights: 'int4' },
  ],
  'resnet-hf': [{ method: 'full' }, { method: 'bias', weights: 'int8' }, { method: 'bias+depth:blocks=1' }],
  'mobilenetv2-hf': [
    { method: 'bias', weights: 'int8' },
    { method: 'bias', weights: 'int4' },
  ],
  'swin-hf': [{ method: 'full' }, { method: 'bias', weights: 'int8' }],
};

/** Every golden network with its biases, and with all modules; some in further ways. */
export const exportCases = (): ExportCase[] =>
  networks().flatMap((network) =>
    [{ method: 'bias' }, { method: all(4) }, ...(MORE[network] ?? [])].map((how) => {
      const { method, weights } = how as { method: string; weights?: Precision };
      return { name: [network, method, ...(weights ? [weights] : [])].join(' '), network, ...how };
    }),
  );

/** By the first of these methods whose side branch the network has channels for. */
function moved(model: string, [method, ...others]: string[], adapter: string): void {
  try {
    // Little: networks of random weights make much of what their biases add.
    movedAdapter(model, method!, adapter, { by: 0.04 });
  } catch (error) {
    if (others.length === 0 || !(error instanceof InputError && error.where === '--method side')) throw error;
    moved(model, others, adapter);
  }
}

/** Exports one into `folder`: the file, logits of COUNT pictures, and the pictures as the file takes them, [COUNT, C, H, W]. */
export function exportOf(
  { network, method, weights }: ExportCase,
  folder: string,
): { file: string; out: string; logits: Float32Array; pictures: Float32Array } {
  const [adapter, out] = [join(folder, 'adapter'), join(folder, 'exported')];
  const model = modelFolder(network);
  moved(model, [method, all(1), 'bias+prompt'], adapter);
  exportOnnx({ model, adapter, out, ...(weights ? { weights } : {}) });
  const { logits, pictures } = logitsOf(model, adapter, COUNT, weights);
  const { preprocess } = openInference(adapter, { model });
  return { file: join(out, 'model.onnx'), out, logits, pictures: normalised(pictures, preprocess as Preprocess) };
}

/** Bytes [N,H,W,C] as the network sees them, channels first. */
function normalised(pixels: Uint8Array, { scale, mean, std }: Preprocess): Float32Array {
  const c = mean.length;
  const perPicture = pixels.length / COUNT;
  const plane = perPicture / c;
  return Float32Array.from({ length: pixels.length }, (_, i) => {
    const [picture, channel, at] = [Math.floor(i / perPicture), Math.floor((i % perPicture) / plane), i % plane];
    return (pixels[picture * perPicture + at * c + channel]! * scale - mean[channel]!) / std[channel]!;
  });
}

/** The digests of the files that onnxruntime has agreed with, by case. */
export const agreed = (): Record<string, string> => JSON.parse(readFileSync(join(GOLDEN, 'onnxexport.json'), 'utf8'));
