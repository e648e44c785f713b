// Linear memory beyond the frozen weights, against PyTorch's:   npm run bench:memory [-- --stored] [--json]
//
// Batch 8, 224×224, 100 classes, AdamW, f32 weights. Ours is S2A's bias tuning, from the plan (which is what the WebAssembly memory is made
// with), in passes of 8 and of 1 picture. PyTorch's is the process's peak over its import less its weights, for bias tuning and for full
// fine-tuning: measured here where a Python has torch and transformers (PYTHON=…), by bench/torch-memory.py; else, or with --stored, the
// figures below. Ends with 1 where a target is missed.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findPython } from './steps.mjs';

const { compile, parseModel } = await import('../dist/index.js');
const { values: flags } = parseArgs({ options: { stored: { type: 'boolean' }, json: { type: 'boolean' } } });

const BATCH = 8;
const MIB = 2 ** 20;
/** Least ratio at each micro-batch: PyTorch's bias tuning and its full fine-tuning, each over ours. */
const TARGETS = { 8: { bias: 8, full: 12 }, 1: { bias: 40, full: 60 } };

const vit = (hidden_size, num_attention_heads) => ({
  model_type: 'vit',
  hidden_size,
  num_attention_heads,
  num_hidden_layers: 12,
  intermediate_size: 4 * hidden_size,
  architectures: ['ViTForImageClassification'],
});

/** Configurations, and what PyTorch took when this bench was asked for, MiB: its peak over import for bias and for full, and the weights. */
const MODELS = {
  'vit-small': { config: vit(384, 6), stored: { bias: 741, full: 1280, weights: 83 } },
  'vit-base': { config: vit(768, 12), stored: { bias: 1735, full: 3001, weights: 328 } },
  'swin-tiny': {
    config: { model_type: 'swin', embed_dim: 96, depths: [2, 2, 6, 2], num_heads: [3, 6, 12, 24] },
    stored: { bias: 1421, full: 1957, weights: 105 },
  },
  'resnet-50': { config: { model_type: 'resnet' }, stored: { bias: 1249, full: 1328, weights: 91 } },
  mobilenetv2: { config: { model_type: 'mobilenet_v2' }, stored: { bias: 779, full: 829, weights: 9 } },
};
const ORIGIN = 'stored figures: measured once on another machine, the project issue that set the targets states them';

/** PyTorch's peak over import and weights, MiB. */
function measure(python, name) {
  const run = (method) => {
    const script = fileURLToPath(new URL('torch-memory.py', import.meta.url));
    const text = execFileSync(python, [script, '--model', name, '--method', method, '--batch', String(BATCH)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return JSON.parse(text.trim().split('\n').at(-1) ?? '');
  };
  const [bias, full] = [run('bias'), run('full')];
  return {
    bias: bias.peakOverImportBytes / MIB,
    full: full.peakOverImportBytes / MIB,
    weights: bias.weightBytes / MIB,
    versions: bias.versions,
  };
}

const python = flags.stored ? undefined : findPython();
const rows = [];
for (const [name, { config, stored }] of Object.entries(MODELS)) {
  const torch = python ? measure(python, name) : stored;
  const model = parseModel({ where: name, values: config });
  for (const microBatch of [8, 1]) {
    const { linearBytes, parts } = compile({ model, classes: 100, microBatch }).plan;
    const beyond = (linearBytes - parts.frozen) / MIB;
    const ratio = (method) => (torch[method] - torch.weights) / beyond;
    const target = TARGETS[microBatch];
    const [bias, full] = [ratio('bias'), ratio('full')];
    const misses = [...(bias < target.bias ? ['bias'] : []), ...(full < target.full ? ['full'] : [])];
    rows.push({ name, microBatch, totalMiB: linearBytes / MIB, beyondMiB: beyond, torch, bias, full, target, misses });
  }
}

if (flags.json) console.log(JSON.stringify({ measured: python !== undefined, rows }, null, 2));
else {
  const { versions } = rows[0].torch;
  console.log(
    `MiB, batch ${BATCH}, 224×224, 100 classes, AdamW; PyTorch: ${versions ? `${versions.torch}, transformers ${versions.transformers}, measured now` : ORIGIN}\n`,
  );
  const cells = [
    'model',
    'micro-batch',
    'ours, total',
    'less weights',
    'PyTorch bias, total',
    'less weights',
    '÷ ours',
    'PyTorch full, total',
    'less weights',
    '÷ ours',
  ];
  const table = rows.map(({ name, microBatch, totalMiB, beyondMiB, torch, bias, full, target, misses }) => [
    name,
    String(microBatch),
    totalMiB.toFixed(1),
    beyondMiB.toFixed(1),
    ...['bias', 'full'].flatMap((method) => [
      torch[method].toFixed(0),
      (torch[method] - torch.weights).toFixed(0),
      `${{ bias, full }[method].toFixed(2)}× ${misses.includes(method) ? '✗' : '✓'} ≥ ${target[method]}`,
    ]),
  ]);
  const widths = cells.map((cell, i) => Math.max(cell.length, ...table.map((row) => row[i].length)));
  for (const row of [cells, ...table])
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
  const missed = rows.flatMap(({ name, microBatch, misses }) => misses.map((m) => `${name} at micro-batch ${microBatch} against ${m}`));
  console.log(`\n${missed.length === 0 ? 'every target is met' : `missed: ${missed.join('; ')}`}`);
}
if (rows.some(({ misses }) => misses.length > 0)) process.exitCode = 1;
