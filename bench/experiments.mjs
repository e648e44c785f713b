// Every method against every other, on real models:   npm run experiments [-- --quick] [--processes 1] [--only vit,mobilenetv2] [--depth 13] [--write]
//
// Two pretrained models, two transfer tasks each, six methods; each kept as codes (s2a) and as f32 (exact), three seeds, which also deal the
// pictures anew into those to learn from, to choose by and to judge by. One grid of rates for every method, climbed on the validation
// pictures of the first seed under s2a; exact takes the same rate. Where both policies must give the same adapter to the byte, because
// nothing is coded but by one exact bit, one run shows that they do and stands for the rest.
//
// Runs are kept in build/learning, where npm run learning keeps its own, so a call that was cut short goes on.
// --depth N: MobileNetV2 ends after its first N blocks, as the demo's does; a page of its own, docs/results/experiments-depth-N.md.
// --write: writes the page from the runs that are there, and says what is missing, without running any.
// Writes docs/results/experiments.md, down to the line where notes begin, and its plots (--quick: build/learning/experiments-quick.*).
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { inDepth, SIDE } from '../tools/builtin.mjs';
import { convert } from '../tools/models/movenet.mjs';
import { writeDigits } from '../tools/pictures/digits.mjs';
import { writeQuickdraw } from '../tools/pictures/quickdraw.mjs';
import { EVALUATION } from '../tools/pictures/sets.mjs';
import { page } from './experiments-page.mjs';
import { Missing, openStore } from './learning-store.mjs';
import { writePage } from './notes.mjs';
import { climb, RATES, validation } from './rates.mjs';
import { percent } from './statistics.mjs';
import { DRAWINGS, RECIPE } from './task.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    processes: { type: 'string', default: '1' },
    only: { type: 'string' },
    depth: { type: 'string' },
  },
});
const { quick, depth } = values;
const only = (values.only ?? (depth ? 'mobilenetv2' : 'vit,mobilenetv2')).split(',');
const SEEDS = quick ? [1] : [1, 2, 3];
const folder = 'build/learning';
mkdirSync(folder, { recursive: true });

/** Two deals for each seed: a class has a hundred drawings, and 5,000 judged ones stand behind a claim of less than a point. */
const drawings = (name, classes) => ({
  folder: (seed, deal) => `${folder}/${name}-${seed + 100 * deal}`,
  write: (root, seed, deal) => writeQuickdraw(root, { classes, ...DRAWINGS, seed: seed + 100 * deal }),
  deals: quick ? [0] : [0, 1],
  flip: RECIPE.augment.flip,
});
const digits = {
  folder: (seed) => `${folder}/digits-${seed}`,
  // There are enough digits to choose by more of them.
  write: (root, seed) => writeDigits(root, { ...DRAWINGS, val: 20, test: 170, seed }),
  deals: [0],
  flip: false,
};

/** Where in the grid each method begins to climb: near the product's default rate. */
const MODELS = {
  vit: {
    title: 'sketch-vit, 28×28',
    folder: 'models/sketch-vit',
    side: 28,
    epochs: 12,
    exactCodes: false,
    methods: { probe: 1e-2, bias: 3e-3, 'bias+prompt': 3e-3, 'bias+prompt+side': 3e-3, lora: 3e-3, full: 3e-4 },
    tasks: {
      'QuickDraw, ten classes that it has not seen': drawings('pictures-1', EVALUATION[1]),
      'MNIST digits': digits,
    },
  },
  mobilenetv2: {
    title: `MobileNetV2 1.0 (MoveNet)${depth ? `, its first ${depth} blocks` : ''}, 96×96`,
    depth,
    folder: `${folder}/mobilenetv2`,
    side: SIDE,
    epochs: RECIPE.epochs,
    exactCodes: true,
    methods: { probe: 2e-2, bias: 1e-2, 'bias+prompt': 1e-2, 'bias+prompt+side': 1e-2, 'lora:all=1': 3e-3, full: 3e-4 },
    tasks: {
      'QuickDraw, the ten classes of the demo': drawings('pictures-0', EVALUATION[0]),
      'MNIST digits': digits,
    },
  },
};
/** Methods whose backward reads nothing but weights and single bits on a ReLU6 network: codes are exact there. */
const BITS_ALONE = ['bias', 'bias+prompt'];

