// One run of the networks' experiment, a process of its own: trains by the library, then names every test picture.
//   node bench/networks/run.mjs '{"model", "pictures", "cacheFolder", "out", "job"}'   →  one JSON object on standard output
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const { decodePicture, loadClassifier, trainJob } = await import('../../dist/index.js');
const { model, pictures, cacheFolder, out, job } = JSON.parse(process.argv[2]);
const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex').slice(0, 16);
const spent = () => process.cpuUsage().user / 1e6;

// Classifier and validation pictures decide which epoch is kept; the test pictures are first judged below.
const warnings = [];
const result = await trainJob({ threads: 1, ...job, model, data: pictures, out, cacheFolder }, { warn: (line) => warnings.push(line) });
const trainedSeconds = spent();
const { trainable, linearBytes, keptBytesPerImage } = result.plan;

const classifier = loadClassifier(out, { model });
const folder = join(pictures, 'test');
const names = readdirSync(folder)
  .sort()
  .flatMap((label) =>
    readdirSync(join(folder, label))
      .sort()
      .map((file) => `${label}/${file}`),
  );
const pixels = await prepared();
const size = pixels.length / names.length;
/** By picture, `class/name`: 1 if it was named rightly. */
const right = {};
/** By class, how often it was the answer: a network that learnt nothing names one for every picture. */
const answers = {};
let loss = 0;
for (const [i, name] of names.entries()) {
  const [truth] = name.split('/');
  const list = classifier.predictPrepared(pixels.subarray(i * size, (i + 1) * size));
  right[name.slice(0, name.lastIndexOf('.'))] = Number(list[0].label === truth);
  answers[list[0].label] = (answers[list[0].label] ?? 0) + 1;
  loss -= Math.log(Math.max(1e-30, list.find(({ label }) => label === truth)?.probability ?? 0));
}

/** Every test picture as the model sees it, one after the other; kept beside the cache, since all runs on these pictures judge the same. */
async function prepared() {
  const path = join(cacheFolder, `test-${digestOf(JSON.stringify([classifier.preprocess, names]))}.pixels`);
  if (existsSync(path)) return readFileSync(path);
  const list = [];
  for (const name of names) list.push(await decodePicture(readFileSync(join(folder, name)), classifier.preprocess));
  mkdirSync(cacheFolder, { recursive: true });
  writeFileSync(`${path}.${process.pid}`, Buffer.concat(list));
  renameSync(`${path}.${process.pid}`, path);
  return readFileSync(path);
}

const adapter = digestOf(readFileSync(join(out, 'adapter_model.safetensors')));
rmSync(out, { recursive: true });
const { bestEpoch, rate } = result;
// Losses as sums, as stored answers have them, so that runs can be added up.
const sum = (figures) => ({ ...figures, loss: figures.loss * figures.count });
const epochs = result.epochs.map((epoch) => ({ ...epoch, train: sum(epoch.train), val: sum(epoch.val) }));
process.stdout.write(
  JSON.stringify({
    epochs,
    bestEpoch,
    rate,
    warnings,
    linearBytes,
    keptBytesPerImage,
    trainable,
    adapter,
    right,
    answers,
    testLoss: loss / names.length,
    trainedSeconds,
    cpuSeconds: spent(),
  }),
);
