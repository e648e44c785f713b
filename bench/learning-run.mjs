// One run of the learning experiment, a process of its own: trains by the library, then names every test drawing.
//   node bench/learning-run.mjs '{"model", "pictures", "out", "job"}'   →  one JSON object on standard output
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from './learning-store.mjs';

const { decodePicture, loadClassifier, trainJob } = await import('../dist/index.js');
const { model, pictures, out, job } = JSON.parse(process.argv[2]);

// Classifier and validation pictures decide which epoch is kept; the test pictures are first opened below.
const result = await trainJob({ ...job, model, data: pictures, out });
const best = result.epochs[result.bestEpoch - 1];

const classifier = loadClassifier(out, { model });
/** By drawing, `class/number`: 1 if it was named rightly. */
const right = {};
for (const label of readdirSync(join(pictures, 'test')).sort())
  for (const file of readdirSync(join(pictures, 'test', label)).sort()) {
    const pixels = await decodePicture(readFileSync(join(pictures, 'test', label, file)), classifier.preprocess);
    right[`${label}/${file.slice(0, 3)}`] = Number(classifier.predictPrepared(pixels)[0].label === label);
  }

const adapter = digestOf(readFileSync(join(out, 'adapter_model.safetensors')));
rmSync(out, { recursive: true });
process.stdout.write(
  JSON.stringify({
    val: best.val,
    bestEpoch: result.bestEpoch,
    trainLoss: best.train.loss / best.train.count,
    linearBytes: result.memory.linearBytes,
    keptBytesPerImage: result.plan.keptBytesPerImage,
    adapter,
    right,
    cpuSeconds: process.cpuUsage().user / 1e6,
  }),
);