const began = Date.now();
const done = openStore(`${folder}/runs`, Number(values.processes), values.write ? null : undefined);
const sections = [];
for (const [key, model] of Object.entries(MODELS).filter(([key]) => only.includes(key))) {
  if (key === 'mobilenetv2') convert(model.folder, model.side);
  for (const [title, task] of Object.entries(model.tasks).slice(0, quick ? 1 : 2)) sections.push(await section(key, model, title, task));
}

/** Every run of one model on one task. */
async function section(key, model, title, task) {
  const trials = SEEDS.flatMap((seed) => task.deals.map((deal) => ({ seed, deal })));
  for (const { seed, deal } of trials)
    if (!existsSync(`${task.folder(seed, deal)}/complete`)) {
      task.write(task.folder(seed, deal), seed, deal);
      writeFileSync(`${task.folder(seed, deal)}/complete`, '');
    }
  const augment = { shift: Math.floor(model.side / 8), flip: task.flip };
  const recipe = { ...RECIPE, epochs: quick ? 2 : model.epochs, augment };
  const run = async (method, rate, { seed, deal }, keep) => {
    const pictures = task.folder(seed, deal);
    const job = {
      method: inDepth(method, model.depth),
      rate,
      seed,
      ...recipe,
      cacheFolder: `${pictures}-cache`,
      ...(keep === 's2a' ? {} : { keep }),
    };
    return { set: 0, seed, ...(await done({ model: model.folder, pictures, job })) };
  };
  /** Runs that are not there, under --write. */
  let missing = 0;
  const orMissing = async (work) => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      missing++;
    }
  };
  const all = (method, rate, keep, list = trials) => Promise.all(list.map((trial) => run(method, rate, trial, keep)));
  const first = trials.slice(0, 1);
  // Every method under s2a before any under exact: what is cut short still compares the methods.
  const rows = [];
  for (const [method, start] of Object.entries(model.methods))
    await orMissing(async () => {
      const { best: rate, tried } = await climb(RATES, start, async (r) => validation(await all(method, r, 's2a', first)));
      rows.push({ method, rate, tried, s2a: await all(method, rate, 's2a') });
      process.stderr.write(`${key}, ${title}, ${method} at ${rate}: validation ${percent(validation(rows.at(-1).s2a).accuracy)}\n`);
    });
  for (const row of rows)
    await orMissing(async () => {
      row.same = model.exactCodes && BITS_ALONE.includes(row.method);
      row.exact = await all(row.method, row.rate, 'exact', row.same ? first : trials);
      if (row.same && row.exact[0].adapter !== row.s2a[0].adapter)
        throw new Error(`${row.method} on ${title}: codes should be exact and are not`);
    });
  return { key, model: model.title, task: title, recipe, rows, missing, methods: Object.keys(model.methods).length };
}

const name = depth ? `experiments-depth-${depth}` : 'experiments';
const out = quick ? `${folder}/${name}-quick` : `docs/results/${name}`;
mkdirSync('docs/results', { recursive: true });
const chosen = [...(quick ? ['--quick'] : []), ...(depth ? [`--depth ${depth}`] : [])];
const flags = chosen.length > 0 ? ` -- ${chosen.join(' ')}` : '';
const { markdown, plots } = page(sections, { seeds: SEEDS, drawings: DRAWINGS, rates: RATES, processor: cpus()[0].model, out, flags });
for (const [path, svg] of Object.entries(plots)) writeFileSync(path, svg);
writePage(`${out}.md`, markdown);
process.stdout.write(`\n${markdown}\n${out}.md; ${Math.round((Date.now() - began) / 1000)} s\n`);
if (sections.some(({ missing }) => missing > 0)) process.exitCode = 1;
