// The README's table of memory, from the plans themselves:  npm run figures  prints it,  npm run figures -- --write  puts it into README.md.
// Full-size models from their configurations alone, 224×224, 100 classes, AdamW; nothing is loaded, nothing is run.
import { readFileSync, writeFileSync } from 'node:fs';

const { BudgetError, compile, parseModel, planForBudget } = await import('../dist/index.js');

const vit = (hidden_size, num_attention_heads, num_hidden_layers = 12) => ({
  model_type: 'vit',
  hidden_size,
  num_attention_heads,
  num_hidden_layers,
  intermediate_size: 4 * hidden_size,
  architectures: ['ViTForImageClassification'],
});
const swin = (embed_dim, depths, num_heads) => ({ model_type: 'swin', embed_dim, depths, num_heads });
const MODELS = {
  'ViT-Tiny/16': vit(192, 3),
  'ViT-Small/16': vit(384, 6),
  'ViT-Base/16': vit(768, 12),
  'ViT-Large/16': vit(1024, 16, 24),
  'Swin-Tiny': swin(96, [2, 2, 6, 2], [3, 6, 12, 24]),
  'Swin-Base': swin(128, [2, 2, 18, 2], [4, 8, 16, 32]),
  'MobileNetV2 1.0': { model_type: 'mobilenet_v2' },
  'MobileNetV3-Large': { architecture: 'mobilenetv3_large_100' },
  'ResNet-50': { model_type: 'resnet' },
  'ConvNeXt-Tiny': { model_type: 'convnext' },
};

/** The smallest budget with which eight pictures a step still train: what a refusal names. */
function smallestBudget(model, weights) {
  try {
    planForBudget({ model, classes: 100, batchSize: 8, weights, rates: 'relative', budgetBytes: 65536 });
  } catch (error) {
    if (error instanceof BudgetError) return error.smallestBytes;
    throw error;
  }
  throw new Error('a model that trains in 64 KiB');
}

const mb = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1);
const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);

export function figures() {
  const rows = Object.entries(MODELS).map(([name, values]) => {
    const model = parseModel({ where: name, values });
    const plan = (method, keep) => compile({ model, classes: 100, microBatch: 1, method, keep, rates: 'relative' });
    const bias = plan('bias', 's2a');
    const full = plan('full', 'exact');
    const kept = bias.plan.keptBytes;
    return [
      name,
      mb(kept),
      `${mb(bias.autogradBytes)} (${(bias.autogradBytes / kept).toFixed(1)}×)`,
      `${mb(full.autogradBytes)} (${(full.autogradBytes / kept).toFixed(1)}×)`,
      `${mib(bias.plan.linearBytes)} (${mib(bias.plan.parts.frozen)})`,
      mib(smallestBudget(model, 'f32')),
      mib(smallestBudget(model, 'int8')),
      mib(smallestBudget(model, 'int8,stream')),
    ];
  });
  return [
    '| model | kept for backward, MB a picture | bias tuning, f32 autograd | full fine-tuning, f32 autograd | linear memory, MiB (of it frozen weights) | smallest budget, f32 weights | smallest budget, int8 | int8 in a file |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

const marks = /<!-- figures -->[\s\S]*?<!-- \/figures -->|<!-- figures -->/;
const table = figures();
if (process.argv.includes('--write')) {
  const readme = readFileSync('README.md', 'utf8');
  writeFileSync('README.md', readme.replace(marks, `<!-- figures -->\n${table}\n<!-- /figures -->`));
} else if (process.argv.includes('--check')) {
  if (!readFileSync('README.md', 'utf8').includes(table)) {
    console.error('README.md: the table of figures is not what the plans say; npm run figures -- --write');
    process.exit(1);
  }
} else console.log(table);
