// The table of docs/checkpoints.md: folders written by timm and transformers under the names that checkpoints have on the hub, with random numbers of
// the published shapes, each planned at its smallest budget, trained for a step inside it and judged. Needs a Python with timm and transformers:
//
//     npm run build && node tools/checkpoints.mjs --python python3
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { encode } from 'fast-png';

const { BudgetError, openModelFolder, planForBudget } = await import('../dist/index.js');
const { values } = parseArgs({ options: { python: { type: 'string', default: 'python3' } } });

const timm = (name) => ({ hub: `timm/${name}` });
/** Family, and the checkpoint; of those of transformers the licence as their pages say it, since the library has no table of them. */
/** @type {[string, { hub: string, class?: string, config?: object }, string?][]} */
const LIST = [
  ['ViT', timm('vit_tiny_patch16_224.augreg_in21k_ft_in1k')],
  ['ViT', timm('vit_small_patch16_224.augreg_in21k_ft_in1k')],
  ['ViT', timm('vit_base_patch16_224.augreg2_in21k_ft_in1k')],
  ['ViT', { hub: 'google/vit-base-patch16-224', class: 'ViTForImageClassification', config: { num_labels: 1000 } }, 'apache-2.0'],
  ['DeiT', timm('deit_tiny_patch16_224.fb_in1k')],
  ['DeiT', timm('deit_small_patch16_224.fb_in1k')],
  ['Swin', timm('swin_tiny_patch4_window7_224.ms_in1k')],
  ['ResNet', timm('resnet18.a1_in1k')],
  ['ResNet', timm('resnet50.a1_in1k')],
  ['ResNet', { hub: 'microsoft/resnet-50', class: 'ResNetForImageClassification', config: { num_labels: 1000 } }, 'apache-2.0'],
  ['MobileNetV2', timm('mobilenetv2_050.lamb_in1k')],
  ['MobileNetV2', timm('mobilenetv2_100.ra_in1k')],
  ['MobileNetV3', timm('mobilenetv3_small_050.lamb_in1k')],
  ['MobileNetV3', timm('mobilenetv3_small_100.lamb_in1k')],
  ['MobileNetV3', timm('mobilenetv3_large_100.ra_in1k')],
  ['ConvNeXt', timm('convnext_atto.d2_in1k')],
  ['ConvNeXt', timm('convnext_tiny.fb_in22k_ft_in1k')],
];

const folder = mkdtempSync(join(tmpdir(), 's2a-checkpoints-'));
const photos = join(folder, 'photos');
for (const [label, name] of ['dark', 'light'].entries()) {
  mkdirSync(join(photos, name), { recursive: true });
  for (let i = 0; i < 4; i++) {
    const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, k) => label * 150 + ((k * (i + 3)) % 90));
    writeFileSync(join(photos, name, `${i}.png`), encode({ width: 64, height: 64, data, channels: 3, depth: 8 }));
  }
}

function smallest(model, weights) {
  try {
    planForBudget({ model, classes: 10, batchSize: 8, weights, rates: 'relative', budgetBytes: 65536 });
  } catch (error) {
    if (error instanceof BudgetError) return error.smallestBytes;
    throw error;
  }
  throw new Error('a model that trains in 64 KiB');
}

const mib = (bytes) => (Math.ceil((bytes / 2 ** 20) * 10) / 10).toFixed(1);
const rows = [];
try {
  for (const [family, entry, said] of LIST) {
    writeFileSync(join(folder, 'list.json'), JSON.stringify([entry]));
    const words = ['tools/checkpoints/save.py', join(folder, 'list.json'), folder];
    const { folder: model, licence } = JSON.parse(
      execFileSync(values.python, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    const [f32, int8] = ['f32', 'int8'].map((weights) => smallest(openModelFolder(model).model, weights));
    const options = [
      '--batch-size',
      '8',
      '--epochs',
      '1',
      '--budget',
      `${mib(f32)}MiB`,
      '--out',
      join(folder, 'out'),
      '--overwrite',
      '--json',
    ];
    const { status, stderr } = spawnSync(process.execPath, ['dist/s2a.js', 'train', model, photos, ...options], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${entry.hub}: ${stderr}`);
    const megabytes = (statSync(join(model, 'model.safetensors')).size / 1e6).toFixed(0);
    rows.push(`| ${family} | \`${entry.hub}\` | ${megabytes} | ${mib(f32)} | ${mib(int8)} | ${licence ?? said} |`);
    console.error(rows.at(-1));
    for (const path of [model, join(folder, 'out')]) rmSync(path, { recursive: true, force: true });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const marks = /(<!-- checkpoints -->\n)[\s\S]*?(<!-- \/checkpoints -->)/;
const page = 'docs/checkpoints.md';
const heading = '| family | name on the hub | MB | smallest budget, MiB | over int8 weights | licence |\n|---|---|---|---|---|---|';
writeFileSync(page, readFileSync(page, 'utf8').replace(marks, `$1${heading}\n${rows.join('\n')}\n$2`));
