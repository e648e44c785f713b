// One run of the learning experiments, a process of its own: trains by the library, then names every test picture.
//   node bench/learning-run.mjs '{"model", "pictures", "out", "job"}'   →  one JSON object on standard output
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from './learning-store.mjs';

const { decodePicture, loadClassifier, trainJob } = await import('../dist/index.js');
const { model, pictures, out, job } = JSON.parse(process.argv[2]);

// Classifier and validation pictures decide which epoch is kept; the test pictures are first judged below.
// A rate that the grid names is learnt at, whatever comes of it: the watch would take a smaller one.
const plain = job.rate === undefined ? {} : { retries: 0 };
const result = await trainJob({ ...plain, ...job, model, data: pictures, out });
const best = result.epochs[result.bestEpoch - 1];
const trainedSeconds = process.cpuUsage().user / 1e6;

const classifier = loadClassifier(out, { model });
const names = readdirSync(join(pictures, 'test'))
  .sort()
  .flatMap((label) =>
    readdirSync(join(pictures, 'test', label))
      .sort()
      .map((file) => `${label}/${file}`),
  );
const pixels = await prepared();
const size = pixels.length / names.length;
/** By picture, `class/number`: 1 if it was named rightly. */
const right = {};
for (const [i, name] of names.entries()) {
  const [{ label }] = classifier.predictPrepared(pixels.subarray(i * size, (i + 1) * size));
  right[name.slice(0, name.lastIndexOf('.'))] = Number(label === name.slice(0, name.indexOf('/')));
}

/** Every test picture as the model sees it, one after the other; kept beside the cache, since all runs on these pictures judge the same. */
async function prepared() {
  const path = join(job.cacheFolder, `test-${digestOf(JSON.stringify([classifier.preprocess, names]))}.pixels`);
  if (existsSync(path)) return readFileSync(path);
  const list = [];
  for (const name of names) list.push(await decodePicture(readFileSync(join(pictures, 'test', name)), classifier.preprocess));
  writeFileSync(`${path}.${process.pid}`, Buffer.concat(list));
  renameSync(`${path}.${process.pid}`, path);
  return readFileSync(path);
}

const adapter = digestOf(readFileSync(join(out, 'adapter_model.safetensors')));
rmSync(out, { recursive: true });
const { linearBytes, parts, keptBytesPerImage, trainable } = result.plan;
process.stdout.write(
  JSON.stringify({
    // Sums, so that runs can be added up.
    val: { ...best.val, loss: best.val.loss * best.val.count },
    bestEpoch: result.bestEpoch,
    trainLoss: best.train.loss,
    linearBytes,
    frozenBytes: parts.frozen,
    keptBytesPerImage,
    trainable,
    adapter,
    right,
    trainedSeconds,
    cpuSeconds: process.cpuUsage().user / 1e6,
  }),
);
