// How true the gradients from kept codes are, with the shipped tables and with calibrated ones, on drawings by people after 20 steps:
//     node tools/fidelity.mjs [part of a name…] [--page]
// Our ViT (models/sketch-vit, whatever it is), and the golden configurations of the families with coded functions (random weights). Exit code 1 where
// the cosine of the whole gradient is below 0.99, that of a module of a block below 0.95, or a calibrated table does worse than the shipped one.
// --page writes docs/results/fidelity.md.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { source } from './parity/source.mjs';
import { writeQuickdraw } from './pictures/quickdraw.mjs';
import { EVALUATION } from './pictures/sets.mjs';

const { fidelity, blockName, modelFolder } = await source(
  'fidelity',
  `export { fidelity } from './src/use/fidelity/fidelity.ts';
export { blockName } from './src/report/fidelity.ts';
export { modelFolder } from './test/support/golden.ts';`,
);
const OURS = 'models/sketch-vit';
const ALL = 'bias+prompt:rank=8+side:ratio=8';
const SMALL = 'bias+prompt:rank=2+side:ratio=2';
/** @typedef {[name: string, imageSize: number | undefined, method: string]} Case */
/** @type {Case[]} */
const CASES = [
  ...['bias', 'bias+prompt:rank=8', ALL, 'lora', 'full'].map((method) => /** @type {Case} */ (['sketch-vit', undefined, method])),
  ['mobilenetv3-timm', 48, 'bias'],
  ['mobilenetv3-timm', 48, SMALL],
  ['mobilenetv3-timm-tf', 48, 'bias'],
  ['swin-hf', 32, 'bias'],
  ['swin-timm', 32, 'bias'],
  ['swin-timm', 32, SMALL],
  ['convnext-hf', 44, 'bias'],
  ['convnext-hf', 44, SMALL],
  ['convnext-timm', 64, 'bias'],
];
/** Nothing but the derivative codes: what tables can change. */
const TABLES = 'exact,gelu=4,silu=4,hswish=4,sigmoid=4,tanh=4';
const SEEDS = [1, 2, 3];
const [STEPS, BATCHES, CALIBRATE] = [20, 4, 64];
const [WHOLE, MODULE] = [0.99, 0.95];

const { values, positionals } = parseArgs({ allowPositionals: true, options: { page: { type: 'boolean', default: false } } });
const work = mkdtempSync(join(tmpdir(), 's2a-fidelity-'));
const rows = [];
const percent = (x) => `${(100 * x).toFixed(2)} %`;
try {
  // Ten classes that our ViT has not seen.
  writeQuickdraw(join(work, 'drawings'), { classes: EVALUATION[1], train: 40, val: 10 });
  for (const [name, imageSize, method] of CASES.filter(([n]) => positionals.every((p) => n.includes(p)))) {
    const model = name === 'sketch-vit' ? OURS : modelFolder(name);
    const measure = (more) =>
      fidelity({
        ...{ model, data: join(work, 'drawings'), cacheFolder: join(work, 'cache'), steps: STEPS, batches: BATCHES, method },
        ...(imageSize ? { imageSize } : {}),
        ...more,
      });
    const found = await measure({});
    const tables = method === 'bias' ? await compareTables(measure) : undefined;
    const pass = found.whole.cosine >= WHOLE && found.least.cosine >= MODULE && (!tables || tables.fitted <= tables.shipped);
    rows.push({ name, found, tables, pass });
    const { whole, least } = found;
    console.log(
      `${pass ? 'PASS' : 'FAIL'}  ${name}, ${method}: ${whole.bits.toFixed(1)} bits, whole ${whole.cosine.toFixed(5)} (error ${percent(whole.error)}), ` +
        `least ${least.cosine.toFixed(4)} (${least.module} of ${blockName(least.block, found)})`,
    );
    if (tables) console.log(`      derivative codes alone: error ${percent(tables.shipped)}, calibrated ${percent(tables.fitted)}`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The error that derivative codes alone bring, with the shipped and with calibrated tables: the mean over seeds, that is orders of pictures. */
async function compareTables(measure) {
  const sum = { shipped: 0, fitted: 0 };
  for (const seed of SEEDS) {
    sum.shipped += (await measure({ keep: TABLES, seed })).whole.error / SEEDS.length;
    sum.fitted += (await measure({ keep: TABLES, seed, calibrate: CALIBRATE })).whole.error / SEEDS.length;
  }
  return sum;
}

process.exitCode = rows.every(({ pass }) => pass) ? 0 : 1;
if (values.page) writeFileSync('docs/results/fidelity.md', page());

function page() {
  const table = rows.map(
    ({ name, found: f, tables }) =>
      `| ${name} | ${f.method} | ${f.whole.bits.toFixed(1)} | ${f.whole.cosine.toFixed(5)} | ${percent(f.whole.error)} | ` +
      `${f.least.cosine.toFixed(4)}, ${f.least.module} of ${blockName(f.least.block, f)} | ${tables ? `${percent(tables.shipped)} → ${percent(tables.fitted)}` : ''} |`,
  );
  return `# How true the gradients from kept codes are

Written by \`node tools/fidelity.mjs --page\`. Gradients of policy \`s2a\` against those of \`exact\` (f32): the same parameters, ${STEPS} steps after the start, the
same ${rows[0].found.pictures} drawings by people (Quick, Draw!, ten classes), the head left out, tensors whose gradient is zero too. Bounds: cosine ${WHOLE} for the whole
gradient, ${MODULE} for every module of every block.

sketch-vit is models/sketch-vit, as pretrained; the others are the golden configurations of the tests, with random weights. Bits: what is kept for
each number that \`exact\` keeps as f32. The last column is the error that the 4-bit derivative codes bring alone, with the shipped tables and with tables calibrated on
${CALIBRATE} of the pictures (mean of ${SEEDS.length} seeds); a layer keeps the shipped table where its own would not be a tenth better.

| model | method | bits | cosine, whole | error, whole | least alike | derivative codes alone |
|---|---|---|---|---|---|---|
${table.join('\n')}
`;
}
